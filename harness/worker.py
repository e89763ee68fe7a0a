"""CHILD: loads one kernel and does what it is told.

A worker is disposable. It sees inputs and weights, never the truth; what it computes goes into
the exchange, where the judge takes it, and it is killed when a deadline passes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from harness import device as devices
from harness.build.compile import BuildFailed
from harness.build.load_inline import NotBuilt, Use, fallback, install
from harness.catalog.load import load_module
from harness.exchange import Exchange, Inputs
from harness.records import Status
from harness.serve import Handler, failure
from harness.timing import stopwatch
from harness.timing.call import LiveInputs


class Worker:
    """A worker's requests; the runner is the only one who asks."""

    def __init__(self, kernel: str, device: str, arch: str | None, exchange: str) -> None:
        devices.pin_precision()
        self._path = kernel
        self.name = Path(kernel).stem
        self._arch = arch
        self._device = torch.device(device)
        self._exchange = Exchange(exchange)
        self._model: nn.Module | None = None
        self._timed: Callable[[], object] | None = None
        self._inputs: LiveInputs | None = None
        self._seeds: list[int] = []
        self._uses: list[Use] = []

    def load(self, overrides: Mapping[str, Any]) -> None:
        """Import the kernel file. Its extensions were built beforehand and are only loaded.

        overrides: values for globals of the file that restate the problem's axes.
        """
        self._uses = install(Path(self._path), self._arch, compile_missing=False)
        try:
            devices.choose(self._device)
            self._make: Callable[..., nn.Module] = load_module(Path(self._path), overrides).ModelNew
        except (NotBuilt, BuildFailed) as error:
            raise failure(error, Status.BUILD_FAILED, self._path) from error
        except Exception as error:
            raise failure(error, Status.LOAD_FAILED, self._path) from error

    def construct(self) -> None:
        """Make ModelNew for the case, with the reference's constructor arguments and weights.

        The random state is the one Model was made with, so a constructor that draws its
        parameters in the same order gets the same ones; where names and shapes agree with
        Model's, the reference's weights are copied as well.
        """
        self.release()
        case = self._exchange.setup()
        before = len(self._uses)
        try:
            torch.manual_seed(case.seed)
            model = self._make(*case.init_inputs).to(self._device, case.dtype)
            own = {name: value.shape for name, value in model.state_dict().items()}
            if own == {name: value.shape for name, value in case.state.items()}:
                model.load_state_dict(case.state)
        except Exception as error:
            del self._uses[before:]  # the file did not go on without these
            missing = isinstance(error, NotBuilt | BuildFailed)
            status = Status.BUILD_FAILED if missing else Status.LOAD_FAILED
            raise failure(error, status, self._path) from error
        self._model = model

    def call(self, trial: int) -> str:
        """Run forward on a trial's inputs; put out its output and the inputs as they are now.

        Returns the extensions that the file has gone on without so far, and why; "" if none.
        """
        self._call(self._exchange.inputs(trial, self._device))
        return fallback(self._uses)

    def _call(self, inputs: Inputs) -> None:
        assert self._model is not None
        try:
            value = devices.forward(self._model, inputs.values, inputs.seed)
            devices.synchronize(self._device)
        except Exception as error:
            raise failure(error, Status.RUNTIME_ERROR, self._path) from error
        try:
            self._exchange.put_output(self.name, value, inputs.values)
        except Exception as error:
            full = isinstance(error, OSError) or "PytorchStreamWriter" in str(error)
            status = Status.OUT_OF_MEMORY if full else Status.WRONG_STRUCTURE
            raise failure(error, status, self._path) from error

    def warm_up(self, trials: Sequence[int], seconds: float) -> float:
        """Get ready to be timed on trials' inputs in turn; return rough microseconds per call."""
        assert self._model is not None
        model = self._model
        draws = [self._exchange.inputs(trial, self._device) for trial in trials]
        self._seeds = [draw.seed for draw in draws]
        self._inputs = inputs = LiveInputs([draw.values for draw in draws])
        self._timed = lambda: model(*inputs.live)
        try:
            with torch.no_grad():
                return stopwatch.warm_up(self._timed, seconds, self._device)
        except Exception as error:
            raise failure(error, Status.RUNTIME_ERROR, self._path) from error

    def block(self, timer: str, samples: int) -> list[float]:
        """Take one block of samples, in microseconds."""
        assert self._timed is not None and self._inputs is not None
        try:
            with torch.no_grad():
                return stopwatch.block(
                    timer, self._timed, samples, self._device, self._inputs.refresh
                )
        except Exception as error:
            raise failure(error, Status.RUNTIME_ERROR, self._path) from error

    def finish(self) -> int:
        """One more call, as those that were timed, for the judge to see; return which of the
        trials given to `warm_up` its inputs are from, by its place among them."""
        assert self._inputs is not None
        self._inputs.refresh()
        at = self._inputs.at
        self._call(Inputs(self._inputs.live, self._seeds[at]))
        return at

    def release(self) -> None:
        """Forget the case and give its memory back."""
        self._model = self._timed = self._inputs = None
        devices.release(self._device)


def make_handlers(
    kernel: str, device: str, arch: str | None, exchange: str
) -> Mapping[str, Handler]:
    worker = Worker(kernel, device, arch, exchange)
    return {
        "load": worker.load,
        "construct": worker.construct,
        "call": worker.call,
        "warm_up": worker.warm_up,
        "block": worker.block,
        "finish": worker.finish,
        "release": worker.release,
    }
