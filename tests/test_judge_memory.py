"""How much memory the judge takes at its peak, in a process of its own, while a right kernel is
checked.

What it cannot do without is a trial's inputs, eager's output, the truth and one kernel's output.
Where the inputs are much larger than the output, it is what the truth's forward has: the inputs,
the same in float64, and the truth. The arena is the worker's.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from pathlib import Path

import pytest
from judging import PATIENCE_S

from harness.children import Child

ALLOWED = 1.1
"""Times what it cannot do without."""
ONCE_BYTES = 80 << 20
"""What the judge's first calls bring besides, whatever the size: libraries' pages, pieces that are
compared, weights of sums."""

ROWS, COLUMNS, BETWEEN = 4096, 8192, 8
TALL_BYTES, WIDE_BYTES = 4 * ROWS * BETWEEN, 4 * BETWEEN * COLUMNS
FULL_BYTES = 4 * ROWS * COLUMNS
PROBLEM = f"""
import torch
class Model(torch.nn.Module):
    def forward(self, {{arguments}}):
        return {{result}}
def get_inputs():
    full, tall, wide = ({ROWS}, {COLUMNS}), ({ROWS}, {BETWEEN}), ({BETWEEN}, {COLUMNS})
    return [{{inputs}}]
def get_init_inputs(): return []
"""


@pytest.fixture
def children(tmp_path: Path) -> Iterator[list[Child]]:
    hired: list[Child] = []
    yield hired
    for child in hired:
        child.kill()


@pytest.mark.parametrize(
    "arguments, result, inputs, in_bytes, out_bytes",
    [
        ("x", "torch.relu(x)", "torch.rand(full)", FULL_BYTES, FULL_BYTES),
        (
            *("x, y", "x @ y", "torch.rand(tall), torch.rand(wide)"),
            *(TALL_BYTES + WIDE_BYTES, FULL_BYTES),
        ),
        ("x", "x.sum(1)", "torch.rand(full)", FULL_BYTES, 4 * ROWS),
    ],
    ids=["elementwise", "product", "reduction"],
)
def test_the_judges_peak(
    arguments: str, result: str, inputs: str, in_bytes: int, out_bytes: int,
    tmp_path: Path, children: list[Child],
) -> None:  # fmt: skip
    text = PROBLEM.format(arguments=arguments, result=result, inputs=inputs)
    (tmp_path / "problem.py").write_text(text)
    (tmp_path / "kernel.py").write_text(text.replace("Model", "ModelNew"))
    judge, worker = (
        Child(module, *args, log=tmp_path / f"{module}.log", timeout_s=PATIENCE_S)
        for module, args in (
            ("harness.judge", ()),
            ("harness.worker", (str(tmp_path / "kernel.py"), "cpu", None)),
        )
    )
    children += [judge, worker]
    worker.ask("load", overrides={})
    ours, theirs = multiprocessing.Pipe()
    worker.tell("listen", connection=theirs)
    judge.ask("attach", name="kernel", pid=worker.pid, connection=ours)
    trials = judge.ask(
        "prepare", device="cpu", problem=str(tmp_path / "problem.py"), axes={}, dtype="float32",
        secret="1", families=["own", "normal"], step_s=PATIENCE_S,
    )  # fmt: skip
    before = peak_bytes(judge)
    for at in (0, len(trials) - 1):
        judge.ask("make", trial=at)
        if at == 0:
            judge.ask("construct", name="kernel", patience_s=PATIENCE_S)
        said = judge.ask("answer", name="kernel", patience_s=PATIENCE_S)
        assert said["answer"]["status"] is None, said
    compared = in_bytes + out_bytes + 2 * out_bytes + out_bytes
    truth = in_bytes + 2 * in_bytes + 2 * out_bytes  # forward has its inputs in float64
    needed = max(compared, truth)
    assert peak_bytes(judge) - before < ALLOWED * needed + ONCE_BYTES


def peak_bytes(child: Child) -> int:
    status = Path(f"/proc/{child.pid}/status").read_text()
    return next(int(s.split()[1]) << 10 for s in status.splitlines() if s.startswith("VmHWM"))
