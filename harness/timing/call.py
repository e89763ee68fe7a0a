"""The call that is timed, and the inputs that change before it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

Call = Callable[[], object]

Timer = Callable[[Call, int, Callable[[], None], torch.device], list[float]]
"""timer(call, samples, refresh, device) -> microseconds in the order taken. `refresh` runs before
every sample, outside of what is timed."""


class LiveInputs:
    """Inputs at fixed addresses whose contents change before every timed call.

    A kernel that recognises an input it has seen by its identity or address, and returns what it
    computed then, is wrong from the second call on.
    """

    def __init__(self, draws: Sequence[Sequence[Any]]) -> None:
        """draws: one or more sets of inputs of equal shapes, taken in turn."""
        self.live = [x.clone() if isinstance(x, Tensor) else x for x in draws[0]]
        self.at = 0
        """Which of the draws `live` holds."""
        self._draws = [draw for draw in draws if _alike(draw, draws[0])]

    def refresh(self) -> None:
        """Put the next draw in place."""
        self.at = (self.at + 1) % len(self._draws)
        for live, fresh in zip(self.live, self._draws[self.at], strict=True):
            if isinstance(live, Tensor):
                live.copy_(fresh)


def _alike(a: Sequence[Any], b: Sequence[Any]) -> bool:
    return [getattr(x, "shape", x) for x in a] == [getattr(x, "shape", x) for x in b]
