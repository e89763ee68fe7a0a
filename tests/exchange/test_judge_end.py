"""The judge's end: what it takes of a call, however the worker behaves."""

from __future__ import annotations

import json
import os
import random
import signal
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle
from typing import Any

import pytest
import torch
from exchange.both_ends import CPU, PATIENCE_S, Pair, both
from exchange.forked import forked
from exchange.test_arena import mapped, open_files
from exchange.test_values import USUAL, cyclic, same
from processes import alive, wait_until
from torch import Tensor

from harness.exchange import page as pages
from harness.exchange.answer import WorkerFailed, WorkerGone, WorkerLate
from harness.exchange.hold import Held
from harness.exchange.judge_end import JudgeEnd
from harness.exchange.page import Page
from harness.exchange.values import NUMBER, NotPlain

BASE = torch.arange(240.0)


def test_a_call_gives_the_value_where_it_lay_and_how_long_it_took() -> None:
    def forward(x: Tensor) -> Tensor:
        time.sleep(0.03)
        return x * 2

    with both(forward) as pair:
        start = time.perf_counter()
        answer = pair.call(torch.tensor([1.0, 2.0]))
        whole_us = (time.perf_counter() - start) * 1e6
    assert answer.value.tolist() == [2, 4]
    assert answer.devices == {"cpu"}
    assert not answer.mutated
    assert 30_000 <= answer.time_us < whole_us


def test_getting_ready_takes_no_time() -> None:
    with both(lambda: 1, ready=lambda seed: time.sleep(0.3)) as pair:
        assert min(pair.call().time_us for _ in range(3)) < 300_000


@pytest.mark.parametrize(
    "make",
    [
        lambda: BASE.view(12, 20),
        lambda: BASE.view(12, 20).t(),
        lambda: BASE.view(12, 20)[::3, 1::2],
        lambda: BASE[:1].expand(5, 3),
        lambda: torch.tensor(3.5),
        lambda: torch.empty(0, 3),
        lambda: torch.ones((1,) * 40),
        lambda: torch.tensor([float("nan"), float("-inf"), -0.0]),
        lambda: torch.nn.Linear(1, 1).weight.detach() * 0,
        lambda: [BASE[3:5], {"a": (BASE[7:9].expand(2, 2), None, 2.5)}, torch.float16, True],
        lambda: {"x": torch.empty(0), 1: [], (2, "y"): torch.tensor(True)},
        lambda: [],
        lambda: None,
        lambda: [float("nan"), float("inf"), 1 + 2j],
    ],
)
def test_outputs_of_any_form_are_taken(make: Callable[[], Any]) -> None:
    def dense(value: Any) -> Any:
        if isinstance(value, Tensor):
            return value.contiguous()
        if isinstance(value, list | tuple):
            return type(value)(map(dense, value))
        return {k: dense(v) for k, v in value.items()} if isinstance(value, dict) else value

    with both(make) as pair:
        for _ in range(2):
            assert same(pair.call().value, dense(make()))


@pytest.mark.parametrize("dtype", USUAL, ids=str)
def test_outputs_of_every_dtype_are_taken(dtype: torch.dtype) -> None:
    bits = torch.arange(4 * dtype.itemsize, dtype=torch.uint8)
    x = (bits % 2 if dtype is torch.bool else bits).view(dtype)
    with both(lambda: x) as pair:
        value = pair.call().value
    assert value.dtype is dtype
    assert value.view(torch.uint8).tolist() == x.view(torch.uint8).tolist()


def test_a_conjugate_is_taken_as_what_it_shows() -> None:
    x = torch.tensor([1 + 2j, 3 - 4j])
    with both(lambda nested: [x.conj(), x.conj().imag] if nested else x.conj()) as pair:
        assert pair.call(False).value.tolist() == [1 - 2j, 3 + 4j]
        conjugate, imaginary = pair.call(True).value
    assert (conjugate.tolist(), imaginary.tolist()) == ([1 - 2j, 3 + 4j], [-2, 4])


def test_an_output_is_the_judges_own() -> None:
    buffer = torch.zeros(2)

    def forward(x: Tensor) -> Tensor:
        return buffer.copy_(x)

    with both(forward) as pair:
        first = pair.call(torch.ones(2)).value
        second = pair.call(torch.full((2,), 2.0)).value
    assert (first.tolist(), second.tolist()) == ([1, 1], [2, 2])


def test_an_input_given_back_is_taken_and_is_not_mutated() -> None:
    with both(lambda x: x) as pair:
        answer = pair.call(torch.ones(3))
    assert answer.value.tolist() == [1, 1, 1] and not answer.mutated


def test_an_output_somewhat_larger_than_expected_is_taken_whole() -> None:
    with both(lambda: torch.ones(1 << 20)) as pair:
        assert pair.call(out_bytes=4).value.sum() == 1 << 20


@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.ones(1).expand(1 << 40),
        lambda: torch.zeros(1).expand(1 << 30, 1 << 20),
        lambda: torch.empty(80 << 20, dtype=torch.uint8),
        lambda: torch.empty(80 << 20, dtype=torch.uint8)[:: (80 << 20) - 1],
    ],
)
def test_an_output_much_larger_than_expected_is_not_read(make: Callable[[], Tensor]) -> None:
    with both(make) as pair:
        answer = pair.call(out_bytes=16)
        assert answer.value.device.type == "meta"
        assert answer.value.shape == make().shape
        assert answer.devices == {"cpu"}
        pair.call(out_bytes=16)


def test_many_outputs_may_together_be_no_larger_than_one() -> None:
    with both(lambda: [torch.ones(1).expand(10 << 20)] * 100) as pair:
        value = pair.call(out_bytes=16).value
    assert [x.device.type for x in value] == ["cpu"] + ["meta"] * 99


def test_a_large_output_that_is_expected_is_read() -> None:
    nbytes = 80 << 20
    with both(lambda: torch.ones(nbytes, dtype=torch.uint8)) as pair:
        value = pair.call(out_bytes=nbytes).value
    assert value.device == CPU and value[-1] == 1


def test_an_output_on_meta_says_so() -> None:
    with both(lambda x: [x, torch.empty(2, device="meta")]) as pair:
        answer = pair.call(torch.ones(1))
        assert answer.devices == {"cpu", "meta"}
        assert [x.device.type for x in answer.value] == ["cpu", "meta"]
    with both(lambda: torch.empty(2, device="meta")) as pair:
        assert pair.call().devices == {"meta"}


@pytest.mark.parametrize(
    "make, named",
    [
        (lambda: object(), "it holds a object"),
        (lambda: [torch.ones(1), {1}], "it holds a set"),
        (lambda: torch.eye(2).to_sparse(), "sparse_coo tensor"),
        (lambda: torch.nn.Parameter(torch.ones(1)), "Parameter"),
        (lambda: cyclic("list"), "without end"),
        (lambda: cyclic("lists"), "without end"),
        (lambda: type("a\n" + "b" * 500, (), {})(), "it holds a .*a b+$"),
    ],
)
def test_what_is_not_plain_is_named_and_the_worker_goes_on(
    make: Callable[[], Any], named: str
) -> None:
    with both(lambda plain: 1 if plain else make()) as pair:
        with pytest.raises(NotPlain, match=named) as caught:
            pair.call(False)
        assert len(str(caught.value)) < 300 and "\n" not in str(caught.value)
        assert pair.call(True).value == 1


def test_inputs_that_are_not_plain_are_refused_before_the_worker_hears() -> None:
    with both(lambda x: 1) as pair:
        with pytest.raises(NotPlain):
            pair.call(object())
        assert pair.call(torch.ones(1)).value == 1


# what a call may not touch


def test_changed_inputs_are_noticed_and_restored() -> None:
    def forward(x: Tensor, more: list[Tensor]) -> Tensor:
        total = x.sum() + more[0].sum()
        if total > 100:
            more[0][-1] += 1
        return total

    with both(forward) as pair:
        for large in (False, True, False, True):
            y = torch.full((50,), 200.0 if large else 1.0)
            answer = pair.call(torch.zeros(300), [y])
            assert answer.mutated is large
            assert answer.value == y.sum()
            assert y[-1] == y[0]


def test_a_change_in_a_gap_or_in_bits_alone_is_one_too() -> None:
    def negate(x: Tensor) -> None:
        x.neg_()

    with both(negate) as pair:
        assert pair.call(torch.zeros(2)).mutated
    with both(lambda x: x.as_strided((1,), (1,), 1).zero_()) as pair:
        assert pair.call(torch.ones(5)[::2]).mutated


ALTERING: Mapping[str, Callable[[Tensor, list[Tensor]], object]] = {
    "transposed": lambda x, more: x.t_(),
    "resized": lambda x, more: x.resize_(2),
    "squeezed": lambda x, more: x.unsqueeze_(0),
    "strided": lambda x, more: x.as_strided_((2, 3), (1, 2)),
    "set": lambda x, more: x.set_(torch.zeros(2, 3)),
    "data": lambda x, more: setattr(x, "data", x.clone()),
    "of a list": lambda x, more: more[0].t_(),
    "list": lambda x, more: more.append(x),
    "no tensor": lambda x, more: more.append(object()),
    "other tensor": lambda x, more: more.__setitem__(0, more[0].clone()),
}


@pytest.mark.parametrize("alter", ALTERING.values(), ids=ALTERING)
def test_inputs_laid_out_otherwise_are_noticed_and_restored(
    alter: Callable[[Tensor, list[Tensor]], object],
) -> None:
    def forward(x: Tensor, more: list[Tensor], do: bool) -> Any:
        seen = [x.shape, x.stride(), x.clone(), len(more), more[0].clone()]
        if do:
            alter(x, more)
        if do and x.dim() == 3:  # the other way to fail
            raise ValueError("tired")
        return seen

    x, more = torch.arange(6.0).view(2, 3), [torch.arange(8.0).view(2, 4)]
    with both(forward) as pair:
        for do in (False, True, True, False):
            try:
                answer = pair.call(x, more, do)
            except WorkerFailed:
                continue
            assert answer.mutated is do
            *how, found, count, first = answer.value
            assert how == [(2, 3), (3, 1)] and torch.equal(found, x)
            assert count == 1 and torch.equal(first, more[0])


def test_nobody_asks_no_answer() -> None:
    with both(lambda x: x.zero_()) as pair:
        answer = pair.call(torch.ones(2), check_inputs=False, take=False)
        assert answer.value is None and not answer.mutated
        assert answer.devices == {"cpu"}
        assert pair.call(torch.ones(2)).mutated


def earlier(pair: Pair) -> list[Any]:
    return [x.tolist() for x in pair.end.earlier(PATIENCE_S)]


def test_earlier_outputs_are_as_they_were() -> None:
    with both(lambda x: x * 2) as pair:
        seen = []
        for n in range(4):
            pair.call(torch.full((2,), float(n)))
            seen.append(earlier(pair))
    assert seen == [[], [[0, 0]], [[2, 2], [0, 0]], [[4, 4], [2, 2]]]


def test_a_static_buffer_shows_in_earlier_outputs() -> None:
    buffer = torch.zeros(2)
    with both(lambda x: buffer.copy_(x)) as pair:
        for n in range(3):
            pair.call(torch.full((2,), float(n)))
        assert earlier(pair) == [[2, 2], [2, 2]]


def test_two_buffers_in_turn_show_in_the_one_before_the_last() -> None:
    buffers = [torch.zeros(2), torch.zeros(2)]
    with both(lambda x: buffers[int(x[0]) % 2].copy_(x)) as pair:
        for n in range(3):
            pair.call(torch.full((2,), float(n)))
        assert earlier(pair) == [[1, 1], [2, 2]]


def test_an_earlier_output_that_cannot_be_read_any_more_is_none() -> None:
    def told(page: Page) -> None:
        if page.slots[pages.ASKED] == 1:
            page.slots[pages.ADDRESS] = 8

    with both(lambda: torch.ones(1), then=told) as pair:
        pair.call(take=False)
        pair.call()
        assert list(pair.end.earlier(PATIENCE_S)) == [None]


def test_a_thread_that_writes_after_forward_returned_comes_too_late() -> None:
    def forward(x: Tensor) -> Tensor:
        y = torch.zeros(3)

        def fill() -> None:
            time.sleep(0.02)
            y.fill_(1)

        threading.Thread(target=fill).start()
        return y

    with both(forward) as pair:
        assert pair.call(torch.ones(1)).value.tolist() == [0, 0, 0]
        time.sleep(0.2)
        pair.call(torch.ones(1))
        assert earlier(pair)[0] == [1, 1, 1]


def test_threads_stand_still_while_the_output_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    def forward() -> Tensor:
        y = torch.zeros(2, dtype=torch.int64)

        def count() -> None:
            while True:
                y.add_(1)

        threading.Thread(target=count, daemon=True).start()
        return y

    read = Held.read
    seen = []

    def twice(held: Held, address: int, nbytes: int) -> Tensor:
        seen.append(read(held, address, nbytes).tolist())
        time.sleep(0.02)
        seen.append(read(held, address, nbytes).tolist())
        return read(held, address, nbytes)

    monkeypatch.setattr(Held, "read", twice)
    with both(forward) as pair:
        pair.call()
    assert len(seen) == 4 and seen == seen[:1] * 4


def test_an_output_that_changes_when_it_is_said_to_be_there_is_late() -> None:
    large = torch.zeros(1 << 20)

    def forward(seconds: float) -> Tensor:
        y = large.clone()
        threading.Timer(seconds, lambda: y.fill_(1)).start()
        return y

    with both(forward) as pair:
        assert not pair.call(30.0, out_bytes=large.nbytes).late
        held = pair.end._held.stopped

        @contextmanager
        def at_last() -> Iterator[None]:
            time.sleep(0.3)
            with held():
                yield

        pair.end._held.stopped = at_last  # type: ignore[method-assign]
        assert pair.call(0.1, out_bytes=large.nbytes).late
        assert not pair.call(30.0, out_bytes=large.nbytes, take=False).late


# workers that do not do their part


def hang(*_: Any) -> None:
    while True:
        time.sleep(1)


def leave(*_: Any) -> None:
    os._exit(0)


def fall(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("stage", ["ready", "forward", "then"])
def test_a_worker_that_hangs_is_late(stage: str) -> None:
    with both(**{"forward": lambda: 1, stage: hang}) as pair:
        with pytest.raises(WorkerLate):
            pair.end.call((), 0, 0.2, 0)
        assert alive(pair.pid)


def test_a_worker_that_hangs_in_a_request_is_late() -> None:
    with both(lambda: 1, requests=lambda _: {"h": hang}) as pair, pytest.raises(WorkerLate):
        pair.end.request("h", 0.2)


@pytest.mark.parametrize("stage", ["ready", "forward", "then"])
@pytest.mark.parametrize("end", [leave, fall])
def test_a_worker_that_ends_in_a_call_is_gone(stage: str, end: Callable[..., None]) -> None:
    with both(**{"forward": lambda: 1, stage: end}) as pair:
        with pytest.raises(WorkerGone):
            pair.call()
        with pytest.raises(WorkerGone):
            pair.call()


def test_a_worker_whose_forward_leaves_python_is_gone() -> None:
    def forward() -> None:
        raise SystemExit

    with both(forward) as pair, pytest.raises(WorkerGone):
        pair.call()


@pytest.mark.parametrize("end", [leave, fall])
def test_a_worker_that_ends_in_a_request_is_gone(end: Callable[..., None]) -> None:
    with both(lambda: 1, requests=lambda _: {"end": end}) as pair, pytest.raises(WorkerGone):
        pair.end.request("end", PATIENCE_S)


def test_a_worker_that_ends_between_calls_is_gone() -> None:
    with both(lambda x: x) as pair:
        pair.call(torch.ones(1))
        pair.call(torch.ones(1))
        pair.kill()
        with pytest.raises(WorkerGone):
            list(pair.end.earlier(PATIENCE_S))
        with pytest.raises(WorkerGone):
            pair.call(torch.ones(1))
        with pytest.raises(WorkerGone):
            pair.call(torch.ones(1 << 20))


def test_a_worker_that_ends_right_after_it_was_done_is_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stopped = Held.stopped

    @contextmanager
    def killed(held: Held) -> Iterator[None]:
        os.kill(held.pid, signal.SIGKILL)
        assert wait_until(lambda: not alive(held.pid))
        with stopped(held):
            yield

    with both(lambda: torch.ones(2)) as pair:
        pair.call()
        monkeypatch.setattr(Held, "stopped", killed)
        with pytest.raises(WorkerGone):
            pair.call()


def test_a_worker_that_ends_while_its_output_is_taken_is_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read = Held.read
    with both(lambda: torch.ones(2)) as pair:

        def killed(held: Held, *where: int) -> Tensor:
            pair.kill()
            return read(held, *where)

        monkeypatch.setattr(Held, "read", killed)
        with pytest.raises(WorkerGone):
            pair.call()


def test_nobody_meets_a_worker_that_is_dead_and_nothing_is_left_of_the_attempt() -> None:
    with forked(lambda conn: None) as (conn, pid):
        number = conn.fileno()
        assert wait_until(lambda: not alive(pid))
        os.waitpid(pid, 0)
        before = open_files(), mapped()
        with pytest.raises(WorkerGone):
            JudgeEnd(conn, CPU, pid)
        assert (open_files() | {str(number)}, mapped()) == before


def test_a_worker_without_memory_for_an_arena_can_be_asked_for_less() -> None:
    def requests(end: Any) -> Any:
        def refuse(nbytes: int) -> None:
            if nbytes > 1 << 20:
                os.close(recv_handle(end._conn))
                raise MemoryError("no such memory")
            end.use_arena(nbytes)

        return {"arena": refuse}

    with both(lambda x: x.sum(), requests=requests) as pair:
        with pytest.raises(WorkerFailed, match="no such memory"):
            pair.call(torch.ones(1 << 20))
        assert pair.call(torch.ones(8)).value == 8


# workers that write what they like


def hostile(then: Callable[[Page], object], value: Any = None) -> Any:
    """A pair whose worker tells of an output and then changes what it told."""
    return both(lambda: torch.ones(2, 3) if value is None else value, then=then)


HUGE = [-1, -(2**63), 2**63 - 1, 2**62, 2**40, 1000]


@pytest.mark.parametrize("number", HUGE)
@pytest.mark.parametrize(
    "slot",
    [
        "ADDRESS",
        "DTYPE",
        "DEVICE",
        "DIMENSIONS",
        "SIZES",
        "SIZES+1",
        "SIZES+2",
        "SIZES+3",
        "LENGTH",
    ],
)
def test_a_number_that_is_nonsense_is_no_output_or_another(slot: str, number: int) -> None:
    name, _, more = slot.partition("+")
    at = getattr(pages, name) + int(more or 0)

    def write(page: Page) -> None:
        page.slots[at] = number

    with hostile(write) as pair:
        try:
            answer = pair.call()
        except NotPlain as refused:
            assert "the output cannot be" in str(refused)
            refused_it = True
        else:
            refused_it = False
            assert (
                answer.value.device.type == "meta"
                or answer.value.shape != (2, 3)
                or (slot == "SIZES+2" or slot == "SIZES+3")
            )
        if number < 0 and slot != "DEVICE":
            assert refused_it
        assert alive(pair.pid)


@pytest.mark.parametrize("dtype", range(len(NUMBER) + 1))
def test_another_dtype_than_it_has_is_read_as_that_or_not_at_all(dtype: int) -> None:
    def write(page: Page) -> None:
        page.slots[pages.DTYPE] = dtype

    with hostile(write, torch.ones(64)[::2]) as pair:
        try:
            value = pair.call().value
        except NotPlain:
            return
        assert NUMBER[value.dtype] == dtype


def test_no_random_page_breaks_the_judge() -> None:
    count = 400

    def write(page: Page) -> None:
        draw = random.Random(page.slots[pages.ASKED])
        numbers = [0, 1, 2, 3, 4, 5, 8, 32, 255, *HUGE, draw.getrandbits(62), draw.getrandbits(20)]
        told = range(pages.ADDRESS, pages.SIZES + 8)
        for at in draw.sample(told, draw.randint(1, len(told))):
            page.slots[at] = draw.choice(numbers)
        if draw.random() < 0.3:
            page.slots[pages.LENGTH] = draw.choice(numbers)
        page.slots[pages.COPIED] = draw.choice([0, 1, -1])

    taken = refused = 0
    with hostile(write) as pair:
        for _ in range(count):
            try:
                pair.call()
                taken += 1
            except NotPlain:
                refused += 1
        list(pair.end.earlier(PATIENCE_S))
    assert taken and refused


LEAF = [NUMBER[torch.float32], [1], [1], 8, "meta"]


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "null", "3", "[]", '"not_plain"', "{}", '{"tree": 1}', '{"leaves": []}',
        '{"tree": ["plain", 1], "leaves": 3}', '{"tree": ["plain", 1], "leaves": [3]}',
        '{"tree": ["tensor", 0], "leaves": []}', '{"tree": 5, "leaves": []}',
        '{"tree": ["float", 1], "leaves": []}', '{"tree": ["complex", "0x1"], "leaves": []}',
        '{"tree": ["dict", [[["list", []], ["plain", 1]]]], "leaves": []}',
        '{"tree": ["dtype", 900], "leaves": []}',
        "[" * 100_000, '{"tree": ' + '["list", [' * 20_000 + "]]" * 20_000 + ', "leaves": []}',
        '{"tree": ' + '["list", [' * 300 + "]]" * 300 + ', "leaves": []}',
        "1" * 10_000,
        *(
            json.dumps({"tree": ["tensor", 0], "leaves": [leaf]})
            for leaf in [
                [], [1, 2], LEAF[:4], [*LEAF, 1], None, {"a": 1}, "abcde",
                [0.5, *LEAF[1:]], ["0", *LEAF[1:]], [None, *LEAF[1:]], [True, *LEAF[1:]],
                [-1, *LEAF[1:]], [10**30, *LEAF[1:]],
                [LEAF[0], [1.5], [1], 8, "cpu"], [LEAF[0], ["1"], [1], 8, "cpu"],
                [LEAF[0], [[1]], [1], 8, "cpu"], [LEAF[0], 1, [1], 8, "cpu"],
                [LEAF[0], [1], [], 8, "cpu"], [LEAF[0], [-1], [1], 8, "cpu"],
                [LEAF[0], [1], [-1], 8, "cpu"], [LEAF[0], [10**30], [1], 8, "cpu"],
                [LEAF[0], [1], [10**30], 8, "cpu"], [LEAF[0], [float("inf")], [1], 8, "cpu"],
                [LEAF[0], [1], [float("nan")], 8, "cpu"], [LEAF[0], [2**62] * 4, [1] * 4, 8, "cpu"],
                [LEAF[0], [2**62] * 2, [0] * 2, 8, "meta"], [LEAF[0], [1], [1], 0.5, "cpu"],
                [LEAF[0], [1], [1], 10**30, "cpu"], [LEAF[0], [1], [1], "8", "cpu"],
                [LEAF[0], [1], [1], None, "cpu"], [LEAF[0], [1], [1], 8, "cpu"],
                [LEAF[0], [1] * 5000, [0] * 5000, 8, "cpu"],
            ]
        ),
    ],
    ids=lambda text: text[:80],
)  # fmt: skip
def test_a_text_that_is_nonsense_is_no_output(text: str) -> None:
    def write(page: Page) -> None:
        page._map[pages.TEXT_AT : pages.TEXT_AT + len(text)] = text.encode()
        page.slots[pages.LENGTH] = len(text) or -1

    with hostile(write) as pair:
        with pytest.raises(NotPlain):
            pair.call()
        assert alive(pair.pid)


def test_a_device_that_is_nonsense_is_told_briefly_and_nothing_is_read() -> None:
    def write(page: Page) -> None:
        page.put_text({"tree": ["tensor", 0], "leaves": [[*LEAF[:4], ["x"] * 1000]]})

    with hostile(write) as pair:
        answer = pair.call()
    assert answer.value.device.type == "meta"
    (device,) = answer.devices
    assert device not in ("cpu", "cuda") and len(device) <= 20


@pytest.mark.parametrize("text", ["[]", "null", "{}", '{"status": 1}', "{", "", "[" * 100_000])
def test_a_failure_that_is_nonsense_is_a_worker_gone(text: str) -> None:
    def write(page: Page) -> None:
        page._map[pages.TEXT_AT : pages.TEXT_AT + len(text)] = text.encode()
        page.slots[pages.LENGTH] = len(text)
        page.slots[pages.FAILED] = page.slots[pages.ASKED]
        hang()

    with hostile(write) as pair, pytest.raises(WorkerGone):
        pair.call()


REPLIES = [
    b"", b"{", b"\xff", b"3", b"null", b"[]", b"{}", b'"failed"', b'{"failed": 3}',
    b'{"failed": {}}', b'{"failed": {"status": 1}}', b"[" * 100_000,
]  # fmt: skip


@pytest.mark.parametrize("reply", REPLIES, ids=lambda reply: str(reply[:30]))
def test_a_reply_that_is_nonsense_is_a_worker_gone(reply: bytes) -> None:
    def life(conn: Connection) -> None:
        conn.recv_bytes()
        recv_handle(conn)
        conn.recv_bytes()
        conn.send_bytes(reply)
        signal.pause()

    with forked(life) as (conn, pid):
        end = JudgeEnd(conn, CPU, pid)
        with pytest.raises(WorkerGone):
            end.request("anything", PATIENCE_S)
        end.close()


def saying(sent: bytes) -> Callable[[Connection], None]:
    """The life of a worker that answers a request with these bytes as they are."""

    def life(conn: Connection) -> None:
        conn.recv_bytes()
        recv_handle(conn)
        conn.recv_bytes()
        os.write(conn.fileno(), sent)
        signal.pause()

    return life


LENGTH_OF_ANY = struct.pack("!i", -1) + struct.pack("!Q", 2**63 - 1)


@pytest.mark.parametrize("length", [LENGTH_OF_ANY, struct.pack("!i", 2**31 - 1)])
def test_a_message_longer_than_any_is_a_worker_gone(length: bytes) -> None:
    with forked(saying(length + b"x" * 100)) as (conn, pid):
        end = JudgeEnd(conn, CPU, pid)
        with pytest.raises(WorkerGone):
            end.request("anything", PATIENCE_S)
        end.close()


@pytest.mark.parametrize("half", [b"\0", struct.pack("!i", 100), struct.pack("!i", 100) + b"{"])
def test_half_a_message_is_a_worker_late(half: bytes) -> None:
    with forked(saying(half)) as (conn, pid):
        end = JudgeEnd(conn, CPU, pid)
        with pytest.raises(WorkerLate):
            end.request("anything", 0.2)
        end.close()


def test_a_worker_that_does_not_listen_is_late() -> None:
    with forked(lambda conn: signal.pause()) as (conn, pid):
        end = JudgeEnd(conn, CPU, pid)
        with pytest.raises(WorkerLate):
            end.request("anything", 0.2, much="x" * (32 << 20))
        end.close()


def test_closing_leaves_nothing_open() -> None:
    def meet() -> None:
        with both(lambda x: x) as pair:
            pair.call(torch.ones(3))

    meet()  # what is opened once, such as by torch, is open already
    before = open_files(), mapped()
    for _ in range(5):
        meet()
    assert (open_files(), mapped()) == before
