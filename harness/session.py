"""One run from its options to its exit code: plan it, carry it out, show and draw what came out."""

from __future__ import annotations

import contextlib
import re
import secrets
import shutil
import signal
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.markup import escape

from harness import PROGRAM, environment, machine, results, seed_keeper
from harness.build import toolchain
from harness.catalog import facts, find, sweep
from harness.catalog.find import ROOT
from harness.disk import CarefulWriter, refusal
from harness.records import NOT_RUN, HarnessError, Kernel, Machine, Result, Status
from harness.report.summary import print_summary
from harness.report.terminal import Progress, console, say, say_error
from harness.run import runner
from harness.run.plan import FULL, QUICK, Plan

DEFAULT_DTYPES = {"cuda": ("float32", "bfloat16"), "cpu": ("float32",)}


class Stopped(Exception):
    """Ctrl-C. The message says what is kept."""


@dataclass(frozen=True)
class Options:
    """What a call asks for. What is left empty has a default that the device or problem decides."""

    problem: str
    """A name, or the path of a file."""
    kernels: Sequence[str] = ()
    """Names or paths; all of the problem's if empty."""
    device: str = "auto"
    arch: str | None = None
    """Build for this architecture instead of running on a device."""
    dtypes: Sequence[str] = ()
    sweeps: Sequence[str] = ()
    """As `catalog.sweep.read_sweep` takes them."""
    baselines: Sequence[str] = ()
    quick: bool = False
    judge_only: bool = False
    strict: bool = False
    rebuild: bool = False
    timeout_s: float = 60.0
    seed: int | None = None


def plan_run(options: Options) -> Plan:
    """What the options ask for, on this machine. Raises HarnessError for a mistake."""
    problem = find.find_problem(ROOT, options.problem)
    results.check_axes(problem.axes)
    kernels = find.find_kernels(ROOT, problem, options.kernels)
    ranges = sweep.read_sweep(problem, options.sweeps, options.quick)
    # Last, since it takes seconds to start PyTorch and none to see a typo.
    here = _machine(options, kernels)
    dtypes = options.dtypes or DEFAULT_DTYPES[here.kind]
    plan = Plan(
        problem=problem,
        kernels=kernels,
        cases=sweep.expand_cases(problem, ranges[here.kind], here.device, dtypes),
        baselines=options.baselines,
        machine=here,
        effort=(QUICK if options.quick else FULL)[here.kind],
        seed=secrets.randbits(32) if options.seed is None else options.seed,
        timeout_s=options.timeout_s,
        judge_only=options.judge_only,
        strict=options.strict,
        rebuild=options.rebuild,
    )
    for kernel in kernels:
        for case in plan.cases:  # for what the facts of a file get wrong, before anything is run
            facts.unsupported(kernel, problem, case, here.capability)
    return plan


def _machine(options: Options, kernels: Sequence[Kernel]) -> Machine:
    """The machine that is meant, which has what builds these kernels."""
    arch, device = options.arch, options.device
    here = machine.probe(device) if arch is None else machine.for_architecture(arch)
    if any(here.kind in kernel.devices for kernel in kernels):
        toolchain.check(here.kind)
    return here


def carry_out(plan: Plan, out: Path) -> int:
    """Run the plan into a folder of its own under `out`, show how it goes; return the exit code.

    Raises Stopped after Ctrl-C, and HarnessError where the disk, or anything else of the set-up,
    does not let it go on.
    """
    folder = results.create_folder(out, plan.problem.name, plan.machine.kind)
    progress = Progress(console, plan.kernels, plan.cases)
    try:
        with seed_keeper.kept(plan.seed, folder):
            _measure(plan, folder, progress)
        print_summary(console, progress.rows, folder)
        if not plan.judge_only:
            _draw(folder)
    except KeyboardInterrupt:
        ignore_signals()
        if not progress.rows:
            shutil.rmtree(folder, ignore_errors=True)
        draws = "" if plan.judge_only else f"; `{PROGRAM} plot {folder}` draws them"
        kept = f"{_safe(plan, progress, folder)}{draws}" if progress.rows else "No case was run"
        raise Stopped(f"Stopped. {kept}.") from None
    except OSError as error:  # no kernel's fault, so no kernel's verdict
        raise HarnessError(f"{refusal(error)} {_safe(plan, progress, folder)}.") from error
    return _exit_code(plan, progress.rows)


def _measure(plan: Plan, folder: Path, progress: Progress) -> None:
    record = environment.describe(plan.machine, ROOT)
    results.write_environment(folder, record.as_json())
    writer = CarefulWriter(folder, list(plan.problem.axes), plan.baselines)
    what = f"[bold]{escape(plan.problem.name)}[/] on {escape(plan.machine.device_name)}: "
    what += f"{_count(plan.kernels, 'kernel')} × {_count(plan.cases, 'case')} →"
    say(console, what, folder)
    handover_us = None
    try:
        with progress:
            handover_us = runner.run(plan, folder, writer, progress)
    except KeyboardInterrupt:
        ignore_signals()
        if progress.rows:
            print_summary(console, progress.rows, folder)
        raise
    finally:
        # Not before the end: until then, no kernel is to know what its inputs will be. If this
        # process is killed before, the seed's keeper does it.
        with contextlib.suppress(HarnessError):  # whatever ended the run says more
            record = replace(record, seed=plan.seed, handover_us=handover_us)
            results.write_environment(folder, record.as_json())


def _draw(folder: Path) -> None:
    from harness.report import pictures  # not before: it brings pandas and matplotlib

    pictures.plot_all(folder, say_error)


def _safe(plan: Plan, progress: Progress, folder: Path) -> str:
    rows = len(plan.kernels) * len(plan.cases)
    idle = sum(row.verdict.status in NOT_RUN for row in progress.rows)
    but = f", {idle} of them not run," if idle else ""
    return f"{len(progress.rows)} of {rows} rows{but} are in {folder}"


def _count(things: Sequence[object], name: str) -> str:
    return f"{len(things)} {name}{'s'[: len(things) != 1]}"


def _exit_code(plan: Plan, rows: Sequence[Result]) -> int:
    if all(row.verdict.status in NOT_RUN for row in rows):
        first = rows[0].verdict
        remedy = "Name another --kernel, --device or --dtype."
        if any(row.verdict.status is Status.UNGRADABLE for row in rows):
            first = next(r.verdict for r in rows if r.verdict.status is Status.UNGRADABLE)
            remedy = "Look at the problem's file."
            if re.search("memory|no answer", first.reason, re.IGNORECASE):
                remedy = "Try a smaller --sweep, or look at the problem's file."
        elif plan.machine.kind == "cpu" and any("cpu" not in k.devices for k in plan.kernels):
            remedy += f" Without a GPU, `{PROGRAM} build --arch 9.0a` builds CUDA kernels."
        say_error(f"No kernel could run: {first.reason}. {remedy}")
        return 2
    if unjudged := sum(row.verdict.judge_died for row in rows):
        say_error(f"The judge died over {unjudged} of {len(rows)} rows: run these cases again.")
        return 2
    return 0 if all(row.as_expected for row in rows) else 1


def ignore_signals() -> None:
    """After a first Ctrl-C, let no second one cut short what ends the process in order."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.default_int_handler:
            signal.signal(number, signal.SIG_IGN)
