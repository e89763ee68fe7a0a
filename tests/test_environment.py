"""The record of what a figure depends on."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from pathlib import Path

import pytest
import torch
from command_line import ROOT

from harness import environment, results


def test_the_cpu_is_always_there() -> None:
    facts = environment.device_facts("cpu")
    assert facts["available"] and facts["device"] == "cpu"
    assert facts["device_name"] and facts["threads"] >= 1


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
@pytest.mark.parametrize("device", ["cuda", "cuda:3"])
def test_a_gpu_that_is_not_there_is_a_fact_too(device: str) -> None:
    assert environment.device_facts(device) == {
        "device": device,
        "available": False,
        "device_count": 0,
    }


def test_auto_is_the_gpu_where_there_is_one() -> None:
    expected = "cuda" if torch.cuda.is_available() else "cpu"
    assert environment.device_facts("auto")["device"] == expected


def test_the_record_can_be_written_and_read(tmp_path: Path) -> None:
    record = environment.describe(environment.device_facts("cpu"), ROOT)
    results.write_environment(tmp_path, record)
    assert results.read_environment(tmp_path) == json.loads(json.dumps(record))
    assert record["packages"]["torch"] == torch.__version__
    assert record["python"] == platform.python_version()
    assert record["host"]["cores"] == os.cpu_count()
    assert "++" in record["host_compiler"] or os.environ.get("CXX")


def test_the_record_names_no_user_and_no_host() -> None:
    text = json.dumps(environment.describe(environment.device_facts("cpu"), ROOT) | {"argv": []})
    assert platform.node() not in text
    assert str(Path.home()) not in text


def test_the_revision_says_when_files_differ_from_it(tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        identity = ("-c", "user.name=a", "-c", "user.email=a@b")
        subprocess.run(["git", "-C", tmp_path, *identity, *arguments], check=True)

    def revision() -> str | None:
        return environment.describe({}, tmp_path)["tool"]["revision"]

    assert revision() is None
    git("init", "--quiet")
    (tmp_path / "file").write_text("1")
    git("add", "file")
    git("commit", "--quiet", "-m", "first")
    clean = revision()
    (tmp_path / "file").write_text("2")
    assert clean and revision() == f"{clean}-dirty"


def test_a_package_or_tool_that_is_missing_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    monkeypatch.setattr(environment, "_PACKAGES", ("no-such-package",))
    record = environment.describe({}, ROOT)
    assert record["host_compiler"] is None
    assert record["packages"] == {"torch": None, "no-such-package": None}
