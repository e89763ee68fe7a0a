"""The judge and a worker beside it: what an answer is called, whatever the worker does."""

from __future__ import annotations

import gc
import multiprocessing
from pathlib import Path
from typing import Any

import pytest
import torch
from command_line import TINY
from judging import (
    COUNT,
    EXACT,
    FAMILIES,
    PATIENCE_S,
    RIGHT,
    TRIALS,
    Court,
    doing,
    problem,
    returning,
)

from harness.records import OTHER_WEIGHTS, Status
from harness.serve import RequestFailed

# the case


def test_the_trials_of_a_case(court: Court) -> None:
    assert [draw["name"] for draw in court.draws] == TRIALS


def test_of_trials_everyone_is_told_what_everyone_may_know(court: Court) -> None:
    draws = court.prepare(families=None)
    stress = [draw for draw in draws if draw["stress"]]
    assert stress == draws[-3:] == [
        {"name": "huge normal", "finite": True, "stress": True},
        {"name": "NaN", "finite": False, "stress": True},
        {"name": "infinite", "finite": False, "stress": True},
    ]  # fmt: skip


@pytest.mark.parametrize(
    "says, text",
    [
        ("clump", problem("return torch.clump(x, -3, 3)")),
        ("no weights today", problem("return x", "raise ValueError('no weights today')")),
        (
            "returns a Tensor",
            TINY.read_text().replace("[torch.rand(batch_size, in_features)]", "torch.rand(3)"),
        ),
        ("SyntaxError", problem("return x return x")),
    ],
    ids=["forward", "constructor", "get_inputs", "file"],
)
def test_a_reference_that_fails_is_ungradable(says: str, text: str, court: Court) -> None:
    with pytest.raises(RequestFailed, match=says) as raised:
        court.prepare(text)
    assert raised.value.status is Status.UNGRADABLE


@pytest.mark.parametrize("size", [10**12, 10**17])
def test_a_case_too_large_is_out_of_memory(size: int, court: Court) -> None:
    with pytest.raises(RequestFailed) as raised:
        court.prepare(axes={"batch_size": size})
    assert raised.value.status is Status.OUT_OF_MEMORY


def test_a_released_case_is_forgotten(court: Court) -> None:
    def has_its_tensors() -> bool:
        gc.collect()
        tensors = [x for x in gc.get_objects() if type(x) is torch.Tensor]
        return any(x.shape[:1] == (1234,) for x in tensors)

    court.prepare(axes={"batch_size": 1234})
    court.constructed("control_exact")
    assert court.answer()["status"] is None
    assert court.block()["comparison"]["status"] is None
    assert has_its_tensors()
    court.judge.release()
    assert not has_its_tensors()


# answers


@pytest.mark.parametrize("kernel", ["control_exact", "control_non_contiguous"])
def test_a_right_output_on_every_trial(kernel: str, court: Court) -> None:
    court.constructed(kernel)
    for trial in TRIALS:
        assert court.answer(trial)["status"] is None, trial


def test_eagers_own_output_is_as_near_the_truth_as_eager(court: Court) -> None:
    court.constructed("control_exact")
    comparison = court.answer("normal")
    assert comparison["error_rel"] == comparison["eager_error_rel"] > 0


@pytest.mark.parametrize(
    "output, status",
    [
        ("y * 1.01", Status.WRONG_VALUES),
        ("y.double()", Status.WRONG_DTYPE),
        ("y[:1]", Status.WRONG_SHAPE),
        ("(y,)", Status.WRONG_STRUCTURE),
        ("None", Status.WRONG_STRUCTURE),
        ("y.numpy().tobytes()", Status.WRONG_STRUCTURE),
        ("y.to('meta')", Status.WRONG_STRUCTURE),
        ("torch.nn.Parameter(y)", Status.WRONG_STRUCTURE),
        ("y.to_sparse()", Status.WRONG_STRUCTURE),
        # On finite inputs a NaN is a wrong value like any other.
        ("y * float('nan')", Status.WRONG_VALUES),
    ],
)
def test_a_wrong_output(output: str, status: Status, court: Court) -> None:
    court.constructed(returning(output))
    comparison = court.answer("normal")
    assert comparison["status"] is status
    assert comparison["reason"]
    # Nothing is wrong with the worker.
    assert court.answer("own")["status"] is status


@pytest.mark.parametrize(
    "kernel", ["packs_weights_once", "packs_weights_in_global", "control_packed_per_version"]
)
def test_what_a_call_makes_of_the_weights_must_follow_them(kernel: str, court: Court) -> None:
    court.constructed(kernel)
    assert court.answer("own")["status"] is None
    wrong = None if kernel.startswith("control") else Status.WRONG_VALUES
    assert court.answer(OTHER_WEIGHTS)["status"] is wrong
    assert court.answer("normal")["status"] is None  # they are what they were


@pytest.mark.parametrize("kernel", ["control_packed_weights", "control_renamed_weights"])
def test_other_weights_are_no_trial_for_what_the_constructor_made(
    kernel: str, court: Court
) -> None:
    court.constructed(kernel)
    court.judge.make(TRIALS.index(OTHER_WEIGHTS))
    assert court.judge.answer("kernel", PATIENCE_S) == {"answer": None}
    assert court.answer("normal")["status"] is None


def test_a_call_that_fails_leaves_the_weights_as_they_were(court: Court) -> None:
    court.constructed(doing(f"{COUNT}", "if self.calls == 2: raise ValueError('no')", "return y"))
    assert court.answer("own")["status"] is None
    assert court.answer(OTHER_WEIGHTS)["status"] == Status.RUNTIME_ERROR
    assert court.answer("normal")["status"] is None


@pytest.mark.parametrize("trial", ["NaN", "infinite"])
def test_a_misplaced_nan_on_non_finite_inputs(trial: str, court: Court) -> None:
    court.constructed(returning("y.nan_to_num(0)"))
    comparison = court.answer(trial)
    assert comparison["status"] is Status.WRONG_VALUES
    assert "are NaN or infinite on one side only" in comparison["reason"]


def test_a_reason_is_one_plain_line(court: Court) -> None:
    court.constructed(returning("torch.nn.utils.rnn.pack_sequence([y])"))
    reason = court.answer()["reason"]
    assert reason and reason.isprintable(), repr(reason)


def test_two_workers_answer_the_same_trial_each_for_itself(court: Court) -> None:
    court.constructed("control_exact", "right")
    court.constructed("scaled", "wrong")
    for trial in ("own", "own again"):
        assert court.answer(trial, "right")["status"] is None
        assert court.answer(trial, "wrong")["status"] is Status.WRONG_VALUES


# inputs


@pytest.mark.parametrize(
    "change",
    [
        "x.add_(1)",
        "x[-1, -1] += 1",
        "x.mul_(0).neg_()",  # -0 instead of what was there
        "x.fill_(float('nan'))",
    ],
)
def test_inputs_must_stay_as_they_were(change: str, court: Court) -> None:
    court.constructed(doing(change, "return y"))
    assert court.answer("own")["status"] is Status.INPUT_MUTATED


def test_the_sign_of_a_zero_is_something_to_change(court: Court) -> None:
    zeros = TINY.read_text().replace("torch.rand(", "torch.zeros(")
    court.prepare(zeros)
    court.constructed(doing("x.neg_()", "return y"))
    assert court.answer()["status"] is Status.INPUT_MUTATED


def test_a_nan_among_the_inputs_has_not_changed(court: Court) -> None:
    court.constructed("control_exact")
    assert court.answer("NaN")["status"] is None


# outputs that share memory


@pytest.mark.parametrize(
    "kernel, statuses",
    [
        ("static_output", [None, Status.ALIASED]),
        ("static_output_view", [None, Status.ALIASED]),
        ("static_outputs_in_turn", [None, None, Status.ALIASED]),
    ],
)
def test_an_output_that_a_later_call_overwrites(
    kernel: str, statuses: list[Status | None], court: Court
) -> None:
    court.constructed(kernel)
    assert [court.answer(trial)["status"] for trial in TRIALS[: len(statuses)]] == statuses


@pytest.mark.parametrize("output", ["y * 2", "None", "y.to_sparse()"])
def test_a_wrong_output_between_two_right_ones_is_not_mistaken_for_an_earlier_one(
    output: str, court: Court
) -> None:
    court.constructed(doing(f"return {output} if x.min() < 0 else y"))
    statuses = [court.answer(trial)["status"] for trial in ("own", "normal", *TRIALS[:3])]
    assert statuses[1] is not None
    assert statuses[:1] + statuses[2:] == [None] * 4


def test_what_is_overwritten_after_a_wrong_output_is_noticed_as_well(court: Court) -> None:
    static = f"self.out = getattr(self, 'out', torch.empty(7, 10)).copy_({RIGHT})"
    court.constructed(doing(static, "return None if x.min() < 0 else self.out"))
    statuses = [court.answer(trial)["status"] for trial in ("own", "normal", "own again")]
    assert statuses == [None, Status.WRONG_STRUCTURE, Status.ALIASED]


def test_timed_outputs_are_not_mistaken_for_earlier_ones(court: Court) -> None:
    court.constructed("control_exact")
    for trial in ("own", "normal", "own again"):
        assert court.answer(trial)["status"] is None
        assert court.block()["comparison"]["status"] is None


def test_a_model_made_anew_may_use_what_the_last_one_used(court: Court) -> None:
    shared = EXACT.replace("class ", "BUFFER = torch.empty(7, 10)\n\n\nclass ", 1)
    shared = shared.replace(f"return {RIGHT}", f"return BUFFER.copy_({RIGHT})")
    court.constructed(shared)
    assert court.answer("own")["status"] is None
    court.construct()
    assert court.answer("own again")["status"] is None
    assert court.answer("normal")["status"] is Status.ALIASED


def test_an_output_may_lie_in_the_inputs_where_the_references_does(court: Court) -> None:
    court.prepare(problem("return x.view(-1)"), families=FAMILIES)
    court.constructed(returning("x.view(-1)"))
    assert [court.answer(trial)["status"] for trial in TRIALS] == [None] * len(TRIALS)


def test_an_output_must_not_lie_in_the_inputs_where_the_references_does_not(court: Court) -> None:
    court.prepare(problem("return x.clone()"), families=FAMILIES)
    court.constructed(returning("x"))
    assert court.answer("own")["status"] is None
    assert court.answer("own again")["status"] is Status.ALIASED


# workers that do not answer

FAILED = {"worker": "failed", "status": Status.RUNTIME_ERROR, "poisoned": False}
UNWELL = [
    ("raise ValueError('tired')", FAILED),
    ("while True: time.sleep(1)", {"worker": "late"}),
    ("os.kill(os.getpid(), signal.SIGKILL)", {"worker": "gone"}),
    ("os._exit(0)", {"worker": "gone"}),
]


def short_of(expected: dict[str, Any]) -> float:
    return 1.0 if expected["worker"] == "late" else PATIENCE_S


@pytest.mark.parametrize("unwell, expected", UNWELL)
def test_a_worker_that_does_not_construct(
    unwell: str, expected: dict[str, Any], court: Court
) -> None:
    expected = expected | ({"status": Status.LOAD_FAILED} if "status" in expected else {})
    court.hire(doing("return y", constructor=unwell))
    said = court.construct(patience_s=short_of(expected))
    assert "tired" in said.pop("reason", "tired")
    assert said == expected


@pytest.mark.parametrize("unwell, expected", UNWELL)
def test_a_worker_that_does_not_answer(unwell: str, expected: dict[str, Any], court: Court) -> None:
    court.constructed(doing(unwell))
    said = dict(court.answer(patience_s=short_of(expected)))
    assert "tired" in said.pop("reason", "tired")
    assert said == expected


@pytest.mark.parametrize("unwell, expected", UNWELL)
def test_a_worker_that_does_not_finish_a_block(
    unwell: str, expected: dict[str, Any], court: Court
) -> None:
    court.constructed(doing(COUNT, "if self.calls > 4:", f"    {unwell}", "return y"))
    assert court.answer()["status"] is None
    said = dict(court.block(patience_s=short_of(expected)))
    assert "tired" in said.pop("reason", "tired")
    assert said == expected


def test_a_worker_that_failed_may_try_again(court: Court) -> None:
    court.constructed(doing("if x.max() > 1:", "    raise ValueError('tired')", "return y"))
    assert court.answer("normal")["worker"] == "failed"
    assert court.answer("own")["status"] is None


def test_a_worker_that_ended_before_it_was_asked_is_gone(court: Court) -> None:
    court.constructed("control_exact").kill()
    assert court.answer() == court.block() == {"worker": "gone"}
    assert court.construct() == court.judge.dismiss("kernel", PATIENCE_S) == {"worker": "gone"}


def test_a_worker_that_ended_before_it_was_met_is_gone(court: Court) -> None:
    child = court.hire("control_exact")
    child.kill()
    ours, theirs = multiprocessing.Pipe()
    with theirs:
        assert court.judge.attach("kernel", child.pid, ours) == {"worker": "gone"}


def test_what_is_lost_on_the_way_to_one_worker_is_no_others_loss(court: Court) -> None:
    court.constructed("control_exact", "right")
    court.constructed(doing("os._exit(0)"), "gone")
    assert court.answer(name="gone") == {"worker": "gone"}
    court.judge.detach("gone")
    assert court.answer(name="right")["status"] is None


# memory given back


def maps_an_arena(process: int | str) -> bool:
    return "bench-arena" in Path(f"/proc/{process}/maps").read_text()


def test_a_dismissed_worker_gives_its_memory_back_and_can_be_asked_again(court: Court) -> None:
    gone = "\n    def __del__(self):\n        print('no model any more')\n"
    child = court.constructed(EXACT + gone)
    assert court.answer()["status"] is None
    assert maps_an_arena(child.pid) and maps_an_arena("self")
    assert "no model any more" not in child.log.read_text()
    assert court.judge.dismiss("kernel", PATIENCE_S) == {"answer": None}
    assert not maps_an_arena(child.pid) and not maps_an_arena("self")
    assert "no model any more" in child.log.read_text()
    assert court.construct() == {"answer": None}
    assert court.answer("own again")["status"] is None
    assert court.block()["comparison"]["status"] is None


def test_a_worker_goes_on_to_the_next_case(court: Court) -> None:
    court.constructed("control_exact")
    assert court.answer()["status"] is None
    for size in (3, 300, 5):
        court.judge.release()
        court.prepare(axes={"batch_size": size, "in_features": size})
        assert court.construct() == {"answer": None}
        assert court.answer()["status"] is None
        assert court.block()["comparison"]["status"] is None


def test_a_worker_that_hears_that_the_judge_has_hung_up_can_be_met_again(court: Court) -> None:
    child = court.constructed("print('read')\n" + EXACT)
    assert court.answer()["status"] is None
    court.detach()
    assert not maps_an_arena(child.pid) and not maps_an_arena("self")
    court.attach()
    assert court.construct() == {"answer": None}
    assert court.answer("own again")["status"] is None
    assert child.log.read_text() == "read\n"  # and the file is imported once


def test_hanging_up_on_whoever_is_not_there_is_harmless(court: Court) -> None:
    court.judge.detach("nobody")


def test_a_worker_met_under_a_name_takes_the_place_of_the_one_that_had_it(court: Court) -> None:
    first = court.constructed("scaled")
    assert court.answer()["status"] is Status.WRONG_VALUES
    court.constructed("control_exact")
    assert court.answer()["status"] is None
    assert first.hear("listen") is None  # it has noticed
    first.kill()
