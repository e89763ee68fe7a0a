"""Children that answer, fail, die, hang and start processes of their own."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from processes import alive, processes_with, wait_until

from harness import server
from harness.children import Child, ChildFailed, begin, uninterrupted
from harness.records import Status

PATIENCE_S = 60.0
"""Longer than any answer takes, however busy the machine."""


@pytest.fixture
def child(tmp_path: Path) -> Iterator[Child]:
    child = Child("misbehaviour", 1, "two", log=tmp_path / "log", timeout_s=PATIENCE_S)
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
    other = Child("misbehaviour", log=tmp_path / "other", timeout_s=PATIENCE_S)
    try:
        pids = {child.ask("pid", PATIENCE_S), other.ask("pid", PATIENCE_S), os.getpid()}
        assert len(pids) == 3
    finally:
        other.kill()


def test_a_child_that_was_left_standing_still_goes_on(child: Child) -> None:
    os.kill(child.pid, signal.SIGSTOP)
    child.go_on()
    assert child.ask("args", PATIENCE_S) == [1, "two"]
    child.kill()
    child.go_on()  # nobody


def test_what_a_child_prints_is_in_its_log(child: Child, capfd: pytest.CaptureFixture) -> None:
    child.ask("say", PATIENCE_S, text="hello")
    assert child.log.read_text() == "hello\n" * 3
    assert capfd.readouterr() == ("", "")


def test_what_a_child_prints_can_go_elsewhere_from_now_on(child: Child, tmp_path: Path) -> None:
    child.ask("say", PATIENCE_S, text="hello")
    before = child.log
    child.print_to(tmp_path / "other")
    child.ask("say", PATIENCE_S, text="again")
    assert child.log == tmp_path / "other"
    assert (before.read_text(), child.log.read_text()) == ("hello\n" * 3, "again\n" * 3)


def test_a_server_is_begun_without_waiting_for_it() -> None:
    begin()
    begin()
    assert server.runs(server.ensure_running(), patience_s=0.0)


def test_what_died_before_it_was_told_says_so_when_it_is_heard(child: Child) -> None:
    os.kill(child.pid, signal.SIGKILL)
    assert wait_until(lambda: not alive(child.pid))
    for ask in (child.tell, child.hear):
        with pytest.raises(ChildFailed, match="the process died of SIGKILL during 'pid'"):
            ask("pid")


def test_a_failed_request_leaves_the_child_alive(child: Child) -> None:
    failed = ask_in_vain(child, "fail", poisoned=False)
    assert (failed.status, failed.reason, failed.alive) == (Status.RUNTIME_ERROR, "as asked", True)
    assert failed.answered
    assert child.ask("echo", PATIENCE_S, value=1) == 1


def test_a_poisoned_child_is_ended(child: Child) -> None:
    pid = child.ask("pid", PATIENCE_S)
    failed = ask_in_vain(child, "fail", poisoned=True)
    assert (failed.status, failed.alive, failed.answered) == (Status.RUNTIME_ERROR, False, True)
    assert not alive(pid)


@pytest.mark.parametrize("status", [Status.PASSED, Status.SKIPPED, "SPLENDID", None])
def test_a_failure_that_clears_is_no_answer(status: str | None, child: Child) -> None:
    failed = ask_in_vain(child, "fail", status=status)
    assert (failed.status, failed.alive, failed.answered) == (Status.CRASHED, False, False)
    assert failed.reason == "the process answered 'fail' with what is no answer"


def test_a_full_disk_is_not_the_fault_of_who_prints(tmp_path: Path) -> None:
    child = Child("misbehaviour", log=Path("/dev/full"), timeout_s=PATIENCE_S)
    try:
        child.ask("print", text="much " * 100_000)
    finally:
        child.kill()


def test_a_child_is_known_by_its_id(child: Child) -> None:
    assert child.pid == child.ask("pid")


def test_what_a_child_is_told_it_answers_when_it_is_heard(child: Child) -> None:
    child.tell("work", steps=[0.1], patience_s=PATIENCE_S)
    child.tell("echo", value=1)
    assert child.hear("work") == "done"
    assert child.hear("echo") == 1


def test_of_two_children_that_are_connected_one_notices_the_others_end(
    child: Child, tmp_path: Path
) -> None:
    other = Child("misbehaviour", log=tmp_path / "other", timeout_s=PATIENCE_S)
    for one, connection in zip((child, other), multiprocessing.Pipe(), strict=True):
        one.tell("talk", connection=connection)
    other.kill()
    assert child.hear("talk") == "talked"


def test_a_child_takes_a_connection_and_talks_to_whoever_is_at_its_other_end(child: Child) -> None:
    for said in (b"one", b"another"):
        ours, theirs = multiprocessing.Pipe()
        child.tell("talk", connection=theirs)
        assert theirs.closed
        ours.send_bytes(said)
        assert ours.recv_bytes() == said
        ours.close()
        assert child.hear("talk") == "talked"
    assert child.ask("echo", value=1) == 1


def test_a_connection_for_the_dead_is_hung_up(child: Child) -> None:
    ours, theirs = multiprocessing.Pipe()
    child.kill()
    with pytest.raises(ChildFailed) as raised:
        child.tell("talk", connection=theirs)
    assert (raised.value.status, raised.value.alive) == (Status.CRASHED, False)
    assert theirs.closed
    with pytest.raises(EOFError):
        ours.recv_bytes()


def test_a_child_that_dies_while_nobody_hears_is_found_dead(child: Child) -> None:
    child.tell("exit", status=7)
    with pytest.raises(ChildFailed, match="exited with code 7 during 'exit'"):
        child.hear("exit")


def test_a_child_whose_answer_nobody_waits_for_ends_without_a_word(child: Child) -> None:
    ours, theirs = multiprocessing.Pipe()
    child.tell("talk", connection=theirs)
    child.hang_up()
    ours.close()  # it answers now
    assert wait_until(lambda: not alive(child.pid))
    assert child.log.read_text() == ""


# deadlines


def test_a_note_puts_the_deadline_off_and_is_heard(child: Child) -> None:
    notes: list[str] = []
    answer = child.ask("work", 0.5, notes.append, steps=[0.3, 0.3, 0.3], patience_s=PATIENCE_S)
    assert answer == "done"
    assert notes == ["a step of 0.3 s"] * 3


def test_a_note_that_nobody_asked_for_puts_nothing_off(child: Child) -> None:
    failed = ask_in_vain(child, "work", 0.3, steps=[0.2] * 20, patience_s=PATIENCE_S)
    assert failed.status is Status.TIMED_OUT


def test_a_step_longer_than_its_note_says_is_not_waited_for(child: Child) -> None:
    notes: list[str] = []
    with pytest.raises(ChildFailed, match=r"within 0\.2 s"):
        child.ask("work", PATIENCE_S, notes.append, steps=[60], patience_s=0.2)


HALF = "\0\0\0\7half"
NOTE = '\0\0\0\x1f{"note": "", "patience_s": 600}'


@pytest.mark.parametrize("text, over_and_over", [("\0", False), (HALF, False), (NOTE, True)])
def test_what_is_never_a_whole_answer_is_none_at_the_deadline(
    text: str, over_and_over: bool, child: Child
) -> None:
    failed = ask_in_vain(child, "write", 0.5, text=text, over_and_over=over_and_over)
    assert (failed.status, failed.alive) == (Status.TIMED_OUT, False)
    assert failed.reason == "no answer to 'write' within 0.5 s"


def test_an_answer_that_claims_to_be_endless_is_none(child: Child) -> None:
    failed = ask_in_vain(child, "write", text="\x7f\xff\xff\xff", over_and_over=False)
    assert (failed.status, failed.alive) == (Status.CRASHED, False)
    assert failed.reason == "the process answered 'write' with what is no answer"


def test_a_child_that_does_not_listen_is_late(tmp_path: Path) -> None:
    child = Child("misbehaviour", log=tmp_path / "log", timeout_s=2.0)
    child.tell("hang", ignoring=[])
    failed = ask_in_vain(child, "echo", value="x" * (32 << 20))
    assert (failed.status, failed.alive) == (Status.TIMED_OUT, False)
    assert failed.reason == "'echo' was not taken within 2 s"


# deaths


@pytest.mark.parametrize(
    "request_, arguments, status, says",
    [
        ("exit", {"status": 0}, Status.CRASHED, "exited with code 0 during 'exit'"),
        ("exit", {"status": 7}, Status.CRASHED, "exited with code 7"),
        ("null_write", {}, Status.CRASHED, "died of SIGSEGV"),
        ("signal", {"number": signal.SIGABRT}, Status.CRASHED, "died of SIGABRT"),
        ("signal", {"number": signal.SIGKILL}, Status.CRASHED, "died of SIGKILL"),
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


DETACHED = ["session", "double fork", "threads", "again"]


@pytest.fixture
def none_left(tmp_path: Path) -> Iterator[Callable[[], bool]]:
    """Are all gone that were started with this test's mark?"""
    yield lambda: not processes_with("KERNEL_BENCH_TEST", str(tmp_path))
    for pid in processes_with("KERNEL_BENCH_TEST", str(tmp_path)):
        os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("how", DETACHED)
def test_what_a_child_detached_ends_with_it(
    how: str, child: Child, tmp_path: Path, none_left: Callable[[], bool]
) -> None:
    child.ask("detach", mark=str(tmp_path), how=how)
    assert wait_until(lambda: not none_left())
    child.kill()
    assert none_left()


@pytest.mark.parametrize("how", DETACHED)
def test_what_was_detached_ends_with_a_child_that_was_killed(
    how: str, child: Child, tmp_path: Path, none_left: Callable[[], bool]
) -> None:
    child.ask("detach", mark=str(tmp_path), how=how)
    assert wait_until(lambda: not none_left())
    ask_in_vain(child, "signal", number=signal.SIGKILL)
    assert none_left()


def test_a_childs_end_is_no_other_ones(
    child: Child, tmp_path: Path, none_left: Callable[[], bool]
) -> None:
    """Neither another child's, nor what that one detached, nor what the user's program started."""
    idle = [sys.executable, "-c", "import time; time.sleep(600)"]
    ours = subprocess.Popen(idle, start_new_session=True)
    shell = subprocess.run(
        ["sh", "-c", "sleep 600 >/dev/null 2>&1 & echo $!"],
        capture_output=True,
        text=True,
        check=True,
    )
    bystanders = [ours.pid, int(shell.stdout)]
    other = Child("misbehaviour", log=tmp_path / "other", timeout_s=PATIENCE_S)
    theirs = multiprocessing.get_context("forkserver").Process(target=time.sleep, args=(600,))
    try:
        theirs.start()
        bystanders += [
            *(other.ask("detach", mark=str(tmp_path), how=how) for how in DETACHED[:2]),
            *(other.pid, theirs.pid or 0),
        ]
        child.kill()
        assert [alive(pid) for pid in bystanders] == [True] * 6
    finally:
        other.kill()
        theirs.kill()
        theirs.join()
        for pid in bystanders[:2]:
            os.kill(pid, signal.SIGKILL)
        ours.wait()
    assert none_left()


def test_a_child_that_dies_leaves_no_warning_of_what_it_detached(
    child: Child, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    child.ask("detach", mark=str(tmp_path), how="double fork")
    child.kill()
    assert Child("misbehaviour", log=tmp_path / "next", timeout_s=PATIENCE_S).ask("echo", value=1)
    assert capfd.readouterr() == ("", "")


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
        "    child = Child('misbehaviour', log=Path('log'), timeout_s=60)\n"
        "    import os; mark = os.environ['KERNEL_BENCH_TEST']\n"
        "    child.ask('detach', mark=mark, how='double fork')\n"
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
    children = [
        Child("misbehaviour", log=tmp_path / str(n), timeout_s=PATIENCE_S) for n in range(3)
    ]
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


# the server that all are forked from


@pytest.fixture
def kill_server(child: Child) -> Iterator[Callable[[], None]]:
    """Kill the server, as a kernel may, or the system."""
    server = child.ask("server")
    return lambda: os.kill(server, signal.SIGKILL)


def test_what_goes_down_with_the_server_is_no_childs_fault(
    child: Child, kill_server: Callable[[], None]
) -> None:
    kill_server()
    failed = ask_in_vain(child, "work", steps=[PATIENCE_S], patience_s=PATIENCE_S)
    assert (failed.status, failed.alive, failed.server_died) == (Status.CRASHED, False, True)
    assert "the server of all processes died" in failed.reason


def test_a_new_server_forks_the_next_child(
    child: Child, kill_server: Callable[[], None], tmp_path: Path
) -> None:
    kill_server()
    successor = Child("misbehaviour", log=tmp_path / "successor", timeout_s=PATIENCE_S)
    try:
        assert successor.ask("echo", value=1) == 1
        assert successor.ask("server") != os.getpid()
    finally:
        successor.kill()


def test_a_death_beside_a_living_server_is_the_childs_own(child: Child) -> None:
    assert not ask_in_vain(child, "exit", status=255).server_died


# signals


@pytest.fixture
def foreground() -> Iterator[None]:
    """Ctrl-C as in a terminal: in a background job it is ignored from the start."""
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, previous)


@pytest.mark.usefixtures("foreground")
def test_ctrl_c_waits_for_what_must_not_be_interrupted() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), uninterrupted():
        signal.raise_signal(signal.SIGINT)
        done.append("cleaned up")
    assert done == ["cleaned up"]


@pytest.mark.usefixtures("foreground")
def test_ctrl_c_is_forgotten_where_what_is_done_is_to_stop() -> None:
    with uninterrupted(discard=True):
        signal.raise_signal(signal.SIGINT)


def test_a_child_may_be_killed_by_several_threads_while_another_asks(tmp_path: Path) -> None:
    errors: list[BaseException] = []

    def note_errors(do: Callable[[], object]) -> None:
        try:
            do()
        except BaseException as error:
            errors.append(error)

    for number in range(10):
        child = Child("misbehaviour", log=tmp_path / str(number), timeout_s=PATIENCE_S)
        jobs = [partial(child.ask, "hang", ignoring=[]), *[child.kill] * 7]
        threads = [threading.Thread(target=note_errors, args=(job,)) for job in jobs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert {type(error) for error in errors} == {ChildFailed}
