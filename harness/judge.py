"""CHILD: holds the reference, the inputs, the truth and the clock; makes every call of every worker
and judges what it returns.

It never imports a kernel file. What passes between it and a worker passes by the exchange.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from harness import device as devices
from harness.calls import Calls
from harness.exchange.answer import WorkerFailed, WorkerGone, WorkerLate
from harness.exchange.judge_end import JudgeEnd
from harness.exchange.values import NotPlain, lay_out
from harness.exchange.worker_end import LOOK_BACK
from harness.judgement import bytes_of, judged, sum_of
from harness.records import Comparison, Status
from harness.serve import Handler, RequestFailed, failure, note
from harness.verdict.oracle import Oracle, Trial

_MUCH_BYTES = 512 << 20
"""Of an output: memory that is kept for the next trial is then given back at once."""


def _of_a_worker(work: Callable[..., Any]) -> Callable[..., dict[str, Any]]:
    """Answer {"worker": what became of it}, and why, where a worker does not do its part."""

    @functools.wraps(work)
    def told(*arguments: Any, **named: Any) -> dict[str, Any]:
        try:
            return {"answer": work(*arguments, **named)}
        except WorkerFailed as failed:
            said = {"status": failed.status, "reason": failed.reason, "poisoned": failed.poisoned}
            return {"worker": "failed", **said}
        except WorkerLate:
            return {"worker": "late"}
        except WorkerGone:
            return {"worker": "gone"}
        except RequestFailed:
            raise
        except Exception as error:  # the judge's own, such as a want of memory
            raise failure(error, Status.UNGRADABLE) from error

    return told


class Judge:
    """The judge's requests; the runner is the only one who asks. Workers go by names."""

    def __init__(self) -> None:
        devices.pin_precision()
        self._device = torch.device("cpu")
        self._ends: dict[str, JudgeEnd] = {}
        self._oracle: Oracle | None = None
        self._trial: Trial | None = None
        self._out_bytes = 0
        self._before: dict[str, list[int]] = {}
        """Of each worker's last outputs, the latest first, a sum that changes if they do."""
        self._calls: Calls | None = None

    def attach(self, name: str, pid: int, connection: Connection) -> dict[str, Any]:
        """Meet a worker that listens at the other end of the connection."""
        self.detach(name)
        return _of_a_worker(self._attach)(name, pid, connection)

    def _attach(self, name: str, pid: int, connection: Connection) -> None:
        devices.choose(self._device)
        self._ends[name] = JudgeEnd(connection, self._device, pid)

    def detach(self, name: str) -> None:
        """Hang up."""
        self._before.pop(name, None)
        if end := self._ends.pop(name, None):
            end.close()

    def prepare(
        self,
        device: str,
        problem: str,
        axes: Mapping[str, Any],
        dtype: str,
        secret: str,
        families: Sequence[str] | None,
        step_s: float,
    ) -> list[dict[str, Any]]:
        """Load the reference for a case; return what everyone may know of each of its trials.

        secret: what all seeds are made from.
        step_s: how long importing the file, constructing Model or one forward may take.
        families: those that the problem's file states, if it does.
        """
        self.release()
        self._device = torch.device(device)
        try:
            devices.choose(self._device)
            self._oracle = Oracle(
                Path(problem), axes, getattr(torch, dtype), self._device, secret, families,
                on_step=lambda text: note(text, step_s),
            )  # fmt: skip
        except Exception as error:
            raise failure(error, Status.UNGRADABLE, problem) from error
        self._dtype = dtype
        self._calls = Calls(self._oracle, self._ends, self._device)
        return [asdict(draw) for draw in self._oracle.draws]

    def make(self, trial: int) -> None:
        """Make a trial's inputs, truth and eager's output, in place of the last one's."""
        assert self._oracle is not None
        self._trial = None
        try:
            self._trial = self._oracle.trial(trial)
            lay_out(self._trial.inputs)  # whatever cannot be handed over is the problem's fault
            self._out_bytes = max(self._out_bytes, bytes_of(self._trial.eager))
            if self._out_bytes > _MUCH_BYTES:  # what a worker lacks, the truth may have left unused
                devices.release(self._device)
        except Exception as error:
            devices.release(self._device)
            raise failure(error, Status.UNGRADABLE) from error

    @_of_a_worker
    def construct(self, name: str, patience_s: float) -> None:
        """Have a worker make its ModelNew for the case, with the reference's weights."""
        oracle = self._oracle
        assert oracle is not None
        state = {k: v for k, v in oracle.model.state_dict().items() if isinstance(v, Tensor)}
        try:
            self._ends[name].lend(
                "construct", (oracle.init_inputs, state), patience_s,
                seed=oracle.seed, dtype=self._dtype, changing=list(oracle.changing),
            )  # fmt: skip
        except (NotPlain, MemoryError, OSError) as error:
            raise failure(error, Status.UNGRADABLE) from error
        self._before.pop(name, None)

    @_of_a_worker
    def answer(self, name: str, patience_s: float) -> dict[str, Any] | None:
        """Have a worker answer the trial, and judge it; return the Comparison's fields, or None for
        a trial of other weights than those that the kernel's model can be given."""
        assert self._trial is not None
        seed = self._trial.weights
        if seed is None:
            return self._answer(name, patience_s)
        if not self._give_weights(name, seed, patience_s):
            return None
        try:
            comparison = self._answer(name, patience_s)
        except WorkerFailed:
            self._give_weights(name, None, patience_s)
            raise
        self._give_weights(name, None, patience_s)
        return comparison

    def _give_weights(self, name: str, seed: int | None, patience_s: float) -> bool:
        """Have a kernel's model have the weights that belong to this seed; False if it must not."""
        assert self._oracle is not None
        weights = self._oracle.weights(seed)
        return self._ends[name].lend("change_weights", weights, patience_s) is True

    def _answer(self, name: str, patience_s: float) -> dict[str, Any]:
        assert self._trial is not None and self._oracle is not None
        trial, end = self._trial, self._ends[name]
        before, bits = self._before.get(name, []), 0
        try:
            answer = end.call(trial.inputs, trial.seed, patience_s, self._out_bytes, unhurried=True)
            comparison = judged(answer, trial.eager, trial.truth, self._device)
            bits = sum_of(answer.value)
            del answer  # its memory is for the earlier ones
        except NotPlain as error:
            comparison = Comparison(Status.WRONG_STRUCTURE, str(error))
        if comparison.status is None and not self._oracle.shares:
            now = map(sum_of, end.earlier(patience_s))
            if any(was != now_is for was, now_is in zip(before, now, strict=False)):
                reason = "this call changed the output of an earlier one: they share memory"
                comparison = Comparison(Status.ALIASED, reason)
        self._before[name] = [bits, *before][:LOOK_BACK]
        return asdict(comparison)

    @_of_a_worker
    def warm_up(self, name: str, seconds: float, patience_s: float) -> float:
        """See `Calls.warm_up`."""
        return self._timed(name).warm_up(name, seconds, patience_s)

    @_of_a_worker
    def handover(self, name: str, calls: int, patience_s: float) -> dict[str, float | None]:
        """See `Calls.handover`."""
        return self._timed(name).handover(name, calls, patience_s)

    @_of_a_worker
    def block(self, name: str, samples: int, patience_s: float, judged: bool) -> dict[str, Any]:
        """See `Calls.block`."""
        self._trial = None  # it is over; `make` makes it again
        return self._timed(name).block(name, samples, patience_s, judged)

    @_of_a_worker
    def bound(self, name: str, calls: int, patience_s: float) -> dict[str, Any]:
        """See `Calls.bound`."""
        self._trial = None
        return self._timed(name).bound(name, calls, patience_s)

    def _timed(self, name: str) -> Calls:
        assert self._calls is not None
        self._before.pop(name, None)  # its last outputs will be others
        self._calls.out_bytes = self._out_bytes
        return self._calls

    @_of_a_worker
    def launch(self, name: str, patience_s: float) -> Any:
        """What launches take a worker's process, and its last calls: see `Cold.launch`."""
        return self._ends[name].request("launch", patience_s)

    @_of_a_worker
    def fallback(self, name: str, patience_s: float) -> str:
        """What a kernel's file went on without, as its worker says."""
        return str(self._ends[name].request("fallback", patience_s))

    @_of_a_worker
    def dismiss(self, name: str, patience_s: float) -> None:
        """Have a worker forget the case and give its memory back."""
        self._before.pop(name, None)
        end = self._ends[name]
        end.request("release", patience_s)
        end.forget()

    def release(self) -> None:
        """Forget the case and give its memory back."""
        self._oracle = self._trial = self._calls = None
        self._out_bytes = 0
        self._before.clear()
        devices.release(self._device)


def make_handlers() -> Mapping[str, Handler]:
    judge = Judge()
    return {
        "facts": devices.facts,
        "get_ready": devices.get_ready,
        "attach": judge.attach,
        "detach": judge.detach,
        "prepare": judge.prepare,
        "make": judge.make,
        "construct": judge.construct,
        "answer": judge.answer,
        "warm_up": judge.warm_up,
        "block": judge.block,
        "handover": judge.handover,
        "bound": judge.bound,
        "launch": judge.launch,
        "fallback": judge.fallback,
        "dismiss": judge.dismiss,
        "release": judge.release,
    }
