"""From comparisons to a verdict. Records in, records out: no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from harness.records import Comparison, Status, Verdict


def of_trial(comparison: Comparison, trial: str, finite: bool) -> Comparison:
    """A comparison with its trial named; lost NaN or infinity on finite inputs is a wrong value."""
    if comparison.status is None:
        return comparison
    lost = comparison.status is Status.NON_FINITE and finite
    status = Status.WRONG_VALUES if lost else comparison.status
    return replace(comparison, status=status, reason=f"{trial} inputs: {comparison.reason}")


def verdict(comparisons: Sequence[Comparison]) -> Verdict:
    """The first wrong trial decides; without one, the error is the largest of all.

    comparisons: one per trial, finite inputs first, so that NON_FINITE is what a kernel gets that
    is wrong on non-finite inputs alone. It carries the error it had on finite ones.
    """
    right = [c for c in comparisons if c.status is None]
    worst = max(right, key=lambda c: c.error_rel or 0.0) if right else None
    wrong = next((c for c in comparisons if c.status), None)
    if wrong is None:
        assert worst is not None
        return Verdict(Status.PASSED, "", worst.error_rel, worst.eager_error_rel)
    assert wrong.status is not None
    of = worst or wrong
    return Verdict(wrong.status, wrong.reason, of.error_rel, of.eager_error_rel)


def when_timed(comparison: Comparison) -> Verdict | None:
    """The verdict on a kernel that passed and was then timed; None if it is still right."""
    if comparison.status is None:
        return None
    reason = f"right when judged, wrong after being timed: {comparison.reason}"
    return Verdict(comparison.status, reason, comparison.error_rel, comparison.eager_error_rel)
