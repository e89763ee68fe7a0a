"""From options to a plan, and from a plan to files, words and an exit code."""

from __future__ import annotations

import errno
import json
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from command_line import TINY, bad_kernel
from pretended import CPU, PLAN, kernel

from harness import machine, session
from harness.build import toolchain
from harness.records import Case, HarnessError, Result, Status, Verdict
from harness.report import pictures
from harness.results import Writer
from harness.run import runner
from harness.run.plan import FULL, QUICK, Plan, Report
from harness.session import Options, Stopped, carry_out, plan_run

TINY_OPTIONS = Options(str(TINY), kernels=[str(bad_kernel("control_exact"))], device="cpu")
GPU = replace(CPU, device="cuda:1", device_name="a pretended GPU", capability=(9, 0), arch="9.0a")


@pytest.fixture
def probed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The devices that torch was asked of; cuda is pretended."""
    probed: list[str] = []

    def probe(device: str) -> Any:
        probed.append(device)
        return GPU if device.startswith("cuda") else CPU

    monkeypatch.setattr(machine, "probe", probe)
    monkeypatch.setattr(toolchain, "check", lambda device: None)
    return probed


# plans


def test_what_is_left_empty_depends_on_the_device(probed: list[str]) -> None:
    cpu = plan_run(TINY_OPTIONS)
    gpu = plan_run(replace(TINY_OPTIONS, device="cuda:1"))
    assert [case.dtype for case in cpu.cases] == ["float32"]
    assert [case.dtype for case in gpu.cases] == ["float32", "bfloat16"]
    assert {case.device for case in gpu.cases} == {"cuda:1"}
    assert (cpu.effort, gpu.effort) == (FULL["cpu"], FULL["cuda"])
    assert (cpu.machine, gpu.machine) == (CPU, GPU)
    assert probed == ["cpu", "cuda:1"]


def test_what_is_asked_for_is_in_the_plan(probed: list[str]) -> None:
    options = replace(
        TINY_OPTIONS,
        dtypes=["float16", "float64"],
        sweeps=["batch_size=3,4"],
        baselines=["eager"],
        quick=True,
        judge_only=True,
        strict=True,
        rebuild=True,
        timeout_s=5.0,
        seed=0,
    )
    plan = plan_run(options)
    assert [(case.axes["batch_size"], case.dtype) for case in plan.cases] == [
        (3, "float16"), (4, "float16"), (3, "float64"), (4, "float64"),
    ]  # fmt: skip
    assert (plan.baselines, plan.effort, plan.judge_only) == (["eager"], QUICK["cpu"], True)
    assert (plan.strict, plan.rebuild, plan.timeout_s, plan.seed) == (True, True, 5.0, 0)


def test_each_run_has_a_seed_of_its_own(probed: list[str]) -> None:
    assert len({plan_run(TINY_OPTIONS).seed for _ in range(3)}) == 3


def test_an_architecture_needs_no_device(probed: list[str]) -> None:
    plan = plan_run(replace(TINY_OPTIONS, device="auto", arch="8.0"))
    assert (plan.device, plan.arch, plan.capability) == ("cuda", "8.0", (8, 0))


@pytest.mark.parametrize(
    "mistake",
    [
        {"problem": "no_such_problem"},
        {"kernels": ["no_such_kernel"]},
        {"sweeps": ["no_such_axis=1"]},
        {"sweeps": ["batch_size=none"]},
    ],
)
def test_a_typo_is_seen_before_torch_is_started(mistake: Any, probed: list[str]) -> None:
    with pytest.raises(HarnessError):
        plan_run(replace(TINY_OPTIONS, **mistake))
    assert probed == []


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_a_problems_own_sweep_is_checked_for_every_device(
    device: str, tmp_path: Path, probed: list[str]
) -> None:
    problem = tmp_path / "mine.py"
    problem.write_text(f'SWEEP = {{"{device}": "rows=1"}}\n' + TINY.read_text())
    with pytest.raises(HarnessError, match="has no axis 'rows'"):
        plan_run(replace(TINY_OPTIONS, problem=str(problem)))
    assert probed == []


def test_a_condition_that_means_nothing_is_seen_before_anything_runs(
    tmp_path: Path, probed: list[str]
) -> None:
    wrong = tmp_path / "wrong.py"
    wrong.write_text('REQUIRES = "columns == 4"\nclass ModelNew: ...\n')
    with pytest.raises(HarnessError, match="REQUIRES 'columns == 4' cannot be evaluated"):
        plan_run(replace(TINY_OPTIONS, kernels=[str(wrong)]))


def test_an_axis_with_the_name_of_a_column_is_a_mistake(tmp_path: Path) -> None:
    problem = tmp_path / "mine.py"
    problem.write_text("status = 3\n" + TINY.read_text())
    with pytest.raises(HarnessError, match="'status' has the name of a column"):
        plan_run(replace(TINY_OPTIONS, problem=str(problem)))


# carrying them out, where the runner only pretends


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
        return carry_out(plan, tmp_path / "out")

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
