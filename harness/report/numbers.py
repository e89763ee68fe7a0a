"""Times, ratios and marks as people read them."""

from __future__ import annotations

import math

MARK = "†"
FOOTNOTE = f"{MARK} right on the problem's contract, wrong under stress"


def format_us(us: float) -> str:
    """A time with three or four digits and its unit."""
    if us < 1_000:
        return f"{us:.1f} µs"
    if us < 1_000_000:
        return f"{us / 1e3:.{2 if us < 10_000 else 1 if us < 100_000 else 0}f} ms"
    return f"{us / 1e6:.2f} s"


def format_ratio(ratio: float) -> str:
    """A speed-up, never rounded to nothing: 2.00×, 12.3×, 2230×, 0.93×, 0.0002×."""
    if ratio >= 10:
        return f"{ratio:.{1 if ratio < 99.95 else 0}f}×"
    if ratio >= 0.0995:
        return f"{ratio:.2f}×"
    text = f"{ratio:.{1 - math.floor(math.log10(ratio))}f}"
    return f"{text.rstrip('0')}×"
