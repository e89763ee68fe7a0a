"""CHILD: loads one kernel and does what it is told.

A worker is disposable. It sees inputs and weights, never the truth; what it computes goes to
a file that the judge reads, and it is killed when a deadline passes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from harness.build.compile import BuildFailed
from harness.build.load_inline import NotBuilt, install
from harness.catalog.load import load_module
from harness.children import Handler, failure
from harness.device import forward, pin_precision, use_device
from harness.records import Status
from harness.timing.call import LiveInputs
from harness.timing.stopwatch import Stopwatch


class Worker:
    """A worker's requests; the runner is the only one who asks."""

    def __init__(self, kernel: str, device: str, arch: str | None) -> None:
        pin_precision()
        self._path = kernel
        self._arch = arch
        self._device = torch.device(device)
        self._model: nn.Module | None = None
        self._timed: Callable[[], object] | None = None
        self._inputs: LiveInputs | None = None
        self._seeds: list[int] = []
        self._stopwatch: Stopwatch | None = None

    def load(self) -> None:
        """Import the kernel file. Its extensions were built beforehand and are only loaded."""
        install(Path(self._path), self._arch, compile_missing=False)
        try:
            use_device(self._device)
            self._make: Callable[..., nn.Module] = load_module(Path(self._path)).ModelNew
        except (NotBuilt, BuildFailed) as error:
            raise failure(error, Status.BUILD_FAILED, self._path) from error
        except Exception as error:
            raise failure(error, Status.LOAD_FAILED, self._path) from error

    def construct(self, setup: str) -> None:
        """Make ModelNew for a case, with the reference's constructor arguments and weights.

        The random state is the one Model was made with, so a constructor that draws its
        parameters in the same order gets the same ones; where names and shapes agree with
        Model's, the reference's weights are copied as well.
        """
        self.release()
        case = torch.load(setup, map_location="cpu", weights_only=True)
        try:
            torch.manual_seed(case["seed"])
            model = self._make(*case["init_inputs"]).to(self._device, getattr(torch, case["dtype"]))
            own = {name: value.shape for name, value in model.state_dict().items()}
            if own == {name: value.shape for name, value in case["state"].items()}:
                model.load_state_dict(case["state"])
        except (NotBuilt, BuildFailed) as error:
            raise failure(error, Status.BUILD_FAILED, self._path) from error
        except Exception as error:
            raise failure(error, Status.LOAD_FAILED, self._path) from error
        self._model = model

    def call(self, trial: str, output: str) -> None:
        """Run forward on a trial's inputs; write the output and the inputs as they are now."""
        saved = torch.load(trial, map_location=self._device, weights_only=True)
        self._write(saved["inputs"], saved["seed"], output)

    def _write(self, inputs: list[Any], seed: int, output: str) -> None:
        assert self._model is not None
        try:
            value = forward(self._model, inputs, seed)
            if self._device.type == "cuda":
                torch.cuda.synchronize(self._device)
        except Exception as error:
            raise failure(error, Status.RUNTIME_ERROR, self._path) from error
        try:
            torch.save({"output": _compact(value), "inputs": inputs}, output)
        except Exception as error:
            full = isinstance(error, OSError) or "PytorchStreamWriter" in str(error)
            status = Status.OUT_OF_MEMORY if full else Status.WRONG_STRUCTURE
            raise failure(error, status, self._path) from error

    def warm_up(self, trials: Sequence[str], seconds: float) -> float:
        """Get ready to be timed on trials' inputs in turn; return rough microseconds per call."""
        assert self._model is not None
        model = self._model
        saved = [torch.load(t, map_location=self._device, weights_only=True) for t in trials]
        self._seeds = [trial["seed"] for trial in saved]
        inputs = LiveInputs([trial["inputs"] for trial in saved])
        self._stopwatch = self._stopwatch or Stopwatch(self._device)
        self._inputs = inputs
        self._timed = lambda: model(*inputs.live)
        try:
            with torch.no_grad():
                return self._stopwatch.warm_up(self._timed, seconds)
        except Exception as error:
            raise failure(error, Status.RUNTIME_ERROR, self._path) from error

    def block(self, samples: int) -> list[float]:
        """Take one block of samples, in microseconds."""
        assert self._stopwatch is not None and self._timed is not None and self._inputs is not None
        try:
            with torch.no_grad():
                return self._stopwatch.block(self._timed, samples, self._inputs.refresh)
        except Exception as error:
            raise failure(error, Status.RUNTIME_ERROR, self._path) from error

    def finish(self, output: str) -> int:
        """One more call, as those that were timed, for the judge to see; return which trial's."""
        assert self._inputs is not None
        self._inputs.refresh()
        at = self._inputs.at
        self._write(self._inputs.live, self._seeds[at], output)
        return at

    def release(self) -> None:
        """Forget the case and give its memory back."""
        self._model = self._timed = self._inputs = None
        if self._device.type == "cuda":
            torch.cuda.empty_cache()


def _compact(value: Any) -> Any:
    """Tensors without the rest of the storage they are a view of; named tuples as plain ones."""
    if type(value) is Tensor:
        spare = value.untyped_storage().nbytes() > value.numel() * value.element_size()
        return value.clone() if spare else value
    if isinstance(value, list | tuple):
        return [_compact(item) for item in value]
    if isinstance(value, dict):
        return {key: _compact(item) for key, item in value.items()}
    return value


def make_handlers(kernel: str, device: str, arch: str | None) -> Mapping[str, Handler]:
    worker = Worker(kernel, device, arch)
    return {
        "load": worker.load,
        "construct": worker.construct,
        "call": worker.call,
        "warm_up": worker.warm_up,
        "block": worker.block,
        "finish": worker.finish,
        "release": worker.release,
    }
