"""What a result puts into a row, and what a frame of rows says when it is asked."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from harness import columns, results
from harness.records import ASTRAY, Bound, Case, NonFinite, Result, Speedup, Status, Timing, Verdict

AXES = ("batch_size", "in_features")
NAMES = ["eager", "compile-max-autotune"]


def timing(us: float, spread: float = 0.01) -> Timing:
    return Timing(us, us * (1 - spread), us * (1 + spread), ((us,),), "cold")


def result(**changes) -> Result:
    fields = {
        "verdict": Verdict(Status.PASSED, error_rel=0.0),
        "timing": timing(2.0),
        "baselines": {"eager": timing(4.0), "compile-max-autotune": timing(3.0)},
        "speedups": {"eager": Speedup(2.0, 1.9, 2.1)},
    }
    case = Case(dict.fromkeys(AXES, 8), "float32", "cuda")
    return Result("matmul", "fused", case, 0, **(fields | changes))


@pytest.fixture
def read(tmp_path):
    """Results through a file and back, as a frame."""

    def read(*rows: Result):
        folder = results.create_folder(tmp_path, "matmul", "cuda")
        writer = results.Writer(folder, AXES, NAMES)
        for row in rows:
            writer.append(row)
        return results.read(folder)

    return read


def test_axes_are_found_between_dtype_and_case(read):
    assert columns.axes(list(read(result()))) == list(AXES)


@pytest.mark.parametrize(
    "subject, us", [("kernel", 2.0), ("eager", 4.0), ("compile-max-autotune", 3.0)]
)
def test_a_subject_has_its_interval_by_its_own_name(read, subject, us):
    times = columns.interval(read(result()), subject)
    assert times.to_dict("records") == [{"middle": us, "low": us * 0.99, "high": us * 1.01}]


def test_what_was_not_timed_has_no_interval(read):
    frame = read(result(baselines={}, speedups={}))
    assert columns.interval(frame, "eager").isna().all(axis=None)
    assert columns.interval(frame, "compile-reduce-overhead").isna().all(axis=None)
    assert columns.speedup(frame, "eager").isna().all(axis=None)


def test_speedups_are_those_recorded(read):
    assert columns.speedup(read(result()), "eager").iloc[0].tolist() == [2.0, 1.9, 2.1]


def test_baselines_are_named_as_on_the_command_line_if_they_were_timed(read):
    assert columns.baselines(read(result())) == NAMES
    assert columns.baselines(read(result(baselines={"eager": timing(1.0)}))) == ["eager"]


def test_uncertain_subjects_are_named_in_their_row(read):
    shaky = {"eager": timing(4.0, 0.2), "compile-max-autotune": timing(3.0, 0.2)}
    frame = read(result(timing=timing(2.0, 0.2)), result(baselines=shaky), result())
    assert frame["uncertain"].fillna("").tolist() == ["kernel", "eager compile-max-autotune", ""]
    marks = {name: columns.uncertain(frame, name).tolist() for name in ("kernel", *NAMES)}
    assert marks == {
        "kernel": [True, False, False],
        "eager": [False, True, False],
        "compile-max-autotune": [False, True, False],
    }
    assert not columns.uncertain(frame, "compile").any()  # part of a name is not the name


def test_the_timer_is_in_the_row(read):
    assert read(result())["timer"].tolist() == ["cold"]


def test_the_judges_clock_is_in_the_row(read):
    held, clock = Bound("held", 1.5, 64), Bound("clock")
    frame = read(result(bound=held), result(bound=clock), result())
    assert frame["bound_kind"].fillna("").tolist() == ["held", "clock", ""]
    assert frame["bound_us"].dropna().tolist() == [1.5]


@pytest.mark.parametrize("fallback", ["ext: did not build", ""])
def test_a_fallback_says_why(read, fallback):
    frame = read(result(fallback=fallback, speedups={}))
    assert frame["fallback"].fillna("").tolist() == [fallback]


def test_what_is_beyond_the_contract_is_in_the_row(read):
    found = Verdict(
        Status.PASSED, error_rel=0.0, non_finite=NonFinite.DIFFERS, stress="NaN inputs: lost"
    )
    frame = read(result(verdict=found), result())
    assert frame["non_finite"].fillna("").tolist() == ["differs", ""]
    assert frame["stress"].fillna("").tolist() == ["NaN inputs: lost", ""]


def test_a_wrong_kernel_that_was_timed_is_right_on_finite_inputs(read):
    lost = Verdict(Status.WRONG_VALUES, "lost", non_finite=NonFinite.DIFFERS, finite_right=True)
    wrong = Verdict(Status.WRONG_VALUES, "off")
    rows = [result(), result(verdict=lost, speedups={})]
    rows.append(result(verdict=wrong, timing=None, baselines={}, speedups={}))
    assert columns.fates(read(*rows)).tolist() == ["PASSED", ASTRAY, "WRONG_VALUES"]
    assert [row.verdict.fate for row in rows] == ["PASSED", ASTRAY, "WRONG_VALUES"]


def test_a_status_that_was_is_read_as_what_it_is_now(read):
    frame = read(result(), result(speedups={}), result())
    frame.loc[1, "status"] = "NON_FINITE"
    old = frame.drop(columns=["non_finite", "stress"])
    columns.fill_in(old)
    assert old["status"].tolist() == ["PASSED", "WRONG_VALUES", "PASSED"]
    assert old["non_finite"].fillna("").tolist() == ["", "differs", ""]
    assert old["stress"].isna().all()
    assert columns.fates(old).tolist() == ["PASSED", ASTRAY, "PASSED"]


def test_writing_needs_no_pandas():
    code = "import sys, harness.results; sys.exit('pandas' in sys.modules)"
    root = Path(columns.__file__).parents[1]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0
