"""Inputs for timed calls: as many as are asked for, at the speed of a copy, no two the same.

What a call gets is a recipe: a draw of get_inputs(), each floating tensor's elements rolled by a
random amount, then small edits. Some calls are the previous one's recipe with one more edit, so a
kernel that looks at a part of its inputs to know them again answers as before, and is wrong.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from harness.verdict.inputs import change, copied, floating, memory_of, secret_seed, tensors

SMALL_BYTES = 64 << 10
"""Inputs up to this size are drawn anew for each call: that costs no more than the copy."""

SLIGHT = 0.3
"""The part of calls whose inputs are those of the call before but for a small change."""

TOUCHES = 1
"""Elements changed beside a roll, so that contents with a period, or constant, do not return."""

TRIES = 32
"""Edits made to contents that were there before. A tensor of one element in 16 bits runs out."""


@dataclass(frozen=True)
class Fresh:
    """Inputs of one timed call."""

    inputs: list[Any]
    seed: int
    """Of forward's random state."""


@dataclass(frozen=True)
class _Recipe:
    """How to make the contents of one call from a draw."""

    draw: int
    """Seed of get_inputs()."""
    rolls: int
    """Seed of the amounts that tensors are rolled by."""
    edits: tuple[tuple[str, int], ...] = ()
    """A kind and a seed each, in order."""


class Stream:
    """The inputs of timed calls, one after another. Keeps one draw where draws are large."""

    def __init__(self, make: Callable[[int], list[Any]], secret: str) -> None:
        """make: inputs on the case's device by the seed of their draw, in memory of their own."""
        self._make = make
        self._secret = secret
        self._count = 0
        self._last: _Recipe | None = None
        self._base_seed = secret_seed(secret, "fresh", "base")
        self._base: list[Any] | None = make(self._base_seed)
        self._small = _bytes(tensors(self._base)) <= SMALL_BYTES or not floating(self._base)
        if self._small:
            self.forget()
        self._seen: set[bytes] = set()

    def next(self, number: int) -> Fresh:
        """Inputs for call `number`; what is drawn depends on the numbers before as well."""
        seed = secret_seed(self._secret, "fresh", self._count, number)
        self._count += 1
        choose = random.Random(seed)
        slight = self._last is not None and choose.random() < SLIGHT
        recipe = self._slightly(choose) if slight else self._anew(choose)
        recipe, inputs = self._never_seen(recipe, choose)
        # A draw without floating tensors cannot be varied, only drawn.
        self._last = recipe if floating(inputs) else None
        return Fresh(inputs, secret_seed(self._secret, "forward", "fresh", seed))

    def forget(self) -> None:
        """Give back the draw that is kept. The next call makes it again, and goes on from there."""
        self._base = None

    def _anew(self, choose: random.Random) -> _Recipe:
        if self._small:
            return _Recipe(_seed(choose), _seed(choose))
        touches = tuple(("element", _seed(choose)) for _ in range(TOUCHES))
        return _Recipe(self._base_seed, _seed(choose), touches)

    def _slightly(self, choose: random.Random) -> _Recipe:
        assert self._last is not None
        kind = choose.choice(tuple(EDITS))
        return replace(self._last, edits=(*self._last.edits, (kind, _seed(choose))))

    def _never_seen(self, recipe: _Recipe, choose: random.Random) -> tuple[_Recipe, list[Any]]:
        """A recipe and what it makes. Few elements are compared with all that were there before;
        among many, random places of random changes do not coincide."""
        inputs = self._made(recipe)
        found = floating(inputs)
        if found and _bytes(found) <= SMALL_BYTES:
            for _ in range(TRIES):
                if (contents := _digest(found)) not in self._seen:
                    self._seen.add(contents)
                    break
                edit = ("element", _seed(choose))
                change(inputs, edit[1])
                recipe = replace(recipe, edits=(*recipe.edits, edit))
        return recipe, inputs

    def _made(self, recipe: _Recipe) -> list[Any]:
        inputs = self._make(recipe.draw) if self._small else self._rolled(recipe)
        for kind, seed in recipe.edits:
            EDITS[kind](inputs, seed)
        return inputs

    def _rolled(self, recipe: _Recipe) -> list[Any]:
        if self._base is None:
            self._base = self._make(recipe.draw)
        inputs: list[Any] = copied(self._base)
        amounts = random.Random(recipe.rolls)
        for tensor, source in zip(floating(inputs), floating(self._base), strict=True):
            _roll(tensor, source, _amount(tensor, amounts))
        return inputs


def _change_one_input(inputs: list[Any], seed: int) -> None:
    """Roll one floating tensor alone."""
    choose = random.Random(seed)
    found = floating(inputs)
    which = choose.randrange(len(found))
    before = copied(found[which])
    _roll(found[which], before, _amount(before, choose))
    if torch.equal(before, found[which]):
        change(inputs, seed, among=[which])


def _swap_rows(inputs: list[Any], seed: int) -> None:
    """Swap two rows of a floating tensor, that is two of its parts along the first axis."""
    choose = random.Random(seed)
    cores = [_core(tensor) for tensor in floating(inputs)]
    with_rows = [core for core in cores if core.dim() and len(core) > 1 and not _overlaps(core)]
    if with_rows:
        tensor = choose.choice(with_rows)
        one, other = choose.sample(range(len(tensor)), 2)
        if not torch.equal(tensor[one], tensor[other]):
            tensor[[one, other]] = tensor[[other, one]]
            return
    change(inputs, seed)


EDITS: dict[str, Callable[[list[Any], int], None]] = {
    "element": change,
    "input": _change_one_input,
    "rows": _swap_rows,
}
"""Small changes by name: edit(inputs, seed) works in place."""


def _seed(choose: random.Random) -> int:
    return choose.getrandbits(63)


def _amount(tensor: Tensor, choose: random.Random) -> int:
    core = _core(tensor)
    return choose.randrange(1, max(2, min(core.numel(), memory_of(core).numel())))


def _roll(tensor: Tensor, source: Tensor, amount: int) -> None:
    """Give a tensor the elements of another one of its layout, moved on by an amount; the last
    ones come first. 0 < amount, and at most the number of elements."""
    core, old = _core(tensor), _core(source)
    if memory_of(core).numel() <= core.numel():
        core, old = memory_of(core), memory_of(old)
        core[amount:] = old[: len(old) - amount]
        core[:amount] = old[len(old) - amount :]
    else:  # only what the tensor shows: a gap between its elements may hold anything
        core.copy_(old.reshape(-1).roll(amount).view(core.shape))


def _overlaps(core: Tensor) -> bool:
    return memory_of(core).numel() < core.numel()


def _core(tensor: Tensor) -> Tensor:
    """The tensor without the repetitions that expand() made: a view of the same elements."""
    for axis, step in enumerate(tensor.stride()):
        if step == 0:
            tensor = tensor.narrow(axis, 0, 1)
    return tensor


def _bytes(values: list[Tensor]) -> int:
    return sum(value.numel() * value.element_size() for value in values)


def _digest(values: list[Tensor]) -> bytes:
    digest = hashlib.sha256()
    for value in values:
        flat = value.detach().reshape(-1).contiguous().view(torch.uint8)
        digest.update(flat.cpu().numpy().tobytes())
    return digest.digest()
