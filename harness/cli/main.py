"""The command line: options to a plan, progress and tables, the exit code.

Exit code 0: every kernel that ran did what its file promises. 1: one did not. 2: a mistake in
the call or the set-up, said in one sentence. 130: stopped by Ctrl-C.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from harness import cache, environment, results
from harness.build import diagnostics, store, toolchain
from harness.catalog import facts, find
from harness.catalog.nearest import choices
from harness.cli.options import (
    DEFAULT_PROBLEM,
    ArchOption,
    BaselineOption,
    ClearOption,
    DeviceOption,
    DtypeOption,
    FolderArgument,
    KernelOption,
    OnlyProblemOption,
    OutOption,
    ProblemOption,
    QuickOption,
    RebuildOption,
    SeedOption,
    SelfcheckArgument,
    SweepOption,
    TimeoutOption,
    VerboseOption,
    examples,
)
from harness.machine import for_architecture, probe
from harness.records import BASELINES, HarnessError
from harness.report import pictures
from harness.report.terminal import Progress
from harness.run import ask_builder
from harness.selfcheck import build as selfcheck
from harness.session import ROOT, carry_out, plan_run, say_error, seed_or_new

COMMANDS = ("run", "check", "build", "list", "plot", "cache", "selfcheck")

app = typer.Typer(
    add_completion=False,
    rich_markup_mode="rich",
    no_args_is_help=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Compile inline-CUDA kernels, judge them against eager PyTorch, and time them.\n\n"
    "Without a command, [bold]run[/bold] is meant; `run_bench.py run --help` has its options.",
    epilog=examples("", "check --kernel path/to/my_kernel.py", "build --help")
    + "\n\nExit code: 0 every kernel that ran did what its file promises, 1 one did not, "
    "2 a mistake in the call or the set-up, 130 stopped by Ctrl-C.",
)
console = Console(highlight=False)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        # As Ctrl-C does it: children ended, shared memory given back, results kept. Under
        # nohup, a hang-up stays ignored.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or (given[0].startswith("-") and given[0] not in ("--help", "-h")):
        given.insert(0, "run")
    try:
        if given[0] not in COMMANDS and not given[0].startswith("-"):
            raise HarnessError(f"There is no command {given[0]!r}. {choices(given[0], COMMANDS)}")
        code = app(given, standalone_mode=False, prog_name="run_bench.py")
    except typer.Exit as stop:
        return stop.exit_code
    except typer.Abort:
        return 130
    except HarnessError as error:
        say_error(str(error))
        return 2
    except Exception as error:
        # Usage errors of click, which typer may bring along under a name of its own.
        if not hasattr(error, "format_message"):
            raise
        say_error(
            f"{error.format_message().rstrip('.')}. `run_bench.py {given[0]} --help` shows how."
        )
        return 2
    return int(code or 0)


@app.command(
    epilog=examples(
        "",
        "--quick",
        "--kernel path/to/my_kernel.py --sweep batch_size=1,64,1024",
        "--problem rms_norm --dtype bfloat16 --baseline eager,compile-max-autotune",
        "--sweep in_features=out_features=1024,4096",
    )
)
def run(
    problem: ProblemOption = DEFAULT_PROBLEM,
    kernel: KernelOption = None,
    device: DeviceOption = "auto",
    dtype: DtypeOption = None,
    sweep: SweepOption = None,
    baseline: BaselineOption = "eager,compile",
    out: OutOption = Path("results"),
    quick: QuickOption = False,
    rebuild: RebuildOption = False,
    timeout: TimeoutOption = 60.0,
    seed: SeedOption = None,
) -> int:
    """Build, judge and time kernels; write CSV, plots and the environment. The default."""
    baselines = _parse_baselines(baseline)
    plan, machine = plan_run(
        lambda: probe(device), problem, kernel, dtype, sweep, baselines, quick=quick
    )
    plan = replace(plan, rebuild=rebuild, timeout_s=timeout, seed=seed_or_new(seed))
    return carry_out(plan, machine, out, console)


@app.command(epilog=examples("check", "check --kernel path/to/my_kernel.py --dtype float16"))
def check(
    problem: ProblemOption = DEFAULT_PROBLEM,
    kernel: KernelOption = None,
    device: DeviceOption = "auto",
    dtype: DtypeOption = None,
    sweep: SweepOption = None,
    out: OutOption = Path("results"),
    quick: QuickOption = False,
    rebuild: RebuildOption = False,
    timeout: TimeoutOption = 60.0,
    seed: SeedOption = None,
) -> int:
    """Build and judge kernels without timing them."""
    plan, machine = plan_run(lambda: probe(device), problem, kernel, dtype, sweep, quick=quick)
    plan = replace(plan, rebuild=rebuild, timeout_s=timeout, seed=seed_or_new(seed))
    return carry_out(replace(plan, judge_only=True), machine, out, console)


@app.command(name="list", epilog=examples("list", "list --problem swiglu"))
def list_(
    problem: OnlyProblemOption = None,
) -> int:
    """Show problems with their axes, and the kernels there are for each."""
    problems = [find.find_problem(ROOT, problem)] if problem else find.list_problems(ROOT)
    for found in problems:
        console.print(
            f"\n[bold]{found.name}[/]  " + " ".join(f"{k}={v}" for k, v in found.axes.items())
        )
        table = Table(box=None, padding=(0, 2), show_header=False)
        for path in sorted((ROOT / "kernels" / found.name).glob("*.py")):
            kernel = facts.read_kernel(path)
            remarks = [", ".join(kernel.dtypes)] if kernel.dtypes else []
            remarks += [f"kept for {kernel.known_defect}"] if kernel.known_defect else []
            table.add_row("", kernel.name, "/".join(kernel.devices), "; ".join(remarks))
        console.print(table)
    return 0


@app.command(epilog=examples("plot results/20260101-120000-rms_norm-cuda"))
def plot(folder: FolderArgument) -> int:
    """Draw a run's plots again from its CSV files."""
    drawn = pictures.plot_all(folder, say_error)
    for path in drawn:
        console.print(path, soft_wrap=True)
    if not drawn:
        console.print(f"Nothing was timed in {folder}, so there is nothing to draw.")
    return 0


@app.command(
    epilog=examples("build", "build --arch 9.0a", "build --problem swiglu --rebuild --verbose")
)
def build(
    problem: ProblemOption = DEFAULT_PROBLEM,
    kernel: KernelOption = None,
    arch: ArchOption = None,
    rebuild: RebuildOption = False,
    verbose: VerboseOption = False,
) -> int:
    """Build kernels into the store, for a later run here or on a machine that shares it.

    With --arch, CUDA kernels for that architecture: no GPU is needed.
    """
    plan, machine = plan_run(
        lambda: for_architecture(arch) if arch else probe("auto"), problem, kernel, quick=True
    )
    plan = replace(plan, rebuild=rebuild, arch=arch or plan.arch)
    wanted = [k for k in plan.kernels if machine.kind in k.devices]
    if not wanted:
        raise HarnessError(
            f"None of these kernels is for {machine.kind}: "
            "name an architecture with --arch to build CUDA kernels without a GPU."
        )
    logs = cache.make_folder("logs")
    if others := [k.name for k in plan.kernels if k not in wanted]:
        console.print(f"  [dim]not for {machine.kind}: {', '.join(others)}[/]", soft_wrap=True)
    with Progress(console, wanted, plan.cases) as progress:
        builds = ask_builder.build_all(replace(plan, kernels=wanted), logs, progress)
    for name, built in builds.items():
        if verbose and built.log:
            console.rule(name)
            console.print(built.log.read_text(errors="replace"), markup=False, soft_wrap=True)
        for resource in built.resources:
            console.print(f"  {name}: {escape(diagnostics.summary(resource))}", soft_wrap=True)
    return 1 if any(built.status for built in builds.values()) else 0


@app.command(name="cache", epilog=examples("cache", "cache --clear"))
def cache_(clear: ClearOption = False) -> int:
    """Show what the store of built extensions holds, or clear it.

    It lies in the user's cache directory, or where $KERNEL_BENCH_CACHE says.
    """
    if clear:
        freed = store.clear()
        console.print(f"Removed {freed / 1e6:.1f} MB from {cache.root()}", soft_wrap=True)
        return 0
    entries = store.entries()
    table = Table(header_style="bold", box=None, padding=(0, 2))
    for column in ("key", "extension", "built", "seconds", "MB", "last used"):
        table.add_column(column, justify="right" if column in ("seconds", "MB") else "left")
    for entry in entries:
        made = entry.manifest
        how = f"[red]failed[/]: {escape(str(made.failed)[:60])}" if made.failed else made.route
        used = datetime.fromtimestamp(entry.used)
        size = f"{entry.size_bytes / 1e6:.2f}"
        row = (entry.key[:12], made.name, how, f"{made.seconds:.1f}", size, f"{used:%F %T}")
        table.add_row(*row)
    console.print(table)
    total = sum(entry.size_bytes for entry in entries)
    limit = store.LIMIT_BYTES
    failed = sum(bool(entry.manifest.failed) for entry in entries)
    console.print(
        f"{len(entries) - failed} extensions, {failed} remembered failures, {total / 1e6:.1f} of "
        f"at most {limit / 1e6:.0f} MB in {cache.root()}",
        soft_wrap=True,
    )
    return 0


@app.command(name="selfcheck", epilog=examples("selfcheck build"))
def selfcheck_(what: SelfcheckArgument, out: OutOption = Path("results")) -> int:
    """Measure the tool itself. `build`: load_inline against ours, same sources, same machine."""
    if what != "build":
        raise HarnessError(f"There is no selfcheck {what!r}. There is: build.")
    machine = probe("auto")
    toolchain.check(machine.kind)
    folder = results.create_folder(out, "selfcheck-build", machine.kind)
    results.write_environment(folder, environment.describe(machine.facts, ROOT))
    with console.status("building ...") as status:
        rows = selfcheck.build(ROOT, machine, folder, lambda text: status.update(text))
    selfcheck.print_table(console, rows)
    console.print(f"[dim]{folder}[/]", soft_wrap=True)
    return 0


def _parse_baselines(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in BASELINES:
            raise HarnessError(f"There is no baseline {name!r}. {choices(name, BASELINES)}")
    return list(dict.fromkeys(names))
