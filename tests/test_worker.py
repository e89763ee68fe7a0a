"""The worker's side: a kernel is loaded, given the reference's weights, called and timed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from command_line import TINY, bad_kernel
from torch.utils import cpp_extension

from harness.judge import Judge
from harness.records import Status
from harness.serve import RequestFailed
from harness.worker import Worker


@pytest.fixture(autouse=True)
def _leave_load_inline_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpp_extension, "load_inline", cpp_extension.load_inline)


@pytest.fixture
def judge(tmp_path: Path) -> Judge:
    judge = Judge("cpu", str(tmp_path))
    judge.prepare(str(TINY), {}, "float32", 1, ["own"], step_s=60.0)
    return judge


@pytest.fixture
def worker(judge: Judge, tmp_path: Path) -> Callable[..., Worker]:
    """A worker with a kernel constructed, from bad_kernels/ or from text."""

    def make(kernel: str) -> Worker:
        path = bad_kernel(kernel)
        if "\n" in kernel:
            path = tmp_path / "kernel.py"
            path.write_text(kernel)
        worker = Worker(str(path), "cpu", None, str(tmp_path))
        worker.load({})
        worker.construct()
        return worker

    return make


def right(worker: Worker, judge: Judge) -> bool:
    worker.call(0)
    return judge.compare(0, worker.name)["status"] is None


EXACT = bad_kernel("control_exact").read_text()
RIGHT = "torch.clamp(self.linear(x), -3, 3)"


def test_weights_are_copied_where_names_and_shapes_agree(
    worker: Callable[..., Worker], judge: Judge
) -> None:
    # Draws a number first, so seeding alone would give other weights.
    reordered = EXACT.replace("self.linear", "torch.rand(1)\n        self.linear", 1)
    assert right(worker(reordered), judge)


def test_other_names_get_the_same_weights_by_the_same_seed(
    worker: Callable[..., Worker], judge: Judge
) -> None:
    assert right(worker("control_renamed_weights"), judge)


def test_other_names_drawn_in_another_order_are_other_weights(
    worker: Callable[..., Worker], judge: Judge
) -> None:
    renamed = bad_kernel("control_renamed_weights").read_text()
    reordered = renamed.replace("self.dense", "torch.rand(1)\n        self.dense", 1)
    reordered = reordered.replace("import torch.nn", "import torch\nimport torch.nn", 1)
    assert not right(worker(reordered), judge)


def test_a_full_disk_is_not_the_outputs_fault(
    worker: Callable[..., Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise RuntimeError("[enforce fail] PytorchStreamWriter failed writing file data/0")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(RequestFailed) as raised:
        worker("control_exact").call(0)
    assert raised.value.status is Status.OUT_OF_MEMORY


@pytest.mark.parametrize(
    "kernel, step, status",
    [
        ("import_raises", "load", Status.LOAD_FAILED),
        ("syntax_error", "load", Status.BUILD_FAILED),
        ("constructor_differs", "construct", Status.LOAD_FAILED),
        ("forward_raises", "call", Status.RUNTIME_ERROR),
        ("petabyte", "call", Status.OUT_OF_MEMORY),
        ("cyclic_output", "call", Status.WRONG_STRUCTURE),
    ],
)
def test_each_step_fails_by_its_own_name(
    kernel: str, step: str, status: Status, judge: Judge, tmp_path: Path
) -> None:
    worker = Worker(str(bad_kernel(kernel)), "cpu", None, str(tmp_path))
    steps = {
        "load": lambda: worker.load({}),
        "construct": worker.construct,
        "call": lambda: worker.call(0),
    }
    for name, do in steps.items():
        if name == step:
            with pytest.raises(RequestFailed) as raised:
                do()
            assert raised.value.status is status
            return
        do()


def test_timing_a_kernel(worker: Callable[..., Worker]) -> None:
    exact = worker("control_exact")
    assert exact.warm_up([0], 0.0) > 0
    assert len(exact.block("wall", 4)) == 4


def test_the_call_after_the_timed_ones_is_there_to_be_judged(
    worker: Callable[..., Worker], judge: Judge
) -> None:
    exact = worker("control_exact")
    exact.warm_up([0, 1], 0.0)
    exact.block("wall", 4)  # six calls, four of them on fresh inputs
    at = exact.finish()
    assert at == 1
    assert judge.compare(at, exact.name)["status"] is None
    assert judge.compare(0, exact.name)["status"] is not None


def test_a_kernel_that_fails_only_while_timed(worker: Callable[..., Worker]) -> None:
    counts = (
        "self.n = getattr(self, 'n', 0) + 1\n        assert self.n < 5, 'tired'\n        return"
    )
    tired = worker(EXACT.replace("return", counts))
    tired.warm_up([0], 0.0)
    with pytest.raises(RequestFailed, match="tired") as raised:
        tired.block("wall", 10)
    assert raised.value.status is Status.RUNTIME_ERROR
