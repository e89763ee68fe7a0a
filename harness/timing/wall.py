"""The wall clock around each call, with warm caches: for a CPU."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

from harness.timing.call import Call


def take(
    call: Call, samples: int, refresh: Callable[[], None], device: torch.device
) -> list[float]:
    """Microseconds by the wall clock, in the order taken."""
    times_us = []
    for _ in range(samples):
        refresh()
        start_ns = time.perf_counter_ns()
        call()
        times_us.append((time.perf_counter_ns() - start_ns) / 1e3)
    return times_us
