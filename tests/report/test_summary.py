"""What a run says at its end: a table, one sentence, where the files are."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from harness.records import NON_FINITE, Case, NonFinite, Result, Speedup, Status, Timing, Verdict
from harness.report.summary import print_summary

CASES = [Case({"rows": rows}, "float32", "cpu") for rows in range(3)]


def timing(us: float, spread: float = 0.0) -> Timing:
    return Timing(us, us * (1 - spread), us * (1 + spread), ((us,),))


def row(
    kernel: str = "fast", status: Status = Status.PASSED, case: int = 0, **fields: Any
) -> Result:
    verdict = Verdict(status, "" if status is Status.PASSED else f"because of {status}", 1e-7)
    return Result("problem", kernel, CASES[case], case, verdict, **fields)


def passed(
    kernel: str, us: float, case: int = 0, shaky: bool = False, eager_us: float = 100.0,
    **baselines_us: float,
) -> Result:  # fmt: skip
    us_of = {"eager": eager_us} | {name.replace("_", "-"): t for name, t in baselines_us.items()}
    return row(
        kernel,
        case=case,
        timing=timing(us, 0.3 if shaky else 0.0),
        baselines={name: timing(t) for name, t in us_of.items()},
        speedups={name: Speedup(t / us, t / us, t / us) for name, t in us_of.items()},
    )


def astray(kernel: str) -> Result:
    """Right on finite inputs only, as its file says."""
    lost = Verdict(
        Status.WRONG_VALUES, "lost", 1e-7, non_finite=NonFinite.DIFFERS, finite_right=True
    )
    return Result("problem", kernel, CASES[0], 0, lost, known_defect=NON_FINITE, timing=timing(1.0))


def marked(kernel: str, us: float) -> Result:
    """Passed, with NaN astray under stress."""
    right = passed(kernel, us)
    lost = replace(
        right.verdict, stress="NaN inputs: lost", non_finite=NonFinite.DIFFERS, finite_right=True
    )
    return replace(right, verdict=lost)


def summary(*rows: Result, width: int = 120, terminal: bool = False) -> str:
    console = Console(
        file=io.StringIO(), width=width, highlight=False, force_terminal=terminal,
        color_system=None,
    )  # fmt: skip
    print_summary(console, rows, Path("results/run"))
    return console.file.getvalue()


def line_of(text: str, kernel: str) -> str:
    return next(line for line in text.splitlines() if line.strip().startswith(kernel))


# the conclusion


def test_the_fastest_right_kernel_is_named() -> None:
    text = summary(passed("slow", 80.0), passed("fast", 50.0))
    assert "fast is the fastest right kernel: 2.00× eager." in text
    assert "All files:  results/run" in text


def test_speedups_are_averaged_geometrically() -> None:
    text = summary(passed("fast", 50.0, 0), passed("fast", 12.5, 1))
    assert "4.00× eager." in text  # of 2 and 8
    assert "8.00×" in text  # the best


def test_a_kernel_wrong_on_one_case_is_not_the_winner() -> None:
    wrong = row("fast", Status.WRONG_VALUES, 1)
    text = summary(passed("fast", 10.0), wrong, passed("slow", 80.0))
    assert "slow is the fastest right kernel: 1.25× eager; wrong or failed: fast." in text
    assert "1 WRONG_VALUES" in text


def test_a_mean_over_fewer_cases_does_not_win() -> None:
    every = [passed("slow", 80.0), passed("slow", 80.0, 1)]
    assert "slow is the fastest right kernel" in summary(passed("fast", 10.0), *every)


def test_a_kernel_alone_is_not_the_fastest() -> None:
    assert "fast is right: 1.25× eager." in summary(passed("fast", 80.0))


@pytest.mark.parametrize(
    "eager_us, compile_us, says",
    [
        (93.4, 80.0, ", but slower than eager and compile: 0.93× eager, 0.80× compile."),
        (93.4, 120.0, ", but slower than eager: 0.93× eager, 1.20× compile."),
        (120.0, 98.0, ", but slower than compile: 1.20× eager, 0.98× compile."),
        (99.9, 100.0, ": 1.00× eager, 1.00× compile."),
        (0.02, 100.0, ", but slower than eager: 0.0002× eager, 1.00× compile."),
    ],
)
@pytest.mark.parametrize("others, praise", [(0, "is right"), (1, "is the fastest right kernel")])
def test_a_winner_slower_than_a_baseline_is_called_so(
    eager_us: float, compile_us: float, says: str, others: int, praise: str
) -> None:
    rows = [passed("fast", 100.0, eager_us=eager_us, compile=compile_us)]
    rows += [passed("slow", 900.0, eager_us=eager_us, compile=compile_us)] * others
    assert f"fast {praise}{says}" in summary(*rows)


@pytest.mark.parametrize(
    "rows, says",
    [
        ([row("fast")], "Right on every case: fast."),
        ([row("fast", Status.CRASHED)], "No kernel is right on every case it ran; wrong or"),
        ([row("fast", Status.SKIPPED)], "No kernel ran."),
        ([row("fast"), row("slow", Status.SKIPPED)], "Right on every case: fast."),
    ],
)
def test_a_conclusion_without_times(rows: list[Result], says: str) -> None:
    assert says in summary(*rows)


def test_kernels_that_passed_every_case_they_ran_come_first() -> None:
    text = summary(
        row("none", Status.SKIPPED),
        passed("hasty", 1.0),
        row("hasty", Status.WRONG_VALUES, 1),
        passed("sound", 80.0),
        row("sound", Status.SKIPPED, 1),
    )
    lines = [line.split()[0] for line in text.splitlines()[2:5]]
    assert lines == ["sound", "none", "hasty"]


def test_a_defect_that_is_no_more_is_named() -> None:
    mended = replace(passed("fast", 50.0), known_defect=NON_FINITE)
    says = "fast passed, though its file says NON_FINITE: take KNOWN_DEFECT out."
    assert f"fast is right: 2.00× eager; {says}" in summary(mended)
    other = replace(astray("fast"), case_index=1)
    text = summary(mended, other)
    assert "fast passed 1 of 2 cases, though its file says NON_FINITE." in text
    assert "wrong or failed" not in text and "is right:" not in text


def test_an_expected_defect_is_neither_winner_nor_failure() -> None:
    text = summary(astray("fast"), passed("slow", 80.0))
    assert "slow is the fastest right kernel" in text
    assert "wrong or failed" not in text
    assert "1 NaN astray, as the file says" in text


def test_without_the_files_word_it_is_a_failure() -> None:
    text = summary(replace(astray("fast"), known_defect=None), passed("slow", 80.0))
    assert "wrong or failed: fast." in text
    assert "1 NaN astray" in text and "as the file says" not in text


# stress


def test_what_fails_under_stress_is_ranked_and_marked() -> None:
    text = summary(marked("fast", 50.0), passed("slow", 80.0))
    assert "fast † is the fastest right kernel: 2.00× eager." in text
    assert "1/1" in line_of(text, "fast") and "1 †" in line_of(text, "fast")
    assert "† right on the problem's contract, wrong under stress: `stress` in results.csv" in text
    assert "†" not in line_of(text, "slow")


def test_what_is_right_without_times_is_marked_too() -> None:
    bare = replace(marked("fast", 50.0), timing=None, baselines={}, speedups={})
    assert "Right on every case: fast †, slow." in summary(bare, row("slow"))


def test_a_defect_that_only_stress_shows_is_as_the_file_says() -> None:
    text = summary(replace(marked("fast", 50.0), known_defect=NON_FINITE))
    assert "fast † is right: 2.00× eager." in text
    assert "though its file says" not in text


def test_without_stress_there_is_no_footnote() -> None:
    assert "†" not in summary(passed("fast", 50.0), astray("slow"))


# what is not ranked


def test_uncertain_rows_are_in_no_mean_no_best_and_no_headline() -> None:
    rows = [passed("fast", 50.0), passed("fast", 0.04, 1, shaky=True)]
    text = summary(*rows)
    assert "fast is right: 2.00× eager." in text
    assert "2500×" not in text
    assert "1 uncertain" in line_of(text, "fast")
    assert "1 of 4 times (of kernels and baselines) are uncertain by more than 20%" in text


def test_a_baseline_that_is_uncertain_costs_the_row_its_rank_over_it() -> None:
    shaky = replace(passed("fast", 0.04, 1), baselines={"eager": timing(100.0, 0.3)})
    text = summary(passed("fast", 50.0), shaky)
    assert "2500×" not in text and "1 uncertain" in text


def test_a_baseline_that_is_uncertain_costs_no_rank_over_another() -> None:
    rows = [passed("fast", 50.0, compile=80.0), passed("fast", 12.5, 1, compile=2000.0)]
    rows[1] = replace(rows[1], baselines=dict(rows[1].baselines) | {"compile": timing(2000.0, 0.3)})
    assert "fast is right: 4.00× eager, 1.60× compile." in summary(*rows)


def test_without_a_certain_row_no_kernel_is_the_fastest() -> None:
    text = summary(passed("fast", 50.0, shaky=True), passed("slow", 80.0, shaky=True))
    assert "Right on every case: fast, slow; no speed-up is certain enough" in text
    assert "×" not in text


def test_an_uncertain_row_does_not_hand_the_headline_to_a_slower_kernel() -> None:
    """They are compared on the cases that are certain for both."""
    fast = [passed("fast", 50.0, 0), passed("fast", 50.0, 1, shaky=True)]
    slow = [passed("slow", 80.0, 0), passed("slow", 10.0, 1)]
    assert "fast is the fastest right kernel: 2.00× eager" in summary(*fast, *slow)


def test_a_kernel_without_a_certain_row_is_named_apart() -> None:
    text = summary(passed("fast", 10.0, shaky=True), passed("slow", 80.0))
    says = "slow is the fastest right kernel: 1.25× eager; too uncertain to rank: fast."
    assert says in text


def test_a_fallback_is_marked_not_ranked_and_no_success() -> None:
    copy = row("fast", timing=timing(1.0), baselines={"eager": timing(100.0)}, fallback="no nvcc")
    text = summary(copy, passed("slow", 80.0))
    assert "slow is the fastest right kernel: 1.25× eager; not its own kernel: fast." in text
    assert "1 fallback" in line_of(text, "fast") and "0/1" in line_of(text, "fast")


def test_names_are_shown_as_they_are() -> None:
    names = ["[bold]fast", "slow[/]", "[red]wrong"]
    failed = row(names[2], Status.CRASHED)
    text = summary(passed(names[0], 50.0), passed(names[1], 80.0), failed)
    assert "[bold]fast is the fastest" in text and "failed: [red]wrong" in text
    assert all(line_of(text, name) for name in names)


# the width of a terminal

MANY = {"compile": 81.0, "compile_reduce_overhead": 82.0, "compile_max_autotune": 83.0}


@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_no_number_and_no_path_breaks_on_a_narrow_terminal(width: int) -> None:
    name = "a_kernel_with_a_name_of_38_characters_"
    rows = [passed(name, 50.0, **MANY), row("b", Status.WRONG_VALUES, baselines={})]
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    folder = Path("results") / "20261125-044623-gemm_swish_divide_clamp_tanh_clamp-cuda" / ("x" * 9)
    print_summary(console, rows, folder)
    lines = console.file.getvalue().splitlines()
    for whole in ("2.00×", "1.62×", "1.64×", "1.66×", "1/1", str(folder)):
        assert any(whole in line for line in lines), whole
    assert all(len(line.rstrip()) <= width or str(folder) in line for line in lines)
    assert "…" not in console.file.getvalue()


def test_a_wide_terminal_has_whole_headers_and_the_best() -> None:
    header = summary(passed("fast", 50.0, **MANY), width=160).splitlines()[1]
    assert "vs compile-max-autotune " in header and "best" in header
