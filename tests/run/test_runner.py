"""Scheduling, deadlines and endings, with children that only pretend."""

from __future__ import annotations

from typing import Any

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
    Worker,
    fails,
    kernel,
    prepared,
)

from harness.children import ChildFailed
from harness.records import Case, Draw, NonFinite, Result, Status
from harness.run import runner

P, W = Status.PASSED, Status.WRONG_VALUES


def test_every_kernel_on_every_case_case_by_case(go: Go) -> None:
    notes = go()
    assert [(row.case_index, row.kernel) for row in notes.rows] == [
        *((0, "a"), (0, "b"), (1, "a"), (1, "b")),
    ]
    assert notes.statuses == [P] * 4
    assert set(notes.builds) == {"a", "b"}


# judging


def test_all_kernels_answer_a_trial_before_the_next_is_made(go: Go, stage: Stage) -> None:
    go(cases=PLAN.cases[:1], judge_only=True)
    steps = ("judge make", "judge answer a", "judge answer b")
    assert [asked for asked in stage.asked if asked in steps] == [*steps, *steps]


def test_files_are_loaded_while_the_judge_gets_ready(go: Go, stage: Stage) -> None:
    go(cases=PLAN.cases[:1])
    steps = ("a load", "b load", "judge prepare", "judge make", "judge attach a")
    assert sorted(steps, key=stage.asked.index) == list(steps)
    assert stage.asked.count("a load") == 1


def test_a_kernel_that_is_not_run_has_no_worker(go: Go, stage: Stage) -> None:
    go(kernels=[kernel("a", requires="rows > 2"), kernel("b")])
    assert stage.started("a") == 0


def test_kernels_are_timed_when_all_are_judged(go: Go, stage: Stage) -> None:
    go(cases=PLAN.cases[:1])
    last = max(at for at, asked in enumerate(stage.asked) if " answer " in asked)
    assert stage.asked.index("judge warm_up a") > last
    # Each gives its memory back before the next is timed.
    assert stage.asked.index("judge dismiss a") < stage.asked.index("judge warm_up b")


def test_of_many_kernels_only_some_live_at_once(
    go: Go, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "TOGETHER", 2)
    names = ["a", "b", "c", "d", "e"]
    alive = []

    class Watching(Notes):
        def append(self, result: Result) -> None:
            super().append(result)
            alive.append({child.who for child in stage.children if not child.killed} & set(names))

    notes = go(Watching(), kernels=[kernel(name) for name in names], cases=PLAN.cases[:1])
    assert [(row.kernel, row.verdict.status) for row in notes.rows] == [(n, P) for n in names]
    assert alive == [{"a", "b"}, {"a", "b"}, {"c", "d"}, {"c", "d"}, {"e"}]


def test_no_trial_is_made_that_nobody_is_left_to_answer(go: Go, stage: Stage) -> None:
    stage.answers["judge answer"] = [WRONG]
    go(cases=PLAN.cases[:1])
    assert stage.asked.count("judge make") == 1


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
    stage.answers["judge answer"] = compared
    notes = go(kernels=[kernel("a")], cases=PLAN.cases[:1], judge_only=True)
    (row,) = notes.rows
    assert (row.verdict.status, row.verdict.error_rel) == (status, error)


def test_after_the_first_wrong_trial_the_others_are_not_run(go: Go, stage: Stage) -> None:
    stage.answers["judge answer"] = [WRONG]
    go(kernels=[kernel("a")], cases=PLAN.cases[:1])
    assert stage.asked.count("judge answer a") == 1


# timing


@pytest.mark.parametrize("baselines", [PLAN.baselines, ()])
def test_the_hand_over_is_measured_once_by_eager(baselines: Any, go: Go, stage: Stage) -> None:
    assert go(baselines=baselines).handover_us == 5.0
    assert [asked for asked in stage.asked if "handover" in asked] == ["judge handover eager"]


def test_where_nothing_is_timed_the_hand_over_is_unknown(go: Go) -> None:
    assert go(judge_only=True).handover_us is None


def test_a_hand_over_that_fails_costs_nothing(go: Go, stage: Stage) -> None:
    stage.answers["judge handover"] = [Worker.GONE]
    notes = go()
    assert notes.statuses == [P] * 4 and notes.handover_us is None


def test_wrong_kernels_are_not_timed(go: Go, stage: Stage) -> None:
    stage.answers["judge answer"] = [WRONG]
    notes = go()
    assert all(row.timing is None and not row.baselines for row in notes.rows)
    assert "judge warm_up a" not in stage.asked


def test_what_is_right_on_finite_inputs_is_timed_but_not_ranked(go: Go, stage: Stage) -> None:
    stage.answers |= {f"judge answer {name}": [RIGHT, LOST] * 2 for name in ("a", "b")}
    notes = go()
    assert all(row.timing and row.baselines and not row.speedups for row in notes.rows)
    assert {row.verdict.reason for row in notes.rows} == {"NaN inputs: lost"}


@pytest.mark.parametrize("on_nan, non_finite", [(RIGHT, NonFinite.SAME), (LOST, NonFinite.DIFFERS)])
def test_a_kernel_that_is_wrong_while_it_is_timed_has_no_time(
    on_nan: dict, non_finite: NonFinite, go: Go, stage: Stage
) -> None:
    stage.answers["judge answer"] = [RIGHT, on_nan]
    stage.answers["judge block a"] = [[], WRONG]
    (row,) = go(kernels=[kernel("a")], cases=PLAN.cases[:1]).rows
    reason = "right when judged, wrong while it was timed: off"
    assert (row.verdict.status, row.verdict.reason, row.timing) == (W, reason, None)
    assert row.verdict.non_finite is non_finite


@pytest.mark.parametrize("request_", ["warm_up", "block"])
def test_what_was_judged_stays_in_the_row_of_a_kernel_that_then_fails(
    request_: str, go: Go, stage: Stage
) -> None:
    stage.answers[f"judge {request_} a"] = [Worker.GONE]
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
    stage.answers["judge answer"] = [RIGHT, WRONG, RIGHT, LOST]
    row = stressed(go, stage, *STRESS)
    assert (row.verdict.status, row.verdict.non_finite) == (P, NonFinite.DIFFERS)
    assert row.verdict.stress == "huge normal inputs: off; infinite inputs: lost"
    assert row.timing and row.speedups


def test_stress_is_left_to_what_is_right_on_the_contract(go: Go, stage: Stage) -> None:
    stage.answers["judge answer"] = [WRONG]
    verdict = stressed(go, stage, *STRESS).verdict
    assert (verdict.status, verdict.non_finite, verdict.stress) == (W, NonFinite.UNTESTED, "")
    assert stage.asked.count("judge answer a") == 1


@pytest.mark.parametrize(
    "said, status, alive",
    [
        (Worker.fails("RUNTIME_ERROR"), Status.RUNTIME_ERROR, True),
        (Worker.fails("RUNTIME_ERROR", poisoned=True), Status.RUNTIME_ERROR, False),
        (Worker.GONE, Status.CRASHED, False),
        (Worker.LATE, Status.TIMED_OUT, False),
    ],
)
@pytest.mark.parametrize("strict", [False, True])
def test_a_kernel_that_fails_under_stress_is_timed_as_new(
    said: dict, status: Status, alive: bool, strict: bool, go: Go, stage: Stage
) -> None:
    stage.answers["judge answer"] = [RIGHT, said, RIGHT]
    row = stressed(go, stage, *STRESS, strict=strict)
    assert row.verdict.status is (status if strict else P)
    reason = "no answer to 'call' within 5 s" if said == Worker.LATE else f"pretended {status}"
    assert row.verdict.stress == f"huge normal inputs: {reason}"
    # What has died is tried no further.
    assert row.verdict.non_finite is (NonFinite.SAME if alive else NonFinite.UNTESTED)
    assert stage.asked.count("judge answer a") == (4 if alive else 2)
    assert bool(row.timing) is not strict
    assert stage.asked.count("a load") == (1 if strict and not alive else 2)
    assert stage.asked.count("judge construct a") == stage.asked.count("a load")


def test_a_hang_under_stress_costs_no_other_case(go: Go, stage: Stage) -> None:
    stage.answers["judge prepare"] = [prepared(OWN, HUGE)]
    stage.answers["judge answer"] = [RIGHT, Worker.LATE, RIGHT]
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
    stage.answers["judge answer"] = compared
    row = stressed(go, stage, *STRESS, strict=True)
    assert (row.verdict.status, bool(row.timing)) == (status, timed)
    assert bool(row.speedups) == row.as_expected == (status is P)
    assert row.verdict.stress.startswith(row.verdict.reason)


def test_what_the_judge_cannot_tell_of_stress_is_untested(go: Go, stage: Stage) -> None:
    stage.answers["judge answer"] = [RIGHT, fails(Status.OUT_OF_MEMORY), RIGHT]
    row = stressed(go, stage, *STRESS)
    assert (row.verdict.status, row.verdict.stress) == (P, "")
    assert row.verdict.non_finite is NonFinite.SAME


def test_a_judge_that_is_lost_over_stress_twice_costs_that_trial(go: Go, stage: Stage) -> None:
    lost = fails(Status.CRASHED, alive=False)
    stage.answers["judge answer"] = [RIGHT, lost, lost, RIGHT, LOST]
    row = stressed(go, stage, *STRESS)
    assert (row.verdict.status, row.verdict.stress) == (P, "infinite inputs: lost")
    assert row.timing and row.speedups and stage.started("judge") == 3


def test_stress_that_the_reference_cannot_do_is_left_out(go: Go, stage: Stage) -> None:
    refused, lost = fails(Status.UNGRADABLE), fails(Status.CRASHED, alive=False)
    stage.answers["judge make"] = [None, refused, lost, None]
    stage.answers["judge answer"] = [RIGHT, LOST]
    row = stressed(go, stage, *STRESS)
    assert (row.verdict.status, row.verdict.stress) == (P, "infinite inputs: lost")
    assert row.timing and row.speedups and stage.started("judge") == 2


def test_a_trial_that_was_refused_is_none_to_be_timed_after(go: Go, stage: Stage) -> None:
    stage.answers["judge make"] = [None, fails(Status.UNGRADABLE), None]
    stage.answers["judge warm_up eager"] = [Worker.GONE]
    assert stressed(go, stage, HUGE).timing


def test_what_is_wrong_under_stress_goes_on_in_its_process(go: Go, stage: Stage) -> None:
    stage.answers["judge answer"] = [RIGHT, WRONG]
    assert stressed(go, stage, *STRESS).timing
    assert stage.started("a") == stage.asked.count("judge construct a") == 1


def test_judging_alone_times_nothing(go: Go, stage: Stage) -> None:
    notes = go(judge_only=True)
    assert notes.statuses == [P] * 4
    assert not any("block" in asked or "baseline" in asked for asked in stage.asked)


# a kernel's failures


REQUESTS = ["construct", "answer", "warm_up", "block", "fallback"]


@pytest.mark.parametrize("request_", REQUESTS)
@pytest.mark.parametrize(
    "said, status",
    [
        (Worker.fails("RUNTIME_ERROR"), Status.RUNTIME_ERROR),
        (Worker.fails("RUNTIME_ERROR", poisoned=True), Status.RUNTIME_ERROR),
        (Worker.GONE, Status.CRASHED),
    ],
)
def test_a_failure_is_one_row_and_no_one_elses(
    request_: str, said: dict, status: Status, go: Go, stage: Stage
) -> None:
    stage.answers[f"judge {request_} a"] = [said, ANSWERS[request_]]
    notes = go()
    assert notes.statuses == [status, P, P, P]
    # One that is not alive, or spoilt, is replaced.
    assert stage.started("a") == (1 if said == Worker.fails("RUNTIME_ERROR") else 2)
    assert (stage.started("b"), stage.started("judge")) == (1, 1)


@pytest.mark.parametrize("status", [Status.LOAD_FAILED, Status.CRASHED])
def test_a_file_that_does_not_load_is_one_row(status: Status, go: Go, stage: Stage) -> None:
    failed = fails(status, alive=status is Status.LOAD_FAILED)
    stage.answers["a load"] = [failed, None]
    notes = go()
    assert notes.statuses == [status, P, P, P]
    assert stage.asked.count("a load") == 2  # once for each case
    assert notes.rows[0].verdict.reason == f"pretended {status}"  # on no inputs
    assert (stage.started("a"), stage.started("b"), stage.started("judge")) == (2, 1, 1)


@pytest.mark.parametrize("request_", ["attach", *REQUESTS])
def test_after_a_timeout_a_kernel_is_not_tried_again(request_: str, go: Go, stage: Stage) -> None:
    stage.answers[f"judge {request_} a"] = [Worker.LATE]
    notes = go()
    assert notes.statuses == [Status.TIMED_OUT, P, Status.SKIPPED, P]
    assert "timed out on case 0 (rows=1 float32 cpu)" in notes.rows[2].verdict.reason


def test_a_file_that_hangs_when_imported_is_not_tried_again(go: Go, stage: Stage) -> None:
    stage.answers["a load"] = [fails(Status.TIMED_OUT, alive=False)]
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


# memory

NO_ROOM = Worker.fails("OUT_OF_MEMORY")


@pytest.mark.parametrize("request_", ["construct", "answer"])
@pytest.mark.parametrize("no_room", [NO_ROOM, fails(Status.OUT_OF_MEMORY)])
def test_what_others_held_is_given_back_and_the_kernel_tried_again(
    request_: str, no_room: Any, go: Go, stage: Stage
) -> None:
    stage.answers[f"judge {request_} b"] = [no_room, ANSWERS[request_]]
    assert go(cases=PLAN.cases[:1]).statuses == [P, P]
    assert (stage.started("a"), stage.started("b"), stage.started("judge")) == (1, 1, 1)
    at = stage.asked.index("judge dismiss a")
    assert f"judge {request_} b" in stage.asked[:at]
    assert "judge construct a" in stage.asked[at:]  # and is as it was when its turn comes


@pytest.mark.parametrize("request_", ["construct", "answer", "warm_up", "block"])
def test_where_that_is_not_enough_the_others_are_ended(request_: str, go: Go, stage: Stage) -> None:
    stage.answers[f"judge {request_} b"] = [NO_ROOM, NO_ROOM, ANSWERS[request_]]
    notes = go(cases=PLAN.cases[:1])
    assert notes.statuses == [P, P] and notes.said == []
    others = [stage.started(name) for name in ("a", "eager", "compile")]
    assert max(others) == 2 and stage.started("b") == 1


def test_the_last_try_is_the_third(go: Go, stage: Stage) -> None:
    stage.answers["judge answer b"] = [NO_ROOM]
    assert go(cases=PLAN.cases[:1]).statuses == [P, Status.OUT_OF_MEMORY]
    assert stage.asked.count("judge answer b") == 3


@pytest.mark.parametrize("status", [Status.UNGRADABLE, Status.OUT_OF_MEMORY])
def test_what_the_judge_cannot_hand_to_one_kernel_is_no_one_elses_verdict(
    status: Status, go: Go, stage: Stage
) -> None:
    stage.answers["judge answer b"] = [NO_ROOM, RIGHT]  # so that the first is constructed again
    stage.answers["judge construct a"] = [None, fails(status)]
    assert go(cases=PLAN.cases[:1]).statuses == [Status.UNGRADABLE, P]


def test_the_reference_is_tried_again_in_the_memory_of_kernels(go: Go, stage: Stage) -> None:
    stage.answers["judge make"] = [None, fails(Status.OUT_OF_MEMORY), None]
    notes = go(cases=PLAN.cases[:1])
    assert notes.statuses == [P, P]
    assert {row.verdict.non_finite for row in notes.rows} == {NonFinite.SAME}


def test_a_new_judge_is_tried_again_in_the_memory_of_kernels(go: Go, stage: Stage) -> None:
    stage.answers["judge make"] = [None, fails(Status.CRASHED, alive=False), None]
    ready = ANSWERS["prepare"]
    stage.answers["judge prepare"] = [ready, fails(Status.OUT_OF_MEMORY), ready]
    assert go(cases=PLAN.cases[:1]).statuses == [P, P]


def test_a_baseline_is_tried_again_in_the_memory_of_the_next_kernels(go: Go, stage: Stage) -> None:
    stage.answers["judge construct compile"] = [NO_ROOM, None]
    notes = go(cases=PLAN.cases[:1])
    assert all(set(row.baselines) == {"eager", "compile"} for row in notes.rows)
    assert notes.said == []


@pytest.mark.parametrize("who", ["a", "b"])
@pytest.mark.parametrize("request_", ["construct", "answer", "warm_up", "block"])
def test_a_kernel_that_needs_more_than_there_is_says_so(
    who: str, request_: str, go: Go, stage: Stage
) -> None:
    stage.answers[f"judge {request_} {who}"] = [NO_ROOM]
    statuses = {row.kernel: row.verdict.status for row in go(cases=PLAN.cases[:1]).rows}
    assert statuses == {"a": P, "b": P} | {who: Status.OUT_OF_MEMORY}


def test_all_memory_is_given_back_before_the_next_case(go: Go, stage: Stage) -> None:
    cases = [Case({"rows": 1}, dtype, "cpu") for dtype in ("float32", "float16")]
    assert go(cases=cases).statuses == [P] * 4
    before = stage.asked[: stage.asked.index("judge release")]
    for name in ("a", "b", "eager", "compile"):
        assert f"judge dismiss {name}" in before
        assert stage.asked.count(f"judge construct {name}") == 2


# the server's failures

OF_THE_SERVER = [
    *("judge attach a", "judge construct a", "judge answer a", "judge fallback a"),
    *("judge warm_up a", "judge block a", "judge block eager", "judge warm_up eager"),
    *("judge dismiss a", "judge detach", "judge release", "compile load_baseline"),
]


@pytest.mark.parametrize("request_", ["a load", "judge prepare", "judge make", *OF_THE_SERVER])
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

    stage.answers["judge answer b"] = [everyone_dies, RIGHT]
    assert go().statuses == [P] * 4
    assert (stage.started("judge"), stage.started("a"), stage.started("b")) == (2, 2, 2)


@pytest.mark.parametrize("request_", ["a load", "judge answer a", "judge block a"])
def test_a_kernel_under_which_the_server_dies_again_has_crashed(
    request_: str, go: Go, stage: Stage
) -> None:
    died = fails(Status.CRASHED, alive=False, server_died=True)
    stage.answers[request_] = [died]
    notes = go()
    assert notes.statuses == [Status.CRASHED, P, Status.CRASHED, P]
    assert "twice on this case" in notes.rows[0].verdict.reason


def test_a_reference_under_which_the_server_dies_again_cannot_judge(go: Go, stage: Stage) -> None:
    died = fails(Status.CRASHED, alive=False, server_died=True)
    stage.answers["judge make"] = [died, died, None]
    notes = go()
    assert notes.statuses == [Status.UNGRADABLE, Status.UNGRADABLE, P, P]
    assert notes.rows[0].verdict.judge_died
    assert "twice on this case" in notes.rows[0].verdict.reason


# endings


@pytest.mark.parametrize(
    "asked",
    [
        *("a build", "a load", "eager load_baseline", "judge prepare", "judge make"),
        *("judge attach", "judge answer", "judge block", "judge detach", "judge dismiss"),
    ],
)
def test_ctrl_c_ends_every_child(asked: str, go: Go, stage: Stage) -> None:
    stage.answers[asked] = [KeyboardInterrupt()]
    with pytest.raises(KeyboardInterrupt):
        go()


def test_a_row_is_written_before_the_next_kernel_is_timed(go: Go, stage: Stage) -> None:
    stage.answers["judge block b"] = [KeyboardInterrupt()]
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
        stage.answers["judge fallback a"] = ["ext: was not built ahead of time"]
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
