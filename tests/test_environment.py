"""The record of what a figure depends on."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import subprocess
from datetime import datetime
from pathlib import Path

import pytest
from command_line import ROOT
from pretended import CPU

from harness import environment, results
from harness.environment import Environment


def describe() -> Environment:
    return environment.describe(CPU, environment.software(ROOT))


def test_the_record_can_be_written_and_read(tmp_path: Path) -> None:
    before = datetime.now().astimezone().replace(microsecond=0)
    record = describe()
    results.write_environment(tmp_path, record.as_json())
    read = results.read_environment(tmp_path)
    assert read == json.loads(json.dumps(record.as_json()))
    assert (read["device"], read["device_name"]) == ("cpu", CPU.device_name)
    assert (read["threads"], read["torch"]) == (CPU.threads, CPU.torch)
    assert read["packages"]["torch"] == CPU.torch
    assert read["python"] == platform.python_version()
    assert read["host"]["cores"] == os.cpu_count()
    assert read["gpu"] is None and read["seed"] is None
    assert "++" in read["host_compiler"] or os.environ.get("CXX")
    date = datetime.fromisoformat(read["date"])
    assert before <= date <= datetime.now().astimezone()


def test_the_record_names_no_user_and_no_host() -> None:
    text = json.dumps(describe().as_json() | {"argv": []})
    assert platform.node() not in text
    assert str(Path.home()) not in text


def test_where_results_went_is_not_in_the_record(monkeypatch: pytest.MonkeyPatch) -> None:
    given = ["run_bench.py", "run", "--out", "/a", "--quick", "--out=/b", "--seed", "3"]
    monkeypatch.setattr("sys.argv", given)
    assert describe().argv == ("run", "--quick", "--seed", "3")


def test_the_revision_says_when_files_differ_from_it(tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        identity = ("-c", "user.name=a", "-c", "user.email=a@b")
        subprocess.run(["git", "-C", tmp_path, *identity, *arguments], check=True)

    def revision() -> str | None:
        return environment.software(tmp_path).tool.revision

    assert revision() is None
    git("init", "--quiet")
    (tmp_path / "file").write_text("1")
    git("add", "file")
    git("commit", "--quiet", "-m", "first")
    clean = revision()
    (tmp_path / "file").write_text("2")
    assert clean and revision() == f"{clean}-dirty"
    # A package that is installed inside someone's repository is at no commit of it.
    (tmp_path / "site-packages").mkdir()
    assert environment.software(tmp_path / "site-packages").tool.revision is None


def test_a_package_or_tool_that_is_missing_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")

    def missing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.version", missing)
    record = describe().as_json()
    assert record["host_compiler"] is None
    assert record["packages"].pop("torch") == CPU.torch
    assert set(record["packages"].values()) == {None}
