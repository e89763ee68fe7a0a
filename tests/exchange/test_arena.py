"""Memory that two processes share."""

from __future__ import annotations

import gc
import os
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from multiprocessing.reduction import recv_handle, send_handle
from pathlib import Path
from typing import Any

import pytest
import torch
from exchange.both_ends import CPU
from exchange.forked import forked

from harness.exchange import arena as arenas
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
    assert mapped() == 1
    arena.close()
    assert mapped() == 0
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


def mapped() -> int:
    """How many pieces of memory are mapped that judge and worker share."""
    return Path("/proc/self/maps").read_text().count("memfd:bench-")


# on a GPU, by a driver that only pretends


class Driver:
    """Counts what is made and what is given back; the call of number `fails` fails."""

    GIVES_BACK: Mapping[str, str] = {
        "cuMemRelease": "handle",
        "cuMemAddressFree": "address",
        "cuMemUnmap": "mapping",
    }
    MAKES: Mapping[str, str] = {
        "cuMemCreate": "handle",
        "cuMemImportFromShareableHandle": "handle",
        "cuMemAddressReserve": "address",
        "cuMemMap": "mapping",
    }

    def __init__(self, fails: int = 0) -> None:
        self.fails = fails
        self.calls: list[str] = []
        self.held: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Callable[..., int]:
        return lambda *arguments: self._call(name, *arguments)

    def _call(self, name: str, *arguments: Any) -> int:
        self.calls.append(name)
        if len(self.calls) == self.fails:
            return 2
        if name == "cuMemGetAllocationGranularity":
            arguments[0]._obj.value = 1 << 21
        if name == "cuMemExportToShareableHandle":
            arguments[0]._obj.value = os.open(os.devnull, os.O_RDONLY)
        self.held[self.MAKES.get(name, "")] += 1
        self.held[self.GIVES_BACK.get(name, "")] -= 1
        return 0

    @property
    def left(self) -> dict[str, int]:
        return {what: n for what, n in self.held.items() if what and n}


@pytest.mark.parametrize("imported", [False, True])
def test_device_memory_is_given_back_whatever_fails(
    imported: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    gc.collect()  # what an earlier test left open would be closed meanwhile
    before = open_files()

    def mapped(driver: Driver) -> ExitStack:
        monkeypatch.setattr(arenas, "_driver", lambda: driver)
        with ExitStack() as undo:
            descriptor = os.open(os.devnull, os.O_RDONLY) if imported else None
            if descriptor is not None:
                undo.callback(os.close, descriptor)
            arenas._map(0, 1000, descriptor, undo)
            return undo.pop_all()

    whole = Driver()
    undo = mapped(whole)
    assert whole.left == {"address": 1, "mapping": 1}
    made = len(whole.calls)
    undo.close()
    assert whole.left == {} and open_files() == before
    for fails in range(1, made + 1):
        driver = Driver(fails)
        with pytest.raises(MemoryError, match=whole.calls[fails - 1]):
            mapped(driver)
        left = {} if whole.calls[fails - 1] != "cuMemRelease" else {"handle": 1}
        assert driver.left == left and open_files() == before
