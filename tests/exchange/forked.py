"""A process forked from the test, and a connection to it."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection

import torch


@contextmanager
def forked(life: Callable[[Connection], object]) -> Iterator[tuple[Connection, int]]:
    """A process that runs `life` with its end of a connection, killed at the end; our end, and
    its id."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()

    def run() -> None:
        ours.close()
        torch.set_num_threads(1)
        life(theirs)

    process = context.Process(target=run)
    process.start()
    theirs.close()
    try:
        yield ours, process.pid
    finally:
        process.kill()
        process.join()
        ours.close()
