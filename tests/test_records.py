"""Records that refuse to be inconsistent."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.records import NON_FINITE, Case, NonFinite, Result, Status, Timing, Verdict

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
def test_a_latency_belongs_to_what_is_timed(status: Status) -> None:
    if status is Status.PASSED:
        assert result(status, timing=TIMING).timing is TIMING
    else:
        with pytest.raises(ValueError, match="must not carry a latency"):
            result(status, timing=TIMING)


def test_what_is_right_on_finite_inputs_carries_a_latency_too() -> None:
    right = replace(verdict(Status.WRONG_VALUES), non_finite=NonFinite.DIFFERS, finite_right=True)
    assert replace(result(Status.PASSED), verdict=right, timing=TIMING).timing is TIMING


@pytest.mark.parametrize(
    "status, known_defect, expected",
    [
        (Status.PASSED, None, True),
        (Status.WRONG_VALUES, None, False),
        (Status.SKIPPED, None, True),
        (Status.WRONG_VALUES, Status.WRONG_VALUES, True),
        (Status.WRONG_SHAPE, Status.WRONG_VALUES, False),
        (Status.PASSED, Status.WRONG_VALUES, False),
        (Status.WRONG_VALUES, NON_FINITE, False),
        (Status.PASSED, NON_FINITE, False),
        (Status.SKIPPED, NON_FINITE, True),
    ],
)
def test_a_file_is_to_do_what_it_says(
    status: Status, known_defect: str | None, expected: bool
) -> None:
    row = result(status, known_defect=known_defect)
    assert row.as_expected is expected
    assert not replace(row, fallback="no nvcc").as_expected or status is Status.SKIPPED


@pytest.mark.parametrize("status", [Status.PASSED, Status.WRONG_VALUES])
@pytest.mark.parametrize("finite_right", [False, True])
@pytest.mark.parametrize("non_finite", [None, *NonFinite])
def test_nan_is_astray_whatever_the_contract_says(
    status: Status, finite_right: bool, non_finite: NonFinite | None
) -> None:
    found = replace(verdict(status), non_finite=non_finite, finite_right=finite_right)
    row = replace(result(status, known_defect=NON_FINITE), verdict=found)
    assert row.as_expected is (finite_right and non_finite is NonFinite.DIFFERS)


def test_what_passed_and_fails_under_stress_is_marked() -> None:
    for status in (Status.PASSED, Status.WRONG_VALUES):
        for stress in ("", "NaN inputs: lost"):
            row = replace(result(status), verdict=replace(verdict(status), stress=stress))
            assert row.marked is (status is Status.PASSED and bool(stress))


def test_samples_are_counted_over_blocks() -> None:
    assert TIMING.samples == 3


def test_a_case_reads_as_one_line() -> None:
    assert str(CASE) == "batch_size=3 features=5 float32 cpu"
