"""From what became of a kernel to its row."""

from __future__ import annotations

from typing import Any

import pytest
from pretended import PLAN, kernel

from harness.records import KERNEL, Build, Result, Status, Timing, Verdict
from harness.run.outcome import Outcome

PASSED = Verdict(Status.PASSED, error_rel=1e-7, eager_error_rel=1e-7)
TIMES = {
    subject: Timing(us, us, us, ((us,) * 3, (us,) * 3))
    for subject, us in ((KERNEL, 2.0), ("eager", 6.0))
}


def row(build: Build | None = None, **known: Any) -> Result:
    return Outcome(**known).row(PLAN.problem, kernel("a"), PLAN.cases[1], 1, build)


def test_what_is_right_and_timed_is_ranked() -> None:
    result = row(verdict=PASSED, timings=TIMES)
    assert (result.kernel, result.case, result.case_index) == ("a", PLAN.cases[1], 1)
    assert result.timing == TIMES[KERNEL] and result.baselines == {"eager": TIMES["eager"]}
    assert result.speedups["eager"].ratio == pytest.approx(3.0)


@pytest.mark.parametrize("build", [None, Build(1.0, fallback="ext: no")])
def test_a_fall_back_is_not_ranked_whoever_tells_of_it(build: Build | None) -> None:
    result = row(build, verdict=PASSED, timings=TIMES, fallback="" if build else "ext: no")
    assert result.fallback == "ext: no" and result.timing and not result.speedups


def test_what_is_not_believed_has_no_time_of_its_own() -> None:
    outcome = Outcome(PASSED, timings=TIMES)
    outcome.failed(Verdict(Status.CRASHED, "died"))
    assert outcome.verdict is not None
    assert (outcome.verdict.status, outcome.verdict.error_rel) == (Status.CRASHED, 1e-7)
    result = outcome.row(PLAN.problem, kernel("a"), PLAN.cases[0], 0, None)
    assert result.timing is None and not result.speedups and set(result.baselines) == {"eager"}
