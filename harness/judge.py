"""CHILD: holds the reference, the inputs and the truth; compares outputs; times baselines.

It never imports a kernel file. What passes between it and a worker passes by the exchange.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor

from harness import device as devices
from harness.exchange import Exchange, Inputs, NotPlain, Setup
from harness.records import BASELINES, Comparison, Draw, Status
from harness.serve import Handler, failure, note
from harness.timing import stopwatch
from harness.timing.call import LiveInputs
from harness.verdict.compare import compare
from harness.verdict.oracle import Oracle

TIMED_TRIALS = 2
"""How many trials give the inputs of timed calls, in turn: the first finite ones."""


class Judge:
    """The judge's requests; the runner is the only one who asks."""

    def __init__(self, device: str, exchange: str) -> None:
        devices.pin_precision()
        # In this process: a pool of compilers would linger beside what is timed.
        os.environ["TORCHINDUCTOR_COMPILE_THREADS"] = "1"
        self._device = torch.device(device)
        self._exchange = Exchange(exchange)
        self._oracle: Oracle | None = None
        self._inputs: LiveInputs | None = None
        self._calls: dict[str, Callable[[], object]] = {}

    def prepare(
        self,
        problem: str,
        axes: Mapping[str, Any],
        dtype: str,
        seed: int,
        families: Sequence[str] | None,
        step_s: float,
    ) -> dict[str, Any]:
        """Make inputs, truth and eager's output of a case, and put what workers need into the
        exchange.

        step_s: how long importing the file, constructing Model or one forward may take.
        families: those that the problem's file states, if it does.
        Returns what may be known of each trial, and which of them give the inputs of timed calls.
        """
        self.release()
        try:
            devices.choose(self._device)
            oracle = Oracle(
                Path(problem), axes, getattr(torch, dtype), self._device, seed, families,
                on_step=lambda text: note(text, step_s),
            )  # fmt: skip
        except Exception as error:
            raise failure(error, Status.UNGRADABLE, problem) from error
        trials = oracle.trials
        setup = Setup(oracle.init_inputs, seed, getattr(torch, dtype), oracle.model.state_dict())
        try:
            self._exchange.put_setup(setup)
            for index, trial in enumerate(trials):
                self._exchange.put_inputs(index, Inputs(trial.inputs, trial.seed))
        except Exception as error:  # no room, above all
            raise failure(error, Status.UNGRADABLE) from error
        finite = [index for index, trial in enumerate(trials) if trial.finite]
        timed = (finite or list(range(len(trials))))[:TIMED_TRIALS]
        self._oracle = oracle
        self._inputs = LiveInputs([trials[index].inputs for index in timed])
        draws = [{f.name: getattr(trial, f.name) for f in fields(Draw)} for trial in trials]
        return {"trials": draws, "timed": timed}

    def compare(self, trial: int, kernel: str) -> dict[str, Any]:
        """Judge what a kernel's worker put out for one trial; return the Comparison's fields."""
        return asdict(self._compare(trial, kernel))

    def _compare(self, trial: int, kernel: str) -> Comparison:
        assert self._oracle is not None
        expected = self._oracle.trials[trial]
        try:
            output = self._exchange.take_output(kernel, self._device)
        except NotPlain as error:
            return Comparison(Status.WRONG_STRUCTURE, str(error))
        try:
            if _changed(expected.inputs, output.inputs):
                return Comparison(Status.INPUT_MUTATED, "the call changed them")
            if output.devices != {self._device.type}:
                places = ", ".join(sorted(output.devices))
                reason = f"the output lies on {places}, not {self._device.type}"
                return Comparison(Status.WRONG_STRUCTURE, reason)
            return compare(output.value, expected.eager, expected.truth)
        except Exception as error:
            raise failure(error, Status.UNGRADABLE) from error

    def start_baseline(self, name: str, timer: str, warm_up_s: float) -> float:
        """Make a baseline ready on the case's own inputs; return about how long a call takes.

        In microseconds, by a few samples: after torch.compile, the warm-up's own clock would
        tell the host's time where the device waits for it.
        """
        assert self._oracle is not None
        assert self._inputs is not None
        model, inputs = self._oracle.model, self._inputs.live
        call: Callable[..., object] = model
        try:
            mode = BASELINES[name]
            if mode is not None:
                # Afresh for every case: a specialised graph is the baseline's best chance.
                torch._dynamo.reset()
                call = torch.compile(model, mode=mode, dynamic=False)
            self._calls[name] = lambda: call(*inputs)
            with torch.no_grad():
                stopwatch.warm_up(self._calls[name], warm_up_s, self._device)
            return median(self.block(name, timer, 3))
        except Exception as error:
            raise failure(error, Status.RUNTIME_ERROR) from error

    def block(self, name: str, timer: str, samples: int) -> list[float]:
        """Take one block of a baseline's samples, in microseconds."""
        try:
            assert self._inputs is not None
            call, refresh = self._calls[name], self._inputs.refresh
            with torch.no_grad():
                return stopwatch.block(timer, call, samples, self._device, refresh)
        except Exception as error:
            raise failure(error, Status.RUNTIME_ERROR) from error

    def release(self) -> None:
        """Forget the case and give its memory back."""
        self._oracle = self._inputs = None
        self._calls.clear()
        devices.release(self._device)


def _changed(before: Sequence[Any], after: Sequence[Any]) -> bool:
    """Did any bit of a tensor input change?"""
    return len(before) != len(after) or any(
        isinstance(a, Tensor) and not _same_bits(a, b) for a, b in zip(before, after, strict=True)
    )


def _same_bits(a: Tensor, b: Any) -> bool:
    if not isinstance(b, Tensor) or a.shape != b.shape or a.dtype != b.dtype:
        return False
    # As bytes, so that a NaN equals itself.
    return torch.equal(*(x.contiguous().view(-1).view(torch.uint8) for x in (a, b)))


def make_handlers(device: str, exchange: str) -> Mapping[str, Handler]:
    judge = Judge(device, exchange)
    return {
        "prepare": judge.prepare,
        "compare": judge.compare,
        "start_baseline": judge.start_baseline,
        "block": judge.block,
        "release": judge.release,
    }
