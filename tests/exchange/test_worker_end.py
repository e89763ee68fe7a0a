"""The worker's end: what a call finds, and what it leaves."""

from __future__ import annotations

import time
import weakref
from typing import Any

import pytest
import torch
from exchange.both_ends import PATIENCE_S, both
from exchange.test_values import same
from torch import Tensor

from harness.exchange import page as pages
from harness.exchange.answer import WorkerFailed
from harness.exchange.values import from_json
from harness.exchange.worker_end import LOOK_BACK


def test_inputs_arrive_strided_and_nested_as_they_are() -> None:
    base = torch.arange(240.0)
    inputs = [
        base.view(12, 20).t()[::2],
        {"a": [base[7:10].expand(4, 3), (torch.tensor(2), None)], 3: "words"},
        torch.empty(0, 4),
        torch.tensor([True, False]),
        torch.rand(2, 3, 4, 4).to(memory_format=torch.channels_last).bfloat16(),
        2.5,
        float("inf"),
        torch.float16,
    ]

    def told(value: Any) -> Any:
        """As an output tells it: densely, so with its strides beside it."""
        if isinstance(value, Tensor):
            return [value, value.stride(), value.is_contiguous()]
        if isinstance(value, list | tuple):
            return type(value)(map(told, value))
        return {k: told(v) for k, v in value.items()} if isinstance(value, dict) else value

    with both(lambda *inputs: told(list(inputs))) as pair:
        answer = pair.call(*inputs).value
        expected = told(inputs)
        assert dense(answer) == dense(expected)


def dense(value: Any) -> Any:
    if isinstance(value, Tensor):
        return (value.dtype, tuple(value.shape), value.tolist())
    if isinstance(value, list | tuple):
        return type(value)(map(dense, value))
    return {k: dense(v) for k, v in value.items()} if isinstance(value, dict) else value


def test_inputs_that_share_memory_share_it_there() -> None:
    x = torch.arange(6.0).view(2, 3)

    def forward(x: Tensor, t: Tensor) -> bool:
        return x.data_ptr() == t.data_ptr() and torch.equal(x, t.t())

    with both(forward) as pair:
        assert pair.call(x, x.t()).value is True
        assert pair.call(x, x.t().clone()).value is False


def test_every_call_of_one_layout_has_the_same_objects_with_new_contents() -> None:
    def forward(x: Tensor, more: list[Tensor]) -> Any:
        return [id(x), x.data_ptr(), id(more), id(more[0]), x.clone()]

    with both(forward) as pair:
        answers = [pair.call(torch.full((3,), float(n)), [torch.ones(1)]).value for n in range(4)]
        assert len({tuple(answer[:4]) for answer in answers}) == 1
        assert [answer[4].tolist() for answer in answers] == [[n] * 3 for n in range(4)]


def test_other_layouts_and_other_plain_values_arrive_in_their_turn() -> None:
    def forward(x: Tensor, n: Any) -> Any:
        return [x.clone(), x.stride(), n]

    cases = [
        (torch.ones(2, 3), 1),
        (torch.zeros(3, 2).t(), 1),
        (torch.ones(2, 3), True),
        (torch.ones(2, 3).int(), True),
        (torch.ones(1), float("nan")),
    ]
    with both(forward) as pair:
        for x, n in cases:
            value, stride, number = pair.call(x, n).value
            assert (value.dtype, value.tolist(), stride) == (x.dtype, x.tolist(), x.stride())
            assert same(number, n)


def test_inputs_that_grow_get_a_new_arena_and_what_shrinks_does_not() -> None:
    def forward(x: Tensor) -> Any:
        return [x.sum(), x.data_ptr() % 256]

    with both(forward) as pair:
        arenas = []
        for count in (1, 1 << 12, 3, 1 << 18, 1 << 12):
            total, place = pair.call(torch.ones(count)).value
            assert (total.item(), place) == (count, 0)
            arenas.append(pair.end._arena)
        assert arenas[1] is not arenas[0] and arenas[3] is not arenas[1]
        assert arenas[2] is arenas[1] and arenas[4] is arenas[3]


def test_each_call_gets_ready_with_its_own_seed_and_draws_no_gradients() -> None:
    def forward(x: Tensor) -> Any:
        return [seeds[-1], len(seeds), torch.is_grad_enabled(), x.requires_grad]

    seeds: list[int] = []
    with both(forward, ready=seeds.append) as pair:
        for at, seed in enumerate([0, 7, 2**63 - 1], start=1):
            assert pair.call(torch.ones(1), seed=seed).value == [seed, at, False, False]
    assert seeds == []  # they are the other process's


def test_on_a_cpu_nothing_tells_which_calls_are_timed() -> None:
    heard: list[bool] = []

    def forward() -> Any:
        return heard

    def requests(end: Any) -> Any:
        timer = end._timer
        take = timer.take

        def note(call: Any) -> Any:
            heard.append(timer.unhurried)
            return take(call)

        timer.take = note
        return {}

    with both(forward, requests=requests) as pair:
        pair.call(unhurried=True)
        pair.call()
        assert pair.call(unhurried=True).value == [False] * 3


def test_what_is_lent_lies_in_the_arena_until_the_next_call() -> None:
    def requests(end: Any) -> Any:
        def total(layout: Any, factor: int) -> float:
            x, (y, name) = end.value(from_json(layout))
            assert name == "name" and y.stride() == (1, 2)
            return factor * float(x.sum() + y.sum())

        return {"total": total, "echo": lambda value: value}

    with both(lambda x: x + 1, requests=requests) as pair:
        assert pair.end.request("echo", PATIENCE_S, value={"a": [1, None]}) == {"a": [1, None]}
        lent = [torch.ones(3), (torch.ones(2, 2).t(), "name")]
        for size in (1, 1 << 16):
            assert pair.call(torch.ones(size)).value.tolist() == [2] * size
            assert pair.end.lend("total", lent, PATIENCE_S, factor=2) == 14
        assert pair.call(torch.ones(2)).value.tolist() == [2, 2]


@pytest.mark.parametrize("name", ["refuse", "unknown"])
def test_a_request_that_fails_says_why_and_the_worker_goes_on(name: str) -> None:
    def refuse() -> None:
        raise KeyError("unknown")

    with both(lambda: 1, requests=lambda end: {"refuse": refuse}) as pair:
        with pytest.raises(WorkerFailed, match="unknown") as caught:
            pair.end.request(name, PATIENCE_S)
        assert (caught.value.status, caught.value.poisoned) == ("RUNTIME_ERROR", False)
        assert pair.call().value == 1


def test_a_call_that_fails_says_why_and_the_worker_goes_on() -> None:
    def forward(x: Tensor) -> Tensor:
        if x[0] == 0:
            raise RuntimeError("no zeros")
        return x + 1

    with both(forward) as pair:
        for _ in range(2):
            with pytest.raises(WorkerFailed, match=r"^no zeros$") as caught:
                pair.call(torch.zeros(1))
            assert (caught.value.status, caught.value.poisoned) == ("RUNTIME_ERROR", False)
            assert pair.call(torch.ones(1)).value.tolist() == [2]


def test_getting_ready_may_fail_too() -> None:
    def ready(seed: int) -> None:
        if seed:
            raise RuntimeError("not ready")

    with both(lambda: 1, ready=ready) as pair:
        with pytest.raises(WorkerFailed, match="not ready"):
            pair.call(seed=1)
        assert pair.call(seed=0).value == 1


def test_a_reason_of_any_length_is_told() -> None:
    def forward() -> None:
        raise RuntimeError("x" * pages.SIZE_BYTES)

    with both(forward) as pair:
        with pytest.raises(WorkerFailed, match=r"^x{1000,}$"):
            pair.call()
        with pytest.raises(WorkerFailed):
            pair.call()


def test_an_output_of_too_many_values_is_a_failure_and_the_worker_goes_on() -> None:
    with both(lambda n: list(range(n))) as pair:
        assert len(pair.call(3000).value) == 3000
        with pytest.raises(WorkerFailed, match="too many values"):
            pair.call(60_000)
        assert pair.call(2).value == [0, 1]


def test_outputs_are_kept_for_as_long_as_they_are_looked_at_again() -> None:
    born: list[Any] = []

    def forward(x: Tensor) -> Tensor:
        alive = sum(storage() is not None for storage in born)
        y = torch.full((2,), float(alive))
        born.append(weakref.ref(y))
        return y

    with both(forward) as pair:
        alive = [pair.call(torch.ones(1)).value[0].item() for _ in range(6)]
        assert alive == [0, 1, 2, 2, 2, 2]
        assert LOOK_BACK == 2


def test_it_leaves_when_the_judge_hangs_up() -> None:
    with both(lambda: 1) as pair:
        pair.call()
        held = pair.end._held
        pair.end._channel.close()
        deadline = time.monotonic() + PATIENCE_S
        while held.alive() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not held.alive()
