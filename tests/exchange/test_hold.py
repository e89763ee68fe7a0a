"""Another process: stopped, read, let go on."""

from __future__ import annotations

import ctypes
import mmap
import os
import signal
import threading
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection

import numpy as np
import pytest
import torch
from exchange.forked import forked
from processes import alive, wait_until

from harness.exchange import hold
from harness.exchange.hold import Gone, Held

THREADS = 4
NOWHERE = 8
"""An address at which no process has memory."""


class Counting:
    """A process whose threads count without end, each in a number of its own."""

    def __init__(self, counts: mmap.mmap, held: Held) -> None:
        self.counts = np.frombuffer(counts, dtype=np.int64)
        self.held = held

    def move(self) -> bool:
        """Do they all?"""
        before = self.counts.copy()
        return wait_until(lambda: bool((self.counts > before).all()))


@pytest.fixture
def counting() -> Iterator[Counting]:
    counts = mmap.mmap(-1, 8 * THREADS)

    def life(conn: Connection) -> None:
        numbers = np.frombuffer(counts, dtype=np.int64)

        def count(at: int) -> None:
            while True:
                numbers[at] += 1

        for at in range(1, THREADS):
            threading.Thread(target=count, args=(at,), daemon=True).start()
        count(0)

    with forked(life) as (_, pid):
        held = Held(pid)
        yield Counting(counts, held)
        held.close()


def test_all_threads_stand_still_while_it_is_stopped_and_go_on_afterwards(
    counting: Counting,
) -> None:
    for _ in range(3):
        assert counting.move()
        with counting.held.stopped():
            before = counting.counts.copy()
            time.sleep(0.05)
            assert (counting.counts == before).all()
    assert counting.move()


def test_none_is_still_moving_when_it_counts_as_stopped(counting: Counting) -> None:
    assert counting.move()
    for _ in range(300):
        with counting.held.stopped():
            before = counting.counts.copy()
            time.sleep(1e-4)
            assert (counting.counts == before).all()


def test_it_goes_on_when_what_was_done_meanwhile_failed(counting: Counting) -> None:
    with pytest.raises(ZeroDivisionError), counting.held.stopped():
        raise ZeroDivisionError
    assert counting.move()


def test_a_dead_process_is_gone_whether_or_not_anyone_took_leave_of_it() -> None:
    pid = os.fork()
    if pid == 0:
        signal.pause()
        os._exit(0)
    held = Held(pid)
    assert held.alive()
    os.kill(pid, signal.SIGKILL)
    assert wait_until(lambda: not alive(pid))
    for reaped in (False, True):
        if reaped:
            os.waitpid(pid, 0)
        assert not held.alive()
        with pytest.raises(Gone), held.stopped():
            pytest.fail("a dead process was stopped")
        with pytest.raises(Gone):
            held.read(NOWHERE, 1)
    held.close()


def test_nobody_holds_a_process_that_is_not_there() -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    with pytest.raises(ProcessLookupError):
        Held(pid)


def test_a_process_that_dies_while_it_is_stopped_is_gone(counting: Counting) -> None:
    with counting.held.stopped():
        os.kill(counting.held.pid, signal.SIGKILL)
        assert wait_until(lambda: not alive(counting.held.pid))
        with pytest.raises(Gone):
            counting.held.read(NOWHERE, 1)


@pytest.fixture
def reading() -> Iterator[tuple[Held, int]]:
    """A process with 3 pages, without the middle one, and their address."""
    size = mmap.PAGESIZE

    def life(conn: Connection) -> None:
        pages = mmap.mmap(-1, 3 * size)
        pages[:] = bytes(at % 251 for at in range(3 * size))
        address = ctypes.addressof(ctypes.c_char.from_buffer(pages))
        ctypes.CDLL(None).munmap(ctypes.c_void_p(address + size), size)
        conn.send(address)
        signal.pause()

    with forked(life) as (conn, pid):
        held = Held(pid)
        yield held, conn.recv()
        held.close()


def contents(begin: int, nbytes: int) -> list[int]:
    return [at % 251 for at in range(begin, begin + nbytes)]


def test_spans_are_read_from_where_they_lie(reading: tuple[Held, int]) -> None:
    held, address = reading
    for begin, nbytes in [(0, 10), (3, 4000), (2 * mmap.PAGESIZE + 1, 77), (5, 0)]:
        data = held.read(address + begin, nbytes)
        assert data.dtype is torch.uint8
        assert data.tolist() == contents(begin, nbytes)


def test_what_is_longer_than_the_system_reads_at_once_is_read_in_slices(
    reading: tuple[Held, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hold, "_SLICE_BYTES", 100)
    held, address = reading
    assert held.read(address + 7, 250).tolist() == contents(7, 250)


@pytest.mark.parametrize(
    "address, nbytes", [(NOWHERE, 4), (0, 1), (-1, 4), (-(2**63), 4), (2**63 - 1, 4), (2**47, 4)]
)
def test_where_it_has_no_memory_there_is_none_to_read(
    address: int, nbytes: int, reading: tuple[Held, int]
) -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        reading[0].read(address, nbytes)


@pytest.mark.parametrize("slice_bytes", [1 << 30, 1000])
def test_a_span_with_a_hole_in_it_is_not_read_in_part(
    slice_bytes: int, reading: tuple[Held, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hold, "_SLICE_BYTES", slice_bytes)
    held, address = reading
    with pytest.raises(ValueError, match="cannot be read"):
        held.read(address + mmap.PAGESIZE - 1500, 2000)
    assert held.alive()


# a glimpse


@pytest.fixture
def written() -> Iterator[tuple[Held, np.ndarray]]:
    """A process that has these bytes at the same place, and runs."""
    contents = np.random.default_rng(0).integers(0, 256, 1 << 20, dtype=np.uint8)

    def life(conn: Connection) -> None:
        conn.recv_bytes()

    with forked(life) as (_, pid):
        held = Held(pid)
        yield held, contents
        held.close()


@pytest.mark.parametrize("nbytes", [1, 1000, 1 << 20])
def test_a_glimpse_is_of_what_is_there(nbytes: int, written: tuple[Held, np.ndarray]) -> None:
    held, contents = written
    pieces = held.glimpse(contents.ctypes.data, nbytes)
    assert pieces
    for at, data in pieces.items():
        assert at + len(data) <= nbytes and data == contents[at : at + len(data)].tobytes()
    if nbytes == 1000:
        assert pieces == {0: contents[:1000].tobytes()}


def test_of_much_a_glimpse_is_elsewhere_each_time(written: tuple[Held, np.ndarray]) -> None:
    held, contents = written
    one, other = (held.glimpse(contents.ctypes.data, contents.nbytes) for _ in range(2))
    assert set(one) != set(other)


def test_where_there_is_no_memory_there_is_no_glimpse(written: tuple[Held, np.ndarray]) -> None:
    assert written[0].glimpse(NOWHERE, 100) == {}
