"""Nested values, apart: what can be written as text, and the memory that their tensors lie in.

Strides, overlaps, gaps and what shares a storage with what stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

ALIGNMENT = 256
"""Addresses are kept modulo so many bytes: some kernels read 16 at once, or ask where they are."""

DTYPES = tuple(
    sorted({d for d in vars(torch).values() if isinstance(d, torch.dtype) and d.itemsize}, key=str)
)
NUMBER = {dtype: number for number, dtype in enumerate(DTYPES)}

_DEEPEST = 100
_MOST_VALUES = 1 << 17


class NotPlain(Exception):
    """A value that is not made of plain tensors and values; the message says of what."""


@dataclass(frozen=True)
class Leaf:
    """One tensor: where it lies in which span. `offset` in bytes, `stride` in elements."""

    dtype: torch.dtype
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    span: int
    offset: int

    @property
    def extent(self) -> int:
        """Bytes from its first element to the end of its last; 0 if it has none."""
        if 0 in self.shape:
            return 0
        last = sum((n - 1) * step for n, step in zip(self.shape, self.stride, strict=True))
        return (last + 1) * self.dtype.itemsize

    def of(self, memory: Tensor) -> Tensor:
        """The tensor, in bytes that hold its span."""
        piece = memory[self.offset : self.offset + self.extent]
        return piece.view(self.dtype).as_strided(self.shape, self.stride)


@dataclass(frozen=True)
class Layout:
    """A nested value without its tensors' contents."""

    tree: Any
    """JSON: [kind, content], a tensor by its place among the leaves."""
    leaves: tuple[Leaf, ...]
    spans: tuple[int, ...]
    """Bytes of each piece of memory that tensors lie in."""

    def places(self, start: int = 0) -> list[int]:
        """Where each span begins if they are put one after another; the last is where they end."""
        places = [start]
        for nbytes in self.spans:
            places.append(places[-1] + -(-nbytes // ALIGNMENT) * ALIGNMENT)
        return places

    def value(self, spans: Sequence[Tensor]) -> Any:
        """The value, its tensors in these pieces of memory."""
        return _built(self.tree, [leaf.of(spans[leaf.span]) for leaf in self.leaves])

    def as_json(self) -> dict[str, Any]:
        leaves = [[NUMBER[x.dtype], x.shape, x.stride, x.span, x.offset] for x in self.leaves]
        return {"tree": self.tree, "leaves": leaves, "spans": self.spans}


def from_json(data: Mapping[str, Any]) -> Layout:
    """Of a layout that one of ours wrote."""
    leaves = tuple(
        Leaf(DTYPES[d], tuple(shape), tuple(stride), span, offset)
        for d, shape, stride, span, offset in data["leaves"]
    )
    return Layout(data["tree"], leaves, tuple(data["spans"]))


def lay_out(value: Any) -> tuple[Layout, list[Tensor]]:
    """A value's layout, and its spans as bytes: views of the memory that its tensors lie in.

    Raises NotPlain.
    """
    tensors: list[Tensor] = []
    tree = flatten(value, lambda x: tensors.append(resolved(x)))
    storages: dict[int, list[int]] = {}
    for at, tensor in enumerate(tensors):
        storages.setdefault(tensor.untyped_storage()._cdata, []).append(at)
    leaves: dict[int, Leaf] = {}
    spans: list[Tensor] = []
    for members in storages.values():
        begins = [tensors[at].storage_offset() * tensors[at].itemsize for at in members]
        # Storages begin at aligned addresses, and so do spans.
        start = min(begins) // ALIGNMENT * ALIGNMENT
        for at, begin in zip(members, begins, strict=True):
            x = tensors[at]
            leaves[at] = Leaf(x.dtype, tuple(x.shape), x.stride(), len(spans), int(begin - start))
        end = max(leaves[at].offset + leaves[at].extent for at in members)
        first = tensors[members[0]]
        memory = torch.empty(0, dtype=torch.uint8, device=first.device)
        spans.append(memory.set_(first.untyped_storage(), start, (end,), (1,)))
    ordered = tuple(leaves[at] for at in range(len(tensors)))
    return Layout(tree, ordered, tuple(len(span) for span in spans)), spans


def copied(value: Any) -> Any:
    """The value in memory of its own, no more of it than its tensors span. Raises NotPlain.

    What shares memory still does. (`copy.deepcopy` would copy all of a storage for a view of it.)
    """
    layout, spans = lay_out(value)
    return layout.value([span.clone() for span in spans])


def resolved(tensor: Tensor) -> Tensor:
    """With what is put off in a view (a conjugate, a negative) in its memory."""
    return tensor.resolve_conj().resolve_neg()


def flatten(
    value: Any,
    take: Callable[[Tensor], object],
    kinds: tuple[type, ...] = (Tensor, torch.nn.Parameter),
) -> Any:
    """The value as JSON, its tensors handed to `take` in order. Raises NotPlain.

    kinds: the types that count as a tensor, exactly: a subclass may do anything when looked at.
    """
    return _Flattening(take, kinds).of(value)


@dataclass
class _Flattening:
    """A walk over a value. No closure: one that calls itself keeps what it has seen alive until
    garbage is collected, which in a worker it is not."""

    take: Callable[[Tensor], object]
    kinds: tuple[type, ...]
    tensors: int = 0
    values: int = 0

    def of(self, value: Any, depth: int = 0) -> Any:
        self.values += 1
        if depth > _DEEPEST or self.values > _MOST_VALUES:
            raise NotPlain("values nested in one another without end")
        if isinstance(value, Tensor):
            return self._tensor(value)
        if isinstance(value, list | tuple):
            kind = "list" if isinstance(value, list) else "tuple"
            return [kind, [self.of(item, depth + 1) for item in value]]
        if isinstance(value, dict):
            pairs = value.items()
            return ["dict", [[self.of(k, depth + 1), self.of(v, depth + 1)] for k, v in pairs]]
        return _plain(value)

    def _tensor(self, value: Tensor) -> Any:
        if type(value) not in self.kinds or value.layout != torch.strided:
            raise NotPlain(f"a {_named(value)}")
        self.take(value.detach())
        self.tensors += 1
        return ["tensor", self.tensors - 1]


def _plain(value: Any) -> Any:
    """Of exact types, too."""
    if type(value) is bool:
        return ["bool", value]  # True is 1 to whoever compares layouts
    if value is None or type(value) in (int, str):
        return ["plain", value]
    if type(value) is float:
        return ["float", value.hex()]
    if type(value) is complex:
        return ["complex", value.real.hex(), value.imag.hex()]
    if isinstance(value, torch.dtype) and value in NUMBER:
        return ["dtype", NUMBER[value]]
    raise NotPlain(f"a {_named(value)}")


def _named(value: Any) -> str:
    if type(value) is Tensor and value.layout != torch.strided:
        return f"{str(value.layout).removeprefix('torch.')} tensor"
    return f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")


def _built(tree: Any, tensors: Sequence[Any], depth: int = 0) -> Any:
    if depth > _DEEPEST:
        raise ValueError("a tree without end")
    kind, content = tree[0], tree[1]
    if kind == "tensor":
        return tensors[content]
    if kind == "list":
        return [_built(item, tensors, depth + 1) for item in content]
    if kind == "tuple":
        return tuple(_built(item, tensors, depth + 1) for item in content)
    if kind == "dict":
        return {_built(k, tensors, depth + 1): _built(v, tensors, depth + 1) for k, v in content}
    if kind == "float":
        return float.fromhex(content)
    if kind == "complex":
        return complex(float.fromhex(content), float.fromhex(tree[2]))
    return DTYPES[content] if kind == "dtype" else content


def built(tree: Any, tensors: Sequence[Any]) -> Any:
    """The value of a tree that may come from anyone. Raises ValueError, also for want of sense."""
    try:
        return _built(tree, tensors)
    except (LookupError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise ValueError("a tree that is none") from error
