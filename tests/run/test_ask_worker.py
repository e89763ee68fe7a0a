"""A worker that is told little, and believed in nothing that can be checked."""

from __future__ import annotations

from typing import Any

import pytest
from pretended import PLAN, Go, Stage, fails

from harness.records import Status

P = Status.PASSED


def test_workers_are_told_nothing_of_truth_or_verdicts(go: Go, stage: Stage) -> None:
    go()
    told = {frozenset(given) for asked, given in stage.arguments if asked.startswith("a ")}
    asked_of_builder = {"kernel", "problem", "sizes", "restated", "arch", "rebuild", "patience_s"}
    told.discard(frozenset(asked_of_builder))
    assert set().union(*told) == {"overrides", "trial", "trials", "seconds", "timer", "samples"}


def test_a_worker_that_dies_between_cases_is_replaced(go: Go, stage: Stage) -> None:
    stage.answers["a release"] = [fails(Status.CRASHED, alive=False), None]
    assert go().statuses == [P] * 4
    assert stage.started("a") == 2


NONSENSE = [None, -1.0, "soon", [0.0] * 8, [float("nan")] * 8, [1.0]]


@pytest.mark.parametrize("request_", ["warm_up", "block", "finish"])
@pytest.mark.parametrize("answer", NONSENSE)
def test_a_worker_that_answers_nonsense_is_not_believed(
    request_: str, answer: Any, go: Go, stage: Stage
) -> None:
    stage.answers[f"a {request_}"] = [answer]
    assert go(cases=PLAN.cases[:1]).statuses == [Status.RUNTIME_ERROR, P]
