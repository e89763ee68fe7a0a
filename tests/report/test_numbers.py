"""Times and ratios as people read them."""

from __future__ import annotations

import pytest

from harness.report.numbers import format_ratio, format_us


@pytest.mark.parametrize(
    "us, text",
    [
        (0.51, "0.5 µs"),
        (27.64, "27.6 µs"),
        (999.9, "999.9 µs"),
        (1_234, "1.23 ms"),
        (99_900, "99.9 ms"),
        (123_456, "123 ms"),
        (1_234_567, "1.23 s"),
    ],
)
def test_times_read_well(us: float, text: str) -> None:
    assert format_us(us) == text


@pytest.mark.parametrize(
    "ratio, text",
    [
        (2229.93, "2230×"),
        (123.4, "123×"),
        (99.96, "100×"),
        (12.34, "12.3×"),
        (2.0, "2.00×"),
        (0.934, "0.93×"),
        (0.1, "0.10×"),
        (0.0996, "0.10×"),
        (0.0512, "0.051×"),
        (0.0002, "0.0002×"),
        (0.000_016, "0.000016×"),
        (3e-9, "0.000000003×"),
    ],
)
def test_no_ratio_is_rounded_to_nothing(ratio: float, text: str) -> None:
    assert format_ratio(ratio) == text
