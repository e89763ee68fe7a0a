"""Inputs for timed calls: as many as are asked for, at the speed of a copy, no two the same.

A draw of get_inputs() is kept. Most calls get it with each floating tensor's elements rolled by a
random amount and made a little smaller, so that none is what it was; some get the inputs of the
call before but for one small change, so that a kernel which looks at a part of its inputs to know
them again answers as before, and is wrong. Small inputs are drawn anew instead of rolled.
"""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from harness.verdict.inputs import copied, floating, memory_of, secret_seed, tensors

SMALL_BYTES = 16 << 10
"""Inputs up to this size are drawn anew, and never the same again for certain. Among more
elements, random places of random changes do not coincide."""

SLIGHT = 0.3
"""The part of calls whose inputs are those of the call before but for a small change."""

KEPT_S = 0.02
"""A draw that has integers or the like, which cannot be varied, is made anew if that takes no
longer; else three times in four, so that most calls have one that is new."""

PATTERN, SHARES = 1 << 12, 1 << 18
"""From about as many elements as the first to twice that are made smaller, each by another share,
and then as many alike, and so on. The shares are taken from so many as the second."""

TRIES = 32
"""Changes made to contents that were there before. A tensor of one element in 16 bits runs out."""


@dataclass(frozen=True)
class Fresh:
    """Inputs of one timed call. They lie in the same memory as those of the next."""

    inputs: list[Any]
    seed: int
    """Of forward's random state."""


class Stream:
    """The inputs of timed calls, one after another."""

    def __init__(
        self, make: Callable[[int], list[Any]], secret: str, may_vary: bool = True
    ) -> None:
        """make: inputs on the case's device by the seed of their draw, in memory of their own.
        may_vary: are other values than a draw's legal? If not, each call has a draw, at its cost.
        """
        self._may_vary = may_vary
        self._make = make
        self._secret = secret
        self._count = 0
        self._base: list[Any] | None = None
        self._live: list[Any] | None = None
        self._shares: dict[tuple[torch.device, torch.dtype], Tensor] = {}
        self._is_zero = False
        """Has the base no element but zeros, which no share makes smaller?"""
        self._drawn_s = 0.0
        """What the last draw took."""
        self._seen: set[bytes] = set()

    def next(self, number: int, nearly: bool = False) -> Fresh:
        """Inputs for call `number`; what is drawn depends on the numbers before as well.

        nearly: are they to be those of the call before but for one element, where they can be?
        """
        seed = secret_seed(self._secret, "fresh", self._count, number)
        self._count += 1
        choose = random.Random(seed)
        if not self._may_vary:
            self._live = self._make(choose.getrandbits(63))
            return Fresh(self._live, secret_seed(self._secret, "forward", "fresh", seed))
        if self._live is None or not floating(self._live):
            self._live = self._anew(choose)
        elif nearly:
            _change_one_element(choose.choice(floating(self._live)), choose)
        elif choose.random() >= SLIGHT:
            self._live = self._anew(choose)
        else:
            _change_slightly(choose.choice(floating(self._live)), choose)
        self._never_seen(self._live, choose)
        return Fresh(self._live, secret_seed(self._secret, "forward", "fresh", seed))

    def forget(self) -> None:
        """Give back the memory that is kept. The next call goes on from there."""
        self._base = self._live = None
        self._shares.clear()

    def _anew(self, choose: random.Random) -> list[Any]:
        if self._base is None:
            self._keep(self._drawn(choose))
        assert self._base is not None
        if _bytes(tensors(self._base)) <= SMALL_BYTES or not floating(self._base):
            return self._drawn(choose)
        if _has_data(self._base) and (self._drawn_s <= KEPT_S or choose.random() < 0.75):
            self._keep(self._drawn(choose))
        live: list[Any] = copied(self._base) if self._live is None else self._live
        for tensor, source in zip(floating(live), floating(self._base), strict=True):
            _vary(tensor, source, self._shares_for(tensor), choose)
        if self._is_zero:
            _change_one_element(choose.choice(floating(live)), choose)
        return live

    def _keep(self, draw: list[Any]) -> None:
        self._base, self._live = draw, None
        self._is_zero = not any(bool(tensor.any()) for tensor in floating(draw))

    def _shares_for(self, tensor: Tensor) -> Tensor:
        """What elements may be multiplied with: each keeps its sign, and loses up to a 50th."""
        key = tensor.device, tensor.real.dtype
        if key not in self._shares:
            generator = torch.Generator(tensor.device)
            generator.manual_seed(secret_seed(self._secret, "shares"))
            drawn = torch.rand(SHARES, generator=generator, device=tensor.device)
            self._shares[key] = (1.0 - 0.02 * drawn).to(tensor.real.dtype)
        return self._shares[key]

    def _drawn(self, choose: random.Random) -> list[Any]:
        start = time.monotonic()
        draw = self._make(choose.getrandbits(63))
        self._drawn_s = time.monotonic() - start
        return draw

    def _never_seen(self, live: list[Any], choose: random.Random) -> None:
        found = floating(live)
        if not found or _bytes(found) > SMALL_BYTES:
            return
        for _ in range(TRIES):
            if (contents := _digest(found)) not in self._seen:
                self._seen.add(contents)
                return
            _change_one_element(choose.choice(found), choose)


def _vary(tensor: Tensor, source: Tensor, shares: Tensor, choose: random.Random) -> None:
    """Fill a tensor with another's elements, all moved on by an amount, and each a little smaller;
    both have one layout. Few operations: this is done before every call."""
    core, source = _core(tensor), _core(source)
    memory, kept = memory_of(core), memory_of(source)
    has_gaps = len(memory) > core.numel()
    if has_gaps:  # they may hold anything
        kept = source.reshape(-1)
        memory = torch.empty_like(kept)
    size = len(memory)
    amount = choose.randrange(1, max(2, size)) % size
    count = min(PATTERN + choose.randrange(PATTERN), size)
    at = choose.randrange(len(shares) - count)
    own = shares[at : at + count]
    _multiply(kept[: size - amount], own, memory[amount:])
    _multiply(kept[size - amount :], own, memory[:amount])
    if has_gaps:
        core.copy_(memory.view(core.shape))


def _multiply(source: Tensor, shares: Tensor, into: Tensor) -> None:
    """Multiply with shares that repeat; all three are flat."""
    count = len(shares)
    whole = len(source) // count * count
    if whole:
        torch.mul(source[:whole].view(-1, count), shares, out=into[:whole].view(-1, count))
    if whole < len(source):
        torch.mul(source[whole:], shares[: len(source) - whole], out=into[whole:])


def _roll(tensor: Tensor, source: Tensor, choose: random.Random) -> None:
    """Fill a tensor with another's elements, all moved on by an amount; both have one layout."""
    core, source = _core(tensor), _core(source)
    amount = choose.randrange(1, max(2, core.numel()))
    memory, kept = memory_of(core), memory_of(source)
    if memory.numel() <= core.numel():
        amount %= len(kept)
        memory[amount:].copy_(kept[: len(kept) - amount])
        memory[:amount].copy_(kept[len(kept) - amount :])
    else:  # only what the tensor shows: a gap between its elements may hold anything
        core.copy_(source.reshape(-1).roll(amount).view(core.shape))


def _change_slightly(tensor: Tensor, choose: random.Random) -> None:
    """Change one element of a tensor, and maybe swap two rows, or roll all."""
    kind = choose.choice(("element", "rows", "input"))
    if kind == "rows":
        _swap_rows(tensor, choose)
    elif kind == "input":
        _roll(tensor, copied([tensor])[0], choose)
    _change_one_element(tensor, choose)  # all of it may be alike


def _swap_rows(tensor: Tensor, choose: random.Random) -> None:
    """Swap two parts of a tensor along its first axis, if it has two."""
    core = _core(tensor)
    if core.dim() and len(core) > 1 and memory_of(core).numel() >= core.numel():
        one, other = choose.sample(range(len(core)), 2)
        first = core[one].clone()
        core[one].copy_(core[other])
        core[other].copy_(first)


def _change_one_element(tensor: Tensor, choose: random.Random) -> None:
    """Make one element what another is, or a part of itself where that is the same.

    Nobody waits for the device.
    """
    at, of = (_place(tensor, choose.randrange(tensor.numel())) for _ in range(2))
    memory = memory_of(tensor)
    old, other = memory[at].clone(), memory[of]
    part = torch.where(old == 0, choose.uniform(0.4, 0.9), old * choose.uniform(0.4, 0.9))
    memory[at] = torch.where(other == old, part.to(old.dtype), other)


def _place(tensor: Tensor, element: int) -> int:
    """Where an element, by its place in their order, lies in `memory_of(tensor)`."""
    place = 0
    for size, step in zip(reversed(tensor.shape), reversed(tensor.stride()), strict=True):
        element, index = divmod(element, size)
        place += index * step
    return place


def _core(tensor: Tensor) -> Tensor:
    """The tensor without the repetitions that expand() made: a view of the same elements."""
    for axis, step in enumerate(tensor.stride()):
        if step == 0:
            tensor = tensor.narrow(axis, 0, 1)
    return tensor


def _has_data(inputs: list[Any]) -> bool:
    return any(not (t.is_floating_point() or t.is_complex()) for t in tensors(inputs))


def _bytes(values: list[Tensor]) -> int:
    return sum(value.numel() * value.element_size() for value in values)


def _digest(values: list[Tensor]) -> bytes:
    digest = hashlib.sha256()
    for value in values:
        flat = value.detach().reshape(-1).contiguous().view(torch.uint8)
        digest.update(flat.cpu().numpy().tobytes())
    return digest.digest()
