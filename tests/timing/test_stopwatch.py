"""Which timer a device has, and the one of a CPU. For GPUs: test_gpu.py."""

from __future__ import annotations

import pytest
import torch

from harness.timing import stopwatch
from harness.timing.wall import Wall

CPU = torch.device("cpu")


def test_every_kind_of_device_has_a_timer() -> None:
    assert set(stopwatch.OF_DEVICE) == {"cpu", "cuda"}
    assert set(stopwatch.OF_DEVICE.values()) <= set(stopwatch.TIMERS)
    assert isinstance(stopwatch.of(CPU), Wall)


def test_a_call_comes_through_with_what_it_returns() -> None:
    timer, calls = stopwatch.of(CPU), []
    for unhurried in (True, False):
        timer.unhurried = unhurried
        assert timer.take(lambda: calls.append(len(calls)) or len(calls)) == len(calls)
    assert calls == [0, 1]


def test_on_a_cpu_the_worker_takes_no_time_of_its_own() -> None:
    timer = stopwatch.of(CPU)
    timer.take(lambda: None)
    assert timer.finish() == 0


def test_an_error_in_a_call_comes_through() -> None:
    with pytest.raises(ZeroDivisionError):
        stopwatch.of(CPU).take(lambda: 1 / 0)
