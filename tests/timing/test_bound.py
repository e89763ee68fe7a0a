"""Is a time to be believed?"""

from __future__ import annotations

import pytest

from harness.records import Bound
from harness.timing.bound import TURNS_US, calls_for, doubt, per_call_us


@pytest.mark.parametrize(
    "latency_us, calls",
    [(0.001, 256), (47.0, 256), (94.0, 128), (130.0, 128), (11_999.0, 2), (12_000.0, 1), (1e9, 1)],
)
def test_a_batch_takes_12_ms_or_has_256_calls(latency_us: float, calls: int) -> None:
    assert calls_for(latency_us) == calls


def test_what_the_harness_does_itself_is_taken_off() -> None:
    left_us = per_call_us(TURNS_US + 1_000.0, calls=4, copies_us=100.0, handover_us=90.0)
    assert left_us == pytest.approx(200)
    assert per_call_us(TURNS_US + 1_000.0, calls=4, copies_us=900.0, handover_us=90.0) is None


@pytest.mark.parametrize(
    "latency_us, kind, us, doubted",
    [
        (86.0, "held", 100.0, False),
        (84.0, "held", 100.0, True),
        (84.0, "loose", 100.0, False),
        (84.0, "held", None, False),
        (84.0, "clock", None, False),
    ],
)
def test_only_a_held_bound_doubts(
    latency_us: float, kind: str, us: float | None, doubted: bool
) -> None:
    assert bool(doubt(latency_us, Bound(kind, us, 9), None, None)) == doubted


def test_a_floor_doubts_whatever_the_bound() -> None:
    loose = Bound("loose")
    assert "does nothing takes 2 µs" in doubt(1.6, loose, 2.0, 1.0)
    assert "takes 9 µs at full bandwidth" in doubt(7.0, loose, 2.0, 9.0)
    assert doubt(8.0, loose, 2.0, 9.0) == ""
