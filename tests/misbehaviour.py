"""What the children of test_children.py do when asked. Imports little, since every child does."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from typing import Any

from harness import serve
from harness.records import Status
from harness.serve import RequestFailed, note


def _fail(poisoned: bool = False, status: Any = Status.RUNTIME_ERROR) -> None:
    raise RequestFailed(status, "as asked", poisoned)


def _say(text: str) -> None:
    print(text)
    print(text, file=sys.stderr)
    os.write(1, text.encode() + b"\n")


def _spawn(mark: str, new_group: bool) -> int:
    """Start a process that outlives this one if it is let."""
    return subprocess.Popen(
        [sys.executable, "-c", "import signal; signal.pause()"],
        env=os.environ | {"KERNEL_BENCH_TEST": mark},
        process_group=0 if new_group else None,
    ).pid


def _detach(mark: str, how: str) -> int:
    """Start a process that is no part of this one's session; return its id."""
    idle = f"import os, time\n{_QUIT_FIRST_THREAD if how == 'threads' else ''}\ntime.sleep(600)"
    if how == "again":  # a process that goes on in one of its own, over and over; not for ever
        idle = (
            "import os, time\nend = time.time() + 30\n"
            "while time.time() < end:\n    if os.fork(): os._exit(0)\n    os.setsid()"
        )
    start = [sys.executable, "-c", idle]
    environment = os.environ | {"KERNEL_BENCH_TEST": mark}
    if how in ("session", "threads", "again"):
        return subprocess.Popen(start, env=environment, start_new_session=True).pid
    reading, writing = os.pipe()
    if (between := os.fork()) == 0:
        os.setsid()
        daemon = subprocess.Popen(start, env=environment)
        os.write(writing, str(daemon.pid).encode())
        os._exit(0)
    pid = int(os.read(reading, 20))
    os.waitpid(between, 0)
    return pid


_QUIT_FIRST_THREAD = """
import ctypes, threading
threading.Thread(target=time.sleep, args=(600,)).start()
ctypes.PyDLL(None).pthread_exit(None)
"""


def _hang(ignoring: list[int]) -> None:
    for number in ignoring:
        signal.signal(number, signal.SIG_IGN)
    ctypes.PyDLL(None).pause()  # holds the interpreter


def _work(steps: list[float], patience_s: float) -> str:
    """Take so long over each step, and say so before it."""
    for seconds in steps:
        note(f"a step of {seconds:g} s", patience_s)
        time.sleep(seconds)
    return "done"


def _talk(connection: Connection) -> str:
    """Say things back to whoever is at the other end, until it hangs up."""
    with connection:
        while True:
            try:
                connection.send_bytes(connection.recv_bytes())
            except EOFError:
                return "talked"


def _write(text: str, over_and_over: bool) -> None:
    """Write to the parent what is no message, and then nothing any more."""
    assert serve._parent is not None
    while True:
        os.write(serve._parent.fileno(), text.encode("latin-1"))
        if not over_and_over:
            signal.pause()


def make_handlers(*args: Any) -> Mapping[str, Callable[..., Any]]:
    return {
        "args": lambda: list(args),
        "echo": lambda value: value,
        "pid": os.getpid,
        "fail": _fail,
        "say": _say,
        "work": _work,
        "talk": _talk,
        "write": _write,
        "print": lambda text: print(text),
        "server": os.getppid,
        "spawn": _spawn,
        "detach": _detach,
        "hang": _hang,
        "bug": lambda: 1 / 0,
        "unanswerable": lambda: object(),
        "exit": os._exit,
        "sys_exit": sys.exit,
        "signal": lambda number: os.kill(os.getpid(), number),
        "null_write": lambda: ctypes.memset(0, 0, 1),
    }
