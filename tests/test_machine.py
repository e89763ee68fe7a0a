"""The machine that a run is on."""

from __future__ import annotations

import pytest

from harness.machine import Machine, probe
from harness.records import HarnessError


def test_a_gpu_has_an_architecture_and_a_cpu_has_none() -> None:
    gpu = Machine({"device": "cuda:1", "capability": [9, 0]})
    assert (gpu.kind, gpu.capability, gpu.arch) == ("cuda", (9, 0), "9.0a")
    cpu = Machine({"device": "cpu"})
    assert (cpu.kind, cpu.capability, cpu.arch) == ("cpu", None, None)


def test_the_cpu_is_always_there() -> None:
    assert probe("cpu").facts["available"]


@pytest.mark.parametrize("device", ["tpu", "cuda:", "cpu:0", ""])
def test_what_is_no_device_is_a_mistake(device: str) -> None:
    with pytest.raises(HarnessError, match="There is no device"):
        probe(device)


def test_a_gpu_that_is_not_there_is_a_mistake() -> None:
    with pytest.raises(HarnessError, match="PyTorch finds no GPU for --device cuda:99"):
        probe("cuda:99")
