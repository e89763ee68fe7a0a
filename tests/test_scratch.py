"""A folder that lives as long as its process, and no longer than until the next one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import ROOT
from processes import wait_until

MAKE = (
    "from harness import scratch; f = scratch.make('x'); (f / 'y').touch(); print(f, flush=True)\n"
)
Owner = Callable[[str], "subprocess.Popen[str]"]


@pytest.fixture
def owner(tmp_path: Path) -> Owner:
    """Start a process that makes a folder where only this test does, and then does as told."""

    def start(then: str) -> subprocess.Popen[str]:
        code = f"from pathlib import Path; from harness import scratch as s\n{PLACE}{MAKE}{then}"
        return subprocess.Popen(
            [sys.executable, "-c", code, tmp_path],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )

    return start


PLACE = (
    "import sys, os, tempfile; tempfile.tempdir = sys.argv[1]\n"
    "s._SHARED_MEMORY = Path(sys.argv[1]) / 'none'\n"
)
WAIT = "import signal; signal.pause()"


def folder_of(process: subprocess.Popen[str]) -> Path:
    assert process.stdout is not None
    return Path(process.stdout.readline().strip())


@pytest.mark.parametrize("then", ["", "raise SystemExit(3)", "raise KeyboardInterrupt"])
def test_a_folder_ends_with_its_process(then: str, owner: Owner, tmp_path: Path) -> None:
    with owner(then) as process:
        assert folder_of(process).is_relative_to(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_the_next_one_removes(owner: Owner, tmp_path: Path) -> None:
    with owner(WAIT) as killed:
        left = folder_of(killed)
        killed.send_signal(signal.SIGKILL)
    assert (left / "y").exists()
    with owner(""):
        pass
    assert list(tmp_path.iterdir()) == []


def test_the_living_keep_theirs(owner: Owner) -> None:
    with owner(WAIT) as living:
        kept = folder_of(living)
        with owner(""):
            pass
        assert (kept / "y").exists()
        os.kill(living.pid, signal.SIGTERM)
        assert wait_until(lambda: living.poll() is not None)
