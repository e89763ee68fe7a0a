"""Is a process there, and when is it gone?"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path


def alive(pid: int) -> bool:
    """Is it there, and more than a zombie?"""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until(condition: Callable[[], bool], patience_s: float = 10) -> bool:
    """For what the kernel does in its own time, such as ending a process that was killed."""
    deadline = time.monotonic() + patience_s
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


def processes_with(variable: str, value: str) -> list[int]:
    """Ids of the processes that were started with this in their environment."""
    wanted = f"{variable}={value}".encode()
    found = []
    for environment in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):  # ended meanwhile, or another user's
            if wanted in environment.read_bytes().split(b"\0"):
                found.append(int(environment.parent.name))
    return found
