"""The process that all children are forked from: it has imported torch, and touched no GPU.

One at a time may start a child, or ask which there are: `children.py` sees to that.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import tempfile
import time
from collections.abc import Iterator
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from harness import scratch
from harness.records import HarnessError
from harness.serve import serve

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["harness.foster", "harness.preload"])
_PACKAGES = Path(__file__).resolve().parent.parent


def start(
    module: str, args: tuple[Any, ...], log: Path
) -> tuple[int, multiprocessing.process.BaseProcess, Connection]:
    """Fork a child from the server, which may have to be started first, or again.

    Returns the server's process id, the child and the pipe to it.
    """
    for attempt in range(3):
        conn, theirs = _context.Pipe()
        process = _context.Process(target=serve, args=(theirs, log, module, args), daemon=True)
        try:
            server = ensure_running()
            process.start()
            return server, process, conn
        except (OSError, EOFError) as error:  # the server died just now, or cannot fork
            conn.close()
            if attempt == 2:
                raise HarnessError(
                    f"No process can be started ({error or type(error).__name__}): raise the "
                    "limits on processes and memory, or end what uses them up."
                ) from error
            time.sleep(0.2 * (attempt + 1))
        finally:
            theirs.close()
    raise AssertionError


def ensure_running() -> int:
    """Start the server if it does not run, where it can import this package, wherever the command
    was called from; return its process id. It can fork when it has imported torch: `start` waits.

    One that cannot import it says nothing: each child would then import torch by itself.
    """
    folder = tempfile.tempdir
    paths = filter(None, [str(_PACKAGES), os.environ.get("PYTHONPATH")])
    # Its socket lies in a folder that the next run removes if this one cannot. A long name is
    # none for a socket.
    if len(str(scratch.folder())) < 60:
        tempfile.tempdir = str(scratch.folder())
    # A Ctrl-C is the parent's business: the server, and what it forks, never see one. Starting the
    # tracker, which the server does as well, would let it through again.
    resource_tracker.ensure_running()
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        # Safe from what lies where the command was called, such as a torch.py or another harness.
        with _environment(PYTHONPATH=os.pathsep.join(paths), PYTHONSAFEPATH="1"):
            forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        tempfile.tempdir = folder
    pid: int = forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]
    return pid


def living() -> set[int]:
    """Ids of the processes that were forked from the server, ours and whoever else's, and that
    nobody has waited for yet.
    """
    started = multiprocessing.process._children  # type: ignore[attr-defined]
    return {process.pid for process in started.copy()}


@contextlib.contextmanager
def _environment(**variables: str) -> Iterator[None]:
    """With these variables, for a process that is started meanwhile."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            del os.environ[name]
            if value is not None:
                os.environ[name] = value


def runs(server: int, patience_s: float) -> bool:
    """Is that server the present one, and still alive after so many seconds?"""
    deadline = time.monotonic() + patience_s
    try:
        # It is left for `multiprocessing` to wait for.
        while os.waitid(os.P_PID, server, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            if time.monotonic() >= deadline:
                return True
            time.sleep(0.01)
    except ChildProcessError:  # waited for: another has taken its place
        pass
    return False
