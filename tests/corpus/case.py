"""One source of the corpus: what to build, how to call it, and which headers must build it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch

Thunk = Callable[[], Any]


def floats(*shape: int, dtype: torch.dtype = torch.float32, device: str = "cpu") -> torch.Tensor:
    """Normal values with a few edges among them; the same ones every time."""
    values = torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape) + 7))
    flat = values.view(-1)
    edges = torch.tensor([0.0, -0.0, 1e-6, -65504.0, float("inf"), float("nan")])
    flat[: min(len(flat), len(edges))] = edges[: len(flat)]
    return values.to(device=device, dtype=dtype)


@dataclass(frozen=True)
class Case:
    """A source and the calls whose outcomes both builds must share.

    calls: from the module and a device, the calls to make; each may return or raise.
    route: "lean", "full" if the stand-ins lack something, "rejected" if real headers refuse it.
    """

    name: str
    cpp: str
    calls: Callable[[Any, str], Sequence[Thunk]] = field(default=lambda m, device: [])
    functions: Sequence[str] | None = None
    cuda: str = ""
    route: Literal["lean", "full", "rejected"] = "lean"
    cflags: Sequence[str] = ()
    remedy: str = ""  # for a rejected source: the include it lacks
