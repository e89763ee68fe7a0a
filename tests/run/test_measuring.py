"""Subjects in alternation, and what is measured once more."""

from __future__ import annotations

import pytest
from pretended import PLAN, Go, Stage, kernel

from harness.records import Status

P = Status.PASSED


def test_baselines_and_kernel_alternate(go: Go, stage: Stage) -> None:
    (row,) = go(kernels=[kernel("a")], cases=PLAN.cases[:1]).rows
    blocks = [asked for asked in stage.asked if " block" in asked]
    there = ["judge block eager", "judge block compile", "a block"]
    assert blocks == there + there[::-1]
    assert row.timing.blocks_us == (tuple(100.0 + i for i in range(8)),) * 2
    assert {t.timer for t in (row.timing, *row.baselines.values())} == {"wall"}
    assert set(row.baselines) == set(row.speedups) == {"eager", "compile"}


@pytest.mark.parametrize(
    "kernel_us, eager_us, samples",
    [(2500, 100, 4), (100, 2500, 4), (1, 1, 8), (10**9, 1, 2)],
)
def test_the_slowest_subject_decides_how_many_samples_fit(
    kernel_us: float, eager_us: float, samples: int, go: Go, stage: Stage
) -> None:
    stage.answers |= {"a warm_up": [kernel_us], "judge start_baseline": [eager_us]}
    go(kernels=[kernel("a")], cases=PLAN.cases[:1])
    assert {given["samples"] for asked, given in stage.arguments if " block" in asked} == {samples}


SHAKY = [10.0, 100.0] * 4


@pytest.mark.parametrize("who", ["a block", "judge block eager"])
def test_an_uncertain_time_is_measured_once_more(who: str, go: Go, stage: Stage) -> None:
    stage.answers[who] = [SHAKY, SHAKY, []]
    (row,) = go(kernels=[kernel("a")], cases=PLAN.cases[:1]).rows
    assert not row.uncertain
    assert stage.asked.count("a block") == 4  # two blocks each time


def test_a_time_that_stays_uncertain_is_kept_and_marked(go: Go, stage: Stage) -> None:
    stage.answers["a block"] = [SHAKY]
    (row,) = go(kernels=[kernel("a")], cases=PLAN.cases[:1]).rows
    assert row.uncertain == ("kernel",)
    assert stage.asked.count("a block") == 4


def test_a_baseline_that_takes_another_time_beside_another_kernel_is_uncertain(
    go: Go, stage: Stage
) -> None:
    slow = [900.0 + i for i in range(8)]
    # Two blocks beside the first kernel, and twice two beside the second.
    stage.answers["judge block eager"] = [[], [], slow]
    first, second = go(cases=PLAN.cases[:1]).rows
    assert (first.uncertain, second.uncertain) == ((), ("eager",))
    assert stage.asked.count("b block") == 4


def test_a_baseline_that_was_disturbed_once_is_measured_again(go: Go, stage: Stage) -> None:
    slow = [900.0 + i for i in range(8)]
    stage.answers["judge block eager"] = [[], [], slow, slow, []]
    first, second = go(cases=PLAN.cases[:1]).rows
    assert (first.uncertain, second.uncertain) == ((), ())
    assert second.baselines["eager"].median_us == first.baselines["eager"].median_us
