"""The timers by name, and which one a kind of device has.

A new timer is one class in a file of its own and one entry here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch

from harness.timing.cold import Cold
from harness.timing.wall import Wall

TIMERS: Mapping[str, Callable[[torch.device], Cold | Wall]] = {"cold": Cold, "wall": Wall}
OF_DEVICE = {"cuda": "cold", "cpu": "wall"}


def of(device: torch.device) -> Cold | Wall:
    """The timer of a device."""
    return TIMERS[OF_DEVICE[device.type]](device)
