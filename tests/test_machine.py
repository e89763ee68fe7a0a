"""The machine that a run is on."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from harness import children, machine
from harness.build import toolchain
from harness.children import ChildFailed
from harness.machine import for_architecture, gpu_capability, probe
from harness.records import HarnessError, Machine, Status

H100 = {
    "device": "cuda:1",
    "device_name": "a pretended H100",
    "device_uuid": "abc",
    "capability": [9, 0],
    "multiprocessors": 132,
    "memory_bytes": 85_017_493_504,
    "l2_bytes": 52_428_800,
    "torch": "2.0",
    "cuda": "13.0",
}


class Judge:
    """A child that answers what a test says torch would."""

    answer: object = None
    alive = True

    def __init__(self, *args: object, **options: object) -> None: ...

    def tell(self, *args: object, **options: object) -> None: ...
    def kill(self) -> None:
        self.alive = False

    def ask(self, *args: object, **options: object) -> object:
        if isinstance(self.answer, ChildFailed):
            raise self.answer
        return self.answer


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(machine, "Child", Judge)
    monkeypatch.setattr(children, "begin", lambda: None)
    return lambda what: monkeypatch.setattr(Judge, "answer", what)


def test_a_gpu_has_an_architecture(answer) -> None:
    answer(dict(H100))
    gpu = probe("cuda:1")
    assert (gpu.kind, gpu.capability, gpu.arch) == ("cuda", (9, 0), "9.0a")
    assert (gpu.device, gpu.multiprocessors, gpu.threads) == ("cuda:1", 132, None)


def test_the_judge_that_told_of_the_machine_lives_while_it_is_needed(answer) -> None:
    answer(dict(H100))
    with machine.judge("cuda:1", 5.0) as (judge, here):
        assert judge.alive and here == probe("cuda:1")
    assert not judge.alive


def test_the_cpu_is_always_there() -> None:
    cpu = probe("cpu")
    assert (cpu.kind, cpu.capability, cpu.arch) == ("cpu", None, None)
    assert cpu.torch == torch.__version__ and cpu.threads and cpu.device_name


def test_an_architecture_needs_neither_a_gpu_nor_a_cuda_build_of_torch(answer) -> None:
    answer({"device": "cpu", "threads": 1, "torch": "2.0", "cuda": None})
    wanted = for_architecture("9.0a")
    assert (wanted.kind, wanted.capability, wanted.arch) == ("cuda", (9, 0), "9.0a")


@pytest.fixture
def nvcc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A compiler that builds for 8.0, 9.0 and 12.1."""
    file = tmp_path / "nvcc"
    file.write_text("#!/bin/sh\necho compute_80; echo compute_90; echo compute_121\n")
    file.chmod(0o755)
    monkeypatch.setattr(toolchain, "find_nvcc", lambda: file)


@pytest.mark.parametrize("arch", ["8.0", "9.0", "9.0a", "12.1a", "12.1f"])
def test_an_architecture_that_nvcc_builds_for(arch: str, answer, nvcc: None) -> None:
    answer({"device": "cpu", "threads": 1, "torch": "2.0", "cuda": None})
    assert for_architecture(arch).arch == arch


@pytest.mark.parametrize(
    "arch, says",
    [
        ("99.0", "this nvcc builds for 8.0, 9.0, 12.1"),
        ("8.6", "this nvcc builds for 8.0, 9.0, 12.1"),
        ("8.0a", "there is no 'a' before 9.0"),
        ("9.0f", "there is no 'f' before 10.0"),
    ],
)
def test_an_architecture_that_nvcc_does_not_build_for(
    arch: str, says: str, answer, nvcc: None
) -> None:
    with pytest.raises(HarnessError, match=says):
        for_architecture(arch)


@pytest.mark.parametrize("arch", ["", "9", "9.0b", "sm_90", "9.00"])
def test_what_is_no_architecture_is_a_mistake(arch: str) -> None:
    with pytest.raises(HarnessError, match="is no architecture"):
        for_architecture(arch)


@pytest.mark.parametrize("device", ["tpu", "cuda:", "cpu:0", "", "cuda:99999999999999999999"])
def test_what_is_no_device_is_seen_before_torch_is_started(
    device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[None] = []
    monkeypatch.setattr(children, "begin", lambda: started.append(None))
    for ask in (machine.begin, probe):
        with pytest.raises(HarnessError, match="There is no device"):
            ask(device)
    assert started == []


@pytest.mark.parametrize("device", ["cuda:99", "cuda:300"])
def test_a_gpu_that_is_not_there_is_a_mistake(device: str) -> None:
    with pytest.raises(HarnessError, match=f"PyTorch finds no GPU for --device {device}"):
        probe(device)


def test_a_torch_that_does_not_start_is_a_mistake_of_the_set_up(answer) -> None:
    answer(ChildFailed(Status.CRASHED, "it last said: No module named 'torch'", alive=False))
    with pytest.raises(HarnessError, match=r"PyTorch does not start: .*No module named 'torch'"):
        probe("auto")


def test_the_driver_knows_a_gpu_as_torch_does() -> None:
    known = torch.cuda.get_device_capability() if torch.cuda.is_available() else None
    assert gpu_capability() == known


def test_the_kind_of_a_device() -> None:
    assert Machine("cuda:3", "a GPU", "2.0", "13.0").kind == "cuda"


def test_where_the_store_moved_is_a_note_on_standard_error(
    answer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "blocked").write_text("no folder")
    monkeypatch.setenv("KERNEL_BENCH_CACHE", str(tmp_path / "blocked" / "store"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    answer(dict(H100))
    probe("cuda:1")
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("note: The store of builds, ") and "serves instead" in said.err
