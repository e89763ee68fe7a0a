"""CHILD: holds the reference, the inputs and the truth; compares outputs; times baselines.

It never imports a kernel file. Inputs and outputs pass through files in the exchange folder,
read back without unpickling anything but tensors and plain values.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor

from harness.children import Handler, failure
from harness.device import pin_precision, use_device
from harness.records import BASELINES, Comparison, Status
from harness.timing.call import LiveInputs
from harness.timing.stopwatch import Stopwatch
from harness.verdict import ruling
from harness.verdict.compare import compare
from harness.verdict.oracle import Oracle

TIMED_TRIALS = 2
"""How many trials give the inputs of timed calls, in turn: the first finite ones."""


class Judge:
    """The judge's requests; the runner is the only one who asks."""

    def __init__(self, device: str, exchange: str) -> None:
        pin_precision()
        # In this process: a pool of compilers would linger beside what is timed.
        os.environ["TORCHINDUCTOR_COMPILE_THREADS"] = "1"
        self._device = torch.device(device)
        self._exchange = Path(exchange)
        self._oracle: Oracle | None = None
        self._inputs: LiveInputs | None = None
        self._calls: dict[str, Callable[[], object]] = {}
        self._stopwatch: Stopwatch | None = None

    def prepare(
        self,
        problem: str,
        axes: Mapping[str, Any],
        dtype: str,
        seed: int,
        families: Sequence[str] | None,
    ) -> dict[str, Any]:
        """Make inputs, truth and eager's output of a case.

        Writes `setup.pt` and one `<n>.pt` of inputs per trial for the workers. Returns the
        trials' names, and which of them give the inputs of timed calls.
        """
        self.release()
        try:
            use_device(self._device)
            oracle = Oracle(
                Path(problem), axes, getattr(torch, dtype), self._device, seed, families
            )
        except Exception as error:
            raise failure(error, Status.UNGRADABLE, problem) from error
        setup = {
            "init_inputs": oracle.init_inputs,
            "seed": seed,
            "dtype": dtype,
            "state": oracle.model.state_dict(),
        }
        trials = oracle.trials
        try:
            torch.save(setup, self._exchange / "setup.pt")
            for index, trial in enumerate(trials):
                saved = {"inputs": trial.inputs, "seed": trial.seed}
                torch.save(saved, self._exchange / f"{index}.pt")
        except Exception as error:  # no room, above all
            raise failure(error, Status.UNGRADABLE) from error
        finite = [index for index, trial in enumerate(trials) if trial.finite]
        timed = (finite or list(range(len(trials))))[:TIMED_TRIALS]
        self._oracle = oracle
        self._inputs = LiveInputs([trials[index].inputs for index in timed])
        return {"trials": [trial.name for trial in trials], "timed": timed}

    def compare(self, trial: int, output: str) -> dict[str, Any]:
        """Judge what a worker wrote for one trial; return the Comparison as a dict."""
        return asdict(self._compare(trial, output))

    def _compare(self, trial: int, output: str) -> Comparison:
        assert self._oracle is not None
        known = self._oracle.trials[trial]
        try:
            output_value, inputs_after, devices = self._read(Path(output))
        except Exception as error:
            kind = re.search(r"GLOBAL ([\w.]+)", str(error))
            what = f": it holds a {kind[1]}" if kind else ""
            reason = f"the output is not made of plain tensors{what}"
            return Comparison(Status.WRONG_STRUCTURE, reason)
        try:
            if _changed(known.inputs, inputs_after):
                return Comparison(Status.INPUT_MUTATED, f"{known.name} inputs changed in the call")
            if devices != {self._device.type}:
                reason = f"the output lies on {', '.join(sorted(devices))}, not {self._device.type}"
                return Comparison(Status.WRONG_STRUCTURE, reason)
            comparison = compare(output_value, known.eager, known.truth)
        except Exception as error:
            raise failure(error, Status.UNGRADABLE) from error
        return ruling.of_trial(comparison, known.name, known.finite)

    def _read(self, path: Path) -> tuple[Any, list[Any], set[str]]:
        devices: set[str] = set()

        def locate(storage: Any, location: str) -> Any:
            devices.add(location.partition(":")[0])
            return storage

        saved = torch.load(path, map_location=locate, weights_only=True)
        return _to(saved["output"], self._device), _to(saved["inputs"], self._device), devices

    def start_baseline(self, name: str, warm_up_s: float) -> float:
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
                self._watch().warm_up(self._calls[name], warm_up_s)
            return median(self.block(name, 3))
        except Exception as error:
            raise failure(error, Status.RUNTIME_ERROR) from error

    def block(self, name: str, samples: int) -> list[float]:
        """Take one block of a baseline's samples, in microseconds."""
        try:
            assert self._inputs is not None
            with torch.no_grad():
                return self._watch().block(self._calls[name], samples, self._inputs.refresh)
        except Exception as error:
            raise failure(error, Status.RUNTIME_ERROR) from error

    def release(self) -> None:
        """Forget the case and give its memory back."""
        self._oracle = self._inputs = None
        self._calls.clear()
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    def _watch(self) -> Stopwatch:
        self._stopwatch = self._stopwatch or Stopwatch(self._device)
        return self._stopwatch


def _to(value: Any, device: torch.device) -> Any:
    if isinstance(value, Tensor):
        return value.to(device)
    if isinstance(value, list | tuple):
        return [_to(item, device) for item in value]
    if isinstance(value, dict):
        return {key: _to(item, device) for key, item in value.items()}
    return value


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
