"""Callables -> samples: one protocol for kernels and baselines, by the timer that is asked for.

A new timer is one function in a file of its own and one entry here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import torch

from harness.device import synchronize
from harness.timing import cold, wall
from harness.timing.call import Call, Timer

TIMERS: Mapping[str, Timer] = {"cold": cold.take, "wall": wall.take}


def warm_up(call: Call, seconds: float, device: torch.device) -> float:
    """Call for `seconds`, at least three times; return a rough time per call in microseconds.

    Long enough a warm-up brings an idle GPU to its working clock.
    """
    call()
    synchronize(device)
    start = time.perf_counter()
    calls = 0
    while calls < 2 or time.perf_counter() - start < seconds:
        call()
        calls += 1
        synchronize(device)
    return (time.perf_counter() - start) / calls * 1e6


def block(
    timer: str,
    call: Call,
    samples: int,
    device: torch.device,
    refresh: Callable[[], None] = lambda: None,
) -> list[float]:
    """Take `samples` samples in a row, after two calls that are not recorded.

    timer: a name in TIMERS. `refresh` runs before every sample, outside of what is timed.
    Returns microseconds in the order taken.
    """
    for _ in range(2):
        call()
    synchronize(device)
    return TIMERS[timer](call, samples, refresh, device)
