"""Subjects in alternation, and what is measured once more."""

from __future__ import annotations

from typing import Any

import pytest
from pretended import ANSWERS, GPU, PLAN, WRONG, Go, Stage, Worker, fails, kernel

from harness.records import Bound, Status

P = Status.PASSED


def test_baselines_and_kernel_alternate(go: Go, stage: Stage) -> None:
    (row,) = go(kernels=[kernel("a")], cases=PLAN.cases[:1]).rows
    blocks = [asked for asked in stage.asked if " block" in asked]
    there = [f"judge block {name}" for name in ("eager", "compile", "a")]
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
    stage.answers |= {"judge warm_up a": [kernel_us], "judge warm_up": [eager_us]}
    go(kernels=[kernel("a")], cases=PLAN.cases[:1])
    assert {given["samples"] for asked, given in stage.arguments if " block" in asked} == {samples}


SHAKY = [10.0, 100.0] * 4


@pytest.mark.parametrize("who", ["judge block a", "judge block eager"])
def test_an_uncertain_time_is_measured_once_more(who: str, go: Go, stage: Stage) -> None:
    stage.answers[who] = [SHAKY, SHAKY, []]
    (row,) = go(kernels=[kernel("a")], cases=PLAN.cases[:1]).rows
    assert not row.uncertain
    assert stage.asked.count("judge block a") == 4  # two blocks each time


def test_a_time_that_stays_uncertain_is_kept_and_marked(go: Go, stage: Stage) -> None:
    stage.answers["judge block a"] = [SHAKY]
    (row,) = go(kernels=[kernel("a")], cases=PLAN.cases[:1]).rows
    assert row.uncertain == ("kernel",)
    assert stage.asked.count("judge block a") == 4


def test_a_baseline_that_takes_another_time_beside_another_kernel_is_uncertain(
    go: Go, stage: Stage
) -> None:
    slow = [900.0 + i for i in range(8)]
    # Two blocks beside the first kernel, and twice two beside the second.
    stage.answers["judge block eager"] = [[], [], slow]
    first, second = go(cases=PLAN.cases[:1]).rows
    assert (first.uncertain, second.uncertain) == ((), ("eager",))
    assert stage.asked.count("judge block b") == 4


def test_a_baseline_that_was_disturbed_once_is_measured_again(go: Go, stage: Stage) -> None:
    slow = [900.0 + i for i in range(8)]
    stage.answers["judge block eager"] = [[], [], slow, slow, []]
    first, second = go(cases=PLAN.cases[:1]).rows
    assert (first.uncertain, second.uncertain) == ((), ())
    assert second.baselines["eager"].median_us == first.baselines["eager"].median_us


# baselines


DIES = fails(Status.CRASHED, alive=False)
FAILED = Worker.fails("RUNTIME_ERROR")


@pytest.mark.parametrize(
    "request_, failed",
    [
        ("compile load_baseline", fails(Status.LOAD_FAILED)),
        ("compile load_baseline", fails(Status.TIMED_OUT, alive=False)),
        *((f"judge {what} compile", FAILED) for what in ("construct", "warm_up", "block")),
        *((f"judge {what} compile", Worker.GONE) for what in ("construct", "warm_up", "block")),
        *((f"judge {what} compile", Worker.LATE) for what in ("construct", "warm_up", "block")),
        *((f"judge {what} compile", DIES) for what in ("construct", "warm_up", "block")),
        ("judge warm_up compile", Worker.fails("OUT_OF_MEMORY")),
    ],
)
def test_a_baseline_that_fails_costs_no_kernel_its_row(
    request_: str, failed: Any, go: Go, stage: Stage
) -> None:
    stage.answers[request_] = [failed, ANSWERS[request_.split()[1]]]
    if failed == Worker.fails("OUT_OF_MEMORY"):  # it is tried three times
        stage.answers[request_][:0] = [failed, failed]
    notes = go()
    assert notes.statuses == [P] * 4
    # It is left out of that case only.
    timed = [{"eager"}, {"eager"}, {"eager", "compile"}, {"eager", "compile"}]
    assert [set(row.baselines) for row in notes.rows] == timed
    (said,) = notes.said
    assert "baseline compile has no time on rows=1 float32 cpu: " in said
    assert stage.started("judge") == (2 if failed is DIES else 1)
    assert stage.started("a") == stage.started("eager") == 1


def test_a_run_may_be_left_without_any_baseline(go: Go, stage: Stage) -> None:
    stage.answers |= {f"judge warm_up {name}": [FAILED] for name in PLAN.baselines}
    notes = go()
    assert notes.statuses == [P] * 4
    assert all(row.timing and not row.baselines and not row.speedups for row in notes.rows)
    assert len(notes.said) == 4  # once for each on each case


def test_baselines_are_warmed_up_once_for_all_kernels_of_a_case(go: Go, stage: Stage) -> None:
    go(cases=PLAN.cases[:1])
    assert stage.asked.count("judge warm_up eager") == 1
    assert stage.asked.count("judge warm_up a") == stage.asked.count("judge warm_up b") == 1


# the judge's clock over a batch


def on_a_gpu(go: Go, **changes: Any) -> Any:
    (row,) = go(kernels=[kernel("a")], cases=PLAN.cases[:1], machine=GPU, **changes).rows
    return row


def batches(stage: Stage) -> list[int]:
    """How many calls each was to have."""
    return [given["calls"] for asked, given in stage.arguments if asked == "judge bound a"]


def test_on_a_cpu_the_judges_clock_is_the_only_one(go: Go, stage: Stage) -> None:
    (row, *_) = go().rows
    assert row.bound == Bound("clock")
    assert "judge bound a" not in stage.asked


def test_a_time_above_the_bound_is_believed(go: Go, stage: Stage) -> None:
    row = on_a_gpu(go)
    assert row.verdict.status is P and row.timing.median_us > 100
    assert row.bound == Bound("held", pytest.approx(90.0), 128)
    assert batches(stage) == [128]  # as many calls as take 12 ms


def test_a_time_below_the_bound_is_suspect_and_no_speedup(go: Go, stage: Stage) -> None:
    stage.answers["judge block a"] = [[10.0, 11.0]]
    row = on_a_gpu(go)
    assert row.verdict.status is Status.SUSPECT
    assert "10.5 µs a call, and by the judge's clock 256 calls took 90 µs" in row.verdict.reason
    assert row.timing is None and row.speedups == {}
    assert set(row.baselines) == {"eager", "compile"}
    assert row.bound.us == pytest.approx(90)
    assert batches(stage) == [256] * 6


def test_the_shortest_of_some_batches_counts(go: Go, stage: Stage) -> None:
    disturbed = {"wall_us": 40_000.0}
    stage.answers["judge bound a"] = [disturbed, disturbed, {}]
    row = on_a_gpu(go)
    assert row.verdict.status is P and row.bound.us == pytest.approx(90)
    assert batches(stage) == [128] * 3


def test_calls_that_cannot_all_be_queued_are_fewer(go: Go, stage: Stage) -> None:
    stage.answers["judge bound a"] = [{"held": False}, {}]
    assert on_a_gpu(go).bound == Bound("held", pytest.approx(90), 64)
    assert batches(stage) == [128, 64]


def test_a_loose_bound_is_told_and_doubts_nothing(go: Go, stage: Stage) -> None:
    stage.answers["judge bound a"] = [{"held": False, "wall_us": 900_000.0}]
    row = on_a_gpu(go)
    assert row.verdict.status is P and row.bound.kind == "loose" and row.bound.us > 1_000
    assert batches(stage) == [128, 64, 32]  # fewer each time, and none again


@pytest.mark.parametrize(
    "answer, says",
    [
        ({"floor_us": 200.0}, "to write the output takes 200 µs"),
        ({"calls": None}, ""),
        ({"copies_us": 1e6}, ""),
        ({"floor_us": None}, ""),
    ],
)
def test_what_bounds_a_time_besides(answer: Any, says: str, go: Go, stage: Stage) -> None:
    stage.answers["judge bound a"] = [answer]
    row = on_a_gpu(go)
    assert row.verdict.status is (Status.SUSPECT if says else P)
    assert says in row.verdict.reason
    assert (row.bound.us is None) == ("floor_us" not in answer)


def test_less_than_a_call_that_does_nothing_is_suspect(go: Go, stage: Stage) -> None:
    stage.answers |= {"judge block a": [[1.0]], "judge bound a": [{"held": False}]}
    assert "a call that does nothing takes 5 µs" in on_a_gpu(go).verdict.reason


def test_a_wrong_call_in_a_batch_is_a_wrong_kernel(go: Go, stage: Stage) -> None:
    stage.answers["judge bound a"] = [{"comparison": WRONG}]
    row = on_a_gpu(go)
    assert row.verdict.status is Status.WRONG_VALUES and row.timing is None
    assert "wrong while it was timed: off" in row.verdict.reason


@pytest.mark.parametrize("answer, status", [(FAILED, "RUNTIME_ERROR"), (Worker.LATE, "TIMED_OUT")])
def test_a_kernel_that_fails_in_a_batch_fails(
    answer: Any, status: str, go: Go, stage: Stage
) -> None:
    stage.answers["judge bound a"] = [answer]
    assert on_a_gpu(go).verdict.status == status


def test_without_the_hand_over_nothing_is_doubted(go: Go, stage: Stage) -> None:
    stage.answers |= {"judge handover": [FAILED], "judge block a": [[1.0]]}
    row = on_a_gpu(go)
    assert row.verdict.status is P and row.bound == Bound("held", None, 256)


# launches


def test_on_a_gpu_each_process_tells_what_launches_take_it(go: Go, stage: Stage) -> None:
    row = on_a_gpu(go)
    # A kernel's own launches may take the host half of what torch's take.
    assert row.timing.launching_us == 2 * 10 / (0.5 * 4)
    assert {t.launching_us for t in row.baselines.values()} == {2 * 2.5}
    asked = [what for what in stage.asked if what.split()[1] in ("block", "launch", "bound")]
    assert asked.index("judge launch a") > max(
        at for at, what in enumerate(asked) if " block" in what
    )


def test_on_a_cpu_nobody_is_asked_about_launches(go: Go, stage: Stage) -> None:
    (row, *_) = go().rows
    assert row.timing.launching_us == 0
    assert not any("launch" in asked for asked in stage.asked)


@pytest.mark.parametrize(
    "told", [[2.0, 4.0], [2.0, 0.0, 1.0], [-1.0, 4.0, 10.0], [float("nan"), 4.0, 10.0], "no", 3]
)
def test_nonsense_about_launches_is_a_crash(told: Any, go: Go, stage: Stage) -> None:
    stage.answers["judge launch a"] = [told]
    row = on_a_gpu(go)
    assert row.verdict.status is Status.CRASHED and "'launch'" in row.verdict.reason


def test_a_baseline_that_cannot_tell_of_launches_is_left_out(go: Go, stage: Stage) -> None:
    stage.answers["judge launch eager"] = ["no"]
    row = on_a_gpu(go)
    assert row.verdict.status is P and set(row.baselines) == {"compile"}


def test_a_call_has_at_least_one_launch(go: Go, stage: Stage) -> None:
    stage.answers["judge launch a"] = [[2.0, 4.0, 0.5]]
    assert on_a_gpu(go).timing.launching_us == 2
