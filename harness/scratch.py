"""The folder for what a process needs only while it lives, in shared memory if that has room.

Beside it lies a lock that its owner holds and that the system frees however the owner ends, so the
next run can tell what a killed one left behind, and removes it.
"""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import tempfile
from multiprocessing.util import Finalize
from pathlib import Path

from filelock import FileLock, Timeout

from harness.records import HarnessError

_PREFIX = "kernel-bench-run-"
_SHARED_MEMORY = Path("/dev/shm")
_LAST = -200
"""`multiprocessing` removes what it has in here at -100, before us."""
_ROOM_BYTES = 4 << 30
"""Shared memory with less room than this is not used: tensors may be large."""


@functools.cache
def folder() -> Path:
    """This process's own folder, made at the first call and removed when the process ends.

    Raises HarnessError if no place can be written to.
    """
    sweep()
    for place in _places():
        with contextlib.suppress(OSError):
            return _make(place)
    raise HarnessError(
        "Temporary files can be made nowhere: make room, or set TMPDIR to a folder that can be "
        "written to."
    )


def make(name: str) -> Path:
    """A new folder inside; its name begins with `name`."""
    return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=folder()))


def _make(place: Path) -> Path:
    # The name is free, since another process that drew it would have made the lock as well.
    handle, lock_file = tempfile.mkstemp(prefix=_PREFIX, suffix=".lock", dir=place)
    os.close(handle)
    lock = FileLock(lock_file)
    with contextlib.suppress(NotImplementedError, OSError):  # a file system without locks
        lock.acquire()
    path = Path(lock_file).with_suffix("")
    path.mkdir(mode=0o700)
    Finalize(None, _remove, (path, lock), exitpriority=_LAST)
    return path


def _remove(path: Path, lock: FileLock) -> None:
    shutil.rmtree(path, ignore_errors=True)
    Path(lock.lock_file).unlink(missing_ok=True)
    lock.release()


def sweep() -> None:
    """Remove the folders whose owners are dead, wherever they may lie."""
    for place in _places():
        for lock_file in place.glob(f"{_PREFIX}*.lock"):
            # Somebody else's, alive, gone meanwhile, or on a file system without locks.
            with contextlib.suppress(Timeout, OSError, NotImplementedError):
                lock = FileLock(lock_file, timeout=0)
                lock.acquire()
                _remove(lock_file.with_suffix(""), lock)


def _places() -> list[Path]:
    """Where the folder may lie, the best place first."""
    places = []
    with contextlib.suppress(OSError):
        places.append(Path(tempfile.gettempdir()))
    with contextlib.suppress(OSError):
        if os.access(_SHARED_MEMORY, os.W_OK):
            roomy = shutil.disk_usage(_SHARED_MEMORY).free > _ROOM_BYTES
            places.insert(0 if roomy else 1, _SHARED_MEMORY)
    return places
