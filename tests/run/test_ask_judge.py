"""A judge that prepares each case once, fails, dies and is replaced."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pretended import ANSWERS, PLAN, RIGHT, Go, Stage, fails

from harness.children import ChildFailed
from harness.records import CONTRACT, Status

P = Status.PASSED


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


def test_a_baseline_that_fails_is_left_out_and_noted(go: Go, stage: Stage) -> None:
    stage.answers["judge start_baseline compile"] = [fails(Status.RUNTIME_ERROR)]
    notes = go(cases=PLAN.cases[:1])
    assert notes.statuses == [P, P]
    assert all(set(row.baselines) == {"eager"} for row in notes.rows)
    (said,) = notes.said
    assert "baseline compile has no time" in said and "pretended RUNTIME_ERROR" in said


@pytest.mark.parametrize(
    "status", [Status.UNGRADABLE, Status.OUT_OF_MEMORY, Status.TIMED_OUT, Status.CRASHED]
)
@pytest.mark.parametrize("stated", [None, ("own",)])
def test_a_case_that_cannot_be_prepared(
    status: Status, stated: tuple[str] | None, go: Go, stage: Stage
) -> None:
    dead = status in (Status.TIMED_OUT, Status.CRASHED)
    tries = 2 if status is Status.CRASHED or not stated else 1
    stage.answers["judge prepare"] = [
        *[fails(status, alive=not dead)] * tries,
        ANSWERS["prepare"],
    ]
    notes = go(problem=replace(PLAN.problem, families=stated))
    assert notes.statuses == [Status.UNGRADABLE, Status.UNGRADABLE, P, P]
    assert all(row.as_expected for row in notes.rows)  # no kernel is to blame
    assert notes.rows[0].verdict.reason == f"reference: pretended {status}"
    assert notes.rows[0].verdict.judge_died is (status is Status.CRASHED)
    assert stage.asked.count("judge prepare") == tries + 1


def test_a_judge_whose_context_the_reference_loses_did_not_die(go: Go, stage: Stage) -> None:
    lost = fails(Status.UNGRADABLE, alive=False, answered=True)
    stage.answers["judge prepare"] = [lost, lost, ANSWERS["prepare"]]
    notes = go()
    assert notes.statuses == [Status.UNGRADABLE, Status.UNGRADABLE, P, P]
    assert not notes.rows[0].verdict.judge_died


def test_a_judge_that_dies_over_a_case_is_replaced_and_asked_again(go: Go, stage: Stage) -> None:
    stage.answers["judge prepare"] = [fails(Status.CRASHED, alive=False), ANSWERS["prepare"]]
    assert go().statuses == [P] * 4
    assert stage.started("judge") == 2


@pytest.mark.parametrize(
    "lost",
    [
        fails(Status.UNGRADABLE),  # no room in the exchange
        fails(Status.UNGRADABLE, alive=False, answered=True),  # with the device's context
        fails(Status.TIMED_OUT, alive=False),
        fails(Status.CRASHED, alive=False),
    ],
)
def test_after_a_failure_the_judge_keeps_to_the_contract(
    lost: ChildFailed, go: Go, stage: Stage
) -> None:
    stage.answers["judge prepare"] = [lost, ANSWERS["prepare"]]
    assert go().statuses == [P] * 4
    assert families(stage) == [None, CONTRACT, None]  # and the next case has all


def test_a_file_that_states_families_has_nothing_to_leave_out(go: Go, stage: Stage) -> None:
    stage.answers["judge prepare"] = [fails(Status.TIMED_OUT, alive=False), ANSWERS["prepare"]]
    notes = go(problem=replace(PLAN.problem, families=("own",)))
    assert notes.statuses == [Status.UNGRADABLE, Status.UNGRADABLE, P, P]
    assert families(stage) == [("own",)] * 2


def test_with_the_server_nothing_is_lost_over_stress(go: Go, stage: Stage) -> None:
    died = fails(Status.CRASHED, alive=False, server_died=True)
    stage.answers["judge prepare"] = [died, ANSWERS["prepare"]]
    assert go().statuses == [P] * 4
    assert set(families(stage)) == {None}


def families(stage: Stage) -> list:
    """Those that the judge was told of, each time that it was to prepare a case."""
    return [given["families"] for asked, given in stage.arguments if asked == "judge prepare"]


@pytest.mark.parametrize("status", [Status.OUT_OF_MEMORY, Status.CRASHED])
def test_an_output_that_the_judge_cannot_take_clears_no_kernel(
    status: Status, go: Go, stage: Stage
) -> None:
    stage.answers["judge compare"] = [*[fails(status, alive=False)] * 2, RIGHT]
    notes = go()
    assert notes.statuses == [status, P, P, P]
    assert not notes.rows[0].as_expected
    assert notes.rows[0].verdict.reason == f"the judge, over this output: pretended {status}"
    assert stage.started("judge") == 3
    assert stage.asked.count("judge prepare") == 4


def test_a_judge_that_died_over_an_output_once_costs_the_kernel_nothing(
    go: Go, stage: Stage
) -> None:
    stage.answers["judge compare"] = [fails(Status.CRASHED, alive=False), RIGHT]
    assert go().statuses == [P] * 4
    assert stage.started("judge") == 2


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


def test_a_judge_that_dies_between_cases_is_replaced(go: Go, stage: Stage) -> None:
    stage.answers["judge release"] = [fails(Status.CRASHED, alive=False), None]
    assert go().statuses == [P] * 4
    assert stage.started("judge") == 2
