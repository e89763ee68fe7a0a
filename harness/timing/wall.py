"""The judge's clock alone, from the word to go until the output is there, with warm caches: for a
CPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


class Wall:
    """The timer of one process on a CPU: it takes none itself."""

    def __init__(self, device: torch.device) -> None:
        self.late: tuple[list[Tensor], list[Tensor]] = ([], [])
        self.unhurried = False

    def take(self, call: Callable[[], Any]) -> Any:
        return call()

    def finish(self) -> int:
        return 0
