"""CHILD: loads one kernel, or one baseline, and makes the calls that the judge asks for.

A worker is disposable. It sees inputs and weights, never the truth; it holds no clock that is
believed where the judge has a better one, and it is killed when a deadline passes.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from harness import device as devices
from harness import weights
from harness.build.compile import BuildFailed
from harness.build.load_inline import NotBuilt, Use, fallback, install
from harness.catalog.load import load_module
from harness.exchange.values import copied, from_json
from harness.exchange.worker_end import WorkerEnd
from harness.records import BASELINES, Status
from harness.serve import Handler, RequestFailed, failure
from harness.timing import stopwatch
from harness.timing.cold import Cold
from harness.timing.wall import Wall

_KEPT = (Tensor, bool, int, float, str)
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
"""Of malloc.h."""


class Worker:
    """A worker's requests. The runner has it load a file and listen; the judge does the rest."""

    def __init__(self, path: str, device: str, arch: str | None) -> None:
        """path: the kernel's file, or the problem's for a baseline."""
        devices.pin_precision()
        self._path = path
        self._arch = arch
        self._device = torch.device(device)
        if self._device.type == "cpu":
            _, others = devices.cores()  # the judge is the clock, and needs one to itself
            torch.set_num_threads(devices.kernel_threads())
            os.sched_setaffinity(0, others)
            # Memory of outputs is kept for the next: else every few calls pay for its pages anew.
            libc = ctypes.CDLL(None)
            libc.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
            libc.mallopt(_M_MMAP_THRESHOLD, 32 << 20)  # the most there is
        self._mode: str | None = None
        self._model: nn.Module | None = None
        self._call: Callable[..., object] | None = None
        self._usual: Callable[..., object] | None = None
        self._state: _State | None = None
        self._follows = False
        """May the weights be changed, and must its answers be those of the new ones?"""
        self._uses: list[Use] = []
        self._end: WorkerEnd | None = None
        self._timer: Cold | Wall | None = None

    # The runner's

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
        self._get_ready()

    def load_baseline(self, name: str, axes: Mapping[str, Any]) -> None:
        """Import the problem's file, to be timed as a baseline of this name."""
        # In this process: a pool of compilers would linger beside what is timed.
        os.environ["TORCHINDUCTOR_COMPILE_THREADS"] = "1"
        self._mode = BASELINES[name]
        try:
            devices.choose(self._device)
            self._make = load_module(Path(self._path), axes).Model
        except Exception as error:
            raise failure(error, Status.LOAD_FAILED, self._path) from error
        self._get_ready()

    def _get_ready(self) -> None:
        """Have a timer, while nobody waits for it: on a GPU it has CUDA start."""
        try:
            self._timer = self._timer or stopwatch.of(self._device)
        except Exception as error:
            raise failure(error, Status.RUNTIME_ERROR) from error

    def listen(self, connection: Connection) -> None:
        """Do as the judge at the other end says, until it hangs up."""
        assert self._timer is not None
        self._end = WorkerEnd(connection, self._device, self._timer)
        requests: Mapping[str, Callable[..., Any]] = {
            "empty": self.empty,
            "launch": self.launch,
            "construct": self.construct,
            "release": self.release,
            "fallback": self.fallback,
            "change_weights": self.change_weights,
        }
        try:
            self._end.listen(requests, self._ready, self._failed)
        finally:
            self.release()
            self._end.close()
            connection.close()

    # The judge's

    def construct(
        self, layout: Mapping[str, Any], seed: int, dtype: str, changing: list[str]
    ) -> None:
        """Make ModelNew for the case, with the reference's constructor arguments and weights.

        layout: of (init_inputs, state) in the arena. The random state is the one that Model was
        made with, so a constructor that draws its parameters in the same order gets the same ones;
        where names and shapes agree with Model's, the reference's weights are copied as well.
        changing: what a call of the reference changes of its state.
        """
        assert self._end is not None
        before = len(self._uses)
        try:
            init_inputs, state = self._end.value(from_json(layout))
            arguments = copied(init_inputs)  # other things will lie there soon
            devices.reseed(seed)
            model = self._make(*arguments).to(self._device)
            model = devices.in_dtype(model, getattr(torch, dtype))
            own = model.state_dict()
            shapes = {name: value.shape for name, value in state.items()}
            alike = {n: x.shape for n, x in own.items() if isinstance(x, Tensor)} == shapes
            if alike:
                model.load_state_dict({**own, **state})
                own = model.state_dict()
        except Exception as error:
            del self._uses[before:]  # the file did not go on without these
            missing = isinstance(error, NotBuilt | BuildFailed)
            status = Status.BUILD_FAILED if missing else Status.LOAD_FAILED
            raise failure(error, status, self._path) from error
        self._state = _State(model, changing) if changing else None
        kept = {name for name, _ in model.named_parameters()} & set(changing)
        self._follows = alike and not kept and weights.has_only_weights(model)
        self._model = self._call = model
        if self._mode is not None:
            # Afresh for every case: a specialised graph is the baseline's best chance.
            torch._dynamo.reset()
            self._call = torch.compile(model, mode=self._mode, dynamic=False)

    def change_weights(self, layout: Mapping[str, Any]) -> bool:
        """Write these weights, by name, into the model in place; False, and nothing is written, if
        it is not Model's in names and shapes, or if its constructor made more than weights."""
        assert self._end is not None and self._model is not None
        if self._follows:
            weights.change(self._model, self._end.value(from_json(layout)))
            if self._device.type == "cuda":  # other things will lie there soon
                torch.cuda.synchronize(self._device)
        return self._follows

    def empty(self, yes: bool) -> None:
        """Do nothing from now on when called; or what the model does, again."""
        nothing = torch.empty(0, device=self._device)
        if yes:
            self._usual, self._call = self._call, lambda *inputs: nothing
        else:
            self._call, self._usual = self._usual, None

    def launch(self) -> tuple[float, float, float]:
        """See `Cold.launch`."""
        assert isinstance(self._timer, Cold)
        return self._timer.launch()

    def fallback(self) -> str:
        """The extensions that the file has gone on without so far, and why; "" if none."""
        return fallback(self._uses)

    def release(self) -> None:
        """Forget the case and give its memory back."""
        self._model = self._call = None
        self._state = None
        if self._end is not None:
            self._end.forget()
        devices.release(self._device)

    def _ready(self, seed: int) -> Callable[..., object]:
        """Before each call alike: the state as it was at first, and a random state of its own."""
        assert self._call is not None
        if self._state is not None:
            self._state.restore()
        devices.reseed(seed)
        return self._call

    def _failed(self, error: Exception) -> Mapping[str, Any]:
        if not isinstance(error, RequestFailed):
            error = failure(error, Status.RUNTIME_ERROR, self._path)
        return {"status": error.status, "reason": error.reason, "poisoned": error.poisoned}


class _State:
    """What a model is before its first call, where the reference's calls change its own: its
    tensors and plain values. What its calls add, such as a workspace, is its own affair."""

    def __init__(self, model: nn.Module, changing: Sequence[str]) -> None:
        """changing: the names of the tensors that a call changes."""
        self._places: list[tuple[dict[str, Any], dict[str, Any]]] = []
        self._tensors: list[tuple[Tensor, Tensor]] = []
        for prefix, module in model.named_modules():
            for place in (module._parameters, module._buffers, vars(module)):
                first = {name: value for name, value in place.items() if isinstance(value, _KEPT)}
                self._places.append((place, first))
                for name, value in first.items():
                    if isinstance(value, Tensor) and f"{prefix}.{name}".lstrip(".") in changing:
                        self._tensors.append((value, value.detach().clone()))

    @torch.no_grad()
    def restore(self) -> None:
        for place, first in self._places:
            for name, value in first.items():
                if place.get(name) is not value:
                    place[name] = value
        for tensor, kept in self._tensors:
            tensor.copy_(kept)


def make_handlers(path: str, device: str, arch: str | None) -> Mapping[str, Handler]:
    worker = Worker(path, device, arch)
    return {
        "load": worker.load,
        "load_baseline": worker.load_baseline,
        "listen": worker.listen,
    }
