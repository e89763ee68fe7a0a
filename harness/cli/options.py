"""The command line's options, named once and used by several commands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness import PROGRAM
from harness.catalog.facts import DTYPES
from harness.records import BASELINES, HarnessError

DEFAULT_PROBLEM = "gemm_swish_divide_clamp_tanh_clamp"


def _seconds(value: float) -> float:
    if not 0.1 <= value <= 86_400:  # which NaN fails, too
        raise HarnessError(f"--timeout {value:g}: give it seconds, 0.1 to 86400.")
    return value


def _seed(value: int | None) -> int | None:
    if value is not None and not 0 <= value < 1 << 63:
        raise HarnessError(f"--seed {value}: give it a whole number, 0 or more and below 2^63.")
    return value


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
        help="Only this kernel; repeat for more. (default: all of the problem's)",
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
        help=", ".join(DTYPES) + ". (default: cuda: float32,bfloat16; cpu: float32)",
    ),
]
SweepOption = Annotated[
    list[str] | None,
    typer.Option(
        "--sweep",
        metavar="AXIS=V,…",
        help="Values of an axis, any module global of the problem; repeatable. "
        "AXIS=AXIS=V,… ties two. (default: the problem's own)",
    ),
]
OutOption = Annotated[Path, typer.Option(metavar="DIR", help="Where the run's folder goes.")]
QuickOption = Annotated[
    bool,
    typer.Option(
        "--quick",
        help="The middle size of the default sweep, fewer samples: a look, not a figure. "
        "Sizes that --sweep names are all run.",
    ),
]
StrictOption = Annotated[
    bool,
    typer.Option(
        "--strict",
        help="What goes wrong under stress, beyond the problem's contract, is a failure.",
    ),
]
TimeoutOption = Annotated[
    float,
    typer.Option(
        metavar="SECONDS",
        callback=_seconds,
        help="How long a kernel may take over one request: 0.1 to 86400.",
    ),
]
RebuildOption = Annotated[
    bool, typer.Option("--rebuild", help="Build even what was built, or failed to build, before.")
]
SeedOption = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        callback=_seed,
        help="Draw inputs from this seed, below 2^63; kernels could read it here. (default: a new "
        "one each run, which they cannot)",
    ),
]
BaselineOption = Annotated[
    str,
    typer.Option(
        "--baseline", metavar="NAME,…", help="What to compare with: " + ", ".join(BASELINES) + "."
    ),
]
NoBaselineOption = Annotated[str | None, typer.Option("--baseline", hidden=True)]
"""For a command that has none, to say so."""

ArchOption = Annotated[
    str | None,
    typer.Option(
        metavar="X.Y",
        help="Compute capability to build CUDA kernels for, such as 9.0a. "
        "(default: that of the GPU here)",
    ),
]
VerboseOption = Annotated[
    bool, typer.Option("--verbose", "-v", help="Print the compilers' commands and output.")
]
ClearOption = Annotated[bool, typer.Option("--clear", help="Remove everything from the store.")]
SelfcheckArgument = Annotated[str, typer.Argument(metavar="WHAT", help="build")]
FolderArgument = Annotated[Path, typer.Argument(metavar="DIR", help="A run's folder.")]
OnlyProblemOption = Annotated[
    str | None, typer.Option("--problem", metavar="NAME|PATH", help="Only this problem.")
]


def examples(*commands: str) -> str:
    """The end of a command's --help."""
    called = PROGRAM if PROGRAM == "kernel-bench" else f"python {PROGRAM}"
    lines = "\n\n".join(f"  {called} {command}".rstrip() for command in commands)
    return f"[bold]Examples[/bold]\n\n{lines}"
