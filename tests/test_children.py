"""Children that answer, fail, die, hang and start processes of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from processes import alive, processes_with, wait_until

from harness import children
from harness.children import Child, ChildFailed, failure
from harness.records import Status

PATIENCE_S = 60.0
"""Longer than any answer takes, however busy the machine."""


@pytest.fixture
def child(tmp_path: Path) -> Iterator[Child]:
    child = Child("misbehaviour", 1, "two", log=tmp_path / "log")
    yield child
    child.kill()


def ask_in_vain(
    child: Child, request: str, timeout_s: float = PATIENCE_S, **kw: Any
) -> ChildFailed:
    with pytest.raises(ChildFailed) as raised:
        child.ask(request, timeout_s, **kw)
    return raised.value


# answers


def test_a_child_answers_one_request_after_another(child: Child) -> None:
    assert child.ask("args", PATIENCE_S) == [1, "two"]
    for value in ("text", None, [1, {"a": 2.5}], "x" * 1_000_000):
        assert child.ask("echo", PATIENCE_S, value=value) == value


def test_children_are_processes_of_their_own(child: Child, tmp_path: Path) -> None:
    other = Child("misbehaviour", log=tmp_path / "other")
    try:
        pids = {child.ask("pid", PATIENCE_S), other.ask("pid", PATIENCE_S), os.getpid()}
        assert len(pids) == 3
    finally:
        other.kill()


def test_what_a_child_prints_is_in_its_log(child: Child, capfd: pytest.CaptureFixture) -> None:
    child.ask("say", PATIENCE_S, text="hello")
    assert child.log.read_text() == "hello\n" * 3
    assert capfd.readouterr() == ("", "")


def test_a_failed_request_leaves_the_child_alive(child: Child) -> None:
    failed = ask_in_vain(child, "fail", poisoned=False)
    assert (failed.status, failed.reason, failed.alive) == (Status.WRONG_VALUES, "as asked", True)
    assert child.ask("echo", PATIENCE_S, value=1) == 1


def test_a_poisoned_child_is_ended(child: Child) -> None:
    pid = child.ask("pid", PATIENCE_S)
    failed = ask_in_vain(child, "fail", poisoned=True)
    assert (failed.status, failed.alive) == (Status.WRONG_VALUES, False)
    assert not alive(pid)


# deaths


@pytest.mark.parametrize(
    "request_, arguments, status, says",
    [
        ("exit", {"status": 0}, Status.CRASHED, "exited with code 0 during 'exit'"),
        ("exit", {"status": 7}, Status.CRASHED, "exited with code 7"),
        ("null_write", {}, Status.CRASHED, "died of SIGSEGV"),
        ("signal", {"number": signal.SIGABRT}, Status.CRASHED, "died of SIGABRT"),
        ("signal", {"number": signal.SIGKILL}, Status.OUT_OF_MEMORY, "died of SIGKILL"),
        ("signal", {"number": 40}, Status.CRASHED, "died of "),
        ("bug", {}, Status.CRASHED, "ZeroDivisionError"),
        ("unanswerable", {}, Status.CRASHED, "not JSON serializable"),
        ("no such request", {}, Status.CRASHED, "KeyError"),
    ],
)
def test_a_death_is_named(
    request_: str, arguments: dict[str, int], status: Status, says: str, child: Child
) -> None:
    failed = ask_in_vain(child, request_, **arguments)
    assert (failed.status, failed.alive) == (status, False)
    assert says in failed.reason


def test_a_polite_exit_is_a_death_too(child: Child) -> None:
    child.ask("say", PATIENCE_S, text="goodbye")
    failed = ask_in_vain(child, "sys_exit")
    assert failed.status is Status.CRASHED
    assert failed.reason.endswith("it last said: goodbye")


def test_asking_the_dead_fails_at_once(child: Child) -> None:
    ask_in_vain(child, "exit", status=1)
    failed = ask_in_vain(child, "echo", value=1)
    assert failed.status is Status.CRASHED


@pytest.mark.parametrize("ignoring", [[], [signal.SIGTERM, signal.SIGINT, signal.SIGHUP]])
def test_a_child_is_killed_at_its_deadline_whatever_it_ignores(
    ignoring: list[int], child: Child
) -> None:
    pid = child.ask("pid", PATIENCE_S)
    failed = ask_in_vain(child, "hang", timeout_s=0.5, ignoring=ignoring)
    assert (failed.status, failed.alive) == (Status.TIMED_OUT, False)
    assert failed.reason == "no answer to 'hang' within 0.5 s"
    assert not alive(pid)


@pytest.mark.parametrize("new_group", [False, True], ids=["same group", "group of its own"])
def test_what_a_child_started_ends_with_it(new_group: bool, child: Child, tmp_path: Path) -> None:
    # ninja, for one, gives every compiler a process group of its own.
    pid = child.ask("spawn", PATIENCE_S, mark=str(tmp_path), new_group=new_group)
    try:
        child.kill()
        assert wait_until(lambda: not alive(pid))
    finally:
        if alive(pid):
            os.kill(pid, signal.SIGKILL)


def test_a_child_that_died_by_itself_leaves_nothing_either(child: Child, tmp_path: Path) -> None:
    pid = child.ask("spawn", PATIENCE_S, mark=str(tmp_path), new_group=False)
    ask_in_vain(child, "exit", status=0)
    assert wait_until(lambda: not alive(pid))


def test_a_child_ends_by_itself_when_the_parent_hangs_up(child: Child) -> None:
    pid = child.ask("pid", PATIENCE_S)
    child.hang_up()
    assert wait_until(lambda: not alive(pid))


def test_killing_twice_is_harmless(child: Child) -> None:
    child.kill()
    child.kill()


def test_a_child_outlives_no_killed_parent(tmp_path: Path) -> None:
    script = (
        "from harness.children import Child; from pathlib import Path\n"
        "if __name__ == '__main__':\n"
        "    child = Child('misbehaviour', log=Path('log'))\n"
        "    print(child.ask('pid', 60), flush=True)\n"
        "    child.ask('hang', 600, ignoring=[])\n"
    )
    (tmp_path / "parent.py").write_text(script)
    mark = {"PYTHONPATH": os.pathsep.join(sys.path), "KERNEL_BENCH_TEST": str(tmp_path)}
    parent = subprocess.Popen(
        [sys.executable, "parent.py"],
        cwd=tmp_path,
        env=os.environ | mark,
        stdout=subprocess.PIPE,
        text=True,
    )
    with parent:
        assert parent.stdout is not None
        assert alive(int(parent.stdout.readline()))
        parent.kill()
    try:
        assert wait_until(lambda: not processes_with("KERNEL_BENCH_TEST", str(tmp_path)))
    finally:
        for pid in processes_with("KERNEL_BENCH_TEST", str(tmp_path)):
            os.kill(pid, signal.SIGKILL)


def test_ctrl_c_is_the_parents_business(child: Child) -> None:
    pid = child.ask("pid", PATIENCE_S)
    os.kill(pid, signal.SIGINT)
    assert child.ask("echo", PATIENCE_S, value=1) == 1


def test_children_can_be_asked_from_several_threads(tmp_path: Path) -> None:
    children = [Child("misbehaviour", log=tmp_path / str(n)) for n in range(3)]
    answers: dict[int, Any] = {}

    def ask(number: int) -> None:
        answers[number] = children[number].ask("echo", PATIENCE_S, value=number)

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for child in children:
        child.kill()
    assert answers == {0: 0, 1: 1, 2: 2}


# naming what went wrong


@pytest.mark.parametrize(
    "error, status, poisoned",
    [
        (ValueError("no"), Status.RUNTIME_ERROR, False),
        (MemoryError(), Status.OUT_OF_MEMORY, False),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), Status.OUT_OF_MEMORY, False),
        (type("OutOfMemoryError", (RuntimeError,), {})("CUDA"), Status.OUT_OF_MEMORY, False),
        (RuntimeError("CUDA error: an illegal memory access"), Status.RUNTIME_ERROR, True),
    ],
)
def test_failure_names_the_status(error: Exception, status: Status, poisoned: bool) -> None:
    named = failure(error, Status.RUNTIME_ERROR)
    assert (named.status, named.poisoned) == (status, poisoned)


def test_failure_gives_one_line_and_where_it_came_from() -> None:
    try:
        raise ValueError("first\nsecond")
    except ValueError as error:
        line = error.__traceback__.tb_lineno
        assert failure(error, Status.LOAD_FAILED, __file__).reason == (
            f"ValueError (test_children.py:{line}): first"
        )
        assert failure(error, Status.LOAD_FAILED).reason == "ValueError: first"
    assert failure(KeyError(), Status.LOAD_FAILED).reason == "KeyError: no message"


@pytest.mark.parametrize("given", [None, "mine"])
def test_the_server_can_import_this_package_wherever_it_is_started(
    given: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    monkeypatch.setenv("PYTHONPATH", given or "")
    if given is None:
        monkeypatch.delenv("PYTHONPATH")
    monkeypatch.setattr(
        children.forkserver, "ensure_running", lambda: seen.append(os.environ["PYTHONPATH"])
    )
    children._start_server.__wrapped__()
    root = str(Path(children.__file__).parents[1])
    assert seen == [root if given is None else f"{root}:{given}"]
    assert os.environ.get("PYTHONPATH") == given
