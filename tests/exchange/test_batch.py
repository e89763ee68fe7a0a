"""Batches: calls on inputs that come all at once, and whose outputs are all taken."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
import torch
from exchange.both_ends import PATIENCE_S, Pair, both
from torch import Tensor

from harness.exchange.answer import WorkerFailed, WorkerGone, WorkerLate
from harness.exchange.judge_batch import Batch, LayoutsDiffer, batch
from harness.exchange.values import NotPlain

LIVE = torch.zeros(3, 40)


def numbers(call: int) -> list[Any]:
    """In the memory of those of the call before."""
    LIVE.fill_(call + 1)
    return [LIVE[:, ::2], call >= 0]


def run(
    pair: Pair,
    inputs: Callable[[int], list[Any]] = numbers,
    calls: int = 5,
    out_bytes: int = 4 * 60,
    patience_s: float = PATIENCE_S,
) -> Batch:
    return batch(pair.end, inputs, range(calls), out_bytes, patience_s)


def double(x: Tensor, yes: bool) -> Tensor:
    assert yes and x.stride() == (40, 2)
    return x * 2


def test_every_call_has_inputs_of_its_own_and_all_outputs_are_taken() -> None:
    with both(double) as pair:
        done = run(pair)
    assert [output.value.unique().tolist() for output in done.outputs] == [[2], [4], [6], [8], [10]]
    assert {output.value.shape for output in done.outputs} == {(3, 20)}
    assert {output.devices for output in done.outputs} == {frozenset({"cpu"})}
    assert not any(output.mutated for output in done.outputs)


def test_before_each_call_the_random_state_is_that_calls() -> None:
    seeds: list[int] = []
    with both(lambda x, yes: [seeds[-1], x + 1], ready=seeds.append) as pair:
        done = batch(pair.end, numbers, [30, 10, 20], 1 << 10, PATIENCE_S)
    assert [output.value[0] for output in done.outputs] == [30, 10, 20]


def test_nothing_begins_before_the_inputs_are_there() -> None:
    # On a CPU calls cannot be queued, so the host's part is in the time.
    with both(lambda x, yes: time.sleep(0.02)) as pair:
        done = run(pair, calls=4)
    assert not done.held
    assert done.wall_us > 80_000 > 1_000 > done.copies_us > 0


@pytest.mark.parametrize("value", [torch.empty(0), None])
def test_a_batch_may_be_of_nothing(value: Any) -> None:
    with both(lambda: value) as pair:
        done = batch(pair.end, lambda call: [], [0], 0, PATIENCE_S)
    assert torch.equal(done.outputs[0].value, value) if value is not None else True
    assert not done.outputs[0].mutated


def test_calls_and_batches_take_turns() -> None:
    with both(double) as pair:
        for count in (2, 1, 3):
            assert len(run(pair, calls=count).outputs) == count
            assert pair.call(*numbers(6)).value.unique().tolist() == [14]


def test_an_output_larger_than_its_place_is_not_taken() -> None:
    with both(lambda x, yes: [x.repeat(4, 4), x[0, :2]]) as pair:
        (output, *_) = run(pair).outputs
    assert [leaf.device.type for leaf in output.value] == ["meta", "meta"]
    assert output.value[0].shape == (12, 80)


def test_inputs_that_a_call_changes_are_found_out() -> None:
    with both(lambda x, yes: x.neg_()) as pair:
        assert all(output.mutated for output in run(pair).outputs)


@pytest.mark.parametrize("value, says", [({1: object()}, "object"), ([[]] * 10, None)])
def test_what_is_not_plain_is_refused(value: Any, says: str | None) -> None:
    with both(lambda x, yes: value) as pair:
        if says:
            with pytest.raises(NotPlain, match=says):
                run(pair)
        else:
            assert run(pair).outputs[-1].value == value


def test_inputs_that_are_not_laid_out_alike_make_no_batch() -> None:
    with both(double) as pair:
        with pytest.raises(LayoutsDiffer):
            run(pair, lambda call: [torch.zeros(3 + call, 40)[:, ::2], True])
        assert pair.call(*numbers(0)).value.unique().tolist() == [2]


def test_a_call_that_fails_fails_the_batch_and_the_worker_goes_on() -> None:
    def third(x: Tensor, yes: bool) -> Tensor:
        if x[0, 0] == 3:
            raise ValueError("three")
        return x

    with both(third) as pair:
        with pytest.raises(WorkerFailed, match="three"):
            run(pair)
        assert pair.call(*numbers(0)).value.unique().tolist() == [1]


def test_a_worker_that_is_late_or_gone_is_so_in_a_batch_too() -> None:
    with both(lambda x, yes: time.sleep(60)) as pair:
        with pytest.raises(WorkerLate):
            run(pair, patience_s=0.3)
        pair.kill()
        with pytest.raises(WorkerGone):
            run(pair, patience_s=0.3)


def test_a_worker_that_tells_of_other_calls_is_no_worker_of_ours() -> None:
    lies = {"batch": lambda **arguments: [{"tree": ["plain", 1]}]}
    with both(double, requests=lambda end: lies) as pair, pytest.raises(NotPlain):
        run(pair)
