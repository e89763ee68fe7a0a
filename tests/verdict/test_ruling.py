"""From comparisons to a verdict."""

from __future__ import annotations

import pytest

from harness.records import Comparison, Status
from harness.verdict import ruling

RIGHT = Comparison(None, "", 1e-7, 2e-7)
WORSE = Comparison(None, "", 3e-7, 4e-7)
EXACT = Comparison(None, "", None, None)
WRONG = Comparison(Status.WRONG_VALUES, "off", 0.5, 2e-7)
LOST = Comparison(Status.NON_FINITE, "a NaN lost")


@pytest.mark.parametrize(
    "comparisons, status, errors",
    [
        ([RIGHT, WORSE, EXACT], Status.PASSED, (3e-7, 4e-7)),
        ([WORSE, RIGHT], Status.PASSED, (3e-7, 4e-7)),
        ([RIGHT, WRONG], Status.WRONG_VALUES, (1e-7, 2e-7)),
        ([WRONG], Status.WRONG_VALUES, (0.5, 2e-7)),
        ([WORSE, RIGHT, LOST], Status.NON_FINITE, (3e-7, 4e-7)),
    ],
)
def test_trials_make_a_verdict(
    comparisons: list[Comparison], status: Status, errors: tuple[float, float]
) -> None:
    verdict = ruling.verdict(comparisons)
    assert (verdict.status, (verdict.error_rel, verdict.eager_error_rel)) == (status, errors)


@pytest.mark.parametrize(
    "comparison, finite, status",
    [
        (LOST, True, Status.WRONG_VALUES),
        (LOST, False, Status.NON_FINITE),
        (WRONG, False, Status.WRONG_VALUES),
    ],
)
def test_a_trial_is_named_and_nan_belongs_to_non_finite_inputs(
    comparison: Comparison, finite: bool, status: Status
) -> None:
    judged = ruling.of_trial(comparison, "own", finite)
    assert (judged.status, judged.reason) == (status, f"own inputs: {comparison.reason}")
    assert ruling.of_trial(RIGHT, "own", finite) is RIGHT


def test_what_is_wrong_after_being_timed_says_so() -> None:
    assert ruling.when_timed(RIGHT) is None
    verdict = ruling.when_timed(WRONG)
    assert verdict is not None and verdict.status is Status.WRONG_VALUES
    assert verdict.reason == "right when judged, wrong after being timed: off"
