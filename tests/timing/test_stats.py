"""Medians, intervals and means, against cases whose answer is known beforehand."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from harness.records import Speedup, Timing
from harness.timing import stats


def noisy(centres_us, samples=20, sigma_us=0.5, seed=1):
    """One block of Gaussian noise around each centre."""
    rng = np.random.default_rng(seed)
    return [rng.normal(centre, sigma_us, samples).tolist() for centre in centres_us]


def width(interval: Timing | Speedup) -> float:
    if isinstance(interval, Speedup):
        return interval.ci_high - interval.ci_low
    return interval.ci_high_us - interval.ci_low_us


# summarise


def test_median_is_of_all_samples_and_not_of_block_medians():
    timing = stats.summarise([[1.0, 1.0, 1.0], [2.0], [9.0]])
    assert timing.median_us == 1.0
    assert timing.samples == 5
    assert timing.blocks_us == ((1.0, 1.0, 1.0), (2.0,), (9.0,))


def test_median_of_an_even_number_of_samples_is_the_mean_of_the_middle_two():
    assert stats.summarise([[4.0, 1.0], [2.0, 3.0]]).median_us == 2.5


def test_identical_samples_have_no_uncertainty():
    timing = stats.summarise([[7.0] * 20] * 8)
    assert (timing.ci_low_us, timing.median_us, timing.ci_high_us) == (7.0, 7.0, 7.0)


def test_result_holds_python_floats_only():
    timing = stats.summarise(np.ones((2, 3)))
    numbers = [timing.median_us, timing.ci_low_us, timing.ci_high_us, *timing.blocks_us[0]]
    assert {type(number) for number in numbers} == {float}


def test_interval_reflects_the_spread_between_blocks():
    """All samples pooled would shrink the interval by root-n, as if they were independent."""
    steady = stats.summarise(noisy([100.0] * 8))
    wandering = stats.summarise(noisy([92.0, 94.0, 96.0, 98.0, 102.0, 104.0, 106.0, 108.0]))
    assert width(steady) < 0.5
    assert width(wandering) > 5.0


def test_a_single_block_still_gets_an_interval_from_its_samples():
    timing = stats.summarise(noisy([100.0], samples=50))
    assert timing.ci_low_us < timing.median_us < timing.ci_high_us
    assert width(timing) < 1.0


def test_short_blocks_count_for_no_more_than_their_samples():
    """Nothing that pads a short block to a long one may weigh on either side of the median."""
    rng = np.random.default_rng(5)
    timing = stats.summarise([rng.uniform(1.0, 99.0, n).tolist() for n in (2, 40, 2, 40, 2, 40)])
    below, above = timing.median_us - timing.ci_low_us, timing.ci_high_us - timing.median_us
    assert 0.5 < below / above < 2.0
    assert 1.0 < timing.ci_low_us < timing.ci_high_us < 99.0


def test_interval_covers_the_true_median_about_as_often_as_it_says():
    """150 experiments of 10 blocks whose centres wander; 95% nominal, fewer blocks give less."""
    rng = np.random.default_rng(7)
    hits = 0
    for _ in range(150):
        centres = 100.0 + rng.normal(0.0, 1.0, 10)
        timing = stats.summarise(rng.normal(centres[:, None], 1.0, (10, 10)))
        hits += timing.ci_low_us <= 100.0 <= timing.ci_high_us
    assert 0.88 <= hits / 150 <= 0.995


def test_the_seed_decides_the_interval():
    blocks = noisy([100.0, 101.0, 99.0, 102.0])
    assert stats.summarise(blocks, seed=3) == stats.summarise(blocks, seed=3)
    assert stats.summarise(blocks, seed=3) != stats.summarise(blocks, seed=4)


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        ([], "no samples"),
        ([[1.0], []], "block 1 holds no samples"),
        ([[1.0, math.nan]], "block 0 holds a sample of nan us"),
        ([[1.0], [math.inf]], "block 1 holds a sample of inf us"),
        ([[-0.5]], "sample of -0.5 us"),
        ([[0.0]], "sample of 0.0 us"),
    ],
)
def test_senseless_samples_are_refused(blocks, message):
    with pytest.raises(ValueError, match=message):
        stats.summarise(blocks)


# speedup


def test_ratio_is_exactly_that_of_the_medians():
    baseline, kernel = stats.summarise([[3.0, 3.1, 2.9]]), stats.summarise([[1.7, 1.9, 1.8]])
    assert stats.speedup(baseline, kernel).ratio == baseline.median_us / kernel.median_us


def test_drift_common_to_both_cancels():
    """The clock falls by 40% during the run; the kernel is 1.25x faster throughout."""
    drift = np.linspace(1.0, 1.4, 10)
    baseline = stats.summarise(noisy(100.0 * drift, sigma_us=0.1, seed=1))
    kernel = stats.summarise(noisy(80.0 * drift, sigma_us=0.1, seed=2))
    paired = stats.speedup(baseline, kernel)
    assert paired.ci_low < 1.25 < paired.ci_high
    assert width(paired) < 0.01
    assert width(baseline) / baseline.median_us > 0.1  # neither time alone is known that well


def test_two_runs_of_the_same_thing_are_rarely_told_apart():
    rng = np.random.default_rng(11)
    false_alarms = 0
    for _ in range(60):
        centres = 50.0 + rng.normal(0.0, 0.5, 10)
        first, second = (
            stats.summarise(rng.normal(centres[:, None], 0.5, (10, 10))) for _ in range(2)
        )
        same = stats.speedup(first, second)
        false_alarms += not same.ci_low <= 1.0 <= same.ci_high
    assert false_alarms <= 9


def test_unpaired_blocks_are_refused():
    with pytest.raises(ValueError, match="3 baseline blocks with 2"):
        stats.speedup(stats.summarise([[1.0]] * 3), stats.summarise([[1.0]] * 2))


def test_without_blocks_the_two_intervals_add_in_quadrature():
    def timing(median_us, spread):
        return Timing(median_us, median_us / math.exp(spread), median_us * math.exp(spread), ())

    ratio = stats.speedup_of_medians(timing(10.0, 0.03), timing(5.0, 0.04))
    assert ratio.ratio == 2.0
    assert ratio.ci_low == pytest.approx(2.0 / math.exp(0.05))
    assert ratio.ci_high == pytest.approx(2.0 * math.exp(0.05))


def launching(median_us: float, launching_us: float) -> Timing:
    """The same each time; so much of it is launching."""
    return replace(stats.summarise([[median_us] * 20] * 8), launching_us=launching_us)


def test_the_interval_holds_the_ratio_that_other_processes_would_have():
    baseline, kernel = launching(110.0, 110.0), launching(100.0, 50.0)
    found = stats.speedup(baseline, kernel)
    assert found.ratio == pytest.approx(1.1)
    assert found.ci_low == pytest.approx(1.1 * (1 - stats.LAUNCH_SPREAD))
    assert found.ci_high == pytest.approx(1.1 / (1 - stats.LAUNCH_SPREAD / 2))


def test_no_more_of_a_call_is_launching_than_there_is():
    most, more = (stats.speedup(launching(9.0, us), launching(9.0, us)) for us in (9.0, 90.0))
    assert most == more


def test_where_nothing_is_launched_the_interval_is_of_the_samples_alone():
    found = stats.speedup(launching(110.0, 0.0), launching(100.0, 0.0))
    assert found.ci_low == found.ratio == found.ci_high


# means


def test_geometric_mean_lets_a_doubling_cancel_a_halving():
    assert stats.geometric_mean([2.0, 0.5]) == pytest.approx(1.0)
    assert stats.geometric_mean([1.0, 10.0, 100.0]) == pytest.approx(10.0)


def test_geometric_mean_survives_products_that_overflow():
    assert stats.geometric_mean([1e200] * 4) == pytest.approx(1e200)


@pytest.mark.parametrize("values", [[], [1.0, 0.0], [1.0, -2.0], [math.nan], [math.inf]])
def test_geometric_mean_refuses_what_has_no_logarithm(values):
    with pytest.raises(ValueError, match="geometric mean"):
        stats.geometric_mean(values)


def test_mean_speedup_of_one_case_is_that_case():
    one = Speedup(2.0, 1.8, 2.5)
    mean = stats.mean_speedup([one])
    assert (mean.ratio, mean.ci_low, mean.ci_high) == pytest.approx((2.0, 1.8, 2.5))


def test_mean_speedup_narrows_with_the_root_of_the_number_of_cases():
    one = Speedup(2.0, 2.0 / math.e, 2.0 * math.e)
    mean = stats.mean_speedup([one] * 4)
    assert (mean.ratio, mean.ci_low, mean.ci_high) == pytest.approx(
        (2.0, 2.0 / math.exp(0.5), 2.0 * math.exp(0.5))
    )
