"""CHILD: holds the reference, the inputs, the truth and the clock; makes every call of every worker
and judges what it returns.

It never imports a kernel file. What passes between it and a worker passes by the exchange.
"""

from __future__ import annotations

import functools
import random
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor

from harness import device as devices
from harness.exchange.judge_batch import LayoutsDiffer, batch
from harness.exchange.judge_end import (
    Answer,
    JudgeEnd,
    Output,
    WorkerFailed,
    WorkerGone,
    WorkerLate,
)
from harness.exchange.values import ALIGNMENT, NotPlain, flatten, lay_out
from harness.exchange.worker_end import LOOK_BACK
from harness.records import Comparison, Status
from harness.serve import Handler, RequestFailed, failure, note
from harness.verdict.compare import compare
from harness.verdict.inputs import copied
from harness.verdict.oracle import Oracle, Trial

_UNTIMED = 2
"""Calls before the samples of each block."""
_SHARE_S = 0.02
"""How long judging a block's outputs may take; one is judged in any case."""
_BATCH_BYTES = 512 << 20
"""Of the inputs and outputs of a batch, unless one call alone has more."""
_MUCH_BYTES = 512 << 20
"""Of an output: memory that is kept for the next trial is then given back at once."""
_SHARE_BYTES = 64 << 20
"""How much may be kept of a block's calls until it is over, but for one of them."""


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

    def __init__(self, device: str) -> None:
        devices.pin_precision()
        self._device = torch.device(device)
        self._ends: dict[str, JudgeEnd] = {}
        self._oracle: Oracle | None = None
        self._trial: Trial | None = None
        self._out_bytes = 0
        self._before: dict[str, list[int]] = {}
        """Of each worker's last outputs, the latest first, a sum that changes if they do."""
        self._fresh = 0
        self._share = 1
        self._secret = random.SystemRandom()

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
        try:
            devices.choose(self._device)
            self._oracle = Oracle(
                Path(problem), axes, getattr(torch, dtype), self._device, secret, families,
                on_step=lambda text: note(text, step_s),
            )  # fmt: skip
        except Exception as error:
            raise failure(error, Status.UNGRADABLE, problem) from error
        self._dtype = dtype
        self._fresh = 0
        self._share = 1
        return [asdict(draw) for draw in self._oracle.draws]

    def make(self, trial: int) -> None:
        """Make a trial's inputs, truth and eager's output, in place of the last one's."""
        assert self._oracle is not None
        self._trial = None
        try:
            self._trial = self._oracle.trial(trial)
            lay_out(self._trial.inputs)  # whatever cannot be handed over is the problem's fault
            self._out_bytes = max(self._out_bytes, _bytes_of(self._trial.eager))
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
            comparison = self._judged(answer, trial.eager, trial.truth)
            bits = _sum(answer.value)
            del answer  # its memory is for the earlier ones
        except NotPlain as error:
            comparison = Comparison(Status.WRONG_STRUCTURE, str(error))
        if comparison.status is None and not self._oracle.shares:
            now = map(_sum, end.earlier(patience_s))
            if any(was != now_is for was, now_is in zip(before, now, strict=False)):
                reason = "this call changed the output of an earlier one: they share memory"
                comparison = Comparison(Status.ALIASED, reason)
        self._before[name] = [bits, *before][:LOOK_BACK]
        return asdict(comparison)

    def _judged(self, answer: Output, eager: Any, truth: Any) -> Comparison:
        if answer.mutated:
            return Comparison(Status.INPUT_MUTATED, "the call changed them")
        if answer.late:
            reason = "the output went on changing when the call was said to be done"
            return Comparison(Status.WRONG_VALUES, reason)
        if strays := answer.devices - {self._device.type}:
            places = ", ".join(sorted(strays))
            reason = f"the output lies on {places}, not {self._device.type}"
            return Comparison(Status.WRONG_STRUCTURE, reason)
        try:
            return compare(answer.value, eager, truth)
        except Exception as error:
            if any(leaf.device.type == "meta" for leaf in _leaves(answer.value)):
                reason = "the output cannot be read where it is said to lie"
                return Comparison(Status.WRONG_STRUCTURE, reason)
            raise failure(error, Status.UNGRADABLE) from error

    @_of_a_worker
    def warm_up(self, name: str, seconds: float, patience_s: float) -> float:
        """Call for `seconds`, at least three times, and return about how long a call takes, in
        microseconds.

        Long enough a warm-up brings an idle GPU to its working clock.
        """
        times_us: list[float] = []
        start = time.monotonic()
        with self._clocking():
            while len(times_us) < 3 or time.monotonic() - start < seconds:
                unhurried = len(times_us) < 2
                times_us.append(self._call(name, patience_s, unhurried=unhurried)[1].time_us)
        return median(times_us[1:])

    @_of_a_worker
    def handover(self, name: str, patience_s: float) -> dict[str, float | None]:
        """What every time has in it: what a call that does nothing takes, in microseconds, and
        on a GPU what a batch of one such call does."""
        end = self._ends[name]
        end.request("empty", patience_s, yes=True)
        with self._clocking():
            calls = [self._call(name, patience_s, at < _UNTIMED)[1] for at in range(32)]
        call_us = median(answer.time_us for answer in calls[_UNTIMED:])
        batch_us = None
        if self._device.type == "cuda":
            done = [batch(end, self._next_inputs, [0], 0, patience_s) for _ in range(5)]
            batch_us = min(each.wall_us - each.copies_us for each in done)
        end.request("empty", patience_s, yes=False)
        return {"call_us": call_us, "batch_us": batch_us}

    @_of_a_worker
    def bound(self, name: str, calls: int, patience_s: float) -> dict[str, Any]:
        """Have a worker make a batch of so many calls, or as many as there is memory for; judge a
        secret share of them.

        Returns `calls`, `wall_us` and `copies_us` of them all, `held` (see `judge_batch.Batch`),
        `floor_us` (what the output's bytes take, see `_floor_us`), and `comparison` as `block`
        does; None where inputs of two calls are never laid out alike.
        """
        self._trial = None
        self._before.pop(name, None)
        inputs = self._next_inputs(0)
        each_bytes = _bytes_of(inputs) + self._out_bytes
        calls = max(1, min(calls, _BATCH_BYTES // max(1, each_bytes)))
        chosen = set(self._secret.sample(range(calls), min(self._share, calls)))
        kept: dict[int, list[Any]] = {}

        def make(at: int) -> list[Any]:
            inputs = self._next_inputs(at)
            if at in chosen:
                kept[at] = copied(inputs)
            return inputs

        seeds = [self._secret.getrandbits(63) for _ in range(calls)]
        try:
            done = batch(self._ends[name], make, seeds, self._out_bytes, patience_s)
        except NotPlain as error:
            raise WorkerFailed(Status.WRONG_STRUCTURE, str(error), poisoned=False) from None
        except LayoutsDiffer:
            return {"calls": None}
        judged = [(kept[at], seeds[at], done.outputs[at]) for at in sorted(chosen)]
        return {
            "calls": calls,
            "wall_us": done.wall_us,
            "copies_us": done.copies_us,
            "held": done.held,
            "floor_us": devices.write_floor_us(self._device, self._out_bytes),
            "comparison": self._share_judged(judged),
        }

    def _next_inputs(self, at: int) -> list[Any]:
        """Contents that no kernel has seen, in the memory of those before."""
        assert self._oracle is not None
        self._fresh += 1
        return self._oracle.fresh(self._fresh).inputs

    @_of_a_worker
    def block(self, name: str, samples: int, patience_s: float, judged: bool) -> dict[str, Any]:
        """Take one block of samples; judge a secret share of its calls.

        judged: is it a kernel, whose answers are to be judged?
        Returns `times_us` in the order taken, and `comparison`: the fields of the worst one.
        """
        self._trial = None  # it is over; `make` makes it again
        count = _UNTIMED + samples
        chosen = set(self._secret.sample(range(count), min(self._share, count)))
        kept, times_us = [], []
        with self._clocking():
            for at in range(count):
                fresh, answer = self._call(
                    name, patience_s, unhurried=at < _UNTIMED, looked_at=at in chosen
                )
                times_us.append(answer.time_us)
                if judged and at in chosen:
                    kept.append((copied(fresh.inputs), fresh.seed, answer))
        return {"times_us": times_us[_UNTIMED:], "comparison": self._share_judged(kept)}

    def _call(
        self, name: str, patience_s: float, unhurried: bool, looked_at: bool = False
    ) -> tuple[Any, Answer]:
        """One call on contents that no kernel has seen."""
        assert self._oracle is not None
        self._before.pop(name, None)  # the end's last outputs are others now
        self._fresh += 1
        fresh = self._oracle.fresh(self._fresh)
        end = self._ends[name]
        try:
            return fresh, end.call(
                fresh.inputs, fresh.seed, patience_s, self._out_bytes,
                unhurried=unhurried, check_inputs=looked_at, take=looked_at,
            )  # fmt: skip
        except NotPlain as error:
            raise WorkerFailed(Status.WRONG_STRUCTURE, str(error), poisoned=False) from None

    def _share_judged(self, kept: Sequence[tuple[list[Any], int, Output]]) -> dict[str, Any] | None:
        """The first wrong one of these calls, or the worst; None without any."""
        assert self._oracle is not None
        comparisons = []
        start = time.monotonic()
        for inputs, seed, answer in kept:
            try:
                expected = self._oracle.expected(inputs, seed)
            except Exception as error:
                raise failure(error, Status.UNGRADABLE) from error
            comparisons.append(self._judged(answer, *expected))
        if not kept:
            return None
        each_s = (time.monotonic() - start) / len(kept)
        each_bytes = _bytes_of(kept[0][0]) + self._out_bytes
        fitting = min(_SHARE_S / each_s, _SHARE_BYTES / max(each_bytes, 1))
        self._share = max(1, int(fitting))
        wrong = [c for c in comparisons if c.status]
        return asdict(wrong[0] if wrong else max(comparisons, key=lambda c: c.error_rel or 0.0))

    def _clocking(self) -> AbstractContextManager[None]:
        """On a CPU the judge is the clock, and keeps to a core that no worker has."""
        return devices.on_cores(devices.cores()[0]) if self._device.type == "cpu" else nullcontext()

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
        self._oracle = self._trial = None
        self._out_bytes = 0
        self._before.clear()
        devices.release(self._device)


def _leaves(value: Any) -> list[Tensor]:
    leaves: list[Tensor] = []
    try:
        flatten(value, leaves.append)
    except NotPlain:  # eager's own: no kernel's can equal it
        return []
    return leaves


def _bytes_of(value: Any) -> int:
    """How much room its tensors take one after another."""
    return sum(-(-x.nbytes // ALIGNMENT) * ALIGNMENT for x in _leaves(value))


def _sum(value: Any) -> int:
    """Of the bits of its tensors, each by a weight of its place's: another number if any of them
    is changed or moved, but for a chance of one in 2^64."""
    whole = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
    total = 0
    for x in _leaves(value):
        flat = torch.view_as_real(x) if x.is_complex() else x
        if flat.numel() and flat.device.type != "meta":
            bits = flat.contiguous().view(-1).view(whole[flat.itemsize])
            for piece in torch.split(bits, _WEIGHTS):
                weighted = piece * _weights(flat.device)[: len(piece)]
                total = total * 31 + int(weighted.sum())
    return total


_WEIGHTS = 1 << 20


@functools.cache
def _weights(device: torch.device) -> Tensor:
    generator = torch.Generator(device).manual_seed(1)
    lowest, highest = -(2**62), 2**62
    return torch.randint(lowest, highest, (_WEIGHTS,), generator=generator, device=device)


def make_handlers(device: str) -> Mapping[str, Handler]:
    judge = Judge(device)
    return {
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
        "fallback": judge.fallback,
        "dismiss": judge.dismiss,
        "release": judge.release,
    }
