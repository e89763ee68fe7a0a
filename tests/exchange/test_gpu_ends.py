"""The exchange on a GPU: an arena between processes, and calls by way of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.reduction import send_handle
from typing import Any

import pytest
import torch
from exchange import on_gpu
from exchange.on_gpu import CUDA, spawned
from exchange.test_arena import open_files
from exchange.test_values import same

from harness.exchange.answer import Answer, WorkerFailed
from harness.exchange.arena import Arena
from harness.exchange.judge_batch import Batch, batch
from harness.exchange.judge_end import JudgeEnd
from harness.exchange.values import lay_out

pytestmark = pytest.mark.gpu

PATIENCE_S = 120.0
NUMBERS = 1 << 14


@contextmanager
def both(forward: Callable[..., Any]) -> Iterator[JudgeEnd]:
    with spawned(on_gpu.worker, forward) as (conn, pid):
        end = JudgeEnd(conn, CUDA, pid)
        try:
            yield end
        finally:
            end.close()


def call(end: JudgeEnd, *inputs: Any, out_bytes: int = 1 << 20, **options: Any) -> Answer:
    return end.call(inputs, 0, PATIENCE_S, out_bytes, **options)


def numbers(seed: int, count: int = NUMBERS) -> torch.Tensor:
    draw = torch.Generator().manual_seed(seed)
    return torch.rand(count, generator=draw).to(CUDA)


@pytest.mark.parametrize("nbytes", [1000, (2 << 20) + 1])
def test_each_side_of_an_arena_sees_what_the_other_writes(nbytes: int) -> None:
    with spawned(on_gpu.other_side_of_an_arena, nbytes) as (conn, pid):
        arena = Arena(CUDA, nbytes)
        assert arena.memory.shape == (nbytes,) and not arena.memory.any()
        assert arena.memory.data_ptr() % 256 == 0
        send_handle(conn, arena.descriptor, pid)
        for n in range(3):
            arena.memory[:4] = n
            torch.cuda.synchronize()
            conn.send(True)
            assert conn.recv() == [n] * 4
            assert arena.memory[-1] == n + 1
        arena.close()


def test_a_closed_arena_gives_its_memory_back() -> None:
    Arena(CUDA, 1).close()  # what is opened once is open already
    files = open_files()
    for _ in range(3):
        before = torch.cuda.mem_get_info()[0]
        arena = Arena(CUDA, 1 << 30)
        assert torch.cuda.mem_get_info()[0] <= before - (1 << 29)
        arena.close()
        assert torch.cuda.mem_get_info()[0] > before - (1 << 29)
    assert open_files() == files


def test_an_arena_larger_than_the_device_is_a_memory_error_and_another_can_be_had() -> None:
    with pytest.raises(MemoryError):
        Arena(CUDA, 1 << 42)
    Arena(CUDA, 1 << 20).close()


def test_late_pieces_are_not_in_place_before_the_call_and_are_in_it() -> None:
    with both(on_gpu.double) as end:
        old = numbers(0)
        call(end, old)
        late = end._late
        assert late is not None and len(late.pieces) == 2
        assert all(piece.storage_offset() % 16 == 0 for piece in late.pieces)
        for seed in range(1, 6):
            new = numbers(seed)
            layout, spans = lay_out((new,))
            end._put(layout, spans)
            bits, before = new.view(torch.uint8), old.view(torch.uint8)
            for piece, held_back in zip(late.pieces, late.held_back, strict=True):
                own = slice(piece.storage_offset(), piece.storage_offset() + len(piece))
                assert torch.equal(piece, before[own]) and torch.equal(held_back, bits[own])
            answer = call(end, new)
            assert torch.equal(answer.value, new * 2) and not answer.mutated
            assert end._late is late
            old = new


@pytest.mark.parametrize("count", [1, 3, 256, 257, 512, 513, 100_000])
def test_inputs_of_any_size_arrive_whole(count: int) -> None:
    with both(on_gpu.double) as end:
        for seed in range(3):
            x = numbers(seed, count)
            assert torch.equal(call(end, x).value, x * 2)


def test_an_output_is_copied_into_memory_of_the_judges_own() -> None:
    with both(on_gpu.double) as end:
        answers = [call(end, numbers(seed)) for seed in range(3)]
    for seed, answer in enumerate(answers):
        assert torch.equal(answer.value, numbers(seed) * 2)
        assert answer.devices == {"cuda"}
        assert answer.value.device.type == "cuda"


def test_outputs_of_any_form_are_taken() -> None:
    with both(on_gpu.nested) as end:
        strided, more, empty, mask, one = call(end, numbers(0)).value
    x = numbers(0)
    assert torch.equal(strided, x.view(4, -1).t())
    assert torch.equal(more["a"][0], x[:1].expand(3)) and same(more["a"][1:], (None, 2.5))
    assert empty.shape == (0,) and torch.equal(mask, x > 0) and torch.equal(one, x[3])


def test_a_conjugate_is_taken_as_what_it_shows() -> None:
    x = torch.complex(numbers(0), numbers(1))
    with both(on_gpu.conjugate) as end:
        assert torch.equal(call(end, x).value, x.conj().resolve_conj())
        assert torch.equal(call(end, x.conj()).value, x)


def test_every_call_of_one_layout_has_the_same_objects_with_new_contents() -> None:
    with both(on_gpu.identity) as end:
        values = [call(end, numbers(seed)).value for seed in range(4)]
    assert len({tuple(value[:2]) for value in values}) == 1
    assert all(torch.equal(value[2], numbers(seed)) for seed, value in enumerate(values))


def test_inputs_that_grow_get_a_new_arena() -> None:
    with both(on_gpu.double) as end:
        for count in (10, 1 << 22, 10, 1 << 24):
            x = numbers(count, count)
            assert torch.equal(call(end, x, out_bytes=x.nbytes).value, x * 2)


def test_an_output_larger_than_expected_is_not_taken_until_it_is_expected() -> None:
    x = numbers(0)
    with both(on_gpu.double) as end:
        answer = call(end, x, out_bytes=1024)
        assert answer.value.device.type == "meta" and answer.devices == {"cuda"}
        assert answer.value.shape == x.shape
        assert torch.equal(call(end, x, out_bytes=x.nbytes).value, x * 2)


def test_an_output_on_the_host_says_so() -> None:
    with both(on_gpu.on_the_host) as end:
        assert call(end, numbers(0)).devices == {"cpu", "cuda"}


def test_changed_inputs_are_noticed_and_restored() -> None:
    with both(on_gpu.change) as end:
        for seed in range(2):
            answer = call(end, numbers(seed))
            assert answer.mutated and torch.equal(answer.value, -numbers(seed))
            assert not call(end, numbers(seed), check_inputs=False).mutated


def test_earlier_outputs_show_a_static_buffer_and_nothing_else() -> None:
    for forward, changes in [(on_gpu.double, False), (on_gpu.static, True)]:
        with both(forward) as end:
            answers = [call(end, numbers(seed)).value for seed in range(4)]
            now = list(end.earlier(PATIENCE_S))
        expected = [answers[3]] * 2 if changes else [answers[2], answers[1]]
        assert len(now) == 2 and all(map(torch.equal, now, expected))


@pytest.mark.parametrize("unhurried", [False, True])
def test_the_time_is_the_devices(unhurried: bool) -> None:
    with both(on_gpu.slow) as slow, both(on_gpu.double) as quick:
        for end in (slow, quick):
            for _ in range(3):
                call(end, numbers(0), unhurried=True)
        # At a clock of at most 2 GHz.
        least_us = on_gpu.SLEEP_CYCLES / 2_000
        assert call(slow, numbers(0), unhurried=unhurried).time_us >= least_us
        assert 0 < call(quick, numbers(0), unhurried=unhurried).time_us < least_us


def test_what_another_stream_still_does_is_not_in_the_output_nor_in_the_time() -> None:
    with both(on_gpu.beside) as end:
        call(end, numbers(0), unhurried=True)
        answer = call(end, numbers(0))
    assert not answer.value.any()
    assert answer.time_us < 10 * on_gpu.SLEEP_CYCLES / 2_000


def test_a_call_that_fails_says_why_and_the_worker_goes_on() -> None:
    with both(on_gpu.fail) as end:
        for _ in range(2):
            with pytest.raises(WorkerFailed, match="no"):
                call(end, numbers(0))


# batches


def in_a_batch(end: JudgeEnd, calls: int = 8) -> Batch:
    live = torch.empty(NUMBERS, device=CUDA)
    return batch(end, lambda at: [live.fill_(at + 1)], range(calls), 4 * NUMBERS, PATIENCE_S)


def test_calls_are_queued_before_the_first_begins() -> None:
    with both(on_gpu.slow) as end:
        call(end, numbers(0))
        done = in_a_batch(end)
    assert done.held
    assert [output.value.unique().tolist() for output in done.outputs] == [
        [n + 2] for n in range(8)
    ]
    assert done.wall_us > 8 * 20_000 > done.copies_us > 0


def test_calls_that_wait_for_the_device_are_made_all_the_same() -> None:
    with both(on_gpu.waits) as end:
        done = in_a_batch(end)
        assert not done.held
        assert [o.value.unique().tolist() for o in done.outputs] == [[n + 2] for n in range(8)]
        assert torch.equal(call(end, numbers(0)).value, numbers(0) + 1)


@pytest.mark.parametrize("forward", [on_gpu.beside, on_gpu.double])
def test_work_on_another_stream_is_not_waited_for(forward: Callable[..., Any]) -> None:
    with both(forward) as end:
        done = in_a_batch(end, 2)
        right = [o.value.unique().tolist() for o in done.outputs] == [[2], [4]]
        assert right == (forward is on_gpu.double)


def test_a_call_that_fails_lets_the_stream_go_on() -> None:
    with both(on_gpu.fail) as end:
        for _ in range(2):
            with pytest.raises(WorkerFailed, match="no"):
                in_a_batch(end)
