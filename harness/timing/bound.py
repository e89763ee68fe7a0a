"""Is a time to be believed? The judge's own clock over a batch of calls bounds it. Numbers in, a
sentence out: no torch.

The batch runs with warm caches and its copies are taken off with a margin, so an honest median is
above the bound but for noise.
"""

from __future__ import annotations

import math

from harness.records import HELD, Bound

AIM_US = 12_000.0
"""How long a batch is to take: what two processes need to take turns on a GPU is little of it."""
MOST_CALLS, FEWEST_CALLS = 256, 32
"""Powers of 2. A stream that is held takes about a thousand launches, and so do calls of up to
four; calls that cannot all be queued are made fewer, down to the fewest."""
TURNS_US = 700.0
"""By how much those turns may take longer than in a batch that does nothing. On an H200 it was
less than 0.1 ms for calls on one stream, and 1 to 2 ms where each took turns between two: there
only a batch in some is as short."""
COPIES_MARGIN = 1.1
BELIEVED = 0.85
"""The part of the bound, and of a floor, that a time may come to."""


def calls_for(latency_us: float) -> int:
    """How many calls a batch is to have, of so many microseconds each: a power of 2, so that a
    run has few different batches."""
    wanted = max(1, min(math.ceil(AIM_US / latency_us), MOST_CALLS))
    return 1 << (wanted - 1).bit_length()


def per_call_us(wall_us: float, calls: int, copies_us: float, handover_us: float) -> float | None:
    """What one call of a batch takes by the judge's clock; None if nothing is left to say so.

    copies_us: what the judge measured of the batch's copies alone; handover_us: what a batch takes
    of as many calls that do nothing.
    """
    left_us = wall_us - handover_us - TURNS_US - COPIES_MARGIN * copies_us
    return left_us / calls if left_us > 0 else None


def doubt(
    latency_us: float, bound: Bound, call_floor_us: float | None, bytes_floor_us: float | None
) -> str:
    """Why a median is not to be believed; "" if it is.

    call_floor_us: what a call takes that does nothing, by the same timer; bytes_floor_us: what
    writing the output's bytes takes at the memory's bandwidth.
    """
    claim = f"the kernel's process tells of {latency_us:.3g} µs a call, "
    if bound.kind == HELD and bound.us is not None and latency_us < BELIEVED * bound.us:
        return f"{claim}and by the judge's clock {bound.calls} calls took {bound.us:.3g} µs each"
    if bytes_floor_us is not None and latency_us < BELIEVED * bytes_floor_us:
        return f"{claim}and to write the output takes {bytes_floor_us:.3g} µs at full bandwidth"
    if call_floor_us is not None and latency_us < BELIEVED * call_floor_us:
        return f"{claim}and a call that does nothing takes {call_floor_us:.3g} µs"
    return ""
