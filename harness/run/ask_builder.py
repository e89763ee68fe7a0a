"""PARENT: builds all kernels of a run in parallel, before anything is timed."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from harness.catalog import facts
from harness.children import Child, ChildFailed, uninterrupted
from harness.records import Build, Diagnostic, Kernel, Resources, Status
from harness.run.plan import Plan, Report

_START_TIMEOUT_S = 120.0
"""What a process may take to start; then it says itself what it does, and how long that may take:
`plan.timeout_s` for what the kernel's file does, more for a compiler."""

_MAY_SAY = (Status.BUILD_FAILED, Status.LOAD_FAILED, Status.OUT_OF_MEMORY, Status.TIMED_OUT)
"""What a builder answers of a build that failed."""

_BUILD_MEMORY_BYTES = 3 << 30
"""What one nvcc with PyTorch's headers takes at its peak."""


def build_all(plan: Plan, logs: Path, report: Report) -> dict[str, Build]:
    """Build every kernel that has a case to run, as many at once as the machine carries.

    Each is built by a process of its own, which touches no GPU. Returns kernel name -> how that
    went; a kernel that no case suits is absent.
    """
    sizes = {kernel.name: _sizes_to_run(plan, kernel) for kernel in plan.kernels}
    to_build = [kernel for kernel in plan.kernels if sizes[kernel.name]]
    if not to_build:
        return {}
    report.step(f"building {len(to_build)} kernel{'s'[: len(to_build) > 1]}")
    jobs = max(1, min(_cores(), available_bytes() // _BUILD_MEMORY_BYTES))
    builds: dict[str, Build] = {}
    retries: list[Kernel] = []
    builders: list[Child] = []

    def start(kernel: Kernel) -> Build:
        return _build(plan, kernel, sizes[kernel.name], logs, builders, report)

    with ThreadPoolExecutor(jobs) as pool:
        try:
            futures = {pool.submit(start, kernel): kernel for kernel in to_build}
            for future in as_completed(futures):
                kernel = futures[future]
                try:
                    builds[kernel.name] = future.result()
                    report.built(kernel, builds[kernel.name])
                except ChildFailed:
                    retries.append(kernel)
        except BaseException:  # Ctrl-C above all: leave no compiler running
            with uninterrupted(discard=True):
                pool.shutdown(wait=False, cancel_futures=True)
                for child in builders:
                    child.kill()
            raise
    for kernel in retries:  # one at a time, so that whoever kills the server harms nobody else
        try:
            builds[kernel.name] = start(kernel)
        except ChildFailed as failed:
            builds[kernel.name] = Build(0.0, failed.status, f"{failed.reason}, twice")
        report.built(kernel, builds[kernel.name])
    return builds


def _sizes_to_run(plan: Plan, kernel: Kernel) -> list[Mapping[str, Any]]:
    """The axes of the cases that suit a kernel, each combination once."""
    sizes: list[Mapping[str, Any]] = []
    for case in plan.cases:
        why_not = facts.unsupported(kernel, plan.problem, case, plan.capability)
        if case.axes not in sizes and not why_not:
            sizes.append(case.axes)
    return sizes


def _build(
    plan: Plan,
    kernel: Kernel,
    sizes: Sequence[Mapping[str, Any]],
    logs: Path,
    builders: list[Child],
    report: Report,
) -> Build:
    """Raises ChildFailed only if the server of all processes died meanwhile."""
    log = logs / f"build-{kernel.name}.log"
    log.unlink(missing_ok=True)  # `build` has one place for all its logs
    start = time.monotonic()
    child = Child("harness.builder", log=log, timeout_s=_START_TIMEOUT_S)
    builders.append(child)
    try:
        answer = child.ask(
            "build",
            on_note=lambda text: report.step(f"{text} ({kernel.name})"),
            kernel=str(kernel.path),
            problem=str(plan.problem.path),
            sizes=[dict(axes) for axes in sizes],
            restated=facts.restated_axes(kernel, plan.problem),
            arch=plan.arch,
            rebuild=plan.rebuild,
            patience_s=plan.timeout_s,
        )
        return _build_record(answer, log)
    except ChildFailed as failed:
        if failed.server_died:
            raise
        return Build(time.monotonic() - start, failed.status, failed.reason, log=log)
    except (TypeError, ValueError, LookupError):  # its kernel has spoken for it
        reason = "the builder answered with what is no answer"
        return Build(time.monotonic() - start, Status.CRASHED, reason, log=log)
    finally:
        child.kill()


def _build_record(answer: Mapping[str, Any], log: Path) -> Build:
    """A builder's answer, which is a Build that has been through JSON."""
    fields = dict(answer) | {"log": log}
    if fields.get("status"):
        fields["status"] = Status(fields["status"])
        if fields["status"] not in _MAY_SAY or not fields.get("reason"):
            raise ValueError(fields["status"])
    if fields.get("diagnostic"):
        fields["diagnostic"] = Diagnostic(**fields["diagnostic"])
    fields["resources"] = tuple(Resources(**kernel) for kernel in fields.get("resources", ()))
    return Build(**fields)


def _cores() -> int:
    """The cores that this process may use, which in a container are often not all."""
    return len(os.sched_getaffinity(0))


def available_bytes(
    meminfo: Path = Path("/proc/meminfo"), cgroup: Path = Path("/sys/fs/cgroup")
) -> int:
    """The memory that is free for builds, of the machine and of the container if it has a limit."""
    free = [_BUILD_MEMORY_BYTES]
    with contextlib.suppress(OSError):
        lines = meminfo.read_text().splitlines()
        free = [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable")]
    with contextlib.suppress(OSError, ValueError):  # no limit reads "max"
        limit, used = (int((cgroup / f"memory.{name}").read_text()) for name in ("max", "current"))
        free.append(limit - used)
    return max(0, min(free))
