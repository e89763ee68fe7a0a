"""From a plan to files, words and an exit code. The runner only pretends."""

from __future__ import annotations

import errno
import json
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from command_line import ROOT
from pretended import CPU, PLAN, kernel

from harness import environment, session
from harness.records import Case, HarnessError, Result, Status, Verdict
from harness.report import pictures
from harness.results import Writer
from harness.run import runner
from harness.run.plan import Plan, Report
from harness.session import carry_out
from harness.stopping import Stopped


def result(name: str = "a", verdict: Verdict | None = None) -> Result:
    passed = Verdict(Status.PASSED, error_rel=1e-7, eager_error_rel=1e-7)
    return Result("pretended", name, Case({"rows": 1}, "float32", "cpu"), 0, verdict or passed)


Play = Callable[..., int]


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Play]:
    """Carry PLAN out; the runner brings these rows, then raises what it is told to."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    monkeypatch.setattr(pictures, "plot_all", lambda *args, **options: [])

    def play(rows: Sequence[Result], ends: BaseException | None = None, plan: Plan = PLAN) -> int:
        def run(plan: Plan, folder: Path, writer: Writer, report: Report) -> None:
            for row in rows:
                writer.append(row)
                report.row(row)
            if ends:
                raise ends

        monkeypatch.setattr(runner, "run", run)
        return carry_out(plan, environment.software(ROOT), tmp_path / "out")

    yield play
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


def folder_in(tmp_path: Path) -> Path:
    (folder,) = (tmp_path / "out").iterdir()
    return folder


WRONG = Verdict(Status.WRONG_VALUES, "off")
SKIPPED = Verdict(Status.SKIPPED, "the kernel requires rows > 2")
UNGRADABLE = Verdict(Status.UNGRADABLE, "reference: too large")
TOO_LARGE = Verdict(Status.UNGRADABLE, "reference: OutOfMemoryError: no")
TOO_SLOW = Verdict(Status.UNGRADABLE, "reference: no answer to 'prepare' within 60 s")
UNJUDGED = Verdict(Status.UNGRADABLE, "the judge died", judge_died=True)


@pytest.mark.parametrize(
    "verdicts, code, says",
    [
        ([None, None], 0, ""),
        ([None, SKIPPED], 0, ""),
        ([None, UNGRADABLE], 0, ""),
        ([None, WRONG], 1, ""),
        ([SKIPPED, SKIPPED], 2, "No kernel could run: the kernel requires rows > 2. Name another"),
        ([SKIPPED, UNGRADABLE], 2, "reference: too large. Look at the problem's file.\n"),
        ([TOO_LARGE], 2, "No kernel could run: reference: OutOfMemoryError: no. Try a smaller"),
        ([TOO_SLOW], 2, "Try a smaller --sweep, or look at the problem's file."),
        ([None, UNJUDGED], 2, "The judge died over 1 of 2 rows"),
        ([WRONG, UNJUDGED], 2, "The judge died over 1 of 2 rows"),
    ],
)
def test_the_exit_code(
    verdicts: list[Verdict | None],
    code: int,
    says: str,
    play: Play,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert play([result("ab"[i], verdict) for i, verdict in enumerate(verdicts)]) == code
    assert says in capsys.readouterr().err


def test_cuda_kernels_without_a_gpu_can_be_built(
    play: Play, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = replace(PLAN, kernels=[replace(kernel("a"), devices=("cuda",))], judge_only=True)
    assert play([result("a", SKIPPED)], plan=plan) == 2
    assert "run_bench.py build --arch 9.0a` builds CUDA kernels" in capsys.readouterr().err


def test_the_seed_is_on_disk_only_when_no_kernel_runs_any_more(
    play: Play, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeds: list[int | None] = []
    write = session.results.write_environment

    def written(folder: Path, facts: dict[str, Any]) -> None:
        seeds.append(facts["seed"])
        write(folder, facts)

    monkeypatch.setattr(session.results, "write_environment", written)
    play([result()])
    assert seeds == [None, PLAN.seed]
    record = json.loads((folder_in(tmp_path) / "environment.json").read_text())
    assert record["seed"] == PLAN.seed and record["device_name"] == CPU.device_name


def test_a_second_ctrl_c_does_not_cut_the_first_short(
    play: Play, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = session.results.write_environment

    def pressed_again(folder: Path, facts: dict[str, Any]) -> None:
        if facts["seed"] is not None:
            signal.raise_signal(signal.SIGINT)
        write(folder, facts)

    monkeypatch.setattr(session.results, "write_environment", pressed_again)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with pytest.raises(Stopped, match=r"Stopped. 1 of 4 rows are in .*` draws them"):
        play([result()], KeyboardInterrupt())
    assert json.loads((folder_in(tmp_path) / "environment.json").read_text())["seed"] == PLAN.seed


def test_ctrl_c_before_the_first_row_leaves_nothing(play: Play, tmp_path: Path) -> None:
    with pytest.raises(Stopped, match=r"^Stopped. No case was run\.$"):
        play([], KeyboardInterrupt())
    assert list((tmp_path / "out").iterdir()) == []


def test_ctrl_c_shows_what_was_measured_till_then(
    play: Play, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(Stopped, match=r"Stopped\. 2 of 4 rows, 1 of them not run, are in"):
        play([result("a"), result("b", SKIPPED)], KeyboardInterrupt())
    assert "Right on every case: a." in capsys.readouterr().out


def test_what_timed_nothing_is_not_said_to_be_drawn(play: Play) -> None:
    with pytest.raises(Stopped, match=r"Stopped. 1 of 4 rows are in \S+\.$"):
        play([result()], KeyboardInterrupt(), plan=replace(PLAN, judge_only=True))


def test_ctrl_c_while_pictures_are_drawn(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    def pressed(*args: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(pictures, "plot_all", pressed)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with pytest.raises(Stopped, match="2 of 4 rows are in"):
        play([result("a"), result("b")])
    signal.raise_signal(signal.SIGINT)  # and a second one changes nothing


def test_what_the_disk_refuses_is_no_kernels_fault(play: Play) -> None:
    full = OSError(errno.ENOSPC, "No space left on device", "/out/logs")
    with pytest.raises(HarnessError) as raised:
        play([result()], full)
    said = str(raised.value)
    assert said.startswith("/out/logs: No space left on device: make room, or name another folder")
    assert "1 of 4 rows are in" in said


def test_nothing_is_drawn_where_nothing_was_timed(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Path] = []
    monkeypatch.setattr(pictures, "plot_all", lambda folder, *args, **options: drawn.append(folder))
    play([result()], plan=replace(PLAN, judge_only=True))
    assert drawn == []
    play([result()])
    assert len(drawn) == 1


def test_names_with_brackets_are_shown_as_they_are(
    play: Play, capsys: pytest.CaptureFixture[str]
) -> None:
    problem = replace(PLAN.problem, name="a[bold]b")
    play([result()], plan=replace(PLAN, problem=problem, kernels=[kernel("a")]))
    assert "a[bold]b on a pretended processor: 1 kernel × 2 cases" in capsys.readouterr().out
