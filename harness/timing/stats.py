"""Samples to medians, intervals and comparisons. Numbers in, numbers out: no torch.

Samples of one block are taken within milliseconds of each other and share that
moment's clocks, so they are not independent: every interval here resamples whole
blocks first (a two-stage bootstrap; Davison and Hinkley, Bootstrap Methods and
their Application, 1997, section 3.8), and the same seed always gives the same
interval. Few blocks say little of how far blocks wander: where they do so as much as
samples, 8 blocks of 20 cover the true median 93% of the time, 4 blocks only 84%.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from harness.records import Speedup, Timing

RESAMPLES = 1000
PERCENTILES = (2.5, 97.5)
"""The ends of a 95% interval."""

LAUNCH_SPREAD = 0.12
"""The part of a launch's latency on a GPU by which processes that do the same differ, each for as
long as it lives, so that no number of samples evens it out. On H100s the medians of calls that were
50 small launches each were 0.889 to 1.124 times those of another process, in 180 pairs."""

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]


def summarise(blocks_us: Sequence[Sequence[float]], timer: str = "", seed: int = 0) -> Timing:
    """The median of all samples, in microseconds, with its 95% interval.

    blocks_us: one sequence of samples per block, in the order taken; lengths may
    differ. timer: the protocol that took them. With a single block the interval can
    only reflect noise inside it.
    Raises ValueError for no blocks, an empty block, or a sample that is not a
    positive finite number: no call takes zero time, so such a timer has failed.
    """
    blocks = _checked(blocks_us)
    rng = np.random.default_rng(seed)
    median = float(np.median(np.concatenate(blocks)))
    low, high = _interval(_resampled_medians(blocks, _block_picks(len(blocks), rng), rng), median)
    return Timing(median, low, high, tuple(tuple(block.tolist()) for block in blocks), timer)


def speedup(baseline: Timing, kernel: Timing, seed: int = 0) -> Speedup:
    """How many times faster the kernel is, with the 95% interval of that ratio.

    The ratio is that of the two medians. Block i of both was taken side by side,
    so each resample draws the same blocks for both: a clock that drifts from block
    to block moves numerator and denominator together and leaves the ratio alone.
    What launches take longer in one process than in another is none of the kernel's
    doing, so the interval holds the ratio without it, too (LAUNCH_SPREAD).
    Raises ValueError if the two have different numbers of blocks.
    """
    ours, theirs = _checked(kernel.blocks_us), _checked(baseline.blocks_us)
    if len(ours) != len(theirs):
        raise ValueError(f"cannot pair {len(theirs)} baseline blocks with {len(ours)} of a kernel")
    rng = np.random.default_rng(seed)
    picks = _block_picks(len(ours), rng)
    ratios = _resampled_medians(theirs, picks, rng) / _resampled_medians(ours, picks, rng)
    ratio = baseline.median_us / kernel.median_us
    low, high = _interval(ratios, ratio)
    return Speedup(ratio, low * (1 - _too_long(baseline)), high / (1 - _too_long(kernel)))


def _too_long(timing: Timing) -> float:
    """The part of a median that there may be only because of the process that it was taken in."""
    return LAUNCH_SPREAD * min(1.0, timing.launching_us / timing.median_us)


def speedup_of_medians(baseline: Timing, kernel: Timing) -> Speedup:
    """As `speedup`, from the medians and their intervals alone: no blocks are looked at.

    Wider than `speedup`, since drift that both shared counts as noise of each. The
    two logs' intervals add in quadrature (MOVER, see `mean_speedup`).
    """
    ratio = baseline.median_us / kernel.median_us
    below = _quadrature(
        baseline.median_us / baseline.ci_low_us, kernel.ci_high_us / kernel.median_us
    )
    above = _quadrature(
        baseline.ci_high_us / baseline.median_us, kernel.median_us / kernel.ci_low_us
    )
    return Speedup(ratio, ratio / math.exp(below), ratio * math.exp(above))


def geometric_mean(values: Iterable[float]) -> float:
    """The exponential of the mean logarithm: the mean under which 2x and 0.5x cancel.

    Raises ValueError for no values, or for one that is not positive and finite.
    """
    array = np.array(list(values), dtype=np.float64)
    if array.size == 0:
        raise ValueError("the geometric mean of no values is undefined")
    if not np.all(np.isfinite(array) & (array > 0)):
        raise ValueError("a geometric mean needs positive finite values")
    return float(np.exp(np.log(array).mean()))


def mean_speedup(speedups: Sequence[Speedup]) -> Speedup:
    """The geometric mean over cases, with the interval that their own intervals imply.

    The interval says how well the mean over *these* cases was measured; it says
    nothing of cases that were not run. Cases are independent measurements, so the
    distances from ratio to interval end, in logs, add in quadrature, each side
    apart: the MOVER of Zou and Donner, Statistics in Medicine 27 (2008), 1693-1702.
    Raises ValueError as `geometric_mean` does.
    """
    mean = geometric_mean(s.ratio for s in speedups)
    below = _quadrature(*(s.ratio / s.ci_low for s in speedups)) / len(speedups)
    above = _quadrature(*(s.ci_high / s.ratio for s in speedups)) / len(speedups)
    return Speedup(mean, mean / math.exp(below), mean * math.exp(above))


def _quadrature(*factors: float) -> float:
    """The root of the summed squares of the factors' logarithms."""
    return math.hypot(*(math.log(factor) for factor in factors))


def _checked(blocks_us: Sequence[Sequence[float]]) -> list[Floats]:
    """The blocks as arrays, each non-empty, every sample positive and finite."""
    if len(blocks_us) == 0:
        raise ValueError("there are no samples to summarise")
    blocks = [np.asarray(block, dtype=np.float64) for block in blocks_us]
    for index, block in enumerate(blocks):
        if block.size == 0:
            raise ValueError(f"block {index} holds no samples")
        bad = block[~(np.isfinite(block) & (block > 0))]
        if bad.size:
            raise ValueError(f"block {index} holds a sample of {bad[0]} us; the timer has failed")
    return blocks


def _block_picks(blocks: int, rng: np.random.Generator) -> Indices:
    """Which blocks make up each resample, with replacement: (RESAMPLES, blocks)."""
    return rng.integers(blocks, size=(RESAMPLES, blocks))


def _resampled_medians(
    blocks: Sequence[Floats], picks: Indices, rng: np.random.Generator
) -> Floats:
    """The median of each resample: (RESAMPLES,). Samples are redrawn within each block."""
    lengths = np.array([block.size for block in blocks])
    width = int(lengths.max())
    padded = np.full((len(blocks), width), np.inf)
    for row, block in zip(padded, blocks, strict=True):
        row[: block.size] = block

    drawn_lengths = lengths[picks][..., np.newaxis]
    within = (rng.random((*picks.shape, width)) * drawn_lengths).astype(np.intp)
    values = padded[picks[..., np.newaxis], within]
    # A block shorter than the widest fills only its own length; the rest sorts to the end.
    values = np.where(np.arange(width) < drawn_lengths, values, np.inf)

    ordered = np.sort(values.reshape(len(picks), -1), axis=1)
    counts = drawn_lengths.sum(axis=(1, 2))
    rows = np.arange(len(picks))
    middle: Floats = (ordered[rows, (counts - 1) // 2] + ordered[rows, counts // 2]) / 2
    return middle


def _interval(resampled: Floats, estimate: float) -> tuple[float, float]:
    """Percentile interval, widened if need be to hold the estimate that it belongs to."""
    low, high = np.percentile(resampled, PERCENTILES)
    return min(float(low), estimate), max(float(high), estimate)
