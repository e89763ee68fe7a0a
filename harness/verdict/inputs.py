"""Inputs as values: their seeds, their copies in other dtypes, draws of a family, small changes.

A copy keeps what a kernel can see of a tensor besides its contents: strides, gaps, overlap, and
which tensors are views of one memory.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from harness.device import like
from harness.records import Family

KEPT_OFFSET = 64
"""A copy keeps a tensor's storage offset modulo this many elements: how far its first element is
from an aligned address. The rest of the offset would cost memory, and nothing depends on it."""

CANDIDATES = 64
"""How many other elements of its tensor an element is changed to one of."""


FILLED = 1 << 18
"""How many elements are drawn at once."""


def secret_seed(secret: str, *purpose: object) -> int:
    """A seed of 63 bits that tells nothing of the seeds for other purposes.

    Parts are joined with their lengths, so that no two lists of purposes read alike.
    """
    digest = hashlib.sha256()
    for part in (secret, *purpose):
        text = repr(part).encode()
        digest.update(b"%d:" % len(text) + text)
    return int.from_bytes(digest.digest()[:8]) >> 1


def rebuilt(value: Any, leaf: Callable[[Tensor], Any]) -> Any:
    """The same nesting of lists, tuples, named tuples and dicts with `leaf(tensor)` in the place
    of every tensor, in order. Whatever else it holds is passed on as it is."""
    if isinstance(value, Tensor):
        return leaf(value)
    if isinstance(value, list):
        return type(value)([rebuilt(item, leaf) for item in value])
    if isinstance(value, tuple):
        items = [rebuilt(item, leaf) for item in value]
        return value._make(items) if hasattr(value, "_make") else type(value)(items)
    if isinstance(value, dict):
        new = value.copy()  # of its own class, such as OrderedDict
        new.update({key: rebuilt(item, leaf) for key, item in value.items()})
        return new
    return value


def tensors(value: Any) -> list[Tensor]:
    """All tensors in a nested value, in the order in which `rebuilt` meets them."""
    found: list[Tensor] = []
    rebuilt(value, found.append)
    return found


def floating(value: Any) -> list[Tensor]:
    """All floating or complex tensors with elements in a nested value: what may be varied."""
    strided = (t for t in tensors(value) if t.layout is torch.strided)
    return [t for t in strided if _is_floating(t) and t.numel()]


def cast(value: Any, dtype: torch.dtype, device: torch.device | None = None) -> Any:
    """Floating tensors anywhere in `value` to dtype, complex ones to that width; always new memory.

    Strides, gaps, overlap, and the offset from an aligned address stay, and tensors of one storage
    stay of one storage. Other tensors are themselves, or on `device` if that is another.
    """
    moved = [
        t for t in tensors(value) if _is_floating(t) or (device is not None and t.device != device)
    ]
    return _copied(value, moved, dtype, device)


def copied(value: Any, dtype: torch.dtype | None = None, device: torch.device | None = None) -> Any:
    """`value` with every tensor in new memory, its layout kept as `cast` does; floating ones in
    dtype if one is given, all on `device` if that is."""
    return _copied(value, tensors(value), dtype, device)


def form(own: Any) -> Any:
    """What `draw` needs of inputs where it replaces all tensors: they lie on the device "meta", and
    take no memory. None where there is a tensor that it does not replace."""
    if not all(_is_plain(t) and _is_floating(t) for t in tensors(own)):
        return None
    return copied(own, device=torch.device("meta"))


def draw(
    own: Any,
    family: Family,
    planted: Sequence[float],
    seed: int,
    device: torch.device | None = None,
) -> Any:
    """Inputs of a family for one trial, nested as `own` is.

    own: what get_inputs() gave, on the case's device and in its dtype, or for a family of other
    values its `form`, with that device. Floating tensors are replaced where the family says so, in
    the same layout; integers and booleans are data that must stay legal.
    planted: special values, each put in up to eight random places of each tensor.
    """
    if family.scale is None or not floating(own):
        return own
    inputs = _copied(own, floating(own), None, device)
    found = floating(inputs)
    generators = {t.device: torch.Generator(t.device).manual_seed(seed) for t in found}
    # All are filled before any value is planted: they may be views of one memory.
    for tensor in found:
        _fill(memory_of(tensor), family.scale, generators[tensor.device])
    for tensor in found:
        for special in planted:
            _plant(tensor, special, generators[tensor.device])
    return inputs


def _fill(memory: Tensor, scale: float, generator: torch.Generator) -> None:
    wide = like(memory.dtype, torch.float32)
    for piece in torch.split(memory, FILLED):
        values = torch.empty(piece.shape, dtype=wide, device=memory.device)
        piece.copy_(values.normal_(generator=generator).mul_(scale))


def _plant(tensor: Tensor, special: float, generator: torch.Generator) -> None:
    places = torch.randint(tensor.numel(), (8,), generator=generator, device=tensor.device)
    memory_of(tensor)[_in_memory(tensor, places)] = special


def change(inputs: Any, seed: int, among: Sequence[int] | None = None) -> None:
    """Change one element of one floating tensor in place: to another finite element of the tensor,
    the furthest from it of a few; in a tensor of equal elements to a smaller multiple of itself,
    and a zero there to a number below one. So ranges and signs stay legal.

    among: places in `floating(inputs)` to choose the tensor from; tensors of more than one value
    come first. Does nothing where there is no floating tensor.
    """
    all_floating = floating(inputs)
    chosen = [all_floating[i] for i in among] if among is not None else all_floating
    if not chosen:
        return
    host = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(chosen), generator=host).tolist()
    samples = [_sample(chosen[i], host) for i in order]
    memory, places = next((s for s in samples if _varies(s[0][s[1]])), samples[0])
    factor = 0.4 + 0.5 * float(torch.rand((), generator=host))
    memory[places[0]] = _another(memory[places[0]], memory[places[1:]], factor)


def _sample(tensor: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """A tensor's memory and random places of its elements in there."""
    places = torch.randint(tensor.numel(), (CANDIDATES + 1,), generator=generator)
    return memory_of(tensor), _in_memory(tensor, places.to(tensor.device))


def _varies(values: Tensor) -> bool:
    return bool(((values != values[0]) & values.isfinite()).any())


def _another(own: Tensor, candidates: Tensor, factor: float) -> Tensor:
    """The candidate furthest from a value; `factor` of the value where they are all equal to it.

    Computed on the device, so that nobody waits for it.
    """
    usable = candidates.isfinite()
    distance = (candidates - own).abs().nan_to_num(nan=torch.inf, posinf=torch.inf)
    far = candidates[distance.masked_fill(~usable, -1).argmax()]
    scaled = torch.where(own == 0, torch.full_like(own, factor), own * factor)
    scaled = torch.where(own.isfinite(), scaled, torch.full_like(own, factor))
    return torch.where((far != own) & far.isfinite(), far, scaled)


def memory_of(tensor: Tensor) -> Tensor:
    """All that a tensor with elements spans, gaps between them included, each once: a flat view."""
    return _Extent.of([tensor]).view(tensor)


def _is_floating(tensor: Tensor) -> bool:
    return tensor.is_floating_point() or tensor.is_complex()


@dataclass(frozen=True)
class _Extent:
    """The part of a storage that some tensors span, in elements."""

    first: int
    end: int

    @classmethod
    def of(cls, views: Sequence[Tensor]) -> _Extent:
        """views: not empty, of one storage and one dtype, each with elements."""
        spans = [sum((n - 1) * s for n, s in zip(t.shape, t.stride(), strict=True)) for t in views]
        return cls(
            min(int(t.storage_offset()) for t in views),
            max(int(t.storage_offset()) + n + 1 for t, n in zip(views, spans, strict=True)),
        )

    def view(self, tensor: Tensor) -> Tensor:
        """All elements between, gaps included, once each: shape (end - first,)."""
        return tensor.as_strided((self.end - self.first,), (1,), self.first)


def _in_memory(tensor: Tensor, places: Tensor) -> Tensor:
    """Places in the order of elements -> places in the extent of the tensor."""
    found = torch.zeros_like(places)  # torch.unravel_index imports sympy, for a third of a second
    for size, step in zip(reversed(tensor.shape), reversed(tensor.stride()), strict=True):
        found += places % size * step
        places = places // size
    return found


def _copied(
    value: Any, moved: Sequence[Tensor], dtype: torch.dtype | None, device: torch.device | None
) -> Any:
    """`value` with new tensors in the place of `moved`, floating ones in dtype."""
    groups: dict[tuple[Any, ...], list[Tensor]] = {}
    new: dict[int, Tensor] = {}
    with torch.no_grad():
        for tensor in moved:
            if _is_plain(tensor):
                storage = (tensor.untyped_storage()._cdata, tensor.dtype)
                groups.setdefault(storage, []).append(tensor)
            else:
                new[id(tensor)] = _alone(tensor, dtype, device)
        for views in groups.values():
            copies = _copies(views, dtype, device)
            new.update({id(t): copy for t, copy in zip(views, copies, strict=True)})
    return rebuilt(value, lambda tensor: new.get(id(tensor), tensor))


def _is_plain(tensor: Tensor) -> bool:
    """Is it all there is to a tensor: elements in memory at strides?"""
    if tensor.layout is not torch.strided or tensor.is_quantized or not tensor.numel():
        return False
    return not (tensor.is_conj() or tensor.is_neg())


def _alone(tensor: Tensor, dtype: torch.dtype | None, device: torch.device | None) -> Tensor:
    """A copy of a tensor that has no layout to keep."""
    if not tensor.numel() and tensor.layout is torch.strided:
        wanted = like(tensor.dtype, dtype) if dtype else tensor.dtype
        where = device or tensor.device
        return torch.empty_strided(tensor.shape, tensor.stride(), dtype=wanted, device=where)
    own = tensor.detach().to(device=device or tensor.device, copy=True)
    return own.to(like(tensor.dtype, dtype)) if dtype else own


def _copies(
    views: Sequence[Tensor], dtype: torch.dtype | None, device: torch.device | None
) -> list[Tensor]:
    """Copies of views of one storage in one new storage, gaps between their elements included."""
    first = views[0]
    extent = _Extent.of(views)
    offset = extent.first % KEPT_OFFSET
    # Of what has no contents, nothing may show that was in this memory before.
    made = torch.zeros if first.is_meta else torch.empty
    memory = made(
        offset + extent.end - extent.first,
        dtype=like(first.dtype, dtype) if dtype else first.dtype,
        device=device or first.device,
    )
    if not first.is_meta:
        memory[offset:].copy_(extent.view(first.detach()))
    return [
        memory.as_strided(t.shape, t.stride(), offset + t.storage_offset() - extent.first)
        for t in views
    ]
