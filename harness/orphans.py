"""What a child leaves behind when it dies: found by its parents, and killed.

A process that a kernel detaches (a new session, a double fork) stays below its child, and then
below the server, since both adopt what loses its parent (prctl(2), PR_SET_CHILD_SUBREAPER).
So whatever the server is parent of, and did not fork for anybody who lives, is left over. The
parent itself adopts nothing: a program that uses this package may have processes of its own.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_PATIENCE_S = 5.0
"""Longer than it takes to outrun processes that fork as fast as they can."""


@dataclass(frozen=True)
class Process:
    """One that runs: zombies are left to whoever waits for them."""

    parent: int
    session: int


def adopt() -> None:
    """Have this process be the parent of what its descendants leave behind."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def die_with_parent(yes: bool) -> None:
    """Have this process be killed when its parent ends, from now on, or no more."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL if yes else 0)


def kill_left(leader: int, server: int, living: Callable[[], Collection[int]]) -> None:
    """Kill what a dead child left: its session, and what the server has adopted.

    leader: of the session, which is the child. living: those that the server forked, and that live.
    """

    def left(processes: Mapping[int, Process]) -> set[int]:
        # A session as well: if the server died, it adopted nobody. Its id may be another's then.
        ours = {pid for pid, process in processes.items() if process.session == leader}
        runs = server in processes and processes[server].parent == os.getpid()
        return ours | (_below(server, processes, living()) if runs else set())

    _kill_all(left)


def kill_below(ancestor: int) -> None:
    """Kill every descendant."""
    _kill_all(lambda processes: _below(ancestor, processes))


def _kill_all(wanted: Callable[[Mapping[int, Process]], set[int]]) -> None:
    """Kill until none is wanted any more: each may have forked before its signal came."""
    deadline = time.monotonic() + _PATIENCE_S
    while (pids := wanted(dict(_processes()))) and time.monotonic() < deadline:
        for pid in pids:
            with contextlib.suppress(OSError):  # it ended meanwhile
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.001)


def _below(
    ancestor: int, processes: Mapping[int, Process], spared: Collection[int] = ()
) -> set[int]:
    """The descendants of a process, without those that are spared and theirs."""
    found: set[int] = set()
    generation = {ancestor}
    while generation:
        generation = {
            pid
            for pid, process in processes.items()
            if process.parent in generation and pid not in found and pid not in spared
        }
        found |= generation
    return found


def _processes() -> Iterator[tuple[int, Process]]:
    """Every process that runs, by its id."""
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            # The name before may hold anything, a parenthesis too.
            fields = (folder / "stat").read_bytes().rpartition(b")")[2].split()
            # One whose first thread has ended alone looks like a zombie, but for its threads.
            if fields[0] not in (b"Z", b"X") or int(fields[17]) > 1:
                yield int(folder.name), Process(parent=int(fields[1]), session=int(fields[3]))
