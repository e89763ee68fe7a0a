"""The command line: options to a plan, progress and tables, the exit code.

Exit code 0: every kernel that ran did what its file promises. 1: one did not. 2: a mistake in
the call or the set-up, said in one sentence. 130: stopped by Ctrl-C.
"""

from __future__ import annotations

import re
import secrets
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from harness import (
    catalog,
    diagnostics,
    environment,
    plots,
    prebuild,
    results,
    runner,
    selfcheck,
    store,
    toolchain,
)
from harness.children import Child, ChildFailed
from harness.options import (
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
    examples,
)
from harness.plan import FULL, QUICK, Plan
from harness.progress import Progress, print_summary
from harness.records import BASELINES, HarnessError, Kernel, Problem, Result
from harness.sweep import expand_cases

ROOT = Path(__file__).resolve().parent.parent
DEFAULT_PROBLEM = "gemm_swish_divide_clamp_tanh_clamp"
DEFAULT_DTYPES = {"cuda": "float32,bfloat16", "cpu": "float32"}
COMMANDS = ("run", "check", "build", "list", "plot", "cache", "selfcheck")

app = typer.Typer(
    add_completion=False,
    rich_markup_mode="rich",
    no_args_is_help=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Compile inline-CUDA kernels, judge them against eager PyTorch, and time them.\n\n"
    "Without a command, [bold]run[/bold] is meant.",
    epilog="Exit code: 0 all kernels that ran are right, 1 one is not, 2 a usage error, "
    "130 stopped by Ctrl-C.",
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
            raise HarnessError(
                f"There is no command {given[0]!r}. {catalog.suggest(given[0], COMMANDS)}"
            )
        code = app(given, standalone_mode=False, prog_name="run_bench.py")
    except typer.Exit as stop:
        return stop.exit_code
    except typer.Abort:
        return 130
    except HarnessError as error:
        _say_error(str(error))
        return 2
    except Exception as error:
        # Usage errors of click, which typer may bring along under a name of its own.
        if not hasattr(error, "format_message"):
            raise
        _say_error(
            f"{error.format_message().rstrip('.')}. `run_bench.py {given[0]} --help` shows how."
        )
        return 2
    return int(code or 0)


def _say_error(sentence: str) -> None:
    Console(stderr=True, highlight=False, soft_wrap=True).print(
        f"[bold red]error:[/] {escape(sentence)}"
    )


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
    return _run(
        problem, kernel, device, dtype, sweep, baseline, out, quick, rebuild, timeout, seed, False
    )


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
    return _run(problem, kernel, device, dtype, sweep, "", out, quick, rebuild, timeout, seed, True)


@app.command(name="list", epilog=examples("list", "list --problem swiglu"))
def list_(
    problem: OnlyProblemOption = None,
) -> int:
    """Show problems with their axes, and the kernels there are for each."""
    problems = [catalog.find_problem(ROOT, problem)] if problem else catalog.list_problems(ROOT)
    for found in problems:
        console.print(
            f"\n[bold]{found.name}[/]  " + " ".join(f"{k}={v}" for k, v in found.axes.items())
        )
        table = Table(box=None, padding=(0, 2), show_header=False)
        for kernel in _kernels_or_none(found):
            facts = [", ".join(kernel.dtypes)] if kernel.dtypes else []
            facts += [f"kept for {kernel.known_defect}"] if kernel.known_defect else []
            table.add_row("", kernel.name, "/".join(kernel.devices), "; ".join(facts))
        console.print(table)
    return 0


def _kernels_or_none(problem: Problem) -> list[Kernel]:
    folder = ROOT / "kernels" / problem.name
    return [catalog.read_kernel(path) for path in sorted(folder.glob("*.py"))]


@app.command(epilog=examples("plot results/20260101-120000-rms_norm-cuda"))
def plot(folder: FolderArgument) -> int:
    """Draw a run's plots again from its CSV files."""
    for path in plots.plot_all(folder):
        console.print(path, soft_wrap=True)
    return 0


@app.command(
    epilog=examples("build", "build --arch 9.0a", "build --problem swiglu --arch 10.0a --rebuild")
)
def build(
    problem: ProblemOption = DEFAULT_PROBLEM,
    kernel: KernelOption = None,
    arch: ArchOption = None,
    rebuild: RebuildOption = False,
) -> int:
    """Build kernels into the store, for a later run here or on a machine that shares it.

    With --arch, CUDA kernels for that architecture: no GPU is needed.
    """
    found = catalog.find_problem(ROOT, problem)
    kernels = catalog.find_kernels(ROOT, found, kernel or [])
    toolchain.prepare_environment()
    facts = _probe("auto")
    if arch is None:
        device, capability = facts["device"], _capability(facts)
    elif facts["cuda"] is None:
        raise HarnessError(
            "This torch is built without CUDA, so CUDA kernels cannot be linked against it: "
            "install a CUDA build of torch; it needs no GPU."
        )
    else:
        device, capability = "cuda", toolchain.parse_architecture(arch)
    wanted = [k for k in kernels if device in k.devices]
    if not wanted:
        raise HarnessError(
            f"None of these kernels is for {device}: "
            "name an architecture with --arch to build CUDA kernels without a GPU."
        )
    toolchain.check(device)
    cases = expand_cases(found, device, DEFAULT_DTYPES[device].split(","), [])
    plan = Plan(
        problem=found,
        kernels=wanted,
        cases=cases,
        baselines=[],
        device=device,
        capability=capability,
        effort=QUICK[device],
        seed=0,
        timeout_s=60,
        arch=arch or _architecture(facts),
        rebuild=rebuild,
    )
    logs = store.root() / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    with Progress(console, wanted, cases) as progress:
        builds = prebuild.build_all(plan, logs, progress)
    for name, built in builds.items():
        for resource in built.resources:
            console.print(f"  {name}: {escape(diagnostics.summary(resource))}", soft_wrap=True)
    return 1 if any(built.status for built in builds.values()) else 0


@app.command(epilog=examples("cache", "cache --clear"))
def cache(clear: ClearOption = False) -> int:
    """Show what the store of built extensions holds, or clear it."""
    if clear:
        freed = store.clear()
        console.print(f"Removed {freed / 1e6:.1f} MB from {store.root()}", soft_wrap=True)
        return 0
    entries = store.entries()
    table = Table(header_style="bold", box=None, padding=(0, 2))
    for column in ("key", "extension", "built", "seconds", "MB", "last used"):
        table.add_column(column, justify="right" if column in ("seconds", "MB") else "left")
    for entry in entries:
        made = entry.manifest
        how = f"[red]failed[/]: {escape(made.failed[:60])}" if made.failed else made.path
        used = datetime.fromtimestamp(entry.used)
        size = f"{entry.size_bytes / 1e6:.2f}"
        row = (entry.key[:12], made.name, how, f"{made.seconds:.1f}", size, f"{used:%F %T}")
        table.add_row(*row)
    console.print(table)
    total = sum(entry.size_bytes for entry in entries)
    limit = store.LIMIT_BYTES
    console.print(
        f"{len(entries)} extensions, {total / 1e6:.1f} of at most {limit / 1e6:.0f} MB "
        f"in {store.root()}",
        soft_wrap=True,
    )
    return 0


@app.command(name="selfcheck", epilog=examples("selfcheck build"))
def selfcheck_(what: SelfcheckArgument, out: OutOption = Path("results")) -> int:
    """Measure the tool itself. `build`: load_inline against ours, same sources, same machine."""
    if what != "build":
        raise HarnessError(f"There is no selfcheck {what!r}. There is: build.")
    toolchain.prepare_environment()
    facts = _probe("auto")
    device = facts["device"].partition(":")[0]
    toolchain.check(device)
    folder = results.create_folder(out, "selfcheck-build", device)
    results.write_environment(folder, environment.describe(facts, ROOT))
    with console.status("building ...") as status:
        rows = selfcheck.build(
            ROOT, device, facts.get("capability"), folder, lambda text: status.update(text)
        )
    selfcheck.print_table(console, rows)
    console.print(f"[dim]{folder}[/]", soft_wrap=True)
    return 0


def _run(
    problem_name: str,
    kernel_names: list[str] | None,
    device: str,
    dtype: str | None,
    sweep: list[str] | None,
    baseline: str,
    out: Path,
    quick: bool,
    rebuild: bool,
    timeout_s: float,
    seed: int | None,
    judge_only: bool,
) -> int:
    problem = catalog.find_problem(ROOT, problem_name)
    kernels = catalog.find_kernels(ROOT, problem, kernel_names or [])
    baselines = _parse_baselines(baseline)
    toolchain.prepare_environment()
    facts = _probe(device)
    kind = facts["device"].partition(":")[0]
    dtypes = (dtype or DEFAULT_DTYPES[kind]).split(",")
    if any(kind in kernel.devices for kernel in kernels):
        toolchain.check(kind)
    cases = expand_cases(problem, facts["device"], dtypes, sweep or [], quick)
    seed = secrets.randbits(32) if seed is None else seed
    plan = Plan(
        problem=problem,
        kernels=kernels,
        cases=cases,
        baselines=baselines,
        device=facts["device"],
        capability=_capability(facts),
        arch=_architecture(facts),
        effort=(QUICK if quick else FULL)[kind],
        seed=seed,
        timeout_s=timeout_s,
        judge_only=judge_only,
        rebuild=rebuild,
    )
    folder = results.create_folder(out, problem.name, kind)
    writer = results.Writer(folder, list(problem.axes), baselines)
    record = environment.describe(facts, ROOT)
    results.write_environment(folder, record)
    console.print(
        f"[bold]{problem.name}[/] on {record['device_name']}: {_count(kernels, 'kernel')} × "
        f"{_count(cases, 'case')} → {folder}",
        soft_wrap=True,
    )
    progress = Progress(console, kernels, cases)
    rows = progress.rows
    try:
        with progress:
            runner.run(plan, folder, writer, progress)
    except KeyboardInterrupt:
        console.print(
            f"\nStopped. {len(rows)} of {len(kernels) * len(cases)} rows are in {folder}; "
            f"`run_bench.py plot {folder}` draws them.",
            soft_wrap=True,
        )
        return 130
    finally:
        # Not before the end: until then, no kernel is to know what its inputs will be.
        results.write_environment(folder, record | {"seed": seed})
    if not judge_only:
        plots.plot_all(folder)
    print_summary(console, rows, folder)
    return _exit_code(rows, kind)


def _count(things: Sequence[object], name: str) -> str:
    return f"{len(things)} {name}{'s'[: len(things) != 1]}"


def _capability(facts: Mapping[str, Any]) -> tuple[int, int] | None:
    return tuple(facts["capability"]) if "capability" in facts else None


def _architecture(facts: Mapping[str, Any]) -> str | None:
    capability = _capability(facts)
    return toolchain.architecture(capability) if capability else None


def _exit_code(rows: Sequence[Result], kind: str) -> int:
    if all(row.verdict.status == "SKIPPED" for row in rows):
        reason = rows[0].verdict.reason
        _say_error(f"No kernel could run: {reason}. Name another --kernel, --device or --dtype.")
        return 2
    return 0 if all(row.as_expected for row in rows) else 1


def _parse_baselines(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in BASELINES:
            raise HarnessError(
                f"There is no baseline {name!r}. {catalog.suggest(name, BASELINES)} "
                f"There are {', '.join(BASELINES)}."
            )
    return list(dict.fromkeys(names))


def _probe(device: str) -> dict[str, Any]:
    """What torch says of the device, asked in a child so that this process stays without a GPU."""
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", device):
        raise HarnessError(f"There is no device {device!r}. Choose auto, cuda, cuda:N or cpu.")
    with tempfile.TemporaryDirectory() as folder:
        child = Child("harness.environment", log=Path(folder) / "log")
        try:
            facts: dict[str, Any] = child.ask("device_facts", 120, device=device)
        except ChildFailed as failed:
            raise HarnessError(f"PyTorch does not start: {failed.reason}.") from failed
        finally:
            child.kill()
    if not facts["available"]:
        raise HarnessError(
            f"PyTorch finds no GPU for --device {device} (it sees {facts['device_count']}): "
            "run with --device cpu, or install a CUDA build of torch and the NVIDIA driver."
        )
    return facts
