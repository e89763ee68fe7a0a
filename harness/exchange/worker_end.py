"""The worker's end of the exchange: listens, makes the calls that the judge asks for, tells where
their outputs lie.
"""

from __future__ import annotations

import functools
import gc
import json
import os
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle
from typing import Any, Protocol

import torch
from torch import Tensor

from harness.exchange import page as pages
from harness.exchange.arena import Arena
from harness.exchange.hold import let_read
from harness.exchange.page import Page
from harness.exchange.values import (
    ALIGNMENT,
    NUMBER,
    Layout,
    NotPlain,
    flatten,
    from_json,
    resolved,
)


class Timer(Protocol):
    """The way in which a worker makes one call, whatever it is for: `take`, then `finish`."""

    late: tuple[list[Tensor], list[Tensor]]
    """Pieces of the inputs, as bytes, and where their contents come from right before a call."""
    unhurried: bool
    """Is the host's share of the next call to be measured?"""

    def take(self, call: Callable[[], Any]) -> Any:
        """Make the call, and return what it returns."""

    def finish(self) -> int:
        """Wait for the call, and for what was asked of its stream since; return how many
        nanoseconds the device took over it, 0 where the judge's clock is the only one."""


LOOK_BACK = 2
"""How many earlier outputs are looked at again after a call."""

_LONGEST_REASON = 4000

Forward = Callable[..., Any]
Failure = Callable[[Exception], Mapping[str, Any]]
"""What to tell the judge of an exception: status, reason, poisoned."""


class WorkerEnd:
    """What a worker knows of its judge, and of the case's inputs."""

    def __init__(self, conn: Connection, device: torch.device, timer: Timer) -> None:
        self._conn = conn
        self._device = device
        self._timer = timer
        hello = json.loads(conn.recv_bytes())
        let_read(hello["judge"])
        descriptor = recv_handle(conn)
        self._page = Page(descriptor)
        os.close(descriptor)
        self._arena: Arena | None = None
        self._out = (0, 0)
        self.inputs: list[Any] = []
        self._layout: Layout | None = None
        self._brought: Any = None
        """Where the inputs lay when they were new."""
        self._queued = 0
        """The number of a batch whose calls are queued and not done."""
        self._outputs: list[Sequence[Tensor]] = []
        """Of the last calls: what was put out stays there until it was looked at again."""

    def listen(
        self,
        requests: Mapping[str, Callable[..., Any]],
        ready: Callable[[int], Forward],
        failure: Failure,
    ) -> None:
        """Do as the judge says until it hangs up.

        requests: by name, with their arguments as the message has them.
        ready: gets ready for a call with this random state, and returns what to call.
        """
        slots, heard, asked = self._page.slots, 0, 0
        own: dict[str, Callable[..., Any]] = {
            "arena": self.use_arena,
            "batch": functools.partial(self.queue, ready),
            "bring": self.bring,
            "again": self.again,
            "wake": lambda: None,
        }
        gc.disable()  # it would run in the midst of a call
        while True:
            news = self._page.wait(
                lambda: slots[pages.ASKED] != asked or slots[pages.MESSAGE] != heard,  # noqa: B023
                spin_s=0.002,
                nap_share=0.05,
                alive=self._judge_is_there,
                nap=self._conn.poll,  # the judge wakes whom it has not asked for long
                longest_nap_s=0.25,
            )
            if not news:
                return
            if slots[pages.ASKED] != asked:
                asked = slots[pages.ASKED]
                self._call(asked, ready, failure)
                self._look_after(asked)
                continue
            heard += 1
            try:
                message = json.loads(self._conn.recv_bytes())
                reply = {"answer": {**own, **requests}[message.pop("request")](**message)}
            except EOFError:
                return
            except Exception as error:
                reply = {"failed": failure(error)}
            self._conn.send_bytes(json.dumps(reply).encode())
            if self._queued:
                self._finish(failure)

    def use_arena(self, nbytes: int) -> None:
        """Map the memory whose descriptor follows, in place of what there was."""
        descriptor = recv_handle(self._conn)
        self.forget()
        self._arena = Arena(self._device, nbytes, descriptor)

    def bring(self, layout: Mapping[str, Any], out: tuple[int, int], late: Any) -> None:
        """Take the case's inputs to lie in the arena as this layout says.

        out: where outputs are to be copied to, and how many bytes there are for them.
        late: [place, where it comes from, bytes] of the pieces that arrive right before the call.
        """
        assert self._arena is not None
        memory = self._arena.memory
        self._layout = from_json(layout)
        self.inputs = self.value(self._layout)
        self._brought = _as_they_lie(self.inputs)
        self._out = out
        self._timer.late = (
            [memory[at : at + n] for at, _, n in late],
            [memory[of : of + n] for _, of, n in late],
        )

    def value(self, layout: Layout, begin: int = 0) -> Any:
        """What the judge has put into the arena, from there on, in place."""
        assert self._arena is not None
        ends = zip(layout.places(begin), layout.spans, strict=False)
        return layout.value([self._arena.memory[at : at + n] for at, n in ends])

    def again(self, ago: int) -> bool:
        """Copy the output of so many calls ago into the arena once more (on a GPU)."""
        copied = self._copy_out(self._outputs[-1 - ago])
        if self._device.type == "cuda":
            torch.cuda.current_stream().synchronize()
        return copied

    def forget(self) -> None:
        """Let go of the arena, and of all that lies in it."""
        self.inputs, self._layout, self._outputs = [], None, []
        self._timer.late = ([], [])
        if self._arena is not None:
            gc.collect()
            self._arena.close()
        self._arena = None

    def close(self) -> None:
        """Let go of all that the judge has given; the connection is whose it was."""
        self.forget()
        self._page.close()

    def _call(self, number: int, ready: Callable[[int], Forward], failure: Failure) -> None:
        slots, inputs, timer = self._page.slots, self.inputs, self._timer
        try:
            forward = ready(slots[pages.SEED])
            timer.unhurried = bool(slots[pages.UNHURRIED])
            del self._outputs[: max(0, len(self._outputs) - LOOK_BACK)]
            gc.collect(1)  # what the last call left in a circle
            with torch.no_grad():
                slots[pages.READY] = number
                self._wait_for(pages.GO, number)
                value = timer.take(lambda: forward(*inputs))
                leaves = self._put(value)
                slots[pages.TIME_NS] = timer.finish()
        except Exception as error:
            self._fail(number, error, failure)
            return
        finally:
            slots[pages.READY] = 0
        self._outputs.append(leaves)
        slots[pages.DONE] = number

    def _look_after(self, number: int) -> None:
        """See to it that the next call finds the inputs laid out as this one did, and tell the
        judge if this one changed that. Its clock has stopped before."""
        slots = self._page.slots
        slots[pages.ALTERED] = False
        if self._layout is not None and _as_they_lie(self.inputs) != self._brought:
            slots[pages.ALTERED] = True
            self.inputs = self.value(self._layout)
        slots[pages.LOOKED] = number

    def queue(
        self,
        ready: Callable[[int], Forward],
        layout: Mapping[str, Any],
        out_bytes: int,
        seeds: Sequence[int],
        word: int,
        number: int,
    ) -> list[dict[str, Any]]:
        """Queue a batch of calls, to begin when the judge has put `number` at the place `word`;
        tell what they return. Where no stream can be held, they are made once it says so.

        Their inputs lie one after another in the arena, laid out alike, and after them places of
        out_bytes for what each returns.
        """
        assert self._arena is not None
        memory, alike = self._arena.memory, from_json(layout)
        *_, size = alike.places()
        self.inputs, self._layout, self._outputs = [], None, []
        self._queued = number
        if not self._arena.hold(word, number):
            self._wait_for(pages.GO, number)
        told, into, out_of = [], [], []
        with torch.no_grad():
            for call, seed in enumerate(seeds):
                forward = ready(seed)
                value = forward(*self.value(alike, call * size))
                words, leaves = _told(value)
                begin = len(seeds) * size + call * out_bytes
                places = _places(memory[begin : begin + out_bytes], leaves)
                if places is not None:
                    into += places
                    out_of += leaves
                told.append({**words, "copied": places is not None})
            if into:
                torch._foreach_copy_(into, out_of)
        return told

    def _finish(self, failure: Failure) -> None:
        """Wait until a batch is done, and say so."""
        number, self._queued = self._queued, 0
        assert self._arena is not None
        try:
            self._arena.synchronize()
        except Exception as error:
            self._fail(number, error, failure)
        else:
            self._page.slots[pages.DONE] = number

    def _fail(self, number: int, error: Exception, failure: Failure) -> None:
        told = dict(failure(error))
        self._page.put_text({**told, "reason": told["reason"][:_LONGEST_REASON]})
        self._page.slots[pages.FAILED] = number

    def _wait_for(self, flag: int, number: int) -> None:
        """Wait for the judge to set it. Raises EOFError if the judge is gone."""
        if not self._page.wait(
            lambda: self._page.slots[flag] == number,
            spin_s=1.0,
            nap_share=0.05,
            alive=self._judge_is_there,
        ):
            raise EOFError

    def _judge_is_there(self) -> bool:
        """Is the judge there? It says nothing of itself, so what comes otherwise is the end."""
        return not self._conn.poll(0)

    def _put(self, value: Any) -> Sequence[Tensor]:
        """Tell where the output lies; on a GPU, have it copied, on the stream of the call.

        Returns the tensors that it told of: they are there as long as these are kept.
        """
        slots = self._page.slots
        if type(value) is Tensor and value.layout is torch.strided:
            value = resolved(value)
            leaves = [value]
            if len(value.shape) <= pages.MOST_DIMENSIONS and value.device.type in pages.DEVICES:
                slots[pages.ADDRESS] = Tensor.data_ptr(value)
                slots[pages.DTYPE] = NUMBER[value.dtype]
                slots[pages.DEVICE] = pages.DEVICES.index(value.device.type)
                slots[pages.DIMENSIONS] = len(value.shape)
                at = pages.SIZES
                for number in (*value.shape, *value.stride()):
                    slots[at] = number
                    at += 1
                slots[pages.LENGTH] = 0
                slots[pages.COPIED] = self._copy_out(leaves)
                return leaves
        words, leaves = _told(value)
        self._page.put_text(words)
        slots[pages.COPIED] = self._copy_out(leaves)
        return leaves

    def _copy_out(self, leaves: Sequence[Tensor]) -> bool:
        """Copy tensors, densely, to where the judge takes them from; False if they do not fit."""
        if self._device.type != "cuda" or self._arena is None:
            return True
        begin, room = self._out
        places = _places(self._arena.memory[begin : begin + room], leaves)
        for place, leaf in zip(places or [], leaves, strict=False):
            place.copy_(leaf)
        return places is not None


def _told(value: Any) -> tuple[dict[str, Any], list[Tensor]]:
    """An output in words, and its tensors, which are where it says as long as they are kept."""
    leaves: list[Tensor] = []
    try:
        tree = flatten(value, lambda x: leaves.append(resolved(x)), (Tensor,))
    except NotPlain as error:
        return {"not_plain": str(error)}, []
    return {
        "tree": tree,
        "leaves": [
            [NUMBER[x.dtype], x.shape, x.stride(), Tensor.data_ptr(x), x.device.type]
            for x in leaves
        ],
    }, leaves


def _places(room: Tensor, leaves: Sequence[Tensor]) -> list[Tensor] | None:
    """Where in this memory each of these tensors is to be copied, densely, one after another; None
    if they do not fit."""
    at, places = 0, []
    for leaf in leaves:
        piece = room[at : at + leaf.nbytes]
        if len(piece) < leaf.nbytes or leaf.device.type != room.device.type:
            return None
        places.append(piece.view(leaf.dtype).view(leaf.shape))
        at += -(-leaf.nbytes // ALIGNMENT) * ALIGNMENT
    return places


def _as_they_lie(inputs: Sequence[Any]) -> Any:
    """Where the tensors of inputs lie, and how; None if they hold anything else by now."""
    tensors: list[Tensor] = []
    try:
        tree = flatten(inputs, tensors.append)
    except NotPlain:
        return None
    return tree, [(x.data_ptr(), x.dtype, x.shape, x.stride()) for x in tensors]
