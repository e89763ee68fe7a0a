"""Callables -> samples. One protocol per device, the same for kernels and baselines.

`cuda`, cold: before every sample the L2 cache is overwritten and refilled with clean lines,
and the stream is held busy for longer than the host needs to queue the call, so that a pair
of events brackets device work alone (after nvbench's cold measurement; a call that
synchronises inside shows the gap it causes). `cpu`: wall clock around each call, warm caches.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

from harness.timing.call import Call

_SPIN_CYCLES_PER_US = 2_000
"""GPU clocks are below 2 GHz, so this many cycles last at least a microsecond."""


class Stopwatch:
    """Times calls on one device. Make one per process: on CUDA it owns the flush buffers."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        if device.type == "cuda":
            l2_bytes = torch.cuda.get_device_properties(device).L2_cache_size
            self._dirty = torch.empty(2 * l2_bytes // 4, dtype=torch.int32, device=device)
            self._clean = torch.zeros(2 * l2_bytes // 4, dtype=torch.int32, device=device)
            self._sink = torch.empty((), dtype=torch.int64, device=device)

    def warm_up(self, call: Call, seconds: float) -> float:
        """Call for `seconds`, at least three times; return a rough time per call in microseconds.

        Long enough a warm-up brings an idle GPU to its working clock.
        """
        call()
        self._synchronize()
        start = time.perf_counter()
        calls = 0
        while calls < 2 or time.perf_counter() - start < seconds:
            call()
            calls += 1
            self._synchronize()
        return (time.perf_counter() - start) / calls * 1e6

    def block(
        self, call: Call, samples: int, refresh: Callable[[], None] = lambda: None
    ) -> list[float]:
        """Take `samples` samples in a row, after two calls that are not recorded.

        `refresh` runs before every sample, outside of what is timed.
        Returns microseconds in the order taken.
        """
        for _ in range(2):
            call()
        self._synchronize()
        if self.device.type == "cuda":
            return self._block_cold_cuda(call, samples, refresh)
        return self._block_wall(call, samples, refresh)

    def _block_wall(self, call: Call, samples: int, refresh: Callable[[], None]) -> list[float]:
        times_us = []
        for _ in range(samples):
            refresh()
            start = time.perf_counter_ns()
            call()
            times_us.append((time.perf_counter_ns() - start) / 1e3)
        return times_us

    def _block_cold_cuda(
        self, call: Call, samples: int, refresh: Callable[[], None]
    ) -> list[float]:
        start = time.perf_counter()
        call()
        host_us = (time.perf_counter() - start) * 1e6
        self._synchronize()
        # Bounded: a call that synchronises takes its device time on the host as well, and
        # holding the stream for longer would hide nothing.
        spin_cycles = int(min(2 * host_us, 2_000) * _SPIN_CYCLES_PER_US)
        events = [
            tuple(torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
            for _ in range(samples)
        ]
        for before, after in events:
            refresh()
            self._dirty.zero_()
            torch.sum(self._clean, dim=0, out=self._sink)
            torch.cuda._sleep(spin_cycles)  # type: ignore[no-untyped-call]
            before.record()
            call()
            after.record()
        self._synchronize()
        return [before.elapsed_time(after) * 1e3 for before, after in events]

    def _synchronize(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
