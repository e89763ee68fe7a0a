"""Finds out what machine a run is on. torch is asked in a child: this process starts no GPU."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from harness import cache, scratch
from harness.build import toolchain
from harness.children import Child, ChildFailed
from harness.records import HarnessError, Machine
from harness.report.terminal import say_note

_START_TIMEOUT_S = 120


def probe(device: str) -> Machine:
    """The machine with the device that is meant.

    device: auto, cpu, cuda or cuda:N. Raises HarnessError if there is no such device.
    """
    if not re.fullmatch(r"auto|cpu|cuda(:\d{1,3})?", device):
        raise HarnessError(f"There is no device {device!r}. Choose auto, cuda, cuda:N or cpu.")
    if complaint := cache.prepare():
        say_note(complaint)
    toolchain.prepare_environment()
    facts = _ask_torch(device)
    if "device_count" in facts:
        raise HarnessError(
            f"PyTorch finds no GPU for --device {device} (it sees {facts['device_count']}): "
            "run with --device cpu, or install a CUDA build of torch and the NVIDIA driver."
        )
    if facts.get("capability") is None:
        return Machine(**facts)
    major, minor = facts.pop("capability")
    arch = toolchain.architecture((major, minor))
    return Machine(**facts, capability=(major, minor), arch=arch)


def _ask_torch(device: str) -> dict[str, Any]:
    log = scratch.make("probe") / "log"
    child = Child("harness.environment", log=log, timeout_s=_START_TIMEOUT_S)
    try:
        facts: dict[str, Any] = child.ask("device_facts", device=device)
        return facts
    except ChildFailed as failed:
        raise HarnessError(f"PyTorch does not start: {failed.reason}.") from failed
    finally:
        child.kill()


def for_architecture(arch: str) -> Machine:
    """A machine with a GPU of that architecture, for what can be done without it.

    Raises HarnessError if there can be no such architecture.
    """
    capability = toolchain.parse_architecture(arch)
    toolchain.check_architecture(arch)
    here = probe("cpu")
    return replace(
        here, device="cuda", device_name=f"a GPU of {arch}", capability=capability, arch=arch
    )


def gpu_capability() -> tuple[int, int] | None:
    """Compute capability of the first GPU, as the driver has it; None without one.

    In milliseconds, where torch takes seconds to start. torch has the last word: it may be built
    without CUDA.
    """
    import pynvml

    try:
        pynvml.nvmlInit()
        try:
            gpu = pynvml.nvmlDeviceGetHandleByIndex(0)
            major, minor = pynvml.nvmlDeviceGetCudaComputeCapability(gpu)
            return int(major), int(minor)
        finally:
            pynvml.nvmlShutdown()
    except pynvml.NVMLError:
        return None
