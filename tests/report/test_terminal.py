"""What a run says while it goes on: one line per build and row, whole on any terminal."""

from __future__ import annotations

import io
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from harness.records import (
    NON_FINITE,
    Build,
    Case,
    Diagnostic,
    Kernel,
    NonFinite,
    Resources,
    Result,
    Speedup,
    Status,
    Timing,
    Verdict,
)
from harness.report import terminal
from harness.report.terminal import Progress, say, say_error, working

CASES = [Case({"rows": rows, "columns": 8}, "float32", "cpu") for rows in (1, 2)]
KERNELS = [Kernel(n, Path(f"{n}.py"), ("cpu",), None, None, None, None) for n in ("fast", "slow")]


def timing(us: float) -> Timing:
    return Timing(us, us, us, ((us,),))


def row(
    kernel: str = "fast", status: Status = Status.PASSED, case: int = 0, **fields: Any
) -> Result:
    verdict = Verdict(status, "" if status is Status.PASSED else f"because of {status}", 1e-7)
    return Result("problem", kernel, CASES[case], case, verdict, **fields)


def passed(kernel: str, us: float, eager_us: float = 100.0, **fields: Any) -> Result:
    ratio = eager_us / us
    return row(
        kernel,
        timing=timing(us),
        baselines={"eager": timing(eager_us)},
        speedups={"eager": Speedup(ratio, ratio, ratio)},
        **fields,
    )


@pytest.fixture
def console() -> Console:
    """A log: no terminal."""
    return Console(file=io.StringIO(), width=120, highlight=False)


def said(console: Console) -> str:
    return console.file.getvalue()


def narrow() -> Console:
    """A terminal of 80 columns, in black and white."""
    return Console(
        file=io.StringIO(), width=80, highlight=False, force_terminal=True, no_color=True,
        color_system=None,
    )  # fmt: skip


@pytest.fixture
def progress(console: Console) -> Progress:
    return Progress(console, KERNELS, CASES)


# rows


def test_a_row_shows_status_case_time_and_speedup(progress: Progress, console: Console) -> None:
    progress.row(passed("fast", 50.0))
    line = said(console)
    for part in ("PASSED", "fast", "rows=1", "50.0 µs", "2.00× eager"):
        assert part in line
    assert "columns" not in line  # the same in every case
    assert line.count("\n") == 1


def test_a_speedup_is_not_rounded_to_nothing(progress: Progress, console: Console) -> None:
    progress.row(passed("slow", 500_000.0))
    assert "0.0002× eager" in said(console)


@pytest.mark.parametrize(
    "status, known_defect, says",
    [
        (Status.WRONG_VALUES, None, "because of WRONG_VALUES"),
        (Status.WRONG_VALUES, Status.WRONG_VALUES, "as the file says"),
        (Status.WRONG_VALUES, NON_FINITE, "because of WRONG_VALUES"),
    ],
)
def test_a_failure_says_why_unless_it_is_expected(
    status: Status, known_defect: str | None, says: str, progress: Progress, console: Console
) -> None:
    progress.row(row(status=status, known_defect=known_defect))
    assert says in said(console)
    assert ("because" in said(console)) == ("because" in says)


@pytest.mark.parametrize("known_defect", [None, NON_FINITE])
def test_what_is_right_on_finite_inputs_alone_is_named(
    known_defect: str | None, progress: Progress, console: Console
) -> None:
    lost = Verdict(
        Status.WRONG_VALUES, "NaN lost", 1e-7, non_finite=NonFinite.DIFFERS, finite_right=True
    )
    progress.row(replace(row(timing=timing(5.0), known_defect=known_defect), verdict=lost))
    line, *reason = said(console).splitlines()
    assert line.startswith("  WRONG_VALUES") and "5.0 µs  NaN astray" in line
    assert ("as the file says" in line) == (not reason) == bool(known_defect)


def test_what_fails_under_stress_is_marked_and_told_once(
    progress: Progress, console: Console
) -> None:
    right = passed("fast", 50.0)
    for case in (0, 1):
        stress = replace(right.verdict, stress=f"huge inputs: [off] {case}")
        progress.row(replace(right, verdict=stress, case=CASES[case]))
    first, told, second = said(console).splitlines()
    assert first.startswith("  PASSED") and first.endswith("2.00× eager  † under stress")
    assert second.endswith("† under stress")
    assert told == "    † huge inputs: [off] 0"


def test_a_reason_to_skip_is_said_once_per_kernel(progress: Progress, console: Console) -> None:
    for case in (0, 1):
        for kernel in ("fast", "slow"):
            progress.row(row(kernel, Status.SKIPPED, case))
    assert said(console).count("SKIPPED fast") == said(console).count("SKIPPED slow") == 1
    assert len(progress.rows) == 4


def test_uncertain_times_are_named(progress: Progress, console: Console) -> None:
    shaky = replace(passed("fast", 50.0), baselines={"eager": Timing(100.0, 80.0, 110.0, ())})
    for result in (passed("slow", 50.0), shaky):
        progress.row(result)
    steady, uncertain = said(console).splitlines()
    assert "uncertain" not in steady and "uncertain: eager" in uncertain


def test_a_fallback_is_marked_and_says_why(progress: Progress, console: Console) -> None:
    progress.row(row(timing=timing(5.0), fallback="ext: nvcc failed"))
    assert "PASSED" in said(console) and "fallback" in said(console)
    assert "ext: nvcc failed" in said(console)


def test_what_a_build_has_said_its_rows_do_not_repeat(progress: Progress, console: Console) -> None:
    build = Build(1.2, route="lean", fallback="affine_ext: k.py:3: error: no")
    progress.built(KERNELS[0], build)
    progress.row(row(timing=timing(5.0), build=build, fallback=build.fallback))
    built, marked = said(console).splitlines()
    assert "built fast in 1.2 s, but the file goes on without affine_ext: k.py:3" in built
    assert "fallback" in marked


def test_a_file_whose_only_extension_failed_built_nothing(
    progress: Progress, console: Console
) -> None:
    progress.built(KERNELS[0], Build(1.2, fallback="ext: no nvcc"))
    assert said(console) == "  fast built nothing, but the file goes on without ext: no nvcc\n"


def test_a_single_case_is_named_in_full(console: Console) -> None:
    Progress(console, KERNELS, CASES[:1]).row(row())
    assert "rows=1 columns=8 float32 cpu" in said(console)


def test_text_of_others_is_not_markup(console: Console) -> None:
    name, case = "[bold]fast", Case({"mode": "[red]sum", "rows": 1}, "float32", "cpu")
    kernel = replace(KERNELS[0], name=name)
    progress = Progress(console, [kernel], [case, replace(case, axes={"mode": "x", "rows": 1})])
    verdict = Verdict(Status.RUNTIME_ERROR, "[bold]tile[/] [/nonsense]")
    progress.row(Result("problem", name, case, 0, verdict))
    progress.row(Result("problem", name, case, 0, Verdict(Status.SKIPPED, "[i]not here")))
    progress.built(kernel, Build(1.0, Status.BUILD_FAILED, "[/] error: [x]"))
    progress.built(kernel, Build(1.0, route="lean", fallback="[/ext] gone"))
    progress.built(kernel, Build(1.0))
    progress.baseline(case, "eager", 3.0)
    progress.note("[/] note")
    progress.step("[/] step")
    for text in (
        "[bold]tile[/] [/nonsense]", "[/] error: [x]", "[/] note", "[/ext] gone", "[i]not here",
        "mode=[red]sum", "SKIPPED [bold]fast", "built [bold]fast", "[bold]fast has nothing",
    ):  # fmt: skip
        assert text in said(console)


# builds


def test_a_failed_build_shows_the_line_as_compilers_do_and_says_it_once(tmp_path: Path) -> None:
    console = Console(file=io.StringIO(), width=120, highlight=False, force_terminal=True)
    progress = Progress(console, KERNELS, CASES)
    reason, shown = "k.py:3:9: error: no [such] name", "    3 |   gone;\n      |   ^~~~"
    error = Diagnostic("error: no [such] name", "k.py", 3, 9, shown=shown)
    build = Build(1.0, Status.BUILD_FAILED, reason, error, tmp_path / "build-fast.log")
    progress.built(KERNELS[0], build)
    progress.row(row(status=Status.BUILD_FAILED, build=build))
    text = said(console)
    assert "\x1b[1mk.py:3:9: \x1b[0m\x1b[1;31merror:\x1b[0m no [such] name" in text
    assert "3 |   gone;" in text and "^~~~\x1b[0m" in text
    assert text.count("no [such] name") == 1
    assert str(tmp_path / "build-fast.log") in text


@pytest.mark.parametrize(
    "error, lines",
    [
        (Diagnostic("undefined symbol: f"), ["BUILD_FAILED fast: undefined symbol: f"]),
        (
            Diagnostic("error: no such: f", f"{Path.cwd()}/k.py", 3, remedy="add #include <f>"),
            ["BUILD_FAILED fast: k.py:3: error: no such: f", "remedy: add #include <f>"],
        ),
        (Diagnostic("killed"), ["BUILD_FAILED fast: killed"]),
        (None, ["BUILD_FAILED fast: k.py: no"]),
    ],
)
def test_a_diagnostic_is_shown_part_by_part(
    error: Diagnostic | None, lines: list[str], progress: Progress, console: Console
) -> None:
    build = Build(1.0, Status.BUILD_FAILED, f"{Path.cwd()}/k.py: no", error)
    progress.built(KERNELS[0], build)
    assert [line.strip() for line in said(console).splitlines()] == lines


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


def test_why_the_real_headers_were_needed_is_shown(progress: Progress, console: Console) -> None:
    progress.built(KERNELS[0], Build(9.0, route="full", why_full="k.cu(3): error: no packed"))
    assert "built fast in 9.0 s with PyTorch's headers" in said(console)
    assert "the lean headers cannot: no packed" in said(console)


# the width of a terminal


def test_no_number_and_no_path_breaks_at_80_columns() -> None:
    console = narrow()
    name = "a_kernel_with_quite_a_long_name"
    case = Case({"batch_size": 16384, "in_features": 16384, "out_features": 8}, "bfloat16", "cuda")
    other = replace(case, axes=dict.fromkeys(case.axes, 1), dtype="float32")
    progress = Progress(console, [replace(KERNELS[0], name=name)], [case, other])
    timings = {"eager": timing(2229.93), "compile-max-autotune": timing(30.0)}
    progress.row(
        Result(
            "problem", name, case, 0, Verdict(Status.PASSED, error_rel=0.0), timing=timing(1234.5),
            baselines=timings,
            speedups={name: Speedup(t.median_us / 1234.5, 1, 2) for name, t in timings.items()},
        )
    )  # fmt: skip
    log = Path("/a/folder") / "with" / ("a-long-name-" * 8) / "build.log"
    progress.built(KERNELS[0], Build(1.0, Status.LOAD_FAILED, "no module " * 12, log=log))
    lines = said(console).splitlines()
    for whole in ("1.23 ms", "1.81× eager", "0.024× compile-max-autotune", "batch_size=16384",
                  str(log)):  # fmt: skip
        assert any(whole in line for line in lines), whole
    assert all(len(line) <= 80 or str(log) in line for line in lines)
    assert all(line.startswith("    ") for line in lines[1:] if "LOAD_FAILED" not in line)


def test_a_path_with_blanks_stays_whole() -> None:
    console = narrow()
    path = Path("/a folder/with blanks") / ("and more " * 10)
    say(console, "All files:", path)
    assert said(console) == f"All files:\n    {path}\n"


def test_a_log_has_whole_lines(console: Console) -> None:
    say(console, "word " * 60, "more")
    assert said(console).count("\n") == 1


def test_lines_of_a_text_stay_lines() -> None:
    for console in (narrow(), Console(file=io.StringIO(), width=80)):
        say(console, "first\nsecond", "third", lead="  ")
        assert said(console) == "  first\n    second  third\n"


def test_an_error_goes_to_standard_error_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    say_error("There is no kernel [bold] in /a/b.")
    out, error = capsys.readouterr()
    assert (out, error) == ("", "error: There is no kernel [bold] in /a/b.\n")


# long phases


def wait_for(console: Console, text: str) -> bool:
    """Does it say so within 10 s?"""
    for _ in range(1000):
        if text in said(console):
            return True
        time.sleep(0.01)
    return False


def test_a_log_hears_now_and_then_of_what_takes_long(console: Console) -> None:
    with Progress(console, KERNELS, CASES, quiet_s=0.02) as progress:
        progress.step("building [2] kernels")
        assert wait_for(console, "... building [2] kernels  0 s\n")


def test_where_nothing_is_run_builds_are_counted() -> None:
    console = narrow()
    with Progress(console, KERNELS, CASES, builds_only=True) as progress:
        progress.built(KERNELS[0], Build(1.0))
        time.sleep(0.3)
    assert "1/2" in said(console) and "/4" not in said(console)


def test_a_step_that_just_began_is_no_news(console: Console) -> None:
    with Progress(console, KERNELS, CASES, quiet_s=1.5) as progress:
        for _ in range(160):
            progress.step("reference")
            time.sleep(0.01)
    assert "..." not in said(console)


def test_why_a_case_cannot_be_judged_is_said_once(console: Console) -> None:
    with Progress(console, KERNELS, CASES) as progress:
        progress.row(row("fast", Status.UNGRADABLE))
        progress.row(row("slow", Status.UNGRADABLE))
    assert said(console).count("because of UNGRADABLE") == 1
    assert "slow" in said(console)


def test_a_log_that_says_enough_is_left_alone(console: Console) -> None:
    with Progress(console, KERNELS, CASES, quiet_s=3600) as progress:
        progress.step("timing")
        progress.row(passed("fast", 50.0))
    assert "..." not in said(console) and "PASSED" in said(console)


def test_a_terminal_has_its_live_line_instead() -> None:
    console = narrow()
    with Progress(console, KERNELS, CASES, quiet_s=0.02) as progress:
        progress.step("building")
        time.sleep(0.2)
    assert "... building" not in said(console)


def test_work_of_several_steps_is_followed_in_a_log(console: Console) -> None:
    with working(console, "seed: [ours]") as step:
        step("seed: plain")
    assert [line.strip() for line in said(console).splitlines()] == ["seed: [ours]", "seed: plain"]


def test_showing_a_run_needs_neither_pandas_nor_matplotlib() -> None:
    code = (
        "import sys, harness.report.terminal, harness.report.summary; "
        "sys.exit(bool({'torch', 'pandas', 'matplotlib'} & set(sys.modules)))"
    )
    root = Path(terminal.__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0
