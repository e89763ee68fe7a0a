"""What all tests share: a private store, runs on the tiny problem, the `gpu` marker."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

# Before any test: children are forked from a server that keeps the environment of its start.
_store = tempfile.TemporaryDirectory(prefix="kernel-bench-tests-")
os.environ["KERNEL_BENCH_CACHE"] = _store.name
os.environ["COLUMNS"] = "200"  # so that tables are not wrapped


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if torch.cuda.is_available():
        return
    for item in items:
        if "gpu" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="needs a CUDA GPU, and torch finds none"))


@pytest.fixture
def run_bench(tmp_path: Path) -> Callable[..., object]:
    """`run_bench("control_exact", "scaled", options=["--sweep", ...])` on the tiny problem.

    A kernel is a name in bad_kernels/ or a path; `command="check"` judges only.
    """
    from command_line import Run, bad_kernel, call_tiny

    def run(*kernels: str | Path, options: tuple[object, ...] = (), command: str = "run") -> Run:
        paths = [bad_kernel(k) if isinstance(k, str) else k for k in kernels]
        return call_tiny(paths, *options, out=tmp_path / "out", command=command)

    return run


@pytest.fixture
def call(tmp_path: Path) -> Callable[..., object]:
    """`call("list", "--problem", ...)`: the command line with exactly these arguments."""
    from command_line import call

    return lambda *arguments: call(arguments, tmp_path / "out")


@pytest.fixture
def court(tmp_path: Path) -> Iterator[object]:
    """A judge with a case of the tiny problem's, and no worker yet."""
    from judging import FAMILIES, Court

    court = Court(tmp_path)
    court.prepare(families=FAMILIES)
    yield court
    court.close()
