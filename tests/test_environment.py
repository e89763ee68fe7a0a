"""The record of what a figure depends on."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import subprocess
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from command_line import ROOT
from pretended import CPU

from harness import environment, results
from harness.records import Machine


def test_the_cpu_is_always_there() -> None:
    facts = environment.device_facts("cpu")
    assert facts["device"] == "cpu"
    assert facts["device_name"] and facts["threads"] >= 1


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
@pytest.mark.parametrize("device", ["cuda", "cuda:3"])
def test_a_gpu_that_is_not_there_is_a_fact_too(device: str) -> None:
    assert environment.device_facts(device) == {"device_count": 0}


@pytest.mark.parametrize(
    "device, meant",
    [("auto", "cuda"), ("cuda", "cuda"), ("cuda:1", "cuda:1"), ("cuda:01", "cuda:1")],
)
def test_what_torch_says_of_a_gpu_makes_a_machine(
    device: str, meant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    properties = SimpleNamespace(
        name="a pretended GPU", uuid="abc", major=9, minor=0, multi_processor_count=132,
        total_memory=1 << 36, L2_cache_size=1 << 25,
    )  # fmt: skip
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(
        torch.cuda, "get_device_properties", lambda index: asked.append(index) or properties
    )
    machine = Machine(**environment.device_facts(device))
    assert (machine.device, machine.device_name) == (meant, "a pretended GPU")
    assert asked == [1 if "1" in meant else 0]
    assert environment.device_facts("cuda:2") == {"device_count": 2}


def test_auto_is_the_gpu_where_there_is_one() -> None:
    expected = "cuda" if torch.cuda.is_available() else "cpu"
    assert environment.device_facts("auto")["device"] == expected


def test_the_record_can_be_written_and_read(tmp_path: Path) -> None:
    before = datetime.now().astimezone().replace(microsecond=0)
    record = environment.describe(CPU, ROOT)
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
    text = json.dumps(environment.describe(CPU, ROOT).as_json() | {"argv": []})
    assert platform.node() not in text
    assert str(Path.home()) not in text


def test_where_results_went_is_not_in_the_record(monkeypatch: pytest.MonkeyPatch) -> None:
    given = ["run_bench.py", "run", "--out", "/a", "--quick", "--out=/b", "--seed", "3"]
    monkeypatch.setattr("sys.argv", given)
    assert environment.describe(CPU, ROOT).argv == ("run", "--quick", "--seed", "3")


def test_the_revision_says_when_files_differ_from_it(tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        identity = ("-c", "user.name=a", "-c", "user.email=a@b")
        subprocess.run(["git", "-C", tmp_path, *identity, *arguments], check=True)

    def revision() -> str | None:
        return environment.describe(CPU, tmp_path).tool.revision

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
    assert environment.describe(CPU, tmp_path / "site-packages").tool.revision is None


def test_a_package_or_tool_that_is_missing_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")

    def missing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.version", missing)
    record = environment.describe(CPU, ROOT)
    assert record.host_compiler is None
    assert record.packages.pop("torch") == CPU.torch
    assert set(record.packages.values()) == {None}
