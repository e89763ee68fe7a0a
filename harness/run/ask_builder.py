"""Builds all kernels of a run in parallel, before anything is timed."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.catalog import facts
from harness.children import Child, ChildFailed
from harness.records import Build, Diagnostic, Kernel, Resources, Status
from harness.run.plan import Plan, Report

BUILD_TIMEOUT_S = 900.0

_BUILD_MEMORY_BYTES = 3 << 30
"""What one nvcc with PyTorch's headers takes at its peak."""

_CGROUP = Path("/sys/fs/cgroup")


def build_all(plan: Plan, logs: Path, report: Report) -> dict[str, Build]:
    """Build every kernel that has a case to run, as many at once as the machine carries.

    Each is built by a process of its own, which touches no GPU. Returns kernel name -> how that
    went; a kernel that no case suits is absent.
    """
    wanted = [(kernel, sizes) for kernel in plan.kernels if (sizes := _sizes_to_run(plan, kernel))]
    if not wanted:
        return {}
    report.step(f"building {len(wanted)} kernel{'s'[: len(wanted) > 1]}")
    jobs = max(1, min(_cores(), _available_bytes() // _BUILD_MEMORY_BYTES))
    builds: dict[str, Build] = {}
    builders: list[Child] = []
    with ThreadPoolExecutor(jobs) as pool:
        try:
            futures = {pool.submit(_build, plan, k, s, logs, builders): k for k, s in wanted}
            for future in as_completed(futures):
                kernel = futures[future]
                builds[kernel.name] = future.result()
                report.built(kernel, future.result())
        except BaseException:  # Ctrl-C above all: leave no compiler running
            pool.shutdown(wait=False, cancel_futures=True)
            for child in builders:
                child.kill()
            raise
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
) -> Build:
    log = logs / f"build-{kernel.name}.log"
    log.unlink(missing_ok=True)  # `build` has one place for all its logs
    start = time.monotonic()
    child = Child("harness.builder", log=log, timeout_s=BUILD_TIMEOUT_S)
    builders.append(child)
    try:
        answer = child.ask(
            "build",
            BUILD_TIMEOUT_S * len(sizes),  # each may have a source of its own
            kernel=str(kernel.path),
            problem=str(plan.problem.path),
            sizes=[dict(axes) for axes in sizes],
            arch=plan.arch,
            rebuild=plan.rebuild,
        )
        if "failed" in answer:
            error = Diagnostic(**answer["failed"])
            seconds = time.monotonic() - start
            return Build(seconds, Status.BUILD_FAILED, str(error), error, log)
        return replace(_build_record(answer), log=log)
    except ChildFailed as failed:
        return Build(time.monotonic() - start, failed.status, failed.reason, log=log)
    finally:
        child.kill()


def _build_record(answer: Mapping[str, Any]) -> Build:
    extensions = answer["extensions"]
    routes = [e["route"] if e["fresh"] else "cached" for e in extensions]
    return Build(
        seconds=answer["seconds"],
        route=next((route for route in ("full", "lean", "cached") if route in routes), None),
        why_full="; ".join(e["why_full"] for e in extensions if e["why_full"]),
        resources=tuple(Resources(**r) for e in extensions for r in e["resources"]),
    )


def _cores() -> int:
    """The cores that this process may use, which in a container are often not all."""
    return len(os.sched_getaffinity(0))


def _available_bytes() -> int:
    """The memory that is free for builds, of the machine and of the container if it has a limit."""
    free = [_BUILD_MEMORY_BYTES]
    with contextlib.suppress(OSError):
        lines = Path("/proc/meminfo").read_text().splitlines()
        free = [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable")]
    with contextlib.suppress(OSError, ValueError):  # no limit reads "max"
        limit, used = (int((_CGROUP / f"memory.{name}").read_text()) for name in ("max", "current"))
        free.append(limit - used)
    return max(0, min(free))
