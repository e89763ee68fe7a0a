"""Draws inputs of a family: the problem's own, or normal values in their place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from harness.records import Family


def draw(own: Sequence[Any], family: Family, planted: Sequence[float], seed: int) -> list[Any]:
    """Inputs of a family for one trial.

    own: what get_inputs() gave, on the case's device and in its dtype. Floating tensors are
    replaced where the family says so; integers and booleans are data that must stay legal.
    planted: special values, each put in up to eight random places.
    """
    if family.scale is None:
        return list(own)
    generator: torch.Generator | None = None
    inputs = []
    for value in own:
        if isinstance(value, Tensor) and value.is_floating_point():
            generator = generator or torch.Generator(value.device).manual_seed(seed)
            value = _normal(value, family.scale, planted, generator)
        inputs.append(value)
    return inputs


def _normal(
    like: Tensor, scale: float, planted: Sequence[float], generator: torch.Generator
) -> Tensor:
    wide = torch.empty(like.shape, dtype=torch.float32, device=like.device)
    values = (wide.normal_(generator=generator) * scale).to(like.dtype)
    for special in planted if values.numel() else ():
        places = torch.randint(values.numel(), (8,), generator=generator, device=like.device)
        values.view(-1)[places] = special
    return values
