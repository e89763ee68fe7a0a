"""Scheduling, deadlines and endings, with children that only pretend."""

from __future__ import annotations

import pytest
from pretended import (
    ANSWERS,
    HUGE,
    LOST,
    OWN,
    PLAN,
    RIGHT,
    STRESS,
    WRONG,
    Go,
    Notes,
    Stage,
    fails,
    kernel,
    prepared,
)

from harness import scratch
from harness.children import ChildFailed
from harness.records import Case, Draw, NonFinite, Result, Status

P, W = Status.PASSED, Status.WRONG_VALUES


def test_every_kernel_on_every_case_case_by_case(go: Go) -> None:
    notes = go()
    assert [(row.case_index, row.kernel) for row in notes.rows] == [
        *((0, "a"), (0, "b"), (1, "a"), (1, "b")),
    ]
    assert notes.statuses == [P] * 4
    assert set(notes.builds) == {"a", "b"}


# judging


@pytest.mark.parametrize(
    "compared, status, error",
    [
        ([RIGHT, RIGHT | {"error_rel": 3e-7}], P, 3e-7),
        ([RIGHT | {"error_rel": 3e-7}, RIGHT], P, 3e-7),
        ([WRONG], W, 1e-7),
        ([RIGHT, WRONG], W, 1e-7),
        ([RIGHT, LOST], W, 1e-7),
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


def test_wrong_kernels_are_not_timed(go: Go, stage: Stage) -> None:
    stage.answers["judge compare"] = [WRONG]
    notes = go()
    assert all(row.timing is None and not row.baselines for row in notes.rows)
    assert "a warm_up" not in stage.asked


def test_what_is_right_on_finite_inputs_is_timed_but_not_ranked(go: Go, stage: Stage) -> None:
    # Wrong on one trial, and right in the call that follows the timed ones.
    stage.answers["judge compare"] = [RIGHT, LOST, RIGHT] * 4
    notes = go()
    assert all(row.timing and row.baselines and not row.speedups for row in notes.rows)
    assert {row.verdict.reason for row in notes.rows} == {"NaN inputs: lost"}


@pytest.mark.parametrize("on_nan, non_finite", [(RIGHT, NonFinite.SAME), (LOST, NonFinite.DIFFERS)])
def test_a_kernel_that_is_wrong_after_being_timed_has_no_time(
    on_nan: dict, non_finite: NonFinite, go: Go, stage: Stage
) -> None:
    stage.answers["judge compare"] = [RIGHT, on_nan, WRONG]
    (row,) = go(kernels=[kernel("a")], cases=PLAN.cases[:1]).rows
    reason = "right when judged, wrong after being timed: own inputs: off"
    assert (row.verdict.status, row.verdict.reason, row.timing) == (W, reason, None)
    assert row.verdict.non_finite is non_finite


@pytest.mark.parametrize("request_", ["warm_up", "block", "finish"])
def test_what_was_judged_stays_in_the_row_of_a_kernel_that_then_fails(
    request_: str, go: Go, stage: Stage
) -> None:
    stage.answers[f"a {request_}"] = [fails(Status.CRASHED, alive=False)]
    (row,) = go(kernels=[kernel("a")], cases=PLAN.cases[:1]).rows
    found = (row.verdict.status, row.verdict.non_finite, row.verdict.error_rel)
    assert found == (Status.CRASHED, NonFinite.SAME, 1e-7)


# stress


def stressed(go: Go, stage: Stage, *draws: Draw, **changes: object) -> Result:
    """The row of one kernel on one case that has these trials beyond the contract."""
    stage.answers["judge prepare"] = [prepared(OWN, *draws)]
    (row,) = go(kernels=[kernel("a")], cases=PLAN.cases[:1], **changes).rows
    return row


def test_all_of_stress_is_tried_and_what_is_wrong_is_told(go: Go, stage: Stage) -> None:
    stage.answers["judge compare"] = [RIGHT, WRONG, RIGHT, LOST, RIGHT]
    row = stressed(go, stage, *STRESS)
    assert (row.verdict.status, row.verdict.non_finite) == (P, NonFinite.DIFFERS)
    assert row.verdict.stress == "huge normal inputs: off; infinite inputs: lost"
    assert row.timing and row.speedups


def test_stress_is_left_to_what_is_right_on_the_contract(go: Go, stage: Stage) -> None:
    stage.answers["judge compare"] = [WRONG]
    verdict = stressed(go, stage, *STRESS).verdict
    assert (verdict.status, verdict.non_finite, verdict.stress) == (W, NonFinite.UNTESTED, "")
    assert stage.asked.count("a call") == 1


@pytest.mark.parametrize("status", [Status.RUNTIME_ERROR, Status.CRASHED, Status.TIMED_OUT])
@pytest.mark.parametrize("strict", [False, True])
def test_a_kernel_that_fails_under_stress_is_timed_as_new(
    status: Status, strict: bool, go: Go, stage: Stage
) -> None:
    alive = status is Status.RUNTIME_ERROR
    stage.answers["a call"] = ["", fails(status, alive), ""]
    row = stressed(go, stage, *STRESS, strict=strict)
    assert row.verdict.status is (status if strict else P)
    assert row.verdict.stress == f"huge normal inputs: pretended {status}"
    # What has died is tried no further.
    assert row.verdict.non_finite is (NonFinite.SAME if alive else NonFinite.UNTESTED)
    assert stage.asked.count("a call") == (4 if alive else 2)
    assert bool(row.timing) is not strict
    assert stage.asked.count("a load") == (1 if strict and not alive else 2)
    assert stage.asked.count("a construct") == stage.asked.count("a load")


def test_a_hang_under_stress_costs_no_other_case(go: Go, stage: Stage) -> None:
    stage.answers["judge prepare"] = [prepared(OWN, HUGE)]
    stage.answers["a call"] = ["", fails(Status.TIMED_OUT, alive=False), ""]
    assert go(kernels=[kernel("a")]).statuses == [P, P]


@pytest.mark.parametrize(
    "compared, status, timed",
    [
        ([RIGHT, WRONG, RIGHT, RIGHT], W, False),
        ([RIGHT, RIGHT, LOST, LOST, RIGHT], W, True),
        ([RIGHT, WRONG, LOST, LOST], W, False),
        ([RIGHT], P, True),
    ],
)
def test_where_a_run_is_strict_stress_decides_too(
    compared: list, status: Status, timed: bool, go: Go, stage: Stage
) -> None:
    stage.answers["judge compare"] = compared
    row = stressed(go, stage, *STRESS, strict=True)
    assert (row.verdict.status, bool(row.timing)) == (status, timed)
    assert bool(row.speedups) == row.as_expected == (status is P)
    assert row.verdict.stress.startswith(row.verdict.reason)


def test_what_the_judge_cannot_tell_of_stress_is_untested(go: Go, stage: Stage) -> None:
    stage.answers["judge compare"] = [RIGHT, fails(Status.OUT_OF_MEMORY), RIGHT]
    row = stressed(go, stage, *STRESS)
    assert (row.verdict.status, row.verdict.stress) == (P, "")
    assert row.verdict.non_finite is NonFinite.SAME


def test_a_judge_that_is_lost_over_stress_costs_what_is_left_of_it(go: Go, stage: Stage) -> None:
    stage.answers["judge compare"] = [RIGHT, RIGHT, fails(Status.CRASHED, alive=False), RIGHT]
    row = stressed(go, stage, *STRESS)
    assert (row.verdict.status, row.verdict.stress) == (P, "")
    assert row.verdict.non_finite is NonFinite.UNTESTED
    assert row.timing and row.speedups and stage.started("judge") == 2


def test_judging_alone_times_nothing(go: Go, stage: Stage) -> None:
    notes = go(judge_only=True)
    assert notes.statuses == [P] * 4
    assert not any("block" in asked or "baseline" in asked for asked in stage.asked)


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
    assert notes.rows[0].verdict.reason == "the kernel requires rows > 2 (rows=1)"
    assert notes.rows[0].build is None


# the server's failures


@pytest.mark.parametrize(
    "request_", ["a load", "a call", "a block", "judge prepare", "judge compare", "judge block"]
)
def test_what_went_down_with_the_server_is_tried_again(request_: str, go: Go, stage: Stage) -> None:
    died = fails(Status.CRASHED, alive=False, server_died=True)
    stage.answers[request_] = [died, ANSWERS[request_.split()[1]]]
    notes = go()
    assert notes.statuses == [P] * 4
    assert all(set(row.baselines) == {"eager", "compile"} for row in notes.rows)


def test_one_death_of_the_server_is_met_once_by_all_its_children(go: Go, stage: Stage) -> None:
    def everyone_dies() -> ChildFailed:
        for child in stage.children:
            child.dead_with_server = True
        return fails(Status.CRASHED, alive=False, server_died=True)

    stage.answers["b call"] = [everyone_dies, ""]
    assert go().statuses == [P] * 4
    assert (stage.started("judge"), stage.started("a"), stage.started("b")) == (2, 2, 2)


def test_a_kernel_under_which_the_server_dies_again_has_crashed(go: Go, stage: Stage) -> None:
    died = fails(Status.CRASHED, alive=False, server_died=True)
    stage.answers["a call"] = [died]
    notes = go()
    assert notes.statuses == [Status.CRASHED, P, Status.CRASHED, P]
    assert "twice" in notes.rows[0].verdict.reason


# endings


@pytest.mark.parametrize("asked", ["a build", "judge prepare", "a call", "judge block"])
def test_ctrl_c_ends_every_child_and_leaves_no_exchange_folder(
    asked: str, go: Go, stage: Stage
) -> None:
    stage.answers[asked] = [KeyboardInterrupt()]
    with pytest.raises(KeyboardInterrupt):
        go()
    assert list(scratch.folder().glob("exchange-*")) == []


def test_rows_are_written_before_the_next_begins(go: Go, stage: Stage) -> None:
    stage.answers["b call"] = [KeyboardInterrupt()]
    notes = Notes()
    with pytest.raises(KeyboardInterrupt):
        go(notes)
    assert [row.kernel for row in notes.rows] == ["a"]


# fall-backs


@pytest.mark.parametrize("who", ["builder", "worker"])
def test_what_a_file_went_on_without_is_in_the_row_which_is_not_ranked(
    who: str, go: Go, stage: Stage
) -> None:
    if who == "worker":
        stage.answers["a call"] = ["ext: was not built ahead of time"]
    else:
        stage.answers["a build"] = [ANSWERS["build"] | {"fallback": "ext: error: no"}]
    first, second = go(cases=PLAN.cases[:1]).rows
    assert first.fallback.startswith("ext: ") and not second.fallback
    assert first.verdict.status is P and first.timing and not first.speedups
    assert second.speedups
    assert (first.as_expected, second.as_expected) == (False, True)


# globals that restate an axis


def test_a_file_that_restates_an_axis_is_loaded_with_each_of_its_values(
    go: Go, stage: Stage
) -> None:
    restating = kernel("a", literals={"rows": 1})
    cases = [Case({"rows": rows}, dtype, "cpu") for dtype in ("x", "y") for rows in (1, 2)]
    assert go(kernels=[restating, kernel("b")], cases=cases).statuses == [P] * 8
    loads = [arguments["overrides"] for asked, arguments in stage.arguments if asked == "a load"]
    assert loads == [{"rows": 1}, {"rows": 2}] * 2
    assert stage.started("b") == 1
