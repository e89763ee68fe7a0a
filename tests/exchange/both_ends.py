"""A judge's end here, and a worker's in a process forked from the test."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

import torch
from exchange.forked import forked
from processes import alive, wait_until

from harness.exchange.judge_end import JudgeEnd
from harness.exchange.page import Page
from harness.exchange.worker_end import WorkerEnd
from harness.timing.wall import Wall

CPU = torch.device("cpu")
PATIENCE_S = 30.0


class Hooked(Wall):
    """Has something done to the page after the output was told, and before the call is done."""

    def __init__(self, then: Callable[[Page], object]) -> None:
        super().__init__(CPU)
        self.then = then
        self.page: Page | None = None

    def finish(self) -> int:
        assert self.page is not None
        self.then(self.page)
        return 0


def failure(error: Exception) -> Mapping[str, Any]:
    return {"status": "RUNTIME_ERROR", "reason": str(error), "poisoned": False}


def _nothing(_: object) -> None:
    pass


def _life(
    conn: Connection,
    forward: Callable[..., Any],
    ready: Callable[[int], object],
    then: Callable[[Page], object],
    requests: Callable[[WorkerEnd], Mapping[str, Callable[..., Any]]],
) -> None:
    timer = Hooked(then)
    end = WorkerEnd(conn, CPU, timer)
    timer.page = end._page

    def get_ready(seed: int) -> Callable[..., Any]:
        ready(seed)
        return forward

    end.listen(requests(end), get_ready, failure)


class Pair:
    """The judge's end, and the process at the other."""

    def __init__(self, end: JudgeEnd, pid: int) -> None:
        self.end = end
        self.pid = pid

    def call(self, *inputs: Any, seed: int = 0, out_bytes: int = 1 << 10, **options: Any) -> Any:
        return self.end.call(inputs, seed, PATIENCE_S, out_bytes, **options)

    def kill(self) -> None:
        """Returns once it is dead, though nobody has taken leave of it yet."""
        os.kill(self.pid, signal.SIGKILL)
        assert wait_until(lambda: not alive(self.pid))


@contextmanager
def both(
    forward: Callable[..., Any],
    *,
    ready: Callable[[int], object] = _nothing,
    then: Callable[[Page], object] = _nothing,
    requests: Callable[[WorkerEnd], Mapping[str, Callable[..., Any]]] = lambda end: {},
) -> Iterator[Pair]:
    """then: sees the page when the output was told, and before the call is done."""
    with forked(lambda conn: _life(conn, forward, ready, then, requests)) as (conn, pid):
        end = JudgeEnd(conn, CPU, pid)
        try:
            yield Pair(end, pid)
        finally:
            end.close()
