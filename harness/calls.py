"""CHILD: the judge's calls that are timed, and what it looks at of them.

Nothing in a worker tells them from those of a trial. Their inputs are of the problem's own
distribution; a few that are not, and have no time taken, lie among them at secret places.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict
from statistics import median
from typing import Any

import torch

from harness import device as devices
from harness.exchange.answer import Answer, Output, WorkerFailed
from harness.exchange.hold import Gone
from harness.exchange.judge_batch import LayoutsDiffer, batch
from harness.exchange.judge_end import JudgeEnd
from harness.exchange.values import NotPlain
from harness.judgement import bytes_of, judged, sum_of
from harness.records import Comparison, Status
from harness.serve import failure
from harness.verdict.fresh import Fresh
from harness.verdict.inputs import copied
from harness.verdict.oracle import Oracle

_UNTIMED = 2
"""Calls before the samples of each block."""
_HANDOVERS = 32
_BATCHES = 5
"""Calls, and batches of them, that do nothing; of batches the shortest counts."""
_SHARE_S = 0.02
"""How long judging a block's outputs may take; one is judged in any case."""
_SHARE_BYTES = 64 << 20
"""How much may be kept of a block's calls until it is over, but for one of them."""
_MUCH_BYTES = 256 << 20
"""Of an output: of a block's calls one is looked at then."""
_BATCH_BYTES = 512 << 20
"""Of the inputs and outputs of a batch, unless one call alone has more."""

_secret = random.SystemRandom()


class Calls:
    """Those of one case. All methods raise what a call of a `JudgeEnd` raises."""

    def __init__(self, oracle: Oracle, ends: Mapping[str, JudgeEnd], device: torch.device) -> None:
        self._oracle = oracle
        self._ends = ends
        self._device = device
        self._count = 0
        self._strangers: Counter[str] = Counter()
        self._share = 1
        self.out_bytes = 0
        """How large an output to expect."""

    def warm_up(self, name: str, seconds: float, patience_s: float) -> float:
        """Call for `seconds`, at least three times, and return about how long a call takes, in
        microseconds.

        Long enough a warm-up brings an idle GPU to its working clock.
        """
        times_us: list[float] = []
        start = time.monotonic()
        with self._clocking(name):
            while len(times_us) < 3 or time.monotonic() - start < seconds:
                unhurried = len(times_us) < 2
                times_us.append(self._call(name, self._fresh(), patience_s, unhurried).time_us)
        return median(times_us[1:])

    def handover(self, name: str, calls: int, patience_s: float) -> dict[str, float | None]:
        """What every time has in it: what a call that does nothing takes, in microseconds, and
        on a GPU what a batch of so many such calls does; None for a batch of none."""
        end = self._ends[name]
        end.request("empty", patience_s, yes=True)
        with self._clocking(name):
            timed = [
                self._call(name, self._fresh(), patience_s, unhurried=at < _UNTIMED)
                for at in range(_HANDOVERS)
            ]
        batch_us = None
        if calls and self._device.type == "cuda":
            fresh = self._fresh().inputs
            seeds = [0] * calls
            done = [batch(end, lambda at: fresh, seeds, 0, patience_s) for _ in range(_BATCHES)]
            batch_us = min(each.wall_us - each.copies_us for each in done)
        end.request("empty", patience_s, yes=False)
        return {"call_us": median(c.time_us for c in timed[_UNTIMED:]), "batch_us": batch_us}

    def block(self, name: str, samples: int, patience_s: float, judge: bool) -> dict[str, Any]:
        """Take one block of samples; judge a secret share of its calls.

        judge: is it a kernel, whose answers are to be judged?
        Returns `times_us` in the order taken, and `comparison`: the fields of the worst one.
        """
        count = _UNTIMED + samples + 1
        stranger = _secret.randrange(count)
        chosen = {stranger, *_secret.sample(range(count), min(self._share, count))}
        if self.out_bytes > _MUCH_BYTES:  # no two of these are kept
            chosen = {_secret.choice(sorted(chosen))}
        watched = _secret.choice(sorted(chosen)) if judge and not self._oracle.shares else None
        kept: list[tuple[list[Any], int, Output]] = []
        times_us, changed = [], False
        with self._clocking(name):
            for at in range(count):
                strange = at == stranger
                # Half of those that are looked at betray whoever knows inputs by a part of them.
                nearly = at in chosen and _secret.random() < 0.5
                fresh = self._stranger(name) if strange else self._fresh(nearly)
                answer = self._call(name, fresh, patience_s, at < _UNTIMED, at in chosen)
                if not strange:
                    times_us.append(answer.time_us)
                if watched is not None and at == watched + 1:
                    changed = self._changed(name, kept[-1][2], patience_s)
                if judge and at in chosen:
                    kept.append((copied(fresh.inputs), fresh.seed, answer))
        comparison = self._judged(kept)
        if changed and comparison is not None and comparison.status is None:
            reason = "the next call changed the output: they share memory"
            comparison = Comparison(Status.ALIASED, reason)
        return {
            "times_us": times_us[-samples:],
            "comparison": asdict(comparison) if comparison else None,
        }

    def _changed(self, name: str, before: Output, patience_s: float) -> bool:
        """Is the output of the call before the last another now?"""
        now = next(iter(self._ends[name].earlier(patience_s)), None)
        return now is not None and sum_of(now) != sum_of(before.value)

    def bound(self, name: str, calls: int, patience_s: float) -> dict[str, Any]:
        """Have a worker make a batch of so many calls, or as many as there is memory for; judge a
        secret share of them.

        Returns `calls`, `wall_us` and `copies_us` of them all, `held` (see `judge_batch.Batch`),
        `floor_us` (see `device.write_floor_us`), and `comparison` as `block` does; `calls` is None
        where inputs of two calls are not laid out alike.
        """
        each_bytes = bytes_of(self._fresh().inputs) + self.out_bytes
        calls = max(1, min(calls, _BATCH_BYTES // max(1, each_bytes)))
        chosen = set(_secret.sample(range(calls), min(self._share, calls)))
        kept: dict[int, list[Any]] = {}

        def inputs(at: int) -> list[Any]:
            fresh = self._fresh().inputs
            if at in chosen:
                kept[at] = copied(fresh)
            return fresh

        seeds = [_secret.getrandbits(63) for _ in range(calls)]
        try:
            done = batch(self._ends[name], inputs, seeds, self.out_bytes, patience_s)
        except NotPlain as error:
            raise WorkerFailed(Status.WRONG_STRUCTURE, str(error), poisoned=False) from None
        except LayoutsDiffer:
            return {"calls": None}
        comparison = self._judged(
            [(kept[at], seeds[at], done.outputs[at]) for at in sorted(chosen)]
        )
        return {
            "calls": calls,
            "wall_us": done.wall_us,
            "copies_us": done.copies_us,
            "held": done.held,
            "floor_us": devices.write_floor_us(self._device, self.out_bytes),
            "comparison": asdict(comparison) if comparison else None,
        }

    def _next(self) -> int:
        self._count += 1
        return self._count

    def _fresh(self, nearly: bool = False) -> Fresh:
        """Contents that no kernel has seen, in the memory of those before; nearly those?"""
        return self._oracle.fresh(self._next(), nearly)

    def _stranger(self, name: str) -> Fresh:
        self._strangers[name] += 1
        return self._oracle.stranger(self._next(), self._strangers[name])

    def _call(
        self,
        name: str,
        fresh: Fresh,
        patience_s: float,
        unhurried: bool,
        looked_at: bool = False,
    ) -> Answer:
        try:
            return self._ends[name].call(
                fresh.inputs, fresh.seed, patience_s, self.out_bytes,
                unhurried=unhurried, check_inputs=looked_at, take=looked_at,
            )  # fmt: skip
        except NotPlain as error:
            raise WorkerFailed(Status.WRONG_STRUCTURE, str(error), poisoned=False) from None

    def _judged(self, kept: list[tuple[list[Any], int, Output]]) -> Comparison | None:
        """The first wrong one of these calls, or the worst; None without any. They are taken out of
        the list one by one: no two truths, and no answer longer than needed, take up memory."""
        if not kept:
            return None
        comparisons: list[Comparison] = []
        each_bytes = bytes_of(kept[0][0]) + self.out_bytes
        start = time.monotonic()
        while kept:
            inputs, seed, answer = kept.pop(0)
            try:
                expected = self._oracle.expected(inputs, seed)
            except Exception as error:
                raise failure(error, Status.UNGRADABLE) from error
            comparisons.append(judged(answer, *expected, self._device))
            del inputs, answer, expected
        each_s = (time.monotonic() - start) / len(comparisons)
        self._share = max(1, int(min(_SHARE_S / each_s, _SHARE_BYTES / max(each_bytes, 1))))
        wrong = [c for c in comparisons if c.status]
        return wrong[0] if wrong else max(comparisons, key=lambda c: c.error_rel or 0.0)

    @contextmanager
    def _clocking(self, name: str) -> Iterator[None]:
        """On a CPU the judge is the clock, keeps to a core that no worker has, and has the other
        workers stand still: what they would do meanwhile is not this one's to pay for."""
        with ExitStack() as stack:
            if self._device.type == "cpu":
                for other, end in self._ends.items():
                    if other != name:
                        with suppress(Gone):
                            stack.enter_context(end.stopped())
                stack.enter_context(devices.on_cores(devices.cores()[0]))
            yield
