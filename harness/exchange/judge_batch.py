"""The judge's end of a batch: calls on as many inputs that no process has seen, all outputs in the
judge's memory when its clock stops.

The worker queues every call on a stream that is held, so that no launch by the host is in the time
of what can be queued; then the inputs come, all at once, and the stream goes on. A kernel can have
done nothing before, and is done with nothing later: however it tells the time, it takes so long.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from harness.exchange import page as pages
from harness.exchange.answer import Output
from harness.exchange.arena import WORD_BYTES, Arena
from harness.exchange.judge_end import JudgeEnd
from harness.exchange.output import absent, found_in
from harness.exchange.values import ALIGNMENT, Layout, NotPlain, built, lay_out

_QUEUED_S = 0.05
_QUEUED_EACH_S = 0.5e-3
"""How long calls may take to be queued. Those that wait for the device meanwhile never are."""
_TRIES = 3
"""How many times the copies are made that the time has in it; the shortest counts."""


@dataclass(frozen=True)
class Batch:
    """What the calls of one batch came to."""

    wall_us: float
    """By the judge's clock, all calls and copies together."""
    copies_us: float
    """What copies of so many bytes take, of inputs to the worker and of outputs from it."""
    held: bool
    """Were all calls queued before the first began? Else the host's part is in the time."""
    outputs: list[Output]


class LayoutsDiffer(Exception):
    """The calls' inputs are not laid out alike."""


def batch(
    end: JudgeEnd,
    inputs: Callable[[int], Sequence[Any]],
    seeds: Sequence[int],
    out_bytes: int,
    timeout_s: float,
) -> Batch:
    """Have a worker make one call for each of these seeds of the random state.

    inputs: of a call by its place; they may lie in the memory of those of the call before.
    Raises what a call raises, and LayoutsDiffer; torch's and the arena's errors for want of
    memory are the judge's own.
    """
    staged, layout = _staged(inputs, len(seeds), end.device)
    calls, in_bytes = len(seeds), layout.places()[-1]
    out_bytes = -(-out_bytes // ALIGNMENT) * ALIGNMENT
    word = calls * (in_bytes + out_bytes)
    arena = end.use_arena(word + WORD_BYTES, timeout_s)
    arena.write(word, 0)
    arena.synchronize()
    number = end.next_number()
    end.say("batch", {
        "layout": layout.as_json(), "out_bytes": out_bytes, "seeds": list(seeds),
        "word": word, "number": number,
    }, time.monotonic() + timeout_s)  # fmt: skip
    held = end.answers_within(_QUEUED_S + calls * _QUEUED_EACH_S)
    deadline = time.monotonic() + timeout_s
    start_ns = time.perf_counter_ns()
    arena.memory[: len(staged)].copy_(staged)
    arena.write(word, number)
    end.page.slots[pages.GO] = number
    told = end.reply(deadline)
    if not isinstance(told, list) or len(told) != calls:
        raise NotPlain("the outputs cannot be told what they are made of")
    end.wait(pages.DONE, number, deadline)
    # With the word, so that the device turns back to the judge even where nothing was put out.
    taken = arena.memory[len(staged) : word + WORD_BYTES].clone()
    arena.synchronize()
    wall_us = (time.perf_counter_ns() - start_ns) / 1e3
    mutated = not torch.equal(arena.memory[: len(staged)], staged)
    rooms = [taken[call * out_bytes :][:out_bytes] for call in range(calls)]
    outputs = [_output(*of, mutated) for of in zip(told, rooms, strict=True)]
    return Batch(wall_us, _copies_us(arena, staged, taken), held, outputs)


def _staged(
    inputs: Callable[[int], Sequence[Any]], calls: int, device: torch.device
) -> tuple[Tensor, Layout]:
    """The contents of all calls, one after another, in memory that no worker sees."""
    first, spans = lay_out(inputs(0))
    *places, size = first.places()
    staged = torch.empty(calls * size, dtype=torch.uint8, device=device)
    for call in range(calls):
        layout, spans = lay_out(inputs(call)) if call else (first, spans)
        if layout != first:
            raise LayoutsDiffer
        for at, span in zip(places, spans, strict=True):
            staged[call * size + at :][: len(span)].copy_(span)
    return staged, first


def _output(told: Any, room: Tensor, mutated: bool) -> Output:
    """What one call returned, as the worker tells of it, from where it was to be copied to."""
    tree, found = found_in(told)
    copied, at, tensors = told.get("copied") is True, 0, []
    for x in found:
        piece = room[at : at + x.nbytes]
        fits = copied and len(piece) == x.nbytes
        tensors.append(piece.view(x.dtype).view(x.shape) if fits else absent(x))
        at += -(-x.nbytes // ALIGNMENT) * ALIGNMENT
    try:
        value = built(tree, tensors)
    except (ValueError, RuntimeError) as error:
        raise NotPlain(f"the output cannot be read: {str(error).splitlines()[0]}") from None
    return Output(value, frozenset(x.device for x in found), mutated, late=False)


def _copies_us(arena: Arena, staged: Tensor, outputs: Tensor) -> float:
    """The least that it takes to bring the inputs, and to copy the outputs twice."""
    least_us = math.inf
    for _ in range(_TRIES):
        start_ns = time.perf_counter_ns()
        arena.memory[: len(staged)].copy_(staged)
        for _ in range(2):
            arena.memory[len(staged) :][: len(outputs)].copy_(outputs)
        arena.synchronize()
        least_us = min(least_us, (time.perf_counter_ns() - start_ns) / 1e3)
    return least_us
