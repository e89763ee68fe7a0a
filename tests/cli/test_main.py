"""What the command line returns and says, whatever the command: mistakes, help, Ctrl-C."""

from __future__ import annotations

import csv
import errno
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from command_line import ROOT, TINY, Run, bad_kernel
from processes import processes_with, wait_until

from harness import __version__, children
from harness.build import store
from harness.cli.main import COMMANDS


def test_run_bench_py_runs_a_file_from_anywhere(
    tmp_path: Path, start_bench: Callable[..., subprocess.Popen[str]]
) -> None:
    shutil.copy(bad_kernel("control_exact"), tmp_path / "mine.py")
    process = start_bench(
        "--problem", TINY, "--kernel", "mine.py", "--quick", "--baseline", "eager"
    )
    said, error = process.communicate(timeout=120)
    assert process.returncode == 0, said + error
    (folder,) = (tmp_path / "results").iterdir()
    (row,) = csv.DictReader((folder / "results.csv").open())
    assert (row["kernel"], row["status"]) == ("mine", "PASSED")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_examples(command: str, call: Callable[..., Run]) -> None:
    run = call(command, "--help")
    assert run.code == 0
    assert f"python run_bench.py{'' if command == 'run' else ' ' + command}" in run.said


def test_the_version(call: Callable[..., Run]) -> None:
    run = call("--version")
    assert (run.code, run.said, run.error) == (0, f"run_bench.py {__version__}\n", "")


@pytest.mark.parametrize("command", ["list", "--help"])
def test_who_stops_reading_ends_it_quietly(command: str) -> None:
    process = subprocess.Popen(
        [sys.executable, ROOT / "run_bench.py", command],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    error = process.stderr.read()
    assert (process.wait(60), error) == (141, "")


def test_help_names_every_command(call: Callable[..., Run]) -> None:
    run = call("--help")
    assert run.code == 0
    assert all(f" {command} " in run.said for command in COMMANDS)


# mistakes: exit code 2, one sentence that helps, no traceback


@pytest.mark.parametrize(
    "arguments, says",
    [
        (["lst"], "There is no command 'lst'. Did you mean 'list'? There are run, check,"),
        ([""], "There is no command ''"),
        (["--no-such-option"], "--no-such-option"),
        (["list", "--kernel", "seed"], "--kernel"),
        (["run", "extra"], "extra"),
        (["plot"], "DIR"),
        (["selfcheck"], "WHAT"),
        (["--timeout", "soon"], "`run_bench.py run --help` shows how"),
        (["--seed", "1.5"], "--seed"),
    ],
)
def test_a_mistake_in_the_call(arguments: list[str], says: str, call: Callable[..., Run]) -> None:
    run = call(*arguments)
    assert run.code == 2
    assert says in run.error
    assert run.error.startswith("error: ") and run.error.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "--problem", "no_such_problem"),
        ("check", "--kernel", "no_such_kernel"),
        ("check", "--sweep", "no_such_axis=1"),
        ("check", "--dtype", "float31"),
        ("check", "--device", "gpu"),
        ("--baseline", "slow"),
        ("--quik",),
        ("build", "--problem", "no_such_problem"),
        ("list",),
    ],
)
def test_torch_is_not_started_for_what_needs_none(
    arguments: tuple[str, ...], call: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[None] = []
    monkeypatch.setattr(children, "begin", lambda: started.append(None))
    assert call(*arguments).code == (0 if arguments == ("list",) else 2)
    assert started == []


def test_torch_is_started_before_the_rest_of_the_tool_is_imported(tmp_path: Path) -> None:
    code = (
        "import os, sys; from harness import children; from harness.cli.main import main\n"
        "def begin(): print('begun', {'numpy', 'harness.session'} & set(sys.modules), flush=True)\n"
        "children.begin = lambda: (begin(), os._exit(0))\n"
        "main(['check', '--problem', sys.argv[1], '--kernel', sys.argv[2]])"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, TINY, bad_kernel("control_exact")],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.stdout == "begun set()\n", run.stderr


def test_what_the_system_refuses_is_one_sentence(
    call: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full() -> list[store.Entry]:
        raise OSError(errno.ENOSPC, "No space left on device", "/cache/file")

    monkeypatch.setattr(store, "entries", full)
    run = call("cache")
    assert run.code == 2
    assert run.error.startswith("error: /cache/file: No space left on device: make room, or")


# stopping half-way


@pytest.fixture
def signals() -> Iterator[None]:
    """Handlers as they were: once stopped, the command line ignores what follows."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


def test_ctrl_c_is_one_sentence_in_any_command(
    call: Callable[..., Run], monkeypatch: pytest.MonkeyPatch, signals: None
) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    monkeypatch.setattr(store, "entries", lambda: signal.raise_signal(signal.SIGINT))
    run = call("cache")
    assert run.code == 130
    assert (run.said, run.error) == ("\nStopped.\n", "")
    signal.raise_signal(signal.SIGINT)  # a second one changes nothing


def test_ctrl_c_leaves_what_was_measured_and_no_process(
    tmp_path: Path, start_bench: Callable[..., subprocess.Popen[str]]
) -> None:
    # It hangs in the second case: the first one's row is there before.
    text = bad_kernel("control_exact").read_text()
    hangs = "        while len(x) == 9: pass\n"
    mine = tmp_path / "mine.py"
    mine.write_text(text.replace("        return torch", f"{hangs}        return torch"))
    sweep = ("--sweep", "batch_size=7,9")
    process = start_bench("check", "--problem", TINY, "--kernel", mine, *sweep, "--device", "cpu")
    assert process.stdout is not None
    seen = next(line for line in process.stdout if "PASSED" in line)
    process.send_signal(signal.SIGINT)
    said, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Stopped. 1 of 2 rows" in said
    assert "Traceback" not in seen + said + error
    (folder,) = (tmp_path / "results").iterdir()
    (row,) = csv.DictReader((folder / "results.csv").open())
    assert (row["batch_size"], row["status"]) == ("7", "PASSED")
    assert wait_until(lambda: not processes_with("KERNEL_BENCH_TEST", str(tmp_path)))
