"""A process that knows a run's seed while it lasts, and writes it down if the parent is killed.

No kernel may know what its inputs will be, so until the end the seed is in no file; yet a run that
was killed is to be repeated too. The keeper has it in memory that others cannot read, holds the
end of a pipe that is cut when the parent dies, and nothing else of the parent's.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from harness import results
from harness.children import uninterrupted

_PR_SET_DUMPABLE = 4
_PR_SET_NAME = 15
_libc = ctypes.CDLL(None)


@contextlib.contextmanager
def kept(seed: int, folder: Path) -> Iterator[None]:
    """Have the seed written into the folder's environment.json if this process is killed meanwhile.

    Raises OSError if the system starts no more processes.
    """
    with uninterrupted():
        reading, writing = os.pipe()
        try:
            pid = os.fork()
        except OSError:
            os.close(writing)
            raise
        else:
            if pid == 0:
                _keep(seed, folder, reading)
        finally:
            os.close(reading)
    try:
        yield
    finally:
        with uninterrupted():
            _dismiss(pid)
            os.close(writing)


def _dismiss(keeper: int) -> None:
    """End it without a word: a kernel may have stopped or killed it, and it has nothing to do."""
    with contextlib.suppress(ProcessLookupError, ChildProcessError):
        os.kill(keeper, signal.SIGKILL)
        os.waitpid(keeper, 0)


def _keep(seed: int, folder: Path, pipe: int) -> NoReturn:
    """The keeper's life. Simple things only: other threads may have held any lock at the fork."""
    try:
        _libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
        _libc.prctl(_PR_SET_NAME, b"bench-seed", 0, 0, 0)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            signal.signal(number, signal.SIG_IGN)
        os.setsid()
        _let_go(pipe)
        while os.read(pipe, 1):  # nobody writes: it returns at the parent's end
            pass
        facts = results.read_environment(folder) | {"seed": seed}
        results.write_environment(folder, facts)
    finally:
        os._exit(0)


def _let_go(but: int) -> None:
    """Close whatever the parent had open, such as locks, which last while anybody has them."""
    for file in list(Path("/proc/self/fd").iterdir()):
        if int(file.name) not in (but, 0, 1, 2):
            with contextlib.suppress(OSError):  # the listing's own
                os.close(int(file.name))
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
