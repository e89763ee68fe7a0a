"""Another process, held: stopped as a whole, its memory read, and let go on."""

from __future__ import annotations

import ctypes
import errno
import os
import random
import select
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

_libc = ctypes.CDLL(None, use_errno=True)
_PR_SET_PTRACER = 0x59616D61
_GLIMPSES, _GLIMPSE_BYTES = 64, 1024
_secret = random.SystemRandom()
_SLICE_BYTES = 1 << 30
"""The system reads at most 2 GiB at a time."""


class Gone(Exception):
    """The process has ended."""


class _Vector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class Held:
    """A process by its descriptor, so that no other is ever meant."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.descriptor = os.pidfd_open(pid)
        """Can be read from when the process has ended."""
        self._poll = select.poll()
        self._poll.register(self.descriptor, select.POLLIN)

    def alive(self) -> bool:
        return not self._poll.poll(0)

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """With all of its threads stopped. Raises Gone."""
        self._signal(signal.SIGSTOP)
        try:
            self._wait_until_stopped()
            yield
        finally:
            self._signal(signal.SIGCONT, gone_is_fine=True)

    def _signal(self, number: int, gone_is_fine: bool = False) -> None:
        try:
            signal.pidfd_send_signal(self.descriptor, number)
        except ProcessLookupError:
            if not gone_is_fine:
                raise Gone from None

    def _wait_until_stopped(self) -> None:
        deadline = time.monotonic() + 5.0
        tasks = Path(f"/proc/{self.pid}/task")
        try:
            # What a thread does first when it is stopped is to wait for the others' end of work.
            while not all(_stopped(task / "stat") for task in tasks.iterdir()):
                if not self.alive() or time.monotonic() > deadline:
                    raise Gone
        except OSError:
            raise Gone from None
        if not self.alive():  # a process that nobody has taken leave of yet looks stopped
            raise Gone

    def read(self, address: int, nbytes: int) -> Tensor:
        """Bytes of its memory, in memory of our own. Raises Gone; ValueError where it has none."""
        data = torch.empty(nbytes, dtype=torch.uint8)
        done = 0
        while done < nbytes:
            count = min(nbytes - done, _SLICE_BYTES)
            ours = _Vector(data.data_ptr() + done, count)
            theirs = _Vector((address + done) % 2**64, count)
            got = _libc.process_vm_readv(
                self.pid, ctypes.byref(ours), 1, ctypes.byref(theirs), 1, ctypes.c_ulong(0)
            )
            if got <= 0:
                number = ctypes.get_errno()
                if number == errno.ESRCH:
                    raise Gone
                error = os.strerror(number)
                raise ValueError(f"{nbytes:,} bytes of the kernel's memory cannot be read: {error}")
            done += got
        return data

    def glimpse(self, address: int, nbytes: int) -> dict[int, bytes]:
        """Pieces of so many bytes of its memory, at random or all, by where they begin: at once,
        while it runs. Empty where it has none."""
        whole = nbytes <= _GLIMPSES * _GLIMPSE_BYTES
        size = nbytes if whole else _GLIMPSE_BYTES
        places = [0] if whole else [_secret.randrange(nbytes - size) for _ in range(_GLIMPSES)]
        data = ctypes.create_string_buffer(size * len(places))
        ours = _Vector(ctypes.addressof(data), len(data))
        theirs = (_Vector * len(places))(*(_Vector((address + at) % 2**64, size) for at in places))
        got = _libc.process_vm_readv(
            self.pid, ctypes.byref(ours), 1, theirs, len(places), ctypes.c_ulong(0)
        )
        if got != len(data):
            return {}
        return {at: data.raw[n * size : (n + 1) * size] for n, at in enumerate(places)}

    def close(self) -> None:
        os.close(self.descriptor)


_libc.process_vm_readv.restype = ctypes.c_ssize_t


def _stopped(stat: Path) -> bool:
    try:
        descriptor = os.open(stat, os.O_RDONLY)
    except FileNotFoundError:  # a thread that ended meanwhile
        return True
    try:
        return os.read(descriptor, 512).rpartition(b") ")[2][:1] in (b"T", b"t", b"Z", b"X")
    except ProcessLookupError:
        return True
    finally:
        os.close(descriptor)


def let_read(pid: int) -> None:
    """Let a process of the same user read this one's memory, where only parents may (Yama)."""
    _libc.prctl(_PR_SET_PTRACER, ctypes.c_ulong(pid), 0, 0, 0)
