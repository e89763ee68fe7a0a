"""Device events around each call, with a cold L2 cache and launch overhead hidden: for a GPU.

Before every sample the L2 cache is overwritten and refilled with clean lines, and the stream is
held busy for longer than the host needs to queue the call, so that a pair of events brackets
device work alone (after nvbench's cold measurement; a call that synchronises inside shows the gap
it causes).
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable

import torch
from torch import Tensor

from harness.timing.call import Call

_SPIN_CYCLES_PER_US = 2_000
"""GPU clocks are below 2 GHz, so this many cycles last at least a microsecond."""
_LONGEST_SPIN_US = 2_000
"""A call that synchronises takes its device time on the host as well, and holding the stream for
longer would hide nothing."""


def take(
    call: Call, samples: int, refresh: Callable[[], None], device: torch.device
) -> list[float]:
    """Microseconds of device time, in the order taken."""
    dirty, clean, sink = _flush_buffers(device)
    spin_cycles = int(min(2 * _host_us(call, device), _LONGEST_SPIN_US) * _SPIN_CYCLES_PER_US)
    events = [
        tuple(torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
        for _ in range(samples)
    ]
    for before, after in events:
        refresh()
        dirty.zero_()
        torch.sum(clean, dim=0, out=sink)
        torch.cuda._sleep(spin_cycles)  # type: ignore[no-untyped-call]
        before.record()
        call()
        after.record()
    torch.cuda.synchronize(device)
    return [before.elapsed_time(after) * 1e3 for before, after in events]


def _host_us(call: Call, device: torch.device) -> float:
    """How long the host takes to queue a call."""
    start = time.perf_counter()
    call()
    host_us = (time.perf_counter() - start) * 1e6
    torch.cuda.synchronize(device)
    return host_us


@functools.cache
def _flush_buffers(device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Twice the L2 cache to overwrite, as much to read, and where the reading goes."""
    count = 2 * torch.cuda.get_device_properties(device).L2_cache_size // 4
    return (
        torch.empty(count, dtype=torch.int32, device=device),
        torch.zeros(count, dtype=torch.int32, device=device),
        torch.empty((), dtype=torch.int64, device=device),
    )
