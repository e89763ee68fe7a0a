"""CHILD: answers its parent's requests, one after another, until the parent hangs up."""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import io
import json
import os
import re
import signal
import sys
import traceback
from collections.abc import Callable
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle
from pathlib import Path
from typing import Any

from harness import orphans
from harness.records import Status

Handler = Callable[..., Any]

_LACKS_MEMORY = re.compile(r"can't allocate memory|out of memory|\bCU\w+_ALLOC(ATION)?_FAILED\b")
"""In the text of a bare RuntimeError, as torch's CPU allocator, CUDA and its libraries raise it.
It costs nobody the CUDA context."""

_parent: Connection | None = None


class RequestFailed(Exception):
    """Raised by a handler inside a child: becomes ChildFailed in the parent."""

    def __init__(self, status: Status, reason: str, poisoned: bool = False):
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.poisoned = poisoned
        """The process cannot be trusted with another request, such as after a CUDA error."""


def failure(error: Exception, otherwise: Status, file: str = "") -> RequestFailed:
    """Name what went wrong in a child, pointing at the line of `file` that it went through.

    The whole traceback goes to standard error, which is the child's log.
    """
    with contextlib.suppress(Exception):  # what the file's code may have made of standard error
        traceback.print_exception(error)
    text = str(error).strip()
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == file]
    where = f" ({Path(file).name}:{lines[-1]})" if lines else ""
    reason = f"{type(error).__name__}{where}: {text.splitlines()[0] if text else 'no message'}"
    lacks_memory = isinstance(error, MemoryError) or "OutOfMemory" in type(error).__name__
    if lacks_memory or _LACKS_MEMORY.search(text):
        return RequestFailed(Status.OUT_OF_MEMORY, reason)
    # After a device error the CUDA context is lost; only a new process gets another.
    return RequestFailed(otherwise, reason, poisoned="CUDA error" in text)


def note(text: str, patience_s: float) -> None:
    """Tell the parent, in the midst of a request, what is being done and how long it may take."""
    if _parent is not None:
        _parent.send_bytes(json.dumps({"note": text, "patience_s": patience_s}).encode())


class _LogFile(io.FileIO):
    """Standard output of a child. A full disk is not the fault of whoever prints."""

    def write(self, data: Any) -> int:
        with contextlib.suppress(OSError):
            return super().write(data)
        return len(data)


def _print_to(log: str | Path) -> None:
    try:
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    except OSError:
        output = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(output, descriptor)
    sys.stdout, sys.stderr = (
        io.TextIOWrapper(
            io.BufferedWriter(_LogFile(descriptor, "w", closefd=False)),
            errors="backslashreplace",
            line_buffering=True,
        )
        for descriptor in (1, 2)
    )


def serve(conn: Connection, log: Path, module: str, args: tuple[Any, ...]) -> None:
    """A child's life: answer requests until the parent hangs up."""
    global _parent
    _parent = conn
    os.setsid()
    # Let the server go when the parent does, even while this child hangs: it would wait for us.
    os.close(forkserver._forkserver._forkserver_alive_fd)  # type: ignore[attr-defined]
    with contextlib.suppress(OSError):
        # Die with the parent, even a killed one; be what the system kills when memory ends; and
        # have a name for those who look at the list of processes.
        libc = ctypes.CDLL(None)
        libc.prctl(1, signal.SIGKILL)
        libc.prctl(15, f"bench-{module.rpartition('.')[2]}".encode())
        Path("/proc/self/oom_score_adj").write_text("1000")
    orphans.adopt()  # what is detached from this child is still known as its own
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _print_to(log)
    handlers: dict[str, Handler] = {"print_to": _print_to}
    handlers |= importlib.import_module(module).make_handlers(*args)
    while True:
        try:
            message = json.loads(conn.recv_bytes())
            if message.pop("connection"):
                message["arguments"]["connection"] = Connection(recv_handle(conn))
        except EOFError:
            return
        try:
            reply = {"answer": handlers[message["request"]](**message["arguments"])}
        except RequestFailed as failure:
            reply = {
                "failed": failure.status,
                "reason": failure.reason,
                "poisoned": failure.poisoned,
            }
        except Exception:
            # An error of the harness itself: the parent shows it as a crash, with this log.
            traceback.print_exc()
            os._exit(70)
        try:
            conn.send_bytes(json.dumps(reply).encode())
        except OSError:  # nobody waits for it any more
            return
