"""What tests share: runs of the tool on the tiny problem, a private store, the `gpu` marker."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
import torch

TESTS = Path(__file__).resolve().parent
ROOT = TESTS.parent
TINY = TESTS / "tiny.py"
BAD_KERNELS = TESTS / "bad_kernels"

# `pytest` alone, unlike `python -m pytest`, leaves the working directory out.
sys.path.insert(0, str(ROOT))

# Children are forked from a server that keeps the environment of its first moment, so the store
# is chosen before any test runs, once for all of them.
_store = tempfile.TemporaryDirectory(prefix="kernel-bench-test-store-")
os.environ["KERNEL_BENCH_CACHE"] = _store.name


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not torch.cuda.is_available():
        skip = pytest.mark.skip(reason="needs a CUDA GPU, and torch finds none")
        for item in items:
            if "gpu" in item.keywords:
                item.add_marker(skip)


@dataclass
class Run:
    """One run of the command line: what it said, left and returned."""

    code: int
    out: str
    err: str
    folder: Path | None
    """The run's folder; None if it made none."""

    @property
    def rows(self) -> pd.DataFrame:
        """results.csv by kernel name, in the order written."""
        from harness import results

        assert self.folder is not None, f"the run left no folder: {self.err}{self.out}"
        return results.read(self.folder).set_index("kernel", drop=False)

    def status(self, kernel: str) -> str:
        return str(self.rows.loc[kernel, "status"])


RunBench = Callable[..., Run]


def run_in_process(capture: pytest.CaptureFixture[str], out: Path, *arguments: object) -> Run:
    from harness import cli

    capture.readouterr()
    code = cli.main([str(a) for a in arguments])
    said = capture.readouterr()
    folders = sorted(out.glob("*/")) if out.is_dir() else []
    return Run(code, said.out, said.err, folders[-1] if folders else None)


@pytest.fixture
def bench(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> RunBench:
    """Call the command line with exactly these arguments."""
    return lambda *arguments: run_in_process(capsys, tmp_path / "out", *arguments)


@pytest.fixture
def run_bench(tmp_path: Path, bench: RunBench) -> RunBench:
    """`run_bench("control_exact", "--sweep", ...)`: the tiny problem on the CPU, quickly.

    A kernel is a name in bad_kernels/ or a path. `command="check"` judges only.
    """

    def run(*arguments: object, command: str = "run") -> Run:
        given: list[object] = []
        for argument in arguments:
            if isinstance(argument, Path):
                given += ["--kernel", argument]
            elif (BAD_KERNELS / f"{argument}.py").exists():
                given += ["--kernel", BAD_KERNELS / f"{argument}.py"]
            else:
                given.append(argument)
        fast = ["--quick", "--device", "cpu", "--out", tmp_path / "out", "--seed", 1]
        fast += ["--baseline", "eager"] if command == "run" else []
        # What the test says comes last and wins.
        return bench(command, "--problem", TINY, *fast, *given)

    return run


@pytest.fixture
def start_bench(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start the tool as a user does, in a process of its own that can be interrupted."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: object) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, ROOT / "run_bench.py", *map(str, arguments)],
            cwd=tmp_path,
            env=os.environ | {"KERNEL_BENCH_TEST": str(tmp_path), "COLUMNS": "200"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
