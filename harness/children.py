"""Child processes that the parent asks, waits for with a deadline, and can always kill.

A server process imports torch once and touches no GPU; every child is forked from it, so a
fresh worker costs milliseconds. Requests and replies are JSON over a pipe: nothing a child
sends is ever unpickled by the parent, and what it prints goes to its log file.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from harness import orphans, server
from harness.channel import Channel
from harness.records import Status

_starting = threading.Lock()
_MAY_SAY = frozenset(
    {
        *(Status.BUILD_FAILED, Status.LOAD_FAILED, Status.RUNTIME_ERROR, Status.OUT_OF_MEMORY),
        Status.UNGRADABLE,
    }
)
"""What a child says of its own failure: nothing that clears it, since a kernel may speak for it."""


class ChildFailed(Exception):
    """A request that got no good answer: the status it means, and why in one sentence."""

    def __init__(
        self,
        status: Status,
        reason: str,
        alive: bool,
        server_died: bool = False,
        answered: bool = False,
    ):
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.alive = alive
        """Can the same child take another request?"""
        self.answered = answered
        """Did the child itself say so? One whose CUDA context is lost does, and is ended then."""
        self.server_died = server_died
        """The server that all children are forked from died, and the child with it, through no
        fault of its own that is known: worth another try."""


def begin() -> None:
    """Start the server, and do not wait until it can fork, which takes the seconds of torch."""
    with contextlib.suppress(OSError), uninterrupted(), _starting:  # the first child says it
        server.ensure_running()


class Child:
    """One process that runs `<module>.make_handlers(*args)` and answers requests by name.

    The module goes by its name, so that the parent need not import what only a child uses.
    """

    def __init__(self, module: str, *args: Any, log: Path, timeout_s: float) -> None:
        """timeout_s: how long a request may take that is not asked with a time of its own.

        Raises HarnessError if the system starts no more processes.
        """
        self.log = log
        self._timeout_s = timeout_s
        self._oom_kills = _oom_kills()
        self._ending = threading.RLock()
        self._killed = False
        with uninterrupted(), _starting:
            self._server, self._process, conn = server.start(module, args, log)
        self._channel = Channel(conn, self._process.sentinel)

    def print_to(self, log: Path) -> None:
        """Have what it prints from now on go to another file. Raises as `ask` does."""
        self.ask("print_to", log=str(log))
        self.log = log

    def ask(
        self,
        request: str,
        timeout_s: float | None = None,
        on_note: Callable[[str], None] | None = None,
        **arguments: Any,
    ) -> Any:
        """Send one request and return its answer: `tell`, then `hear`."""
        self.tell(request, **arguments)
        return self.hear(request, timeout_s, on_note)

    def tell(self, request: str, connection: Connection | None = None, **arguments: Any) -> None:
        """Send one request, without waiting for its answer.

        connection: something to give to the child, as the request's argument of that name; it is
        closed here. Raises ChildFailed as `hear` does.
        """
        message = {"request": request, "arguments": arguments, "connection": connection is not None}
        deadline = time.monotonic() + self._timeout_s
        try:
            self._channel.send(json.dumps(message).encode(), deadline)
            if connection is not None:
                self._channel.send_descriptor(connection.fileno(), deadline)
        except TimeoutError:
            raise self._late(f"{request!r} was not taken within {self._timeout_s:g} s") from None
        except (EOFError, OSError):
            raise self._died(request) from None
        finally:
            if connection is not None:
                connection.close()

    def hear(
        self,
        request: str,
        timeout_s: float | None = None,
        on_note: Callable[[str], None] | None = None,
    ) -> Any:
        """Wait for a request's answer and return it.

        on_note: takes what the child says of its work meanwhile (`note`). Only with it does a
        note put off the deadline.
        Raises ChildFailed: with the status the child gave; TIMED_OUT after the time it has, the
        child killed; CRASHED or OUT_OF_MEMORY if the child died.
        """
        timeout_s = self._timeout_s if timeout_s is None else timeout_s
        deadline = time.monotonic() + timeout_s
        doing = ""
        try:
            while "note" in (reply := json.loads(self._channel.receive(deadline))):
                if on_note:
                    doing, timeout_s = str(reply["note"]), float(reply["patience_s"])
                    on_note(doing)
                    deadline = time.monotonic() + timeout_s
            failed = _failure(reply)
            answer = None if failed else reply["answer"]
        except TimeoutError:
            of = f" of {doing}" if doing else ""
            raise self._late(f"no answer to {request!r} within {timeout_s:g} s{of}") from None
        except (EOFError, OSError):
            raise self._died(request) from None
        except (ValueError, LookupError, TypeError, RecursionError):
            self.kill()
            reason = f"the process answered {request!r} with what is no answer"
            raise ChildFailed(Status.CRASHED, reason, alive=False) from None
        if failed:
            if not failed.alive:
                self.kill()
            raise failed
        return answer

    def _late(self, reason: str) -> ChildFailed:
        self.kill()
        return ChildFailed(Status.TIMED_OUT, reason, alive=False)

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def go_on(self) -> None:
        """Let the child go on, whoever had it stand still and did not come to let it go on."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGCONT)

    def hang_up(self) -> None:
        """Let the child end by itself; `kill` it later for certain."""
        self._channel.close()

    def kill(self, patience_s: float = 0.0) -> None:
        """End the child and everything it started, at the latest after `patience_s` seconds,
        whatever that did to be no part of it.

        Any thread may, even while another asks.
        """
        with self._ending:  # neither an exit code nor a pipe can be had by two threads at once
            if self._killed:  # its id may be another's by now
                return
            self._process.join(patience_s)
            self._process.kill()
            self._process.join()
            with _starting:  # nor is one that is being forked known to be ours
                orphans.kill_left(self.pid, self._server, server.living)
            self._channel.close()
            self._killed = True

    def _died(self, request: str) -> ChildFailed:
        with self._ending:
            self._process.join(5)
            code = self._process.exitcode
            self.kill()
        # What `multiprocessing` says of a child whose server is gone; it may not be quite dead yet.
        patience_s = 1.0 if code == 255 else 0.0
        if not server.runs(self._server, patience_s):
            reason = f"the server of all processes died during {request!r}"
            return ChildFailed(Status.CRASHED, reason, alive=False, server_died=True)
        if code is not None and code < 0:
            names = {number.value: number.name for number in signal.Signals}
            how = f"died of {names.get(-code, f'signal {-code}')}"
        else:
            how = f"exited with code {code}"
        reason = f"the process {how} during {request!r}"
        if code == -signal.SIGKILL and _oom_kills() > self._oom_kills:
            return ChildFailed(Status.OUT_OF_MEMORY, f"{reason}, for want of memory", alive=False)
        last = _last_line(self.log)
        reason += f"; it last said: {last}" if last else ""
        return ChildFailed(Status.CRASHED, reason, alive=False)


def _failure(reply: dict[str, Any]) -> ChildFailed | None:
    """What a child says that it failed at. Raises ValueError for what none of ours says."""
    if "failed" not in reply:
        return None
    status, reason = Status(reply["failed"]), str(reply["reason"])
    if status not in _MAY_SAY or not reason:
        raise ValueError(f"{status}: {reason}")
    return ChildFailed(status, reason, alive=not reply["poisoned"], answered=True)


def _oom_kills() -> int:
    """How many processes the system has killed for want of memory: of this control group where
    it counts them, else of the machine."""
    group = ""
    with contextlib.suppress(OSError, IndexError):
        group = Path("/proc/self/cgroup").read_text().strip().rpartition("::")[2]
    for counts in (
        Path(f"/sys/fs/cgroup{group}/memory.events"),
        Path("/sys/fs/cgroup/memory.events"),
        Path("/sys/fs/cgroup/memory/memory.oom_control"),
        Path("/proc/vmstat"),
    ):
        with contextlib.suppress(OSError, ValueError):
            for line in counts.read_text().splitlines():
                name, _, count = line.partition(" ")
                if name == "oom_kill":
                    return int(count)
    return 0


@contextlib.contextmanager
def uninterrupted(discard: bool = False) -> Iterator[None]:
    """Put Ctrl-C, and the signals that mean the same here, off until the end.

    discard: forget them instead, where what is being done is to stop.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    pressed: list[int] = []
    previous = {
        number: signal.signal(number, lambda number, frame: pressed.append(number))
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(number) is signal.default_int_handler
    }
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        if pressed and not discard:
            signal.raise_signal(pressed[0])


def _last_line(log: Path) -> str:
    try:
        lines = [line.strip() for line in log.read_text(errors="replace").splitlines()]
    except OSError:
        return ""
    return next((line[:200] for line in reversed(lines) if line), "")
