"""One run, once its names are found: plan it, carry it out, show and draw what came out."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.markup import escape

from harness import PROGRAM, environment, machine, results, seed_keeper
from harness.catalog.find import ROOT
from harness.disk import CarefulWriter, refusal
from harness.environment import Software
from harness.planning import Asked, plan_run
from harness.records import NOT_RUN, HarnessError, Result, Status
from harness.report.summary import print_summary
from harness.report.terminal import Progress, console, say, say_error
from harness.run import runner
from harness.run.plan import Plan
from harness.stopping import Stopped, ignore_signals


def run(asked: Asked, device: str, out: Path) -> int:
    """Plan what is asked for and carry it out; return the exit code. Raises as `carry_out` does.

    device: as `machine.begin` has it.
    """
    software = environment.software(ROOT)
    with machine.judge(device, asked.options.timeout_s) as (judge, here):
        return carry_out(plan_run(asked, here, judge), software, out)


def carry_out(plan: Plan, software: Software, out: Path) -> int:
    """Run the plan into a folder of its own under `out`, show how it goes; return the exit code.

    Raises Stopped after Ctrl-C, and HarnessError where the disk, or anything else of the set-up,
    does not let it go on.
    """
    folder = results.create_folder(out, plan.problem.name, plan.machine.kind)
    progress = Progress(console, plan.kernels, plan.cases)
    try:
        with seed_keeper.kept(plan.seed, folder):
            _measure(plan, software, folder, progress)
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


def _measure(plan: Plan, software: Software, folder: Path, progress: Progress) -> None:
    record = environment.describe(plan.machine, software)
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
