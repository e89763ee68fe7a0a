"""Records that refuse to be inconsistent."""

from __future__ import annotations

import pytest

from harness.records import Case, Result, Status, Timing, Verdict

CASE = Case({"batch_size": 3, "features": 5}, "float32", "cpu")
TIMING = Timing(2.0, 1.0, 3.0, ((1.0, 2.0), (3.0,)))


def verdict(status: Status) -> Verdict:
    return Verdict(status, "" if status is Status.PASSED else "because", 1e-7)


def result(status: Status, **fields: object) -> Result:
    return Result("problem", "kernel", CASE, 0, verdict(status), **fields)


def test_a_passed_verdict_carries_its_error() -> None:
    with pytest.raises(ValueError, match="error it passed with"):
        Verdict(Status.PASSED)


@pytest.mark.parametrize("status", sorted(set(Status) - {Status.PASSED}))
def test_every_other_verdict_says_why(status: Status) -> None:
    with pytest.raises(ValueError, match="must say why"):
        Verdict(status)


@pytest.mark.parametrize("status", Status)
def test_a_latency_belongs_to_statuses_that_are_timed(status: Status) -> None:
    if status in (Status.PASSED, Status.NON_FINITE):
        assert result(status, timing=TIMING).timing is TIMING
    else:
        with pytest.raises(ValueError, match="must not carry a latency"):
            result(status, timing=TIMING)


@pytest.mark.parametrize(
    "status, known_defect, expected",
    [
        (Status.PASSED, None, True),
        (Status.WRONG_VALUES, None, False),
        (Status.NON_FINITE, None, False),
        (Status.SKIPPED, None, True),
        (Status.NON_FINITE, Status.NON_FINITE, True),
        (Status.WRONG_VALUES, Status.NON_FINITE, False),
        (Status.PASSED, Status.NON_FINITE, False),
        (Status.SKIPPED, Status.NON_FINITE, True),
    ],
)
def test_a_file_is_to_do_what_it_says(
    status: Status, known_defect: Status | None, expected: bool
) -> None:
    assert result(status, known_defect=known_defect).as_expected is expected


def test_samples_are_counted_over_blocks() -> None:
    assert TIMING.samples == 3


def test_a_case_reads_as_one_line() -> None:
    assert str(CASE) == "batch_size=3 features=5 float32 cpu"
