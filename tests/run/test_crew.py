"""Workers that are started when they are needed, and replaced when they are lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from pretended import PLAN, Notes, Stage, Worker, fails, kernel

from harness.children import ChildFailed
from harness.records import Case, Status
from harness.run.ask_judge import JudgeClient
from harness.run.ask_worker import WorkerClient
from harness.run.crew import Crew

CASE, NEXT = PLAN.cases


@pytest.fixture
def judge(stage: Stage, tmp_path: Path) -> JudgeClient:
    judge = JudgeClient(PLAN, tmp_path, Notes())
    judge.prepare(CASE, 0)
    return judge


@pytest.fixture
def crew(judge: JudgeClient, tmp_path: Path) -> Crew:
    return Crew(PLAN, judge, tmp_path)


Constructed = Callable[[str], WorkerClient]


@pytest.fixture
def constructed(crew: Crew, judge: JudgeClient) -> Constructed:
    """A kernel's worker, or a baseline's, that has a model for the case."""

    def constructed(name: str) -> WorkerClient:
        baseline = name in PLAN.baselines
        worker = crew.baseline(name, CASE) if baseline else crew.kernel(kernel(name), CASE)
        judge.construct(worker)
        return worker

    return constructed


def test_a_worker_stays_until_it_is_dropped(crew: Crew, stage: Stage) -> None:
    first = crew.kernel(kernel("a"), CASE)
    assert crew.kernel(kernel("a"), NEXT) is first
    crew.drop("a")
    assert first.child.killed
    assert crew.kernel(kernel("a"), CASE) is not first
    assert stage.started("a") == 2


def test_a_file_is_loaded_without_waiting_until_its_worker_is_needed(
    crew: Crew, stage: Stage
) -> None:
    stage.answers["a load"] = [fails(Status.LOAD_FAILED), None]
    crew.begin(kernel("a"), CASE)
    crew.begin(kernel("a"), CASE)
    assert stage.asked.count("a load") == stage.started("a") == 1
    with pytest.raises(ChildFailed, match="pretended LOAD_FAILED"):
        crew.kernel(kernel("a"), CASE)
    assert crew.kernel(kernel("a"), CASE).child is stage.present("a")
    assert stage.asked.count("a load") == stage.started("a") == 2


def test_a_server_that_dies_meanwhile_is_met_when_the_worker_is_needed(
    crew: Crew, stage: Stage
) -> None:
    crew.begin(kernel("a"), CASE)
    stage.present("a").dead_with_server = True
    with pytest.raises(ChildFailed) as failed:
        crew.kernel(kernel("a"), CASE)
    assert failed.value.server_died and list(crew.children()) == []


def test_the_judge_hangs_up_on_whom_is_dropped(
    crew: Crew, stage: Stage, constructed: Constructed
) -> None:
    constructed("a")
    crew.drop("a")
    assert stage.asked[-1] == "judge detach a"


def test_a_file_that_restates_an_axis_has_a_worker_for_each_value(crew: Crew) -> None:
    restating = kernel("a", literals={"rows": 1})
    first = crew.kernel(restating, CASE)
    second = crew.kernel(restating, NEXT)
    assert (first.overrides, second.overrides) == ({"rows": 1}, {"rows": 2})
    assert first.child.killed and not second.child.killed
    assert list(crew.children()) == [second.child]


def test_a_baseline_loads_its_file_for_each_size_in_one_process(
    crew: Crew, stage: Stage, constructed: Constructed
) -> None:
    worker = constructed("eager")
    assert crew.baseline("eager", replace(CASE, dtype="float16")) is worker
    assert stage.asked.count("eager load_baseline") == 1
    assert crew.baseline("eager", NEXT) is worker
    assert stage.asked[-2:] == ["judge detach eager", "eager load_baseline"]
    assert not worker.constructed


@pytest.mark.parametrize("failed", [fails(Status.LOAD_FAILED), fails(Status.CRASHED, False)])
def test_nothing_is_left_of_what_does_not_load(
    failed: ChildFailed, crew: Crew, stage: Stage
) -> None:
    stage.answers |= {"a load": [failed], "eager load_baseline": [None, failed]}
    crew.baseline("eager", CASE)
    for load in (lambda: crew.kernel(kernel("a"), CASE), lambda: crew.baseline("eager", NEXT)):
        with pytest.raises(ChildFailed):
            load()
    assert list(crew.children()) == []
    assert stage.present("a").killed and stage.present("eager").killed


def test_others_are_dismissed_if_they_hold_memory(
    crew: Crew, stage: Stage, constructed: Constructed
) -> None:
    workers = [constructed(name) for name in ("a", "b", "eager")]
    assert crew.dismiss_others("b", "eager")
    assert [worker.constructed for worker in workers] == [False, True, True]
    assert not crew.dismiss_others("b", "eager")  # there is no more to be had
    assert crew.dismiss_others()
    assert [asked for asked in stage.asked if "dismiss" in asked] == [
        f"judge dismiss {name}" for name in ("a", "b", "eager")
    ]


def test_room_is_made_by_the_end_of_others_where_they_have_nothing_to_give_back(
    crew: Crew, constructed: Constructed
) -> None:
    workers = {name: constructed(name) for name in ("a", "b", "eager")}

    def ended() -> set[str]:
        return {name for name, worker in workers.items() if worker.child.killed}

    assert crew.make_room("b") and ended() == set()
    assert crew.make_room("b") and ended() == {"a", "eager"}
    assert not crew.make_room("b")
    assert list(crew.children()) == [workers["b"].child]


@pytest.mark.parametrize(
    "said", [Worker.fails("RUNTIME_ERROR"), Worker.GONE, Worker.LATE, fails(Status.CRASHED, False)]
)
def test_whoever_fails_at_giving_memory_back_is_ended(
    said: object, crew: Crew, stage: Stage, constructed: Constructed
) -> None:
    worker = constructed("a")
    stage.answers["judge dismiss a"] = [said]
    crew.dismiss("a")
    assert worker.child.killed and list(crew.children()) == []


def test_nobody_is_dismissed_who_is_not_there(crew: Crew, stage: Stage) -> None:
    crew.dismiss("a")
    crew.kernel(kernel("a"), CASE)
    crew.dismiss("a")  # it listens to no judge yet
    assert not crew.dismiss_others("b")
    assert not any("dismiss" in asked for asked in stage.asked)


def test_a_case_of_another_size_is_another_case_for_a_kernel_too(crew: Crew) -> None:
    other = Case({"rows": 3}, "float32", "cpu")
    assert crew.kernel(kernel("a"), other).overrides == {}
