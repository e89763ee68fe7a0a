"""One run from its options to its exit code: plan it, carry it out, show and draw what came out."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from harness import environment, results
from harness.build import toolchain
from harness.catalog import find
from harness.catalog.sweep import expand_cases
from harness.machine import Machine
from harness.records import NOT_RUN, Case, HarnessError, Result, Status
from harness.report import pictures
from harness.report.summary import print_summary
from harness.report.terminal import Progress
from harness.run import runner
from harness.run.plan import FULL, QUICK, Plan

ROOT = Path(__file__).resolve().parent.parent
DEFAULT_DTYPES = {"cuda": "float32,bfloat16", "cpu": "float32"}


def plan_run(
    find_machine: Callable[[], Machine],
    problem: str,
    kernels: list[str] | None = None,
    dtypes: str | None = None,
    sweeps: list[str] | None = None,
    baselines: Sequence[str] = (),
    *,
    quick: bool,
) -> tuple[Plan, Machine]:
    """What the options ask for, and the machine for it. Raises HarnessError for a mistake.

    find_machine: called last, since it takes seconds to start PyTorch and none to see a typo.
    """
    found = find.find_problem(ROOT, problem)
    results.check_axes(found.axes)
    chosen = find.find_kernels(ROOT, found, kernels or [])

    def cases(device: str, default_dtypes: str) -> list[Case]:
        return expand_cases(
            found, device, (dtypes or default_dtypes).split(","), sweeps or [], quick
        )

    cases("cpu", DEFAULT_DTYPES["cpu"])  # for its errors
    machine = find_machine()
    if any(machine.kind in kernel.devices for kernel in chosen):
        toolchain.check(machine.kind)
    plan = Plan(
        problem=found,
        kernels=chosen,
        cases=cases(machine.device, DEFAULT_DTYPES[machine.kind]),
        baselines=baselines,
        device=machine.device,
        capability=machine.capability,
        arch=machine.arch,
        effort=(QUICK if quick else FULL)[machine.kind],
    )
    return plan, machine


def seed_or_new(given: int | None) -> int:
    return secrets.randbits(32) if given is None else given


def carry_out(plan: Plan, machine: Machine, out: Path, console: Console) -> int:
    """Run the plan into a folder of its own, show how it goes; return the exit code."""
    folder = results.create_folder(out, plan.problem.name, machine.kind)
    writer = results.Writer(folder, list(plan.problem.axes), plan.baselines)
    record = environment.describe(machine.facts, ROOT)
    results.write_environment(folder, record)
    console.print(
        f"[bold]{plan.problem.name}[/] on {record['device_name']}: "
        f"{_count(plan.kernels, 'kernel')} × {_count(plan.cases, 'case')} → {folder}",
        soft_wrap=True,
    )
    progress = Progress(console, plan.kernels, plan.cases)
    try:
        with progress:
            runner.run(plan, folder, writer, progress)
    except KeyboardInterrupt:
        console.print(
            f"\nStopped. {len(progress.rows)} of {len(plan.kernels) * len(plan.cases)} rows are "
            f"in {folder}; `run_bench.py plot {folder}` draws them.",
            soft_wrap=True,
        )
        return 130
    finally:
        # Not before the end: until then, no kernel is to know what its inputs will be.
        with contextlib.suppress(HarnessError):  # whatever ended the run says more
            results.write_environment(folder, record | {"seed": plan.seed})
    print_summary(console, progress.rows, folder)
    if not plan.judge_only:
        pictures.plot_all(folder, lambda text: console.print(escape(text), soft_wrap=True))
    return _exit_code(progress.rows)


def _count(things: Sequence[object], name: str) -> str:
    return f"{len(things)} {name}{'s'[: len(things) != 1]}"


def _exit_code(rows: Sequence[Result]) -> int:
    if all(row.verdict.status in NOT_RUN for row in rows):
        first = rows[0].verdict
        remedy = "Name another --kernel, --device or --dtype."
        if any(row.verdict.status is Status.UNGRADABLE for row in rows):
            first = next(r.verdict for r in rows if r.verdict.status is Status.UNGRADABLE)
            remedy = "Look at the problem's file, or try a smaller --sweep."
        say_error(f"No kernel could run: {first.reason}. {remedy}")
        return 2
    return 0 if all(row.as_expected for row in rows) else 1


def say_error(sentence: str) -> None:
    Console(stderr=True, highlight=False, soft_wrap=True).print(
        f"[bold red]error:[/] {escape(sentence)}"
    )
