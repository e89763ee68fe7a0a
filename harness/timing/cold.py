"""Device events around each call, with a cold L2 cache and launch overhead hidden: for a GPU.

Before every call the L2 cache is overwritten and refilled with clean lines, and the stream is held
busy for longer than the host needs to queue the call, so that a pair of events brackets device work
alone (after nvbench's cold measurement; a call that synchronises inside shows the gap it causes).
Last of all, some pieces of the inputs arrive: what another stream has read before is out of date.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

_SPIN_CYCLES_PER_US = 2_000
"""GPU clocks are below 2 GHz, so this many cycles last at least a microsecond."""
_LONGEST_SPIN_US = 2_000
"""A call that synchronises takes its device time on the host as well, and holding the stream for
longer would hide nothing."""
_ROWS, _TIMES = (10, 60), 12
"""Of so many launches, and how often each, to see what a launch takes."""
_LATE_US = 20
"""What the host needs to queue the pieces that come late, and the events."""


class Cold:
    """The timer of one process on one GPU."""

    def __init__(self, device: torch.device) -> None:
        self.late: tuple[list[Tensor], list[Tensor]] = ([], [])
        self.unhurried = False
        self._host_us = 0.0
        count = 2 * torch.cuda.get_device_properties(device).L2_cache_size // 8
        # Twice the L2 cache to overwrite, as much to read, and where the reading goes.
        self._dirty = torch.empty(count, dtype=torch.int64, device=device)
        self._clean = torch.zeros(count, dtype=torch.int64, device=device)
        self._sink = torch.empty((), dtype=torch.int64, device=device)
        self._before, self._after, self._end = (
            torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
            for _ in range(3)
        )

    def take(self, call: Callable[[], Any]) -> Any:
        self._dirty.zero_()
        torch.sum(self._clean, dim=0, out=self._sink)
        if not self.unhurried:
            spin_us = min(2 * self._host_us + _LATE_US, _LONGEST_SPIN_US)
            torch.cuda._sleep(int(spin_us * _SPIN_CYCLES_PER_US))  # type: ignore[no-untyped-call]
        if self.late[0]:
            torch._foreach_copy_(*self.late)
        start = time.perf_counter()
        self._before.record()
        value = call()
        self._after.record()
        host_us = (time.perf_counter() - start) * 1e6
        # The first calls after a pause are slow. One that waits for the stream is never faster
        # than that was held, so this does not make it hold for shorter.
        self._host_us = host_us if self.unhurried else min(self._host_us, host_us)
        return value

    def finish(self) -> int:
        # Not the device: what another stream still does is no part of the call.
        self._end.record()
        self._end.synchronize()
        took_ms: float = self._before.elapsed_time(self._after)
        return max(1, round(took_ms * 1e6))

    def launch(self) -> tuple[float, float, float]:
        """What one launch more takes in a row of small ones, in microseconds: the device, and the
        host; and what the last calls took the host.
        """
        calls_us = self._host_us
        x = torch.zeros(256, device=self._dirty.device)

        def row(launches: int) -> None:
            y = x
            for _ in range(launches):
                y = torch.add(y, 1.0)

        took_us: list[float] = []
        for launches in _ROWS:
            times_us = []
            for at in range(_TIMES):
                self.unhurried = at < 2
                self.take(functools.partial(row, launches))
                times_us.append(self.finish() / 1e3)
            took_us.append(min(times_us[2:]))  # a host that is disturbed only adds to it
        more = _ROWS[1] - _ROWS[0]
        host_us, self._host_us = self._host_us / _ROWS[1], calls_us
        return (took_us[1] - took_us[0]) / more, host_us, calls_us
