"""Scheduling, deadlines and endings, with children that only pretend."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pretended import (
    ANSWERS,
    NON_FINITE,
    PLAN,
    RIGHT,
    WRONG,
    FakeChild,
    Notes,
    Stage,
    fails,
    kernel,
)

from harness.records import Status
from harness.run import ask_builder, ask_judge, runner


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    stage = Stage()
    for module in (ask_builder, ask_judge, runner):
        monkeypatch.setattr(
            module, "Child", lambda module, *args, log: FakeChild(stage, module, *args, log=log)
        )
    return stage


Go = Callable[..., Notes]


@pytest.fixture
def go(stage: Stage, tmp_path: Path) -> Go:
    """Run PLAN with changes; every child must be gone afterwards."""

    def go(notes: Notes | None = None, **changes: Any) -> Notes:
        notes = notes or Notes()
        try:
            runner.run(replace(PLAN, **changes), tmp_path, notes, notes)
        finally:
            assert all(child.killed for child in stage.children)
        return notes

    return go


P, W, N = Status.PASSED, Status.WRONG_VALUES, Status.NON_FINITE


def test_every_kernel_on_every_case_case_by_case(go: Go) -> None:
    notes = go()
    assert [(row.case_index, row.kernel) for row in notes.rows] == [
        *((0, "a"), (0, "b"), (1, "a"), (1, "b")),
    ]
    assert notes.statuses == [P] * 4
    assert set(notes.builds) == {"a", "b"}


def test_the_judge_prepares_a_case_once_and_workers_load_once(go: Go, stage: Stage) -> None:
    go()
    for request, times in (("judge prepare", 2), ("judge start_baseline eager", 2)):
        assert stage.asked.count(request) == times
    assert stage.asked.count("a load") == stage.started("a") == stage.started("judge") == 1
    assert stage.asked.count("a construct") == 2


def test_cases_have_seeds_far_apart(go: Go, stage: Stage) -> None:
    go()
    seeds = [given["seed"] for asked, given in stage.arguments if asked == "judge prepare"]
    assert seeds == [7, 1007]


def test_workers_are_told_nothing_of_truth_or_verdicts(go: Go, stage: Stage) -> None:
    go()
    told = {frozenset(given) for asked, given in stage.arguments if asked.startswith("a ")}
    told.discard(
        frozenset({"kernel", "problem", "sizes", "arch", "rebuild", "patience_s"})
    )  # its builder
    assert set().union(*told) == {"setup", "trial", "trials", "output", "seconds", "samples"}


# judging


@pytest.mark.parametrize(
    "compared, status, error",
    [
        ([RIGHT, RIGHT | {"error_rel": 3e-7}], P, 3e-7),
        ([RIGHT | {"error_rel": 3e-7}, RIGHT], P, 3e-7),
        ([WRONG], W, 1e-7),
        ([RIGHT, WRONG], W, 1e-7),
        ([RIGHT, NON_FINITE], N, 1e-7),
    ],
)
def test_trials_make_a_verdict(
    compared: list, status: Status, error: float, go: Go, stage: Stage
) -> None:
    stage.answers["judge compare"] = compared
    notes = go(kernels=[kernel("a")], cases=PLAN.cases[:1], judge_only=True)
    (row,) = notes.rows
    assert (row.verdict.status, row.verdict.error_rel) == (status, error)


def test_after_the_first_wrong_trial_the_others_are_not_run(go: Go, stage: Stage) -> None:
    stage.answers["judge compare"] = [WRONG]
    go(kernels=[kernel("a")], cases=PLAN.cases[:1])
    assert stage.asked.count("a call") == 1


# timing


def test_baselines_and_kernel_alternate(go: Go, stage: Stage) -> None:
    (row,) = go(kernels=[kernel("a")], cases=PLAN.cases[:1]).rows
    blocks = [asked for asked in stage.asked if " block" in asked]
    there = ["judge block eager", "judge block compile", "a block"]
    assert blocks == there + there[::-1]
    assert row.timing.blocks_us == (tuple(1.0 + i for i in range(8)),) * 2
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


def test_wrong_kernels_are_not_timed(go: Go, stage: Stage) -> None:
    stage.answers["judge compare"] = [WRONG]
    notes = go()
    assert all(row.timing is None and not row.baselines for row in notes.rows)
    assert "a warm_up" not in stage.asked


def test_non_finite_kernels_are_timed_but_not_ranked(go: Go, stage: Stage) -> None:
    # Wrong on one trial, and right in the call that follows the timed ones.
    stage.answers["judge compare"] = [NON_FINITE, ANSWERS["compare"]] * 4
    notes = go()
    assert all(row.timing and row.baselines and not row.speedups for row in notes.rows)


def test_judging_alone_times_nothing(go: Go, stage: Stage) -> None:
    notes = go(judge_only=True)
    assert notes.statuses == [P] * 4
    assert not any("block" in asked or "baseline" in asked for asked in stage.asked)


def test_a_baseline_that_fails_is_left_out_and_noted(go: Go, stage: Stage) -> None:
    stage.answers["judge start_baseline compile"] = [fails(Status.RUNTIME_ERROR)]
    notes = go(cases=PLAN.cases[:1])
    assert notes.statuses == [P, P]
    assert all(set(row.baselines) == {"eager"} for row in notes.rows)
    (said,) = notes.said
    assert "baseline compile has no time" in said and "pretended RUNTIME_ERROR" in said


# a kernel's failures


@pytest.mark.parametrize("request_", ["load", "construct", "call", "warm_up", "block"])
@pytest.mark.parametrize("status", [Status.RUNTIME_ERROR, Status.CRASHED])
def test_a_failure_is_one_row_and_no_one_elses(
    request_: str, status: Status, go: Go, stage: Stage
) -> None:
    dead = status is Status.CRASHED
    stage.answers[f"a {request_}"] = [fails(status, alive=not dead), ANSWERS[request_]]
    notes = go()
    assert notes.statuses == [status, P, P, P]
    # One that is not alive, or never loaded, is replaced.
    assert stage.started("a") == (2 if dead or request_ == "load" else 1)
    assert stage.started("b") == 1


def test_after_a_timeout_a_kernel_is_not_tried_again(go: Go, stage: Stage) -> None:
    stage.answers["a call"] = [fails(Status.TIMED_OUT, alive=False)]
    notes = go()
    assert notes.statuses == [Status.TIMED_OUT, P, Status.SKIPPED, P]
    assert "timed out on case 0 (rows=1 float32 cpu)" in notes.rows[2].verdict.reason


def test_a_kernel_that_does_not_build_is_never_run(go: Go, stage: Stage) -> None:
    stage.answers["a build"] = [fails(Status.BUILD_FAILED)]
    notes = go()
    assert notes.statuses == [Status.BUILD_FAILED, P, Status.BUILD_FAILED, P]
    assert notes.builds["a"].log.name == "build-a.log"
    assert stage.started("a") == 0


def test_a_kernel_without_a_case_is_not_built(go: Go, stage: Stage) -> None:
    notes = go(kernels=[kernel("a", requires="rows > 2"), kernel("b", requires="rows > 1")])
    assert notes.statuses == [Status.SKIPPED, Status.SKIPPED, Status.SKIPPED, P]
    assert "a build" not in stage.asked and "b build" in stage.asked
    assert notes.rows[0].verdict.reason == "the kernel requires rows > 2"
    assert notes.rows[0].build is None


def test_a_worker_that_dies_between_cases_is_replaced(go: Go, stage: Stage) -> None:
    stage.answers["a release"] = [fails(Status.CRASHED, alive=False), None]
    assert go().statuses == [P] * 4
    assert stage.started("a") == 2


# the judge's failures


@pytest.mark.parametrize(
    "status", [Status.UNGRADABLE, Status.OUT_OF_MEMORY, Status.TIMED_OUT, Status.CRASHED]
)
def test_a_case_that_cannot_be_prepared(status: Status, go: Go, stage: Stage) -> None:
    dead = status in (Status.TIMED_OUT, Status.CRASHED)
    stage.answers["judge prepare"] = [fails(status, alive=not dead), ANSWERS["prepare"]]
    notes = go()
    assert notes.statuses == [Status.UNGRADABLE, Status.UNGRADABLE, P, P]
    assert all(row.as_expected for row in notes.rows)  # no kernel is to blame
    assert notes.rows[0].verdict.reason == f"reference: pretended {status}"
    assert stage.asked.count("judge prepare") == 2


@pytest.mark.parametrize("status", [Status.OUT_OF_MEMORY, Status.CRASHED])
def test_an_output_that_the_judge_cannot_take_clears_no_kernel(
    status: Status, go: Go, stage: Stage
) -> None:
    stage.answers["judge compare"] = [fails(status, alive=False), RIGHT]
    notes = go()
    assert notes.statuses == [status, P, P, P]
    assert not notes.rows[0].as_expected
    assert stage.started("judge") == 2
    assert stage.asked.count("judge prepare") == 3


@pytest.mark.parametrize("alive", [True, False])
def test_a_baseline_that_breaks_off_costs_no_kernel_its_row(
    alive: bool, go: Go, stage: Stage
) -> None:
    stage.answers["judge block compile"] = [fails(Status.RUNTIME_ERROR, alive), []]
    notes = go()
    assert notes.statuses == [P] * 4
    # It is left out of that case only.
    timed = [{"eager"}, {"eager"}, {"eager", "compile"}, {"eager", "compile"}]
    assert [set(row.baselines) for row in notes.rows] == timed
    (said,) = notes.said
    assert "baseline compile has no time" in said
    assert stage.started("judge") == (1 if alive else 2)


NONSENSE = [None, -1.0, "soon", [0.0] * 8, [float("nan")] * 8, [1.0]]


@pytest.mark.parametrize("request_", ["warm_up", "block", "finish"])
@pytest.mark.parametrize("answer", NONSENSE)
def test_a_worker_that_answers_nonsense_is_not_believed(
    request_: str, answer: Any, go: Go, stage: Stage
) -> None:
    stage.answers[f"a {request_}"] = [answer]
    assert go(cases=PLAN.cases[:1]).statuses == [Status.RUNTIME_ERROR, P]


def test_a_judge_that_dies_between_cases_is_replaced(go: Go, stage: Stage) -> None:
    stage.answers["judge release"] = [fails(Status.CRASHED, alive=False), None]
    assert go().statuses == [P] * 4
    assert stage.started("judge") == 2


# endings


@pytest.mark.parametrize("asked", ["a build", "judge prepare", "a call", "judge block"])
def test_ctrl_c_ends_every_child_and_leaves_no_exchange_folder(
    asked: str, go: Go, stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange = tmp_path / "exchange"
    exchange.mkdir()
    monkeypatch.setattr(runner, "_roomiest_memory_folder", lambda: str(exchange))
    stage.answers[asked] = [KeyboardInterrupt()]
    with pytest.raises(KeyboardInterrupt):
        go()
    assert list(exchange.iterdir()) == []


def test_rows_are_written_before_the_next_begins(go: Go, stage: Stage) -> None:
    stage.answers["b call"] = [KeyboardInterrupt()]
    notes = Notes()
    with pytest.raises(KeyboardInterrupt):
        go(notes)
    assert [row.kernel for row in notes.rows] == ["a"]
