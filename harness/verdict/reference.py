"""The reference as eager has it and in float64: each forward starts from the same state.

The two models are each other's backup. Every value of the case's dtype is exact in float64, so
what a forward changed in one is restored from the other, and no third copy is kept.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from harness import device as devices
from harness.verdict.inputs import cast, copied, floating, rebuilt, secret_seed, tensors
from harness.verdict.randomness import widened

_HOST = torch.device("cpu")
_PIECE = 1 << 22
"""How many elements of a tensor are looked at at once."""


class Reference:
    """Model in the case's dtype, and the truth."""

    def __init__(self, model: nn.Module, dtype: torch.dtype) -> None:
        """model: on the case's device, in its dtype, and before its first forward."""
        self.model = model
        self._dtype = dtype
        self._drawing: torch.device | None = None
        """Where the truth's random numbers are drawn, if not where it is computed."""
        self._eager = _Slots(model)
        self._widen()
        self._changing: set[str] = set()
        self._settled = False
        self.shares = False
        """Has an output of eager's lain in the memory of its inputs or of the model's state?"""

    def _widen(self) -> None:
        self._truth_model = _in_float64(self.model, _HOST if self.truth_on_host else None)
        self._truth = _Slots(self._truth_model)

    @property
    def truth_on_host(self) -> bool:
        return self._drawing is not None

    def move_truth_to_host(self, device: torch.device) -> None:
        """Have the truth computed and kept there from now on: slow, and as large as need be.

        device: of eager, where random numbers are still drawn.
        """
        self._drawing = device
        del self._truth_model, self._truth  # their memory comes first
        self._widen()

    @property
    def changing(self) -> tuple[str, ...]:
        """Names of tensors, plain attributes among them, that forward changes or puts others in the
        place of, as eager's calls so far show it."""
        return tuple(name for name in self._eager.tensors if name in self._changing)

    def eager(self, inputs: list[Any], seed: int) -> Any:
        """Model's own answer. The inputs stay as they are, and so does the model's state.

        seed: of forward's random state. Raises whatever forward raises.
        """
        with self._restored(self._eager, self._truth):
            own = copied(inputs)
            output = devices.forward(self.model, own, seed)
            kept = list(self._eager.tensors.values())
            self.shares |= bool(_storages([own, kept]) & _storages(output))
            self._changing |= self._changed(self._eager, self._truth)
            self._settled = True
            return _own(output, self._eager)

    def truth(self, inputs: list[Any], seed: int) -> Any:
        """The answer in float64 to the inputs as they are, with eager's random numbers."""
        with self._restored(self._truth, self._eager):
            wide = copied(inputs, torch.float64, _HOST if self.truth_on_host else None)
            with widened(self._dtype, self._drawing):
                output = devices.forward(self._truth_model, wide, seed)
            return _own(output, self._truth)

    @property
    def weights_vary(self) -> bool:
        """Are there parameters that can be changed, each for itself?"""
        varied = list(self._varied().values())
        return bool(varied) and len(_storages(varied)) == len({id(p) for p in varied})

    def weights(self, seed: int | None) -> dict[str, Tensor]:
        """By name, the parameters that `other_weights` changes, as they are there with this seed;
        without one as they are."""
        amounts = self._amounts(seed) if seed is not None else {}
        varied = {name: p.detach() for name, p in self._varied().items()}
        return {n: _rolled(p, amounts[n]) if amounts else p for n, p in varied.items()}

    @contextmanager
    def other_weights(self, seed: int) -> Iterator[None]:
        """Within, both models have other weights: the elements of each parameter rolled by a secret
        amount, so that their distribution stays."""
        amounts = self._amounts(seed)
        self._roll(amounts)
        try:
            yield
        finally:
            self._roll({name: -amount for name, amount in amounts.items()})

    @torch.no_grad()
    def _roll(self, amounts: dict[str, int]) -> None:
        for slots in (self._eager, self._truth):
            parameters = {id(slots.tensors[name]): name for name in amounts}  # tied ones once
            for name in parameters.values():
                slots.tensors[name].copy_(_rolled(slots.tensors[name], amounts[name]))
            slots.note_versions()

    def _amounts(self, seed: int) -> dict[str, int]:
        """How far each parameter is rolled."""
        amounts: dict[int, int] = {}
        for name, p in self._varied().items():
            amounts.setdefault(id(p), 1 + secret_seed(str(seed), name) % (p.numel() - 1))
        return {name: amounts[id(p)] for name, p in self._varied().items()}

    def _varied(self) -> dict[str, Tensor]:
        """Tied ones by each of their names."""
        named = self.model.named_parameters(remove_duplicate=False)
        return {name: p for name, p in named if p.numel() > 1 and floating(p)}

    @contextmanager
    def _restored(self, slots: _Slots, backup: _Slots) -> Iterator[None]:
        slots.restore(backup, self._changing | slots.changed())
        try:
            yield
        finally:
            slots.restore(backup, self._changing | self._changed(slots, backup))

    def _changed(self, slots: _Slots, backup: _Slots) -> set[str]:
        """By contents until a forward has ended: what is changed by `.data` leaves no other trace.
        By versions ever after."""
        return slots.changed() if self._settled else slots.changed() | slots.different(backup)


class _Slots:
    """Where a model keeps tensors and plain attributes, and what was there at first."""

    def __init__(self, model: nn.Module) -> None:
        self._places: list[tuple[dict[str, Any], dict[str, Any]]] = []
        self.tensors: dict[str, Tensor] = {}
        for prefix, module in model.named_modules():
            for place in (module._parameters, module._buffers, vars(module)):
                self._places.append((place, dict(place)))
                for name, value in place.items():
                    if isinstance(value, Tensor):
                        self.tensors[f"{prefix}.{name}" if prefix else name] = value
        self.note_versions()

    def note_versions(self) -> None:
        self._versions = {name: tensor._version for name, tensor in self.tensors.items()}

    def changed(self) -> set[str]:
        """Names of tensors that were written to, or are not where they were."""
        now = {id(value) for place, _ in self._places for value in place.values()}
        return {
            name
            for name, tensor in self.tensors.items()
            if id(tensor) not in now or tensor._version != self._versions[name]
        }

    def different(self, backup: _Slots) -> set[str]:
        """Names of tensors whose contents are not those of `backup`."""
        return {
            name
            for name, tensor in self.tensors.items()
            if not _equal(tensor, backup.tensors[name])
        }

    @torch.no_grad()
    def restore(self, backup: _Slots, changed: set[str]) -> None:
        """Put everything back where it was at first; the contents of what changed from `backup`."""
        for place, first in self._places:
            if place.keys() != first.keys() or any(place[k] is not v for k, v in first.items()):
                place.clear()
                place.update(first)
        for name in changed & self.tensors.keys():
            self.tensors[name].copy_(backup.tensors[name])
        self.note_versions()

    def hold(self, tensor: Tensor) -> bool:
        """Is it, or is it a view of, one of these?"""
        return bool(_storages(tensor) & _storages(list(self.tensors.values())))


def _storages(value: Any) -> set[int]:
    return {t.untyped_storage()._cdata for t in tensors(value) if _strided(t)}


def _own(output: Any, slots: _Slots) -> Any:
    """An output that lives on when the model's state is put back."""
    return rebuilt(output, lambda tensor: tensor.clone() if slots.hold(tensor) else tensor)


def _in_float64(model: nn.Module, device: torch.device | None = None) -> nn.Module:
    """A copy, on that device if one is given; plain attributes that hold tensors are widened as
    buffers are."""
    wide = copy.deepcopy(model, _moved(model, device) if device is not None else None)
    devices.in_dtype(wide, torch.float64)
    for module in wide.modules():
        for name, value in vars(module).items():
            if any(map(_is_narrow, tensors(value))):
                vars(module)[name] = rebuilt(value, _widened)
    return wide


def _moved(model: nn.Module, device: torch.device) -> dict[int, Any]:
    """What `deepcopy` is to take for the model's tensors: copies on another device, and none on
    their own, where there may be no room for them."""
    moved: dict[int, Any] = {}
    for module in model.modules():
        for tensor in tensors([module._parameters, module._buffers, vars(module)]):
            new = tensor.detach().to(device, copy=True)
            is_parameter = isinstance(tensor, nn.Parameter)
            moved[id(tensor)] = nn.Parameter(new, tensor.requires_grad) if is_parameter else new
    return moved


def _rolled(tensor: Tensor, amount: int) -> Tensor:
    return tensor.detach().reshape(-1).roll(amount).view(tensor.shape)


def _is_narrow(tensor: Tensor) -> bool:
    return tensor.dtype is not devices.like(tensor.dtype, torch.float64)


def _widened(tensor: Tensor) -> Tensor:
    return cast(tensor, torch.float64) if _is_narrow(tensor) else tensor


def _equal(tensor: Tensor, other: Tensor) -> bool:
    if not _strided(tensor):
        return True
    pieces = (torch.split(x.detach().reshape(-1), _PIECE) for x in (tensor, other))
    for a, b in zip(*pieces, strict=True):
        b = b.to(a.device)
        same = a == b  # in float64 where they differ in dtype
        if not (same | ((a != a) & (b != b))).all():
            return False
    return True


def _strided(tensor: Tensor) -> bool:
    return tensor.layout is torch.strided
