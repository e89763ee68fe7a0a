"""Ways to draw a problem's inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

Draw = Callable[[Tensor, torch.Generator], Tensor]


def _normal(scale: float) -> Draw:
    def draw(like: Tensor, generator: torch.Generator) -> Tensor:
        values = torch.empty(like.shape, dtype=torch.float32, device=like.device)
        return (values.normal_(generator=generator) * scale).to(like.dtype)

    return draw


def _planted(*specials: float) -> Draw:
    """Normal values, each special value put in up to eight random places."""

    def draw(like: Tensor, generator: torch.Generator) -> Tensor:
        values = _normal(1.0)(like, generator)
        if values.numel():
            for special in specials:
                places = torch.randint(
                    values.numel(), (8,), generator=generator, device=like.device
                )
                values.view(-1)[places] = special
        return values

    return draw


_INF = float("inf")

DRAWS: Mapping[str, Sequence[tuple[str, Draw | None]]] = {
    "own": (("own", None), ("own again", None)),
    "normal": (("normal", _normal(1.0)),),
    "small": (("small normal", _normal(1e-3)),),
    "large": (("large normal", _normal(4.0)),),
    "huge": (("huge normal", _normal(100.0)),),
    "non_finite": (("NaN", _planted(float("nan"))), ("infinite", _planted(_INF, -_INF, 0.0))),
}
