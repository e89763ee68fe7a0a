"""The command line as tests call it: in this process, with what it said, left and returned."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from harness import results
from harness.cli.main import main

TESTS = Path(__file__).resolve().parent
ROOT = TESTS.parent
TINY = TESTS / "tiny.py"
BAD_KERNELS = TESTS / "bad_kernels"
BAD_KERNELS_GPU = TESTS / "bad_kernels_gpu"


def bad_kernel(name: str) -> Path:
    return BAD_KERNELS / f"{name}.py"


def public(folder: Path) -> Path:
    """The tiny problem as public files are: it states no families."""
    path = folder / "public.py"
    lines = TINY.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if not line.startswith("FAMILIES")))
    return path


@dataclass(frozen=True)
class Run:
    code: int
    said: str
    error: str
    """What went to standard error."""
    folder: Path | None
    """The run's folder; None if it made none."""

    @property
    def rows(self) -> pd.DataFrame:
        """results.csv, in the order written."""
        assert self.folder is not None, f"the run left no folder; it said: {self.error}{self.said}"
        return results.read(self.folder)

    @property
    def statuses(self) -> list[str]:
        return list(self.rows["status"])


def call(arguments: Sequence[object], out: Path) -> Run:
    """Run the command line with exactly these arguments, which name `out` if they need it."""
    with (
        contextlib.redirect_stdout(io.StringIO()) as said,
        contextlib.redirect_stderr(io.StringIO()) as error,
    ):
        code = main([str(argument) for argument in arguments])
    folders = sorted(out.glob("*/")) if out.is_dir() else []
    return Run(code, said.getvalue(), error.getvalue(), folders[-1] if folders else None)


def call_tiny(kernels: Sequence[Path], *arguments: object, out: Path, command: str = "run") -> Run:
    """Run kernels on the tiny problem, on the CPU and quickly; later arguments win."""
    given: list[object] = [command, "--problem", TINY, "--quick", "--device", "cpu", "--seed", 1]
    given += ["--out", out]
    given += ["--baseline", "eager"] if command == "run" else []
    for kernel in kernels:
        given += ["--kernel", kernel]
    return call([*given, *arguments], out)
