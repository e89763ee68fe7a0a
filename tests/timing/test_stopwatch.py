"""The stopwatch on a CPU, with a clock that the test moves. For GPUs: test_gpu.py."""

from __future__ import annotations

import pytest
import torch

from harness.timing import stopwatch, wall


class Clock:
    """Stands in for `time`: it moves only when a call takes time."""

    def __init__(self) -> None:
        self.now_ns = 10**9

    def perf_counter_ns(self) -> int:
        return self.now_ns

    def perf_counter(self) -> float:
        return self.now_ns / 1e9


class Call:
    """A call that takes so many microseconds; the first takes longer, as first calls do."""

    def __init__(self, clock: Clock, *takes_us: float) -> None:
        self.clock = clock
        self.takes_us = takes_us
        self.count = 0

    def __call__(self) -> None:
        self.clock.now_ns += int(1000 * self.takes_us[min(self.count, len(self.takes_us) - 1)])
        self.count += 1


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    for module in (stopwatch, wall):
        monkeypatch.setattr(module, "time", clock)
    return clock


CPU = torch.device("cpu")


def test_samples_are_microseconds_in_the_order_taken(clock: Clock) -> None:
    call = Call(clock, 99, 99, 5, 7, 6)
    assert stopwatch.block("wall", call, 3, CPU) == [
        5.0,
        7.0,
        6.0,
    ]  # after two calls that do not count
    assert call.count == 5


@pytest.mark.parametrize("seconds, calls", [(0.0, 3), (0.1, 101), (1.0, 1001)])
def test_warming_up_takes_its_time(seconds: float, calls: int, clock: Clock) -> None:
    call = Call(clock, 500_000, 1000)
    rough_us = stopwatch.warm_up(call, seconds, CPU)
    assert rough_us == pytest.approx(1000)  # the slow first call does not count
    assert call.count == pytest.approx(calls, abs=1)


def test_a_call_slower_than_the_warm_up_is_called_three_times(clock: Clock) -> None:
    call = Call(clock, 2_000_000)
    assert stopwatch.warm_up(call, 0.1, CPU) == pytest.approx(2_000_000)
    assert call.count == 3


def test_an_error_in_a_call_comes_through() -> None:
    with pytest.raises(ZeroDivisionError):
        stopwatch.block("wall", lambda: 1 / 0, 1, CPU)


def test_inputs_are_refreshed_before_every_sample_and_not_on_the_clock(clock: Clock) -> None:
    def refresh() -> None:
        clock.now_ns += 10**9
        fresh.append(clock.now_ns)

    fresh: list[int] = []
    assert stopwatch.block("wall", Call(clock, 4), 3, CPU, refresh) == [4.0] * 3
    assert len(fresh) == 3
