"""The command line: options to a plan, progress and tables, the exit code.

Exit code 0: every kernel that ran did what its file promises. 1: one did not. 2: a mistake in
the call or the set-up, said in one sentence. 130: stopped by Ctrl-C.
"""

from __future__ import annotations

import secrets
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from harness import catalog, environment, plots, results, runner, toolchain
from harness.children import Child, ChildFailed
from harness.progress import Progress, print_summary
from harness.records import BASELINES, HarnessError, Kernel, Problem, Result

ROOT = Path(__file__).resolve().parent.parent
DEFAULT_PROBLEM = "gemm_swish_divide_clamp_tanh_clamp"
DEFAULT_DTYPES = {"cuda": "float32,bfloat16", "cpu": "float32"}
COMMANDS = ("run", "check", "list", "plot")

app = typer.Typer(
    add_completion=False,
    rich_markup_mode="rich",
    no_args_is_help=False,
    pretty_exceptions_enable=False,
    help="Compile inline-CUDA kernels, judge them against eager PyTorch, and time them.\n\n"
    "Without a command, [bold]run[/bold] is meant.",
    epilog="Exit code: 0 all kernels that ran are right, 1 one is not, 2 a usage error.",
)
console = Console(highlight=False)

ProblemOption = Annotated[
    str,
    typer.Option(
        "--problem", metavar="NAME|PATH", help="The reference: a name under reference/, or a file."
    ),
]
KernelOption = Annotated[
    list[str] | None,
    typer.Option(
        "--kernel",
        metavar="NAME|PATH",
        help="Only this kernel; repeat for more. [all of the problem's]",
    ),
]
DeviceOption = Annotated[
    str,
    typer.Option(
        metavar="auto|cuda|cuda:N|cpu", help="Where to run; auto is the GPU if there is one."
    ),
]
DtypeOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME,…",
        help="float32, bfloat16, float16, float64. [cuda: float32,bfloat16; cpu: float32]",
    ),
]
SweepOption = Annotated[
    list[str] | None,
    typer.Option(
        "--sweep",
        metavar="AXIS=V,…",
        help="Values of an axis, any module global of the problem; repeatable. "
        "AXIS=AXIS=V,… ties two. [the problem's own]",
    ),
]
OutOption = Annotated[Path, typer.Option(metavar="DIR", help="Where the run's folder goes.")]
QuickOption = Annotated[
    bool,
    typer.Option("--quick", help="One size per dtype and fewer samples: a look, not a figure."),
]
TimeoutOption = Annotated[
    float,
    typer.Option(metavar="SECONDS", min=0.1, help="How long a kernel may take over one request."),
]
RebuildOption = Annotated[
    bool, typer.Option("--rebuild", help="Build even what was built, or failed to build, before.")
]
SeedOption = Annotated[
    int | None, typer.Option(help="Draw inputs from this seed. [a new one each run]")
]
BaselineOption = Annotated[
    str,
    typer.Option(
        "--baseline", metavar="NAME,…", help="What to compare with: " + ", ".join(BASELINES) + "."
    ),
]

RUN_EXAMPLES = """[bold]Examples[/bold]

  python run_bench.py
  python run_bench.py --quick
  python run_bench.py --kernel path/to/my_kernel.py --sweep batch_size=1,64,1024
  python run_bench.py --problem rms_norm --dtype bfloat16 --baseline eager,compile-max-autotune
  python run_bench.py --sweep in_features=out_features=1024,4096
"""  # fmt: skip
CHECK_EXAMPLES = """[bold]Examples[/bold]

  python run_bench.py check
  python run_bench.py check --kernel path/to/my_kernel.py --dtype float16
"""
PLOT_EXAMPLES = """[bold]Example[/bold]

  python run_bench.py plot results/20260101-120000-rms_norm-cuda
"""
LIST_EXAMPLES = """[bold]Examples[/bold]

  python run_bench.py list
  python run_bench.py list --problem swiglu
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or (given[0] not in COMMANDS and given[0] != "--help"):
        given.insert(0, "run")
    try:
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
        _say_error(f"{error.format_message()} `run_bench.py {given[0]} --help` shows how.")
        return 2
    return int(code or 0)


def _say_error(sentence: str) -> None:
    Console(stderr=True, highlight=False, soft_wrap=True).print(
        f"[bold red]error:[/] {escape(sentence)}"
    )


@app.command(epilog=RUN_EXAMPLES)
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


@app.command(epilog=CHECK_EXAMPLES)
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


@app.command(name="list", epilog=LIST_EXAMPLES)
def list_(
    problem: Annotated[
        str | None, typer.Option(metavar="NAME|PATH", help="Only this problem.")
    ] = None,
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


@app.command(epilog=PLOT_EXAMPLES)
def plot(folder: Annotated[Path, typer.Argument(metavar="DIR", help="A run's folder.")]) -> int:
    """Draw a run's plots again from its CSV files."""
    for path in plots.plot_all(folder):
        console.print(path, soft_wrap=True)
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
    cases = catalog.expand_cases(problem, facts["device"], dtypes, sweep or [], quick)
    seed = secrets.randbits(32) if seed is None else seed
    plan = runner.Plan(
        problem=problem,
        kernels=kernels,
        cases=cases,
        baselines=baselines,
        device=facts["device"],
        capability=tuple(facts["capability"]) if "capability" in facts else None,
        effort=(runner.QUICK if quick else runner.FULL)[kind],
        seed=seed,
        timeout_s=timeout_s,
        judge_only=judge_only,
        rebuild=rebuild,
    )
    folder = results.create_folder(out, problem.name, kind)
    writer = results.Writer(folder, list(problem.axes), baselines)
    record = environment.describe(facts, ROOT) | {"seed": seed}
    results.write_environment(folder, record)
    console.print(
        f"[bold]{problem.name}[/] on {record['device_name']}: {len(kernels)} kernels × "
        f"{len(cases)} cases → {folder}",
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
    if not judge_only:
        plots.plot_all(folder)
    print_summary(console, rows, folder)
    return _exit_code(rows, kind)


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
    if device != "auto" and device.partition(":")[0] not in catalog.DEVICES:
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
