"""Lives of processes that use a GPU: spawned, since CUDA does not survive a fork."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle
from typing import Any

import torch
from torch import Tensor

from harness.exchange.arena import Arena
from harness.exchange.worker_end import WorkerEnd
from harness.timing.cold import Cold

CUDA = torch.device("cuda")
SLEEP_CYCLES = 40_000_000
"""At least 20 ms, at any clock of a GPU."""


@contextmanager
def spawned(life: Callable[..., object], *arguments: Any) -> Iterator[tuple[Connection, int]]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=life, args=(theirs, *arguments))
    process.start()
    theirs.close()
    try:
        yield ours, process.pid
    finally:
        process.kill()
        process.join()
        ours.close()


def worker(conn: Connection, forward: Callable[..., Any]) -> None:
    def failure(error: Exception) -> dict[str, Any]:
        return {"status": "RUNTIME_ERROR", "reason": str(error), "poisoned": False}

    timer = Cold(CUDA)
    WorkerEnd(conn, CUDA, timer).listen({}, lambda seed: forward, failure)


def other_side_of_an_arena(conn: Connection, nbytes: int) -> None:
    """Tell what its first bytes are, and change the last; on and on."""
    arena = Arena(CUDA, nbytes, recv_handle(conn))
    while conn.recv():
        seen = arena.memory[:4].tolist()
        arena.memory[-1] += 1
        torch.cuda.synchronize()
        conn.send(seen)


# what a worker calls


def double(x: Tensor) -> Tensor:
    return x * 2


def nested(x: Tensor) -> Any:
    strided = x.view(4, -1).t()
    return [strided, {"a": (x[:1].expand(3), None, 2.5)}, x[:0], x > 0, x[3]]


def conjugate(x: Tensor) -> Tensor:
    return x.conj()


def identity(x: Tensor) -> Any:
    return [id(x), x.data_ptr(), x.clone()]


def change(x: Tensor) -> Tensor:
    return x.neg_()


_buffer: list[Tensor] = []


def static(x: Tensor) -> Tensor:
    if not _buffer:
        _buffer.append(torch.empty_like(x))
    return _buffer[0].copy_(x)


def slow(x: Tensor) -> Tensor:
    torch.cuda._sleep(SLEEP_CYCLES)
    return x + 1


_side: list[torch.cuda.Stream] = []


def beside(x: Tensor) -> Tensor:
    """Fill the output on another stream, long after the call's own is done."""
    if not _side:
        _side.append(torch.cuda.Stream())
    y = torch.zeros_like(x)
    _side[0].wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(_side[0]):
        torch.cuda._sleep(10 * SLEEP_CYCLES)
        y.fill_(1)
    return y


def on_the_host(x: Tensor) -> Any:
    return [x.cpu(), x]


def waits(x: Tensor) -> Tensor:
    torch.cuda.synchronize()
    return x + 1


def fail(x: Tensor) -> None:
    raise RuntimeError("no")
