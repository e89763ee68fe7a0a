"""The seed of a run that is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from processes import wait_until

from harness import results, seed_keeper

LASTING = """
import sys, time
from pathlib import Path
from harness import seed_keeper
with seed_keeper.kept(7, Path(sys.argv[1])):
    print("begun", flush=True)
    time.sleep(100)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    results.write_environment(tmp_path, {"date": "today"})
    return tmp_path


def test_a_run_that_is_killed_has_its_seed_and_none_while_it_lasts(folder: Path) -> None:
    run = subprocess.Popen(
        [sys.executable, "-c", LASTING, folder], stdout=subprocess.PIPE, text=True
    )
    assert run.stdout and run.stdout.readline() == "begun\n"
    assert "seed" not in results.read_environment(folder)
    run.send_signal(signal.SIGKILL)
    run.communicate()
    assert wait_until(lambda: results.read_environment(folder) == {"date": "today", "seed": 7})


def test_a_run_that_ends_writes_its_seed_itself_and_has_no_keeper_left(folder: Path) -> None:
    before = children()
    with seed_keeper.kept(7, folder):
        (keeper,) = children() - before
    assert keeper not in children()
    assert results.read_environment(folder) == {"date": "today"}


def children() -> set[str]:
    tasks = Path(f"/proc/{os.getpid()}/task").glob("*/children")
    return {pid for path in tasks for pid in path.read_text().split()}
