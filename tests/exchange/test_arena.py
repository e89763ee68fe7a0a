"""Memory that two processes share."""

from __future__ import annotations

import os
from multiprocessing.reduction import recv_handle, send_handle
from pathlib import Path

import pytest
import torch
from exchange.both_ends import CPU
from exchange.forked import forked

from harness.exchange.arena import Arena


def test_a_new_one_is_zeroed_and_has_the_size_that_was_asked_for() -> None:
    arena = Arena(CPU, 1000)
    assert arena.memory.dtype is torch.uint8 and arena.memory.device == CPU
    assert arena.memory.tolist() == [0] * 1000
    arena.close()


def test_one_of_no_bytes_can_be_made() -> None:
    arena = Arena(CPU, 0)
    assert len(arena.memory[:0]) == 0
    arena.close()


def test_it_begins_at_a_page_so_that_places_in_it_are_aligned() -> None:
    arena = Arena(CPU, 1)
    assert arena.memory.data_ptr() % 4096 == 0
    arena.close()


def test_each_side_sees_what_the_other_writes() -> None:
    def theirs(conn) -> None:
        arena = Arena(CPU, 64, recv_handle(conn))
        conn.send(arena.memory[:3].tolist())
        conn.recv()
        conn.send(arena.memory[:3].tolist())
        arena.memory[3] = 40
        conn.send("written")

    with forked(theirs) as (conn, pid):
        arena = Arena(CPU, 64)
        arena.memory[:3] = torch.tensor([1, 2, 3])
        send_handle(conn, arena.descriptor, pid)
        assert conn.recv() == [1, 2, 3]
        arena.memory[:3] = torch.tensor([7, 8, 9])
        conn.send("look again")
        assert conn.recv() == [7, 8, 9]
        assert conn.recv() == "written"
        assert arena.memory[3] == 40
        arena.close()


@pytest.mark.parametrize("nbytes", [0, 1 << 20])
def test_nobody_can_change_its_size(nbytes: int) -> None:
    arena = Arena(CPU, 4096)
    with pytest.raises(PermissionError):
        os.ftruncate(arena.descriptor, nbytes)
    assert arena.memory.sum() == 0
    arena.close()


def test_closing_it_gives_memory_and_descriptor_back() -> None:
    before = open_files()
    arena = Arena(CPU, 1 << 16)
    assert mapped()
    arena.close()
    assert not mapped()
    assert open_files() == before


def test_it_is_not_unmapped_under_a_tensor_that_lies_in_it() -> None:
    arena = Arena(CPU, 16)
    left = arena.memory[2:4]
    left.fill_(3)
    arena.close()
    assert left.tolist() == [3, 3]


def test_more_than_there_can_be_is_a_memory_error_and_leaves_nothing_open() -> None:
    before = open_files()
    with pytest.raises(MemoryError):
        Arena(CPU, 2**62)
    assert open_files() == before


def open_files() -> set[str]:
    return {path.name for path in Path("/proc/self/fd").iterdir() if path.exists()}


def mapped() -> bool:
    return "bench-arena" in Path("/proc/self/maps").read_text()
