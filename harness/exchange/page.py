"""A page of flags in shared memory: 64-bit numbers that one side writes and the other waits for,
and room for a text.
"""

from __future__ import annotations

import fcntl
import json
import mmap
import os
import time
from collections.abc import Callable
from typing import Any

ASKED, READY, GO, DONE, FAILED, MESSAGE = range(0, 48, 8)  # a cache line each
"""Numbers of calls, but for MESSAGE: how many the judge has sent through the socket."""
LOOKED = 56
"""After which call the worker has looked at its inputs."""
SEED = 48
"""Of the random state right before forward."""
UNHURRIED = 49
"""Is the host's share of the next call to be measured (on a GPU)?"""
TIME_NS = 50
"""How long the device worked, as the worker says (on a GPU)."""
COPIED = 51
"""Was there room for the output in the arena (on a GPU)?"""
ALTERED = 53
"""Did the call change how its inputs are laid out, as the worker says?"""
LENGTH = 52
"""Of the text, in bytes; 0 if the output is one plain tensor, told by what follows."""
ADDRESS, DTYPE, DEVICE, DIMENSIONS, SIZES = range(64, 69)
"""SIZES: its shape, and then its strides."""
MOST_DIMENSIONS = 32
TEXT_AT = 2048
SIZE_BYTES = 1 << 18
DEVICES = ("cpu", "cuda", "meta")

_LOOKS = 1000
"""How many times a flag is read between two looks at the time."""


class Page:
    """One side's view. Numbers are read and written as in a list."""

    def __init__(self, descriptor: int) -> None:
        """descriptor: not needed any more afterwards."""
        self._map = mmap.mmap(descriptor, SIZE_BYTES)
        self.slots = memoryview(self._map).cast("q")

    def close(self) -> None:
        self.slots.release()
        self._map.close()

    def wait(
        self,
        done: Callable[[], bool],
        spin_s: float,
        nap_share: float,
        deadline: float = float("inf"),
        alive: Callable[[], bool] = lambda: True,
        nap: Callable[[float], object] = time.sleep,
        longest_nap_s: float = 5e-3,
    ) -> bool:
        """Wait until `done`; False at the deadline, or once the other side is not alive.

        spin_s: how long to spin, holding a core, before sleeping between looks.
        nap_share: how long to sleep, as a share of what it has waited already.
        nap: sleeps for so many seconds, or until it is woken.
        """
        now = start = checked = time.monotonic()
        while True:
            for _ in range(_LOOKS if now - start < spin_s else 1):
                if done():
                    return True
            now = time.monotonic()
            if now >= deadline:
                return False
            if now - checked > 0.01:
                checked = now
                if not alive():
                    return done()
            if now - start >= spin_s:
                nap(min(max(nap_share * (now - start), 20e-6), longest_nap_s))

    def put_text(self, value: Any) -> None:
        """Raises ValueError if it is too long."""
        text = json.dumps(value).encode()
        if TEXT_AT + len(text) > SIZE_BYTES:
            raise ValueError("too many values")
        self._map[TEXT_AT : TEXT_AT + len(text)] = text
        self.slots[LENGTH] = len(text)

    def text(self) -> Any:
        """Raises ValueError if it is none."""
        length = self.slots[LENGTH]
        if not 0 < length <= SIZE_BYTES - TEXT_AT:
            raise ValueError("no such text")
        return json.loads(self._map[TEXT_AT : TEXT_AT + length])


def make() -> int:
    """A new page; its descriptor."""
    descriptor = os.memfd_create("bench-page", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(descriptor, SIZE_BYTES)
    seal(descriptor)
    return descriptor


def seal(descriptor: int) -> None:
    """Let nobody make it smaller: the other side would die of reading on."""
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW)
