"""A worker that is told little, and believed in nothing that clears it."""

from __future__ import annotations

from typing import Any

import pytest
from pretended import PLAN, RIGHT, FakeChild, Go, Stage, Worker, fails

from harness.records import Status

P = Status.PASSED


def test_the_runner_tells_workers_nothing_but_what_to_load(go: Go, stage: Stage) -> None:
    go()
    told = {
        asked: set(given)
        for asked, given in stage.arguments
        if asked.partition(" ")[0] in ("a", "eager") and not asked.endswith("build")
    }
    assert told == {"a load": {"overrides"}, "eager load_baseline": {"name", "axes"}}


def test_a_worker_that_dies_between_cases_is_replaced(go: Go, stage: Stage) -> None:
    stage.answers["judge dismiss a"] = [Worker.GONE, None]
    assert go().statuses == [P] * 4
    assert stage.started("a") == 2


BELIEVED = {
    *(Status.BUILD_FAILED, Status.LOAD_FAILED, Status.RUNTIME_ERROR, Status.OUT_OF_MEMORY),
    Status.WRONG_STRUCTURE,
}


@pytest.mark.parametrize("request_", ["construct", "answer", "warm_up", "block"])
@pytest.mark.parametrize("status", [*Status, "", "nonsense"])
def test_a_worker_may_say_that_it_failed_and_no_more(
    request_: str, status: str, go: Go, stage: Stage
) -> None:
    stage.answers[f"judge {request_} a"] = [Worker.fails(status)]
    first, second = go(cases=PLAN.cases[:1]).rows
    assert first.verdict.status == (status if status in BELIEVED else Status.CRASHED)
    assert first.timing is None and not first.as_expected
    assert second.verdict.status is P


@pytest.mark.parametrize("status", [*Status])
def test_nor_when_it_loads_its_file(status: Status, go: Go, stage: Stage) -> None:
    stage.answers["a load"] = [fails(status)]
    first, second = go(cases=PLAN.cases[:1]).rows
    assert first.verdict.status == (status if status in BELIEVED else Status.CRASHED)
    assert second.verdict.status is P


def test_a_failure_without_a_reason_is_none_that_is_believed(go: Go, stage: Stage) -> None:
    stage.answers["judge construct a"] = [Worker.fails("RUNTIME_ERROR") | {"reason": ""}]
    (row, _) = go(cases=PLAN.cases[:1]).rows
    assert row.verdict.status is Status.CRASHED
    assert row.verdict.reason == "the process answered 'construct' with what is no answer"


@pytest.mark.parametrize("heard", [None, fails(Status.TIMED_OUT, False), fails(Status.PASSED)])
def test_a_worker_that_hangs_up_on_the_judge_and_lives_on_has_crashed(
    heard: Any, go: Go, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    hear = FakeChild.hear

    def as_heard(child: FakeChild, request: str, timeout_s: float | None = None) -> None:
        if request != "call":
            hear(child, request, timeout_s)
        elif heard is not None:
            raise heard

    monkeypatch.setattr(FakeChild, "hear", as_heard)
    stage.answers["judge answer a"] = [Worker.GONE, RIGHT]
    notes = go()
    assert notes.statuses == [Status.CRASHED, P, P, P]  # and it is tried on the next case
    assert notes.rows[0].verdict.reason == "own inputs: the process hung up during 'call'"


def test_whom_the_judge_waits_for_in_vain_is_killed(go: Go, stage: Stage) -> None:
    stage.answers["judge answer a"] = [Worker.LATE]
    notes = go(cases=PLAN.cases[:1])
    assert notes.rows[0].verdict.reason == "own inputs: no answer to 'call' within 5 s"
    assert stage.started("a") == 1 and stage.present("a").killed
