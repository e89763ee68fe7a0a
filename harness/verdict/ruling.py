"""From comparisons to a verdict: what is contract, what is stress. Records in, records out.

On the contract the first wrong trial decides. What lies beyond it is tried to the end and told,
and is no failure unless the run is strict.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from harness.records import CONTRACT, Comparison, Draw, NonFinite, Status, Verdict

Tried = Sequence[tuple[Draw, Comparison]]
"""Trials in the order tried, each with what came of it: the contract's, finite inputs first, then
stress."""


def is_stress(family: str, stated: Sequence[str] | None) -> bool:
    """Does a family lie beyond the contract of a problem whose file states these families?"""
    return not stated and family not in CONTRACT


def ends(draw: Draw, comparison: Comparison) -> bool:
    """Is the kernel tried no further after this trial?"""
    return comparison.status is not None and not draw.stress


def verdict(tried: Tried, strict: bool = False) -> Verdict:
    """The first wrong trial of the contract decides; strictly, one of stress does as well.

    The error is the largest that a right trial had: for a kernel that is wrong on non-finite
    inputs alone, the one it had on finite ones.
    """
    right = [comparison for _, comparison in tried if comparison.status is None]
    worst = max(right, key=lambda c: c.error_rel or 0.0) if right else None
    wrong = [(draw, comparison) for draw, comparison in tried if comparison.status]
    deciding = next((pair for pair in wrong if strict or not pair[0].stress), None)
    if deciding is None:
        assert worst is not None
        status, reason, of = Status.PASSED, "", worst
    else:
        draw, comparison = deciding
        assert comparison.status is not None
        status, reason, of = comparison.status, _sentence(draw, comparison), worst or comparison
    return Verdict(
        status,
        reason,
        of.error_rel,
        of.eager_error_rel,
        non_finite=_non_finite(tried),
        stress="; ".join(_sentence(*pair) for pair in wrong if pair[0].stress),
        finite_right=not any(draw.finite for draw, _ in wrong),
    )


def _sentence(draw: Draw, comparison: Comparison) -> str:
    return f"{draw.name} inputs: {comparison.reason}"


def _non_finite(tried: Tried) -> NonFinite:
    statuses = [comparison.status for draw, comparison in tried if not draw.finite]
    if not statuses:
        return NonFinite.UNTESTED
    return NonFinite.DIFFERS if any(statuses) else NonFinite.SAME


def broken_off(judged: Verdict, status: Status, reason: str) -> Verdict:
    """The verdict on a kernel that was judged and then failed."""
    return replace(judged, status=status, reason=reason, finite_right=False)


def when_timed(judged: Verdict, comparison: Comparison) -> Verdict:
    """The verdict on a kernel that was judged, and wrong on one of the calls that were timed."""
    assert comparison.status is not None
    reason = f"right when judged, wrong while it was timed: {comparison.reason}"
    return replace(
        broken_off(judged, comparison.status, reason),
        error_rel=comparison.error_rel,
        eager_error_rel=comparison.eager_error_rel,
    )
