"""Calls that are timed: their contents, their times, and what is looked at of them."""

from __future__ import annotations

import os
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
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

from harness import calls
from harness.records import OTHER_WEIGHTS, Status
from harness.verdict import fresh

# blocks


def noticing(what: str) -> str:
    """A kernel that fails once this is what it was in an earlier call."""
    look = f"now = {what}", "assert now not in self.seen", "self.seen.add(now)"
    return doing(*look, "return y", constructor="self.seen = set()")


def test_a_block_has_as_many_times_as_samples(court: Court) -> None:
    court.constructed("control_exact")
    block = court.block(samples=7)
    assert len(block["times_us"]) == 7 and min(block["times_us"]) > 0
    assert block["comparison"]["status"] is None
    assert block["comparison"]["error_rel"] > 0


def test_a_call_that_takes_longer_has_a_larger_time(court: Court) -> None:
    court.constructed(doing("time.sleep(0.02)", "return y"), "slow")
    assert min(court.block(samples=3, name="slow")["times_us"]) >= 20_000
    assert court.judge.warm_up("slow", 0.0, PATIENCE_S)["answer"] >= 20_000


def test_a_kernel_that_is_right_only_when_it_is_tried(court: Court) -> None:
    court.constructed(doing(COUNT, "return y + (self.calls > 2)"))
    assert [court.answer(trial)["status"] for trial in ("own", "normal")] == [None, None]
    comparison = court.block()["comparison"]
    assert comparison["status"] is Status.WRONG_VALUES and comparison["reason"]


def test_a_kernel_that_is_right_on_own_inputs_alone_once_it_is_timed(court: Court) -> None:
    court.constructed(doing(COUNT, "return y + (self.calls > 2 and bool((x < 0).any()))"))
    assert [court.answer(trial)["status"] for trial in ("own", "normal")] == [None, None]
    assert court.block()["comparison"]["status"] is Status.WRONG_VALUES


def test_a_call_of_another_family_is_not_among_the_times(court: Court) -> None:
    slow = "time.sleep(0.2 * bool((x < 0).any()))"
    court.constructed(doing("import time", slow, "return y"))
    block = court.block(samples=5)
    assert block["comparison"]["status"] is None
    assert len(block["times_us"]) == 5 and max(block["times_us"]) < 1e5


def test_a_kernel_that_is_wrong_now_and_then_is_found_out(court: Court) -> None:
    court.constructed("wrong_one_in_seven")
    blocks = (court.block(samples=20)["comparison"]["status"] for _ in range(100))
    assert Status.WRONG_VALUES in blocks


def test_a_kernel_that_knows_its_inputs_by_a_part_of_them_is_found_out(
    court: Court, monkeypatch: pytest.MonkeyPatch
) -> None:
    # By a call that is looked at, not by one of those that are nearly the one before anyway.
    monkeypatch.setattr(fresh, "SLIGHT", 0.0)
    key = "key = x.flatten()[::2].numpy().tobytes()"
    kernel = doing(key, "return self.seen.setdefault(key, y)", constructor="self.seen = {}")
    court.constructed(kernel)
    blocks = (court.block(samples=20)["comparison"]["status"] for _ in range(100))
    assert Status.WRONG_VALUES in blocks


@pytest.mark.parametrize("much_bytes, one", [(1 << 40, False), (0, True)])
def test_of_what_a_call_returns_and_should_the_judge_has_little_at_a_time(
    much_bytes: int, one: bool, court: Court, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "_MUCH_BYTES", much_bytes)
    court.constructed("control_exact")
    expected, looked_at = court.judge._oracle.expected, []
    truths: list[weakref.ref[torch.Tensor]] = []

    def noticed(*arguments: Any) -> Any:
        assert not any(truth() is not None for truth in truths), "the last is still there"
        eager, truth = expected(*arguments)
        truths.append(weakref.ref(truth))
        return eager, truth

    monkeypatch.setattr(court.judge._oracle, "expected", noticed)
    for _ in range(4):
        del truths[:]
        assert court.block(samples=20)["comparison"]["status"] is None
        looked_at.append(len(truths))
    assert (max(looked_at) == 1) == one


def test_a_timed_call_may_not_change_its_inputs_either(court: Court) -> None:
    court.constructed(doing(COUNT, "if self.calls > 1:", "    x.zero_()", "return y"))
    assert court.answer()["status"] is None
    assert court.block()["comparison"]["status"] is Status.INPUT_MUTATED


def test_a_timed_output_that_is_no_tensor(court: Court) -> None:
    court.constructed(returning("y.numpy().tobytes()"))
    said = court.block()
    assert (said["worker"], said["status"]) == ("failed", Status.WRONG_STRUCTURE)


def test_every_timed_call_has_contents_that_no_call_has_had(court: Court) -> None:
    court.constructed(noticing("x.numpy().tobytes()"))
    for trial in TRIALS[:4]:
        assert court.answer(trial)["status"] is None
    for _ in range(3):
        assert court.block(samples=30)["comparison"]["status"] is None
    assert court.answer("own")["worker"] == "failed"  # it does notice


def test_no_two_workers_are_timed_on_the_same_contents(court: Court, tmp_path: Path) -> None:
    court.constructed(doing("print(x.numpy().tobytes().hex())", "return y"), "one")
    court.constructed(doing("print(x.numpy().tobytes().hex())", "return y"), "other")
    contents = []
    for name in ("one", "other"):
        court.block(name=name)
        contents += (tmp_path / f"{name}.log").read_text().split()
    assert len(contents) == len(set(contents)) == 14


def test_timed_or_not_inputs_are_the_same_tensors_in_the_same_place(court: Court) -> None:
    child = court.constructed(doing("print(id(x), x.data_ptr(), x.shape)", "return y"))
    trials = [trial for trial in TRIALS if trial != OTHER_WEIGHTS]  # it is to be seen
    for trial in trials:
        assert court.answer(trial)["status"] is None
        assert court.block(samples=1)["comparison"]["status"] is None
    said = child.log.read_text().splitlines()
    assert len(said) == 5 * len(trials) and len(set(said)) == 1


def test_every_call_has_a_random_state_of_its_own(court: Court) -> None:
    court.constructed(noticing("torch.rand(1).item()"))
    for trial in TRIALS:
        assert court.answer(trial)["status"] is None
    assert court.block(samples=30)["comparison"]["status"] is None
    assert court.answer("own")["worker"] == "failed"  # it does notice


def test_what_the_reference_draws_a_kernel_can_draw_as_well(court: Court) -> None:
    drawing = "return torch.rand_like(x) * np.random.rand() * random.random()"
    header = "import random\n\nimport numpy as np\nimport torch\n"
    court.prepare(problem(drawing).replace("import torch\n", header), families=FAMILIES)
    kernel = EXACT.replace(f"return {RIGHT}", drawing).replace("import torch\n", header)
    court.constructed(kernel)
    assert court.answer("own")["status"] is None
    assert court.answer("normal")["status"] is None
    assert court.block()["comparison"]["status"] is None


# baselines


def test_a_baseline_is_called_as_a_kernel_is_and_not_judged(court: Court) -> None:
    court.hire_baseline()
    assert court.construct("eager") == {"answer": None}
    assert court.judge.warm_up("eager", 0.0, PATIENCE_S)["answer"] > 0
    block = court.block(samples=3, name="eager", judged=False)
    assert len(block["times_us"]) == 3 and block["comparison"] is None
    # It has the reference's weights: judged it would be right.
    assert court.answer("normal", "eager")["status"] is None


def test_a_call_that_does_nothing_takes_less_than_any(court: Court) -> None:
    court.hire_baseline()
    court.construct("eager")
    eager_us = min(court.block(samples=20, name="eager", judged=False)["times_us"])
    took = court.judge.handover("eager", 0, PATIENCE_S)["answer"]
    assert 0 < took["call_us"] < 10 * eager_us and took["batch_us"] is None  # none on a CPU
    assert court.answer("normal", "eager")["status"] is None  # it is what it was


# batches


def test_calls_of_a_batch_are_judged(court: Court) -> None:
    court.constructed(EXACT)
    took = court.bound(calls=6)
    assert took["calls"] == 6 and took["comparison"]["status"] is None
    assert took["wall_us"] > took["copies_us"] > 0
    assert court.answer("normal")["status"] is None


def test_a_kernel_that_is_wrong_in_a_batch_is_found_out(court: Court) -> None:
    court.constructed(doing(COUNT, "return y * (self.calls < 3)"))
    found = [court.bound(calls=1)["comparison"]["status"] for _ in range(4)]
    assert found == [None, None, Status.WRONG_VALUES, Status.WRONG_VALUES]


def test_a_batch_has_as_many_calls_as_there_is_memory_for(
    court: Court, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "_BATCH_BYTES", 3_000)
    court.constructed(EXACT)
    assert 1 < court.bound(calls=64)["calls"] < 6


def test_the_judge_is_the_clock_on_a_core_of_its_own_and_gives_the_others_back(
    court: Court,
) -> None:
    cores, threads = os.sched_getaffinity(0), torch.get_num_threads()
    where = "print(sorted(os.sched_getaffinity(0)), torch.get_num_threads())"
    child = court.constructed(doing(where, "return y"))
    court.block(samples=1)
    court.judge.warm_up("kernel", 0.0, PATIENCE_S)
    assert (os.sched_getaffinity(0), torch.get_num_threads()) == (cores, threads)
    others = sorted(cores)[1:] or sorted(cores)
    assert set(child.log.read_text().splitlines()) == {f"{others} {len(others)}"}
