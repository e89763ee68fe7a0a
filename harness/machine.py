"""Finds out what machine a run is on. The judge is asked: this process starts no GPU."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from harness import cache, children, environment, scratch
from harness.build import toolchain
from harness.children import Child, ChildFailed
from harness.records import HarnessError, Machine
from harness.report.terminal import say_note

_START_TIMEOUT_S = 120


def begin(device: str) -> None:
    """Start what imports PyTorch, unless it runs, and do not wait: it takes seconds.

    device: auto, cpu, cuda or cuda:N. Raises HarnessError for another.
    """
    if not re.fullmatch(r"auto|cpu|cuda(:\d{1,3})?", device):
        raise HarnessError(f"There is no device {device!r}. Choose auto, cuda, cuda:N or cpu.")
    if complaint := cache.prepare():
        say_note(complaint)
    toolchain.prepare_environment()
    children.begin()


@contextlib.contextmanager
def judge(device: str, timeout_s: float) -> Iterator[tuple[Child, Machine]]:
    """The judge of a run, and the machine with the device that is meant, which it told of: only one
    process waits for CUDA. It gets ready meanwhile, as "get_ready", and is ended at the end.

    device: as `begin` has it. timeout_s: for each of its later requests. Raises HarnessError if
    there is no such device.
    """
    begin(device)
    child = Child("harness.judge", log=scratch.make("judge") / "log", timeout_s=timeout_s)
    try:
        here = _machine(child, device)
        with contextlib.suppress(ChildFailed):  # who takes it over hears what came of it
            child.tell("get_ready", device=here.device)
        yield child, here
    finally:
        child.kill()


def probe(device: str) -> Machine:
    """The machine with the device that is meant. Raises as `judge` does."""
    with judge(device, _START_TIMEOUT_S) as (_, here):
        return here


def _machine(judge: Child, device: str) -> Machine:
    try:
        facts: dict[str, Any] = judge.ask("facts", _START_TIMEOUT_S, device=device)
    except ChildFailed as failed:
        raise HarnessError(f"PyTorch does not start: {failed.reason}.") from failed
    if "device_count" in facts:
        raise HarnessError(
            f"PyTorch finds no GPU for --device {device} (it sees {facts['device_count']}): "
            "run with --device cpu, or install a CUDA build of torch and the NVIDIA driver."
        )
    if "capability" not in facts:
        return Machine(**facts, device_name=environment.cpu_name())
    major, minor = facts["capability"]
    more = {"capability": (major, minor), "arch": toolchain.architecture((major, minor))}
    return Machine(**facts | more)


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
