"""The weights of a kernel's model, changed in place as an optimiser would.

What the constructor made of them may stay as it is. So they are changed only where it made nothing:
whatever was packed since was packed by a call, and must follow them.
"""

from __future__ import annotations

import types
import weakref
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

_HOLDS_NONE = (
    *(
        type(None),
        bool,
        int,
        float,
        complex,
        str,
        bytes,
        type,
        torch.dtype,
        torch.device,
        torch.Size,
    ),
    *(nn.Module, types.ModuleType, types.FunctionType, types.BuiltinFunctionType),
    *(weakref.ReferenceType, torch.layout, torch.memory_format),
)
"""What may be an attribute and hides no tensor; modules are looked at by themselves."""


def has_only_weights(model: nn.Module) -> bool:
    """Does a model hold no floating tensor but parameters and what its state dict has, and nothing
    that may hide one?"""
    known = {id(p) for p in model.parameters()}
    for module in model.modules():
        passing = module._non_persistent_buffers_set
        known |= {id(b) for name, b in module._buffers.items() if name not in passing}
    return all(
        _holds_none(value, known) for module in model.modules() for value in vars(module).values()
    )


def _holds_none(value: Any, known: set[int]) -> bool:
    if isinstance(value, Tensor):
        return id(value) in known or not (value.is_floating_point() or value.is_complex())
    if isinstance(value, dict):
        return all(_holds_none(item, known) for item in value.values())
    if isinstance(value, list | tuple | set | frozenset):
        return all(_holds_none(item, known) for item in value)
    return isinstance(value, _HOLDS_NONE)


@torch.no_grad()
def change(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Write weights, by their parameters' names, over those that a model has."""
    parameters = dict(model.named_parameters(remove_duplicate=False))
    for name, weight in weights.items():
        parameters[name].copy_(weight)
