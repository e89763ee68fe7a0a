"""Child processes that the parent asks, waits for with a deadline, and can always kill.

A server process imports torch once and touches no GPU; every child is forked from it, so a
fresh worker costs milliseconds. Requests and replies are JSON over a pipe: nothing a child
sends is ever unpickled by the parent, and what it prints goes to its log file.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from harness import orphans, scratch
from harness.channel import Channel
from harness.records import HarnessError, Status
from harness.serve import serve

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["harness.foster", "harness.preload"])
_PACKAGES = Path(__file__).resolve().parent.parent
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
        with uninterrupted(), _starting:
            self._server, self._process, conn = _start(module, args, log)
        self._channel = Channel(conn, self._process.sentinel)

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

    def hang_up(self) -> None:
        """Let the child end by itself; `kill` it later for certain."""
        self._channel.close()

    def kill(self, patience_s: float = 0.0) -> None:
        """End the child and everything it started, at the latest after `patience_s` seconds,
        whatever that did to be no part of it.

        Any thread may, even while another asks.
        """
        with self._ending:  # neither an exit code nor a pipe can be had by two threads at once
            self._process.join(patience_s)
            self._process.kill()
            self._process.join()
            with _starting:  # nor is one that is being forked known to be ours
                orphans.kill_left(self.pid, self._server, _living)
            self._channel.close()

    def _died(self, request: str) -> ChildFailed:
        with self._ending:
            self._process.join(5)
            code = self._process.exitcode
            self.kill()
        # What `multiprocessing` says of a child whose server is gone; it may not be quite dead yet.
        patience_s = 1.0 if code == 255 else 0.0
        if not _runs(self._server, patience_s):
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


def _start(
    module: str, args: tuple[Any, ...], log: Path
) -> tuple[int, multiprocessing.process.BaseProcess, Connection]:
    """Fork a child from the server, which may have to be started first, or again.

    Returns the server's process id, the child and the pipe to it.
    """
    for attempt in range(3):
        conn, theirs = _context.Pipe()
        process = _context.Process(target=serve, args=(theirs, log, module, args), daemon=True)
        try:
            server = _start_server()
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


def _start_server() -> int:
    """Start the server if it does not run, where it can import this package, wherever the command
    was called from; return its process id.

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


def _living() -> set[int]:
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


def _runs(server: int, patience_s: float) -> bool:
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
