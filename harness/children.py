"""Child processes that the parent asks, waits for with a deadline, and can always kill.

A server process imports torch once and touches no GPU; every child is forked from it, so a
fresh worker costs milliseconds. Requests and replies are JSON over a pipe: nothing a child
sends is ever unpickled by the parent, and what it prints goes to its log file.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import importlib
import json
import multiprocessing
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from multiprocessing import forkserver
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from harness.records import Status

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["harness.preload"])
_PACKAGES = Path(__file__).resolve().parent.parent

Handler = Callable[..., Any]

_parent: Connection | None = None
"""In a child: whom it answers."""


class ChildFailed(Exception):
    """A request that got no good answer: the status it means, and why in one sentence."""

    def __init__(self, status: Status, reason: str, alive: bool):
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.alive = alive
        """Can the same child take another request?"""


class RequestFailed(Exception):
    """Raised by a handler inside a child: becomes ChildFailed in the parent."""

    def __init__(self, status: Status, reason: str, poisoned: bool = False):
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.poisoned = poisoned
        """The process cannot be trusted with another request, such as after a CUDA error."""


def failure(error: Exception, otherwise: Status, file: str = "") -> RequestFailed:
    """Name what went wrong in a child, pointing at the line of `file` that it went through."""
    text = str(error).strip()
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == file]
    where = f" ({Path(file).name}:{lines[-1]})" if lines else ""
    reason = f"{type(error).__name__}{where}: {text.splitlines()[0] if text else 'no message'}"
    if isinstance(error, MemoryError) or "OutOfMemory" in type(error).__name__:
        return RequestFailed(Status.OUT_OF_MEMORY, reason)
    if "can't allocate memory" in text:  # torch's CPU allocator raises a bare RuntimeError
        return RequestFailed(Status.OUT_OF_MEMORY, reason)
    # After a device error the CUDA context is lost; only a new process gets another.
    return RequestFailed(otherwise, reason, poisoned="CUDA error" in text)


def note(text: str, patience_s: float) -> None:
    """Tell the parent, in the midst of a request, what is being done and how long it may take."""
    if _parent is not None:
        _parent.send_bytes(json.dumps({"note": text, "patience_s": patience_s}).encode())


class Child:
    """One process that runs `<module>.make_handlers(*args)` and answers requests by name.

    The module goes by its name, so that the parent need not import what only a child uses.
    """

    def __init__(self, module: str, *args: Any, log: Path) -> None:
        self.log = log
        self._conn, theirs = _context.Pipe()
        self._process = _context.Process(
            target=_serve, args=(theirs, log, module, args), daemon=True
        )
        with _uninterrupted():
            _start_server()
            self._process.start()
        theirs.close()

    def ask(
        self,
        request: str,
        timeout_s: float,
        on_note: Callable[[str], None] | None = None,
        **arguments: Any,
    ) -> Any:
        """Send one request and return its answer.

        on_note: takes what the child says of its work meanwhile (`note`). Only with it does a
        note put off the deadline.
        Raises ChildFailed: with the status the child gave; TIMED_OUT after `timeout_s`
        seconds, the child killed; CRASHED if the child died.
        """
        message = json.dumps({"request": request, "arguments": arguments}).encode()
        deadline = time.monotonic() + timeout_s
        doing = ""
        try:
            self._conn.send_bytes(message)
            while "note" in (reply := self._receive(request, deadline, timeout_s, doing)):
                if on_note:
                    doing, timeout_s = str(reply["note"]), float(reply["patience_s"])
                    on_note(doing)
                    deadline = time.monotonic() + timeout_s
        except (EOFError, OSError, ValueError):
            raise self._died(request) from None
        if "failed" in reply:
            if reply["poisoned"]:
                self.kill()
            raise ChildFailed(Status(reply["failed"]), reply["reason"], not reply["poisoned"])
        return reply["answer"]

    def _receive(
        self, request: str, deadline: float, timeout_s: float, doing: str
    ) -> dict[str, Any]:
        patience_s = max(0.0, deadline - time.monotonic())
        ready = wait([self._conn, self._process.sentinel], patience_s)
        if not ready:
            self.kill()
            reason = f"no answer to {request!r} within {timeout_s:g} s"
            reason += f" of {doing}" if doing else ""
            raise ChildFailed(Status.TIMED_OUT, reason, False)
        # A dead child's pipe may stay open: whatever it forked has it too.
        if self._conn not in ready and not self._conn.poll(0):
            raise EOFError
        reply: dict[str, Any] = json.loads(self._conn.recv_bytes())
        return reply

    def hang_up(self) -> None:
        """Let the child end by itself; `kill` it later for certain."""
        self._conn.close()

    def kill(self, patience_s: float = 0.0) -> None:
        """End the child and everything it started, at the latest after `patience_s` seconds."""
        self._process.join(patience_s)
        self._process.kill()
        if self._process.pid is not None:
            _kill_session(self._process.pid)
        self._process.join()
        self._conn.close()

    def _died(self, request: str) -> ChildFailed:
        self._process.join(5)
        code = self._process.exitcode
        self.kill()
        if code is not None and code < 0:
            known = {number.value: number.name for number in signal.Signals}
            how = f"died of {known.get(-code, f'signal {-code}')}"
        else:
            how = f"exited with code {code}"
        reason = f"the process {how} during {request!r}"
        if code == -signal.SIGKILL:
            return ChildFailed(
                Status.OUT_OF_MEMORY, reason + ", as when the system runs out of memory", False
            )
        last = _last_line(self.log)
        return ChildFailed(
            Status.CRASHED, reason + (f"; it last said: {last}" if last else ""), False
        )


@functools.cache
def _start_server() -> None:
    """Start the server where it can import this package, wherever the command was called from.

    One that cannot says nothing: each child would then import torch by itself.
    """
    given = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(_PACKAGES), given]))
    try:
        forkserver.ensure_running()
    finally:
        del os.environ["PYTHONPATH"]
        if given is not None:
            os.environ["PYTHONPATH"] = given


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Put a Ctrl-C off until the end: a child half started would print what became of it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    pressed: list[int] = []
    previous = signal.signal(signal.SIGINT, lambda number, frame: pressed.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
        if pressed:
            signal.raise_signal(signal.SIGINT)


def _kill_session(leader: int) -> None:
    """Kill what is left of a session. Not a process group: ninja gives each compiler its own."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            # pid (name) state ppid group session ...; a name may hold anything but ends last.
            session = int(stat.read_text().rpartition(")")[2].split()[3])
            if session == leader:
                os.kill(int(stat.parent.name), signal.SIGKILL)


def _last_line(log: Path) -> str:
    try:
        lines = [line.strip() for line in log.read_text(errors="replace").splitlines()]
    except OSError:
        return ""
    return next((line[:200] for line in reversed(lines) if line), "")


def _serve(conn: Connection, log: Path, module: str, args: tuple[Any, ...]) -> None:
    """A child's life: answer requests until the parent hangs up."""
    global _parent
    _parent = conn
    os.setsid()
    # Let the server go when the parent does, even while this child hangs: it would wait for us.
    os.close(forkserver._forkserver._forkserver_alive_fd)  # type: ignore[attr-defined]
    with contextlib.suppress(OSError):
        # Die with the parent, even a killed one; and be what the system kills when memory ends.
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
        Path("/proc/self/oom_score_adj").write_text("1000")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for descriptor in (1, 2):
        os.dup2(output, descriptor)
    sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
    handlers: Mapping[str, Handler] = importlib.import_module(module).make_handlers(*args)
    while True:
        try:
            message = json.loads(conn.recv_bytes())
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
        conn.send_bytes(json.dumps(reply).encode())
