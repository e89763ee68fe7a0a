"""From --sweep and a problem's own sweep to cases."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.catalog.sweep import Range, expand_cases, read_sweep
from harness.records import HarnessError, Problem


@pytest.fixture
def problem(tmp_path: Path) -> Problem:
    axes = {"rows": 4, "scale": 0.5, "mode": "sum", "exact": True}
    file = tmp_path / "written.py"
    file.write_text("\ndoubled = 2 * rows\n")
    return Problem("written", file, axes, {}, None)


def points(problem: Problem, *sweeps: str, quick: bool = False) -> list[tuple]:
    ranges = read_sweep(problem, sweeps, quick)["cpu"]
    cases = expand_cases(problem, ranges, "cpu", ["float32"])
    return [tuple(case.axes.values()) for case in cases]


@pytest.fixture
def swept() -> Problem:
    """Three axes and a default sweep of two of them."""
    axes = {"a": 1, "b": 2, "c": 3.5}
    return Problem("swept", Path("swept.py"), axes, {"cpu": ("a=10,20,30", "b=5,6")}, None)


def test_without_a_sweep_the_file_speaks(problem: Problem) -> None:
    assert points(problem) == [(4, 0.5, "sum", True)]


def test_the_default_sweep_is_a_cross_product(swept: Problem) -> None:
    assert points(swept) == [(a, b, 3.5) for a in (10, 20, 30) for b in (5, 6)]


def test_a_given_axis_replaces_its_default_only(swept: Problem) -> None:
    assert points(swept, "b=9") == [(a, 9, 3.5) for a in (10, 20, 30)]


def test_tied_axes_take_equal_values_and_replace_both_defaults(swept: Problem) -> None:
    assert points(swept, "b=a=7,8") == [(7, 7, 3.5), (8, 8, 3.5)]


def test_an_axis_given_alone_unties_a_default(swept: Problem) -> None:
    tied = replace(swept, sweep={"cpu": ("a=b=10,20",)})
    assert points(tied) == [(10, 10, 3.5), (20, 20, 3.5)]
    assert points(tied, "a=7") == [(7, 2, 3.5)]


def test_rows_come_in_the_order_of_the_file(swept: Problem) -> None:
    assert points(swept, "c=1,2", "a=1,2", "b=9") == [(a, 9, c) for a in (1, 2) for c in (1.0, 2.0)]


def test_quick_takes_the_middle_of_defaults_and_all_that_is_given(swept: Problem) -> None:
    assert points(swept, "b=7,8,9", quick=True) == [(20, b, 3.5) for b in (7, 8, 9)]


def test_values_have_the_type_of_the_files_own(problem: Problem) -> None:
    (found,) = points(problem, "rows=8", "scale=2", "mode=mean", "exact=False")
    assert found == (8, 2.0, "mean", False)
    assert [type(value) for value in found] == [int, float, str, bool]


def test_what_is_no_size_may_be_negative(problem: Problem) -> None:
    whole = replace(problem, axes={"rows": 4, "dim": 1})
    assert points(whole, "dim=-1,0") == [(4, -1), (4, 0)]


def test_a_value_given_twice_counts_once(problem: Problem) -> None:
    assert points(problem, "rows=8,8,4,8") == [(8, 0.5, "sum", True), (4, 0.5, "sum", True)]


def test_every_dtype_goes_through_every_point(swept: Problem) -> None:
    ranges = read_sweep(swept, ["a=1,2"])["cpu"]
    cases = expand_cases(swept, ranges, "cpu:0", ["float32", "bfloat16"])
    assert [(case.dtype, case.axes["a"], case.axes["b"]) for case in cases] == [
        (dtype, a, b) for dtype in ("float32", "bfloat16") for a in (1, 2) for b in (5, 6)
    ]
    assert {case.device for case in cases} == {"cpu:0"}


def test_each_device_has_a_sweep_of_its_own(swept: Problem) -> None:
    ranges = read_sweep(replace(swept, sweep={"cuda": ("a=1,2",)}), ["c=9"])
    assert ranges == {
        "cuda": [Range(("a",), (1, 2)), Range(("c",), (9.0,))],
        "cpu": [Range(("c",), (9.0,))],
    }


@pytest.mark.parametrize("device", ["cuda", "cpu"])
def test_the_files_own_sweep_is_blamed_on_the_file(device: str, problem: Problem) -> None:
    wrong = replace(problem, sweep={device: ("rows=none",)})
    with pytest.raises(HarnessError, match=r"written.py: SWEEP 'rows=none': 'none' is not a whole"):
        read_sweep(wrong, [])


@pytest.mark.parametrize(
    "sweep, says",
    [
        ("row=1", "Did you mean 'rows'?"),
        ("=1", "names no axis"),
        ("rows", "has no '='"),
        ("rows=", "names no values"),
        ("rows=1.5", "1.5"),
        ("rows=-1", "sizes are 1 or more"),
        ("rows=9223372036854775808", "below 2\\^63"),
        ("rows=1e400", "'1e400' is not a whole number"),
        ("scale=1e400", "'1e400' is not a finite number"),
        ("scale=nan", "'nan' is not a finite number"),
        ("scale=much", "'much' is not a number"),
        ("doubled=4", "has no axis 'doubled'. Line 2 of written.py computes doubled"),
        ("exact=1", "neither True nor False"),
    ],
)
def test_a_bad_sweep(sweep: str, says: str, problem: Problem) -> None:
    with pytest.raises(HarnessError, match=says):
        points(problem, sweep)


@pytest.fixture
def shaped() -> Problem:
    return Problem("shaped", Path("s.py"), {"rows": 4, "shape": (32, 64), "d": (1,)}, {}, None)


@pytest.mark.parametrize(
    "sweep, shapes",
    [
        ("shape=(8,16),(2, 4)", [(8, 16), (2, 4)]),
        ("shape=(8,16,)", [(8, 16)]),
    ],
)
def test_a_tuple_is_swept_by_tuples(
    sweep: str, shapes: list[tuple[int, int]], shaped: Problem
) -> None:
    assert points(shaped, sweep) == [(4, shape, (1,)) for shape in shapes]
    assert points(shaped, "d=(2,),(0)") == [(4, (32, 64), d) for d in ((2,), (0,))]


@pytest.mark.parametrize("value", ["8", "(8)", "8,16", "(8,16,32)", "(8,x)", "(0,4)", "((8,4),)"])
def test_what_is_no_such_tuple_is_refused(value: str, shaped: Problem) -> None:
    with pytest.raises(HarnessError, match="shape="):
        points(shaped, f"shape={value}")
