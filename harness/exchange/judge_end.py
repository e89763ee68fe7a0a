"""The judge's end of the exchange: puts inputs in place, starts a call, stops the clock, takes the
output.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import Any

import torch
from torch import Tensor

from harness.channel import Channel
from harness.exchange import page as pages
from harness.exchange.answer import (
    Answer,
    WorkerFailed,
    WorkerGone,
    WorkerLate,
    failure,
    of_a_worker,
)
from harness.exchange.arena import Arena
from harness.exchange.hold import Gone, Held
from harness.exchange.late import PIECE_BYTES, Late, places
from harness.exchange.output import NONSENSE, Found, absent, found_on
from harness.exchange.page import Page
from harness.exchange.values import ALIGNMENT, Layout, Leaf, NotPlain, built, lay_out
from harness.exchange.worker_end import LOOK_BACK

_ROOM_BYTES = 64 << 20
"""How much more than is expected an output may come to."""
_SPREAD = 64
"""How many times its bytes it may take up where it lies."""
_MEETING_S = 1.0
"""For what is sent first of all, and finds room at once."""
_ASLEEP_S = 0.02
"""Whoever was not asked for so long may sleep, and is woken first."""
_MUCH_BYTES = 16 << 20
"""An arena of this size rests while an output is looked at."""


class JudgeEnd:
    """One worker as the judge knows it. Every request may raise WorkerFailed, WorkerGone or
    WorkerLate; after the last two it is of no more use."""

    def __init__(self, conn: Connection, device: torch.device, pid: int) -> None:
        """conn: closed with this end, or where it cannot be had. Raises WorkerGone."""
        self.device = device
        with ExitStack() as undo, ExitStack() as when_met:
            undo.callback(conn.close)
            descriptor = pages.make()
            when_met.callback(os.close, descriptor)
            self.page = Page(descriptor)
            undo.callback(self.page.close)
            with of_a_worker():
                self._held = Held(pid)
                undo.callback(self._held.close)
                self._channel = Channel(conn, self._held.descriptor)
                deadline = time.monotonic() + _MEETING_S
                self._channel.send(json.dumps({"judge": os.getpid()}).encode(), deadline)
                self._channel.send_descriptor(descriptor, deadline)
            self._undo = undo.pop_all()
        self._number = 0
        self._arena: Arena | None = None
        self._layout: Layout | None = None
        self._out = (0, 0)
        self._out_bytes = 0
        self._late: Late | None = None
        self._told: list[tuple[Any, list[Found]]] = []
        """Of the last calls: where their outputs lie."""
        self._asked_s = 0.0
        """When it was last asked for something."""

    def request(self, name: str, timeout_s: float, **arguments: Any) -> Any:
        """Ask for something that is no call; the worker's answer."""
        deadline = time.monotonic() + timeout_s
        self.say(name, arguments, deadline)
        return self.reply(deadline)

    def say(
        self, name: str, arguments: dict[str, Any], deadline: float, descriptor: int | None = None
    ) -> None:
        """Make a request, and send a descriptor that goes with it."""
        message = json.dumps({"request": name, **arguments}).encode()
        self.page.slots[pages.MESSAGE] += 1  # first: what comes without it is the end
        with of_a_worker():
            self._channel.send(message, deadline)
            if descriptor is not None:
                self._channel.send_descriptor(descriptor, deadline)

    def answers_within(self, seconds: float) -> bool:
        """Is there an answer to what was said, before this time is over?"""
        with of_a_worker():
            return self._channel.says_within(seconds)

    def reply(self, deadline: float) -> Any:
        """The answer to what was said."""
        with of_a_worker():
            reply = json.loads(self._channel.receive(deadline))
            failed = failure(reply["failed"]) if "failed" in reply else None
            answer = None if failed else reply["answer"]
        if failed:
            raise failed
        self._asked_s = time.monotonic()
        return answer

    def lend(self, name: str, value: Any, timeout_s: float, **arguments: Any) -> Any:
        """Make a request about nested values, which lie in the arena until the next call."""
        layout, spans = lay_out(value)
        self.use_arena(layout.places()[-1], timeout_s)
        self._put(layout, spans)
        return self.request(name, timeout_s, layout=layout.as_json(), **arguments)

    def bring(self, inputs: Sequence[Any], out_bytes: int, timeout_s: float) -> None:
        """Have the worker take its inputs from the arena, laid out as these are.

        out_bytes: how large an output to expect, its tensors put one after another.
        """
        layout, _ = lay_out(inputs)
        gpu = self.device.type == "cuda"
        end = layout.places()[-1]
        late = places(layout, end) if gpu else []
        out = (end + len(late) * PIECE_BYTES, out_bytes if gpu else 0)
        memory = self.use_arena(sum(out), timeout_s).memory
        self._out = out
        self._late = Late.of(memory, late) if late else None
        self.request("bring", timeout_s, layout=layout.as_json(), out=out, late=late)
        self._layout, self._told = layout, []

    def use_arena(self, nbytes: int, timeout_s: float) -> Arena:
        """An arena of at least so many bytes, which the worker has as well."""
        self._layout = None
        if self._arena is not None and len(self._arena.memory) >= nbytes:
            return self._arena
        self.forget()
        self._arena = Arena(self.device, nbytes)
        deadline = time.monotonic() + timeout_s
        self.say("arena", {"nbytes": len(self._arena.memory)}, deadline, self._arena.descriptor)
        try:
            self.reply(deadline)
        except WorkerFailed:
            self.forget()  # it has none
            raise
        return self._arena

    def forget(self) -> None:
        """Let go of the arena; the worker does so when it is told to."""
        self._layout = self._late = None
        if self._arena is not None:
            self._arena.close()
        self._arena = None

    def call(
        self,
        inputs: Sequence[Any],
        seed: int,
        timeout_s: float,
        out_bytes: int,
        unhurried: bool = False,
        check_inputs: bool = True,
        take: bool = True,
    ) -> Answer:
        """Make one call on these inputs, and take its output. Also raises NotPlain.

        seed: of the random state right before forward.
        unhurried: is it not to be timed?
        check_inputs, take: may be left out where nobody is going to look.
        """
        layout, spans = lay_out(inputs)
        if layout != self._layout or (self._out[1] and self._out[1] < out_bytes):
            self.bring(inputs, out_bytes, timeout_s)
        self._out_bytes = out_bytes
        if time.monotonic() - self._asked_s > _ASLEEP_S:
            self.request("wake", timeout_s)
        self.page.slots[pages.SEED] = seed
        gpu = self.device.type == "cuda"
        self.page.slots[pages.UNHURRIED] = unhurried and gpu
        time_us = self._clocked(layout, spans, time.monotonic() + timeout_s)
        told = self._found()
        # What is still at work when the word comes is at work until it is stopped, too.
        seen = [] if gpu or not take else [self._glimpse(x) for x in told[1]]
        try:
            with nullcontext() if gpu else self._held.stopped():
                answer = self._answer(told, seen, spans, time_us, check_inputs, take)
        except Gone:
            raise WorkerGone from None
        if check_inputs:
            # A worker is believed in what convicts it.
            self.wait(pages.LOOKED, self._number, time.monotonic() + timeout_s)
            if self.page.slots[pages.ALTERED]:
                return replace(answer, mutated=True)
        return answer

    def stopped(self) -> AbstractContextManager[None]:
        """See `Held.stopped`."""
        return self._held.stopped()

    def next_number(self) -> int:
        """Of a call, or of a batch of calls."""
        self._number += 1
        return self._number

    def _clocked(self, layout: Layout, spans: Sequence[Tensor], deadline: float) -> float:
        """Put the inputs in place and have the call made; how many microseconds it took."""
        slots = self.page.slots
        slots[pages.ASKED] = number = self.next_number()
        self.wait(pages.READY, number, deadline)
        self._put(layout, spans)  # not before: whoever looks out for them has no time to use it
        slots[pages.DONE] = 0
        start_ns = time.perf_counter_ns()
        slots[pages.GO] = number
        self.wait(pages.DONE, number, deadline)
        wall_us = (time.perf_counter_ns() - start_ns) / 1e3
        self._asked_s = time.monotonic()
        if self.device.type == "cpu":
            return wall_us
        device_us = slots[pages.TIME_NS] / 1e3
        if not 0 < device_us <= wall_us:
            reason = f"the kernel's process tells of {device_us:g} µs in a call of {wall_us:g} µs"
            raise WorkerFailed("RUNTIME_ERROR", reason, poisoned=True)
        return device_us

    def _put(self, layout: Layout, spans: Sequence[Tensor]) -> None:
        assert self._arena is not None
        memory = self._arena.memory
        late = self._late if self._layout is not None else None
        if late:
            late.remember()
        for at, span in zip(layout.places(), spans, strict=False):
            memory[at : at + len(span)].copy_(span)
        if late:
            late.hold_back()
        if self.device.type == "cuda":
            torch.cuda.current_stream().synchronize()

    def wait(self, flag: int, number: int, deadline: float) -> None:
        slots = self.page.slots
        if not self.page.wait(
            lambda: slots[flag] == number or slots[pages.FAILED] == number,
            spin_s=0.1 if self.device.type == "cpu" else 0.005,
            nap_share=1e-3,
            deadline=deadline,
            alive=self._held.alive,
        ):
            raise WorkerLate if self._held.alive() else WorkerGone
        if slots[pages.FAILED] == number:
            try:
                failed = failure(self.page.text())
            except NONSENSE:
                raise WorkerGone from None
            raise failed

    def _found(self) -> tuple[Any, list[Found]]:
        told: tuple[Any, list[Found]] = (None, [])  # where it cannot be told
        try:
            told = found_on(self.page)
            return told
        finally:
            self._told = [*self._told[-LOOK_BACK:], told]

    def _glimpse(self, found: Found) -> dict[int, bytes]:
        fits = found.device == "cpu" and 0 < found.extent <= _SPREAD * self._out_bytes + _ROOM_BYTES
        return self._held.glimpse(found.address, found.extent) if fits else {}

    def _answer(
        self,
        told: tuple[Any, list[Found]],
        seen: Sequence[dict[int, bytes]],
        spans: Sequence[Tensor],
        time_us: float,
        check_inputs: bool,
        take: bool,
    ) -> Answer:
        assert self._layout is not None and self._arena is not None
        tree, found = told
        mutated = check_inputs and any(
            not torch.equal(self._arena.memory[at : at + len(span)], span)
            for at, span in zip(self._layout.places(), spans, strict=False)
        )
        if check_inputs and len(self._arena.memory) >= _MUCH_BYTES:
            self._arena.rest()
        copied = bool(self.page.slots[pages.COPIED])
        value = self._taken(tree, found, copied) if take else None
        late = any(
            piece != self._held.read(x.address + at, len(piece)).numpy().tobytes()
            for x, pieces in zip(found, seen, strict=False)
            for at, piece in pieces.items()
        )
        return Answer(value, frozenset(x.device for x in found), mutated, late, time_us)

    def _taken(self, tree: Any, found: Sequence[Found], copied: bool) -> Any:
        """The output in memory of our own. Raises NotPlain."""
        take: Callable[[Sequence[Found]], list[Tensor]]
        take = self._copied if self.device.type == "cuda" else self._read
        try:
            return built(tree, take(found) if copied else [absent(x) for x in found])
        except (ValueError, RuntimeError) as error:
            if isinstance(error, torch.OutOfMemoryError) or "allocate memory" in str(error):
                raise  # it is the judge that lacks room
            raise NotPlain(f"the output cannot be read: {str(error).splitlines()[0]}") from None

    def _copied(self, found: Sequence[Found]) -> list[Tensor]:
        """From the arena, where the worker has put copies one after another (on a GPU)."""
        assert self._arena is not None
        at, tensors = self._out[0], []
        end = sum(self._out)
        for x in found:
            if x.device != "cuda" or at + x.nbytes > end:
                tensors.append(absent(x))
                continue
            piece = self._arena.memory[at : at + x.nbytes].clone()
            tensors.append(piece.view(x.dtype).view(x.shape))
            at += -(-x.nbytes // ALIGNMENT) * ALIGNMENT
        torch.cuda.current_stream().synchronize()
        return tensors

    def _read(self, found: Sequence[Found]) -> list[Tensor]:
        """From the worker's own memory (on a CPU)."""
        tensors = []
        room, spread = self._out_bytes + _ROOM_BYTES, _SPREAD * self._out_bytes + _ROOM_BYTES
        for x in found:
            room, spread = room - x.nbytes, spread - x.extent
            if x.device != "cpu" or room < 0 or spread < 0:
                tensors.append(absent(x))
            else:
                leaf = Leaf(x.dtype, x.shape, x.stride, 0, 0)
                tensors.append(leaf.of(self._held.read(x.address, x.extent)).contiguous())
        return tensors

    def earlier(self, timeout_s: float) -> Iterator[Any]:
        """The outputs of the calls before the last, as they are now, the latest first; None for
        one that cannot be told any more."""
        for ago, (tree, found) in enumerate(reversed(self._told[:-1]), start=1):
            if tree is None:
                yield None
                continue
            try:
                copied = self.device.type == "cpu" or self.request("again", timeout_s, ago=ago)
                yield self._taken(tree, found, bool(copied))
            except Gone:
                raise WorkerGone from None
            except NotPlain:
                yield None

    def close(self) -> None:
        with self._undo:
            self.forget()
