"""An output as a worker tells of it: written at the one end, read and not believed at the other.

One plain tensor goes by numbers on the page, anything else in words.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from harness.exchange import page as pages
from harness.exchange.page import Page
from harness.exchange.values import ALIGNMENT, DTYPES, NUMBER, Leaf, NotPlain, flatten, resolved

NONSENSE = (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError)
"""What comes of reading what is not as a worker of ours writes it."""
_UNTOLD = "the output cannot be told what it is made of"


def tell(page: Page, value: Any) -> list[Tensor]:
    """Tell where an output lies; its tensors, which are there as long as they are kept."""
    slots = page.slots
    if type(value) is Tensor and value.layout is torch.strided:
        value = resolved(value)
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
            return [value]
    words, leaves = in_words(value)
    page.put_text(words)
    return leaves


def in_words(value: Any) -> tuple[dict[str, Any], list[Tensor]]:
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


def places_for(room: Tensor, leaves: Sequence[Tensor]) -> list[Tensor] | None:
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


@dataclass(frozen=True)
class Found:
    """A tensor of an output as the worker tells of it: nothing of it is checked but its form."""

    dtype: torch.dtype
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    address: int
    device: str

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def extent(self) -> int:
        """Bytes from its first element to the end of its last; 0 if it has none."""
        return Leaf(self.dtype, self.shape, self.stride, 0, 0).extent


def found_on(page: Page) -> tuple[Any, list[Found]]:
    """What `tell` told: the value's tree, and its tensors. Raises NotPlain."""
    slots = page.slots
    try:
        if slots[pages.LENGTH]:
            words = page.text()
        else:
            count = slots[pages.DIMENSIONS]
            if not 0 <= count <= pages.MOST_DIMENSIONS:
                raise ValueError("so many dimensions")
            sizes = list(slots[pages.SIZES : pages.SIZES + 2 * count])
            shape, stride = sizes[:count], sizes[count:]
            device = pages.DEVICES[slots[pages.DEVICE]]
            told = [slots[pages.DTYPE], shape, stride, slots[pages.ADDRESS], device]
            return ["tensor", 0], [_read(told)]
    except NONSENSE:
        raise NotPlain(_UNTOLD) from None
    return found_in(words)


def found_in(told: Any) -> tuple[Any, list[Found]]:
    """The output as a worker tells of it in words. Raises NotPlain."""
    try:
        if "not_plain" not in told:
            return told["tree"], [_read(leaf) for leaf in told["leaves"]]
        holds = " ".join(str(told["not_plain"])[:200].split())
    except NONSENSE:
        raise NotPlain(_UNTOLD) from None
    raise NotPlain(f"the output is not made of plain tensors: it holds {holds}")


def _read(told: Sequence[Any]) -> Found:
    dtype, shape, stride, address, device = told
    numbers = (dtype, *shape, *stride)
    if any(type(n) is not int or n.bit_length() > 63 for n in (*numbers, address)):
        raise ValueError("no numbers")
    if min(numbers) < 0 or len(shape) != len(stride):
        raise ValueError("no such tensor")
    return Found(DTYPES[dtype], tuple(shape), tuple(stride), address, str(device)[:20])


def absent(found: Found) -> Tensor:
    """In place of one that is not to be had."""
    return torch.empty(found.shape, dtype=found.dtype, device="meta")
