"""A judge that prepares each case once, fails, dies and is replaced."""

from __future__ import annotations

from pathlib import Path

import pytest
from pretended import ANSWERS, PLAN, RIGHT, WRONG, FakeChild, Go, Stage, fails

from harness.records import Status
from harness.run.ask_judge import COMPILE_TIMEOUT_S

P = Status.PASSED


def test_the_judge_prepares_a_case_once_and_workers_load_once(go: Go, stage: Stage) -> None:
    go()
    for request, times in (("prepare", 2), ("make", 4), ("warm_up eager", 2)):
        assert stage.asked.count(f"judge {request}") == times
    assert stage.asked.count("a load") == stage.asked.count("judge attach a") == 1
    assert stage.started("a") == stage.started("eager") == stage.started("judge") == 1
    # For the trials; what is timed is what was judged.
    assert stage.asked.count("judge construct a") == 2


def test_every_case_has_a_secret_of_its_own(go: Go, stage: Stage) -> None:
    go()
    secrets = [given["secret"] for asked, given in stage.arguments if asked == "judge prepare"]
    assert secrets == ["7 0", "7 1"]


@pytest.mark.parametrize("fails_at", ["", "get_ready", "print_to"])
def test_who_told_of_the_machine_goes_on_as_the_judge_if_it_can(
    fails_at: str, go: Go, stage: Stage, tmp_path: Path
) -> None:
    judge = FakeChild(stage, "harness.judge", log=tmp_path / "elsewhere", timeout_s=5.0)
    stage.answers[f"judge {fails_at}"] = [fails(Status.CRASHED, alive=False)]
    judge.tell("get_ready", device="cpu")
    assert go(judge=judge).statuses == [P] * 4
    assert stage.started("judge") == (2 if fails_at else 1)
    assert stage.present("judge").log == tmp_path / "logs" / "judge.log"


def test_a_worker_goes_to_the_judge_by_its_process(go: Go, stage: Stage) -> None:
    go()
    pids = {asked: given["pid"] for asked, given in stage.arguments if " attach " in asked}
    assert pids == {
        f"judge attach {name}": stage.present(name).pid for name in ("a", "b", "eager", "compile")
    }


def test_only_kernels_are_judged_while_they_are_timed(go: Go, stage: Stage) -> None:
    go()
    judged = {(asked, given["judged"]) for asked, given in stage.arguments if " block " in asked}
    kernels, baselines = ("a", "b"), ("eager", "compile")
    assert judged == {
        *((f"judge block {name}", True) for name in kernels),
        *((f"judge block {name}", False) for name in baselines),
    }


def test_what_compiles_has_ten_minutes_for_each_step(go: Go, stage: Stage) -> None:
    go()
    given = {asked: given.get("patience_s") for asked, given in stage.arguments}
    for request in ("construct", "warm_up"):
        assert given[f"judge {request} compile"] == COMPILE_TIMEOUT_S
        assert given[f"judge {request} eager"] == given[f"judge {request} a"] == PLAN.timeout_s


@pytest.mark.parametrize("request_", ["prepare", "make"])
@pytest.mark.parametrize(
    "status", [Status.UNGRADABLE, Status.OUT_OF_MEMORY, Status.TIMED_OUT, Status.CRASHED]
)
def test_a_case_that_the_reference_cannot_do(
    request_: str, status: Status, go: Go, stage: Stage
) -> None:
    dead = status in (Status.TIMED_OUT, Status.CRASHED)
    # Where memory is lacking, once more in that of the workers that load meanwhile.
    tries = 2 if status in (Status.CRASHED, Status.OUT_OF_MEMORY) else 1
    stage.answers[f"judge {request_}"] = [
        *[fails(status, alive=not dead)] * tries,
        ANSWERS[request_],
    ]
    notes = go()
    assert notes.statuses == [Status.UNGRADABLE, Status.UNGRADABLE, P, P]
    assert all(row.as_expected for row in notes.rows)  # no kernel is to blame
    assert notes.rows[0].verdict.reason == f"reference: pretended {status}"
    assert notes.rows[0].verdict.judge_died is (status is Status.CRASHED)
    assert stage.started("judge") == 1 + dead * tries


def test_a_judge_whose_context_the_reference_loses_did_not_die(go: Go, stage: Stage) -> None:
    lost = fails(Status.UNGRADABLE, alive=False, answered=True)
    stage.answers["judge prepare"] = [lost, ANSWERS["prepare"]]
    notes = go()
    assert notes.statuses == [Status.UNGRADABLE, Status.UNGRADABLE, P, P]
    assert not notes.rows[0].verdict.judge_died


def test_a_reference_that_fails_at_a_later_trial_fails_whom_it_was_made_for(
    go: Go, stage: Stage
) -> None:
    stage.answers["judge make"] = [None, fails(Status.UNGRADABLE), None]
    stage.answers["judge answer a"] = [WRONG, RIGHT]
    assert go().statuses == [Status.WRONG_VALUES, Status.UNGRADABLE, P, P]


def test_a_reference_that_fails_a_new_judge_fails_everyone_alike(go: Go, stage: Stage) -> None:
    stage.answers["judge answer a"] = [fails(Status.CRASHED, alive=False), RIGHT]
    stage.answers["judge make"] = [None, fails(Status.UNGRADABLE), None]
    notes = go(cases=PLAN.cases[:1])
    assert notes.statuses == [Status.UNGRADABLE] * 2
    assert {row.verdict.reason for row in notes.rows} == {"reference: pretended UNGRADABLE"}


def test_what_model_is_made_of_may_be_nothing_to_give(go: Go, stage: Stage) -> None:
    stage.answers["judge construct"] = [fails(Status.UNGRADABLE)]
    notes = go(cases=PLAN.cases[:1])
    assert notes.statuses == [Status.UNGRADABLE] * 2
    assert notes.rows[0].verdict.reason == "reference: pretended UNGRADABLE"


def test_a_judge_that_dies_over_a_case_is_replaced_and_asked_again(go: Go, stage: Stage) -> None:
    stage.answers["judge prepare"] = [fails(Status.CRASHED, alive=False), ANSWERS["prepare"]]
    assert go().statuses == [P] * 4
    assert stage.started("judge") == 2


def test_a_judge_that_dies_over_a_trial_is_brought_to_where_it_was(go: Go, stage: Stage) -> None:
    stage.answers["judge make"] = [None, fails(Status.CRASHED, alive=False), None]
    assert go(cases=PLAN.cases[:1]).statuses == [P, P]
    made = [given["trial"] for asked, given in stage.arguments if asked == "judge make"]
    assert (made, stage.asked.count("judge prepare")) == ([0, 1, 1], 2)
    # Kernels stay, and listen to the new one.
    assert (stage.started("judge"), stage.started("a"), stage.started("b")) == (2, 1, 1)
    assert stage.asked.count("judge construct a") == stage.asked.count("a listen") == 2


@pytest.mark.parametrize("status", [Status.OUT_OF_MEMORY, Status.CRASHED])
@pytest.mark.parametrize("request_", ["answer", "block", "fallback"])
def test_an_output_that_the_judge_cannot_take_clears_no_kernel(
    request_: str, status: Status, go: Go, stage: Stage
) -> None:
    lost = fails(status, alive=False)
    stage.answers[f"judge {request_} a"] = [lost, lost, ANSWERS[request_]]
    notes = go()
    assert notes.statuses == [status, P, P, P]
    assert not notes.rows[0].as_expected
    assert f"the judge, over this output: pretended {status}" in notes.rows[0].verdict.reason
    assert notes.rows[0].timing is None
    # What has no more than its process gives its memory back with that.
    room_made = (request_, status) == ("fallback", Status.OUT_OF_MEMORY)
    assert stage.started("b") == (2 if room_made else 1)
    assert (stage.started("judge"), stage.started("a")) == (3, 3)


def test_an_output_that_the_judge_cannot_compare_clears_no_kernel(go: Go, stage: Stage) -> None:
    stage.answers["judge answer a"] = [fails(Status.UNGRADABLE), RIGHT]
    notes = go()
    assert notes.statuses == [Status.CRASHED, P, P, P]
    reason = "own inputs: the judge, over this output: pretended UNGRADABLE"
    assert notes.rows[0].verdict.reason == reason
    assert stage.started("judge") == 1


@pytest.mark.parametrize("request_", ["attach", "construct", "answer", "warm_up", "block"])
def test_a_judge_that_died_over_a_kernel_once_costs_nobody_anything(
    request_: str, go: Go, stage: Stage
) -> None:
    stage.answers[f"judge {request_} b"] = [
        fails(Status.CRASHED, alive=False),
        ANSWERS[request_],
    ]
    notes = go()
    assert notes.statuses == [P] * 4
    assert all(set(row.baselines) == {"eager", "compile"} for row in notes.rows)
    assert stage.started("judge") == 2


def test_a_judge_that_dies_between_cases_is_replaced(go: Go, stage: Stage) -> None:
    stage.answers["judge release"] = [fails(Status.CRASHED, alive=False), None]
    assert go().statuses == [P] * 4
    assert stage.started("judge") == 2
