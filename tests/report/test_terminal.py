"""What a run says: one line per row, a table, one sentence at the end."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from harness.records import (
    Build,
    Case,
    Diagnostic,
    Kernel,
    Resources,
    Result,
    Speedup,
    Status,
    Timing,
    Verdict,
)
from harness.report.terminal import Progress, format_us, print_summary

CASES = [Case({"rows": rows, "columns": 8}, "float32", "cpu") for rows in (1, 2)]
KERNELS = [Kernel(n, Path(f"{n}.py"), ("cpu",), None, None, None, None) for n in ("fast", "slow")]


def timing(us: float) -> Timing:
    return Timing(us, us, us, ((us,),))


def row(
    kernel: str = "fast", status: Status = Status.PASSED, case: int = 0, **fields: Any
) -> Result:
    verdict = Verdict(status, "" if status is Status.PASSED else f"because of {status}", 1e-7)
    return Result("problem", kernel, CASES[case], case, verdict, **fields)


def passed(kernel: str, us: float, case: int = 0, eager_us: float = 100.0) -> Result:
    ratio = eager_us / us
    return row(
        kernel,
        case=case,
        timing=timing(us),
        baselines={"eager": timing(eager_us)},
        speedups={"eager": Speedup(ratio, ratio, ratio)},
    )


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=120, highlight=False)


def said(console: Console) -> str:
    return console.file.getvalue()


@pytest.fixture
def progress(console: Console) -> Progress:
    return Progress(console, KERNELS, CASES)


def test_a_row_shows_status_case_time_and_speedup(progress: Progress, console: Console) -> None:
    progress.row(passed("fast", 50.0))
    line = said(console)
    for part in ("PASSED", "fast", "rows=1", "50.0 µs", "2.00× eager"):
        assert part in line
    assert "columns" not in line  # the same in every case


@pytest.mark.parametrize(
    "status, known_defect, says",
    [
        (Status.WRONG_VALUES, None, "because of WRONG_VALUES"),
        (Status.NON_FINITE, Status.NON_FINITE, "as the file says"),
        (Status.WRONG_VALUES, Status.NON_FINITE, "because of WRONG_VALUES"),
    ],
)
def test_a_failure_says_why_unless_it_is_expected(
    status: Status, known_defect: Status | None, says: str, progress: Progress, console: Console
) -> None:
    progress.row(row(status=status, known_defect=known_defect))
    assert says in said(console)
    assert ("because" in said(console)) == ("because" in says)


def test_a_reason_to_skip_is_said_once_per_kernel(progress: Progress, console: Console) -> None:
    for case in (0, 1):
        for kernel in ("fast", "slow"):
            progress.row(row(kernel, Status.SKIPPED, case))
    assert said(console).count("SKIPPED fast") == said(console).count("SKIPPED slow") == 1
    assert len(progress.rows) == 4


def test_text_of_others_is_not_markup(progress: Progress, console: Console) -> None:
    verdict = Verdict(Status.RUNTIME_ERROR, "[bold]tile[/] [/nonsense]")
    progress.row(Result("problem", "fast", CASES[0], 0, verdict))
    progress.built(KERNELS[0], Build(1.0, Status.BUILD_FAILED, "[/] error: [x]"))
    progress.note("[/] note")
    progress.step("[/] step")
    for text in ("[bold]tile[/] [/nonsense]", "[/] error: [x]", "[/] note"):
        assert text in said(console)


def test_a_single_case_is_named_in_full(console: Console) -> None:
    Progress(console, KERNELS, CASES[:1]).row(row())
    assert "rows=1 columns=8 float32 cpu" in said(console)


@pytest.mark.parametrize(
    "us, text",
    [
        (0.51, "0.5 µs"),
        (27.64, "27.6 µs"),
        (999.9, "999.9 µs"),
        (1_234, "1.23 ms"),
        (99_900, "99.9 ms"),
        (123_456, "123 ms"),
        (1_234_567, "1.23 s"),
    ],
)
def test_times_read_well(us: float, text: str) -> None:
    assert format_us(us) == text


# the summary


def summary(console: Console, *rows: Result) -> str:
    print_summary(console, rows, Path("results/run"))
    return said(console)


def test_the_fastest_right_kernel_is_named(console: Console) -> None:
    text = summary(console, passed("slow", 80.0), passed("fast", 50.0))
    assert "fast is the fastest right kernel: 2.00× eager." in text
    assert "results/run" in text


def test_speedups_are_averaged_geometrically(console: Console) -> None:
    text = summary(console, passed("fast", 50.0, 0), passed("fast", 12.5, 1))
    assert "4.00× eager." in text  # of 2 and 8
    assert "8.00×" in text  # the best


def test_a_kernel_wrong_on_one_case_is_not_the_winner(console: Console) -> None:
    wrong = row("fast", Status.WRONG_VALUES, 1)
    text = summary(console, passed("fast", 10.0), wrong, passed("slow", 80.0))
    assert "slow is the fastest right kernel: 1.25× eager; wrong or failed: fast." in text
    assert "1 WRONG_VALUES" in text


def test_a_mean_over_fewer_cases_does_not_win(console: Console) -> None:
    some = [passed("fast", 10.0)]
    every = [passed("slow", 80.0), passed("slow", 80.0, 1)]
    assert "slow is the fastest right kernel" in summary(console, *some, *every)


def test_a_kernel_alone_is_not_the_fastest(console: Console) -> None:
    assert "fast is right: 0.50× eager" in summary(console, passed("fast", 200.0))


def test_uncertain_times_are_marked_and_said_again_at_the_end(
    progress: Progress, console: Console
) -> None:
    shaky = passed("fast", 50.0, eager_us=100.0)
    shaky = replace(shaky, baselines={"eager": Timing(100.0, 80.0, 110.0, ((100.0,),))})
    for result in (passed("slow", 50.0), shaky):
        progress.row(result)
    steady, uncertain = said(console).splitlines()
    assert "uncertain" not in steady and "uncertain" in uncertain
    assert "1 of 4 times are uncertain" in summary(console, *progress.rows)


def test_an_expected_defect_is_neither_winner_nor_failure(console: Console) -> None:
    defect = row("fast", Status.NON_FINITE, known_defect=Status.NON_FINITE, timing=timing(1.0))
    text = summary(console, defect, passed("slow", 80.0))
    assert "slow is the fastest right kernel" in text
    assert "wrong or failed" not in text
    assert "1 NON_FINITE, as the file says" in text


@pytest.mark.parametrize(
    "rows, says",
    [
        ([row("fast")], "Right on every case: fast."),
        ([row("fast", Status.CRASHED)], "No kernel is right on every case it ran; wrong or"),
        ([row("fast", Status.SKIPPED)], "No kernel ran."),
        ([row("fast"), row("slow", Status.SKIPPED)], "Right on every case: fast."),
    ],
)
def test_a_conclusion_without_times(rows: list[Result], says: str, console: Console) -> None:
    assert says in summary(console, *rows)


def test_a_failed_build_shows_the_line_as_compilers_do_and_says_it_once(tmp_path: Path) -> None:
    console = Console(file=io.StringIO(), width=120, highlight=False, force_terminal=True)
    progress = Progress(console, KERNELS, CASES)
    reason, shown = "k.py:3:9: error: no [such] name", "    3 |   gone;\n      |   ^~~~"
    error = Diagnostic("error: no [such] name", "k.py", 3, 9, shown=shown)
    build = Build(1.0, Status.BUILD_FAILED, reason, error, tmp_path / "build-fast.log")
    progress.built(KERNELS[0], build)
    progress.row(row(status=Status.BUILD_FAILED, build=build))
    text = said(console)
    assert "\x1b[1;31merror:\x1b[0m no [such] name" in text
    assert "3 |   gone;" in text and "^~~~\x1b[0m" in text
    assert text.count("no [such] name") == 1
    assert str(tmp_path / "build-fast.log") in text


@pytest.mark.parametrize(
    "taken, says",
    [
        ({"registers": 255, "spill_bytes": 8, "local_bytes": 16}, "spills 8 bytes"),
        ({"registers": 32, "spill_bytes": 0, "local_bytes": 16}, "16 bytes per thread in local"),
        ({"registers": 32, "spill_bytes": 0, "local_bytes": 0}, None),
    ],
)
def test_bad_resources_are_shown(
    taken: dict[str, int], says: str | None, progress: Progress, console: Console
) -> None:
    resources = (Resources("scale()", "sm_90a", **taken),)
    progress.built(KERNELS[0], Build(1.0, route="lean", resources=resources))
    assert ("bytes" in said(console)) == (says is not None)
    assert (says or "built fast") in said(console)
