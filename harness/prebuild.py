"""Builds all kernels of a run in parallel, before anything is timed."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from harness.catalog import unsupported
from harness.children import Child, ChildFailed
from harness.plan import Plan, Report
from harness.records import Build, Case, Kernel

BUILD_TIMEOUT_S = 900.0

_BUILD_MEMORY_BYTES = 3 << 30
"""What one nvcc with PyTorch's headers takes at its peak."""


def build_all(plan: Plan, logs: Path, report: Report) -> dict[str, Build]:
    """Build every kernel that has a case to run, as many at once as the machine carries.

    Each is built by a process of its own, which touches no GPU. Returns kernel name -> how that
    went; a kernel that no case suits is absent.
    """
    wanted = [
        (kernel, case)
        for kernel in plan.kernels
        if (case := next((c for c in plan.cases if not _skipped(plan, kernel, c)), None))
    ]
    if not wanted:
        return {}
    report.step(f"building {len(wanted)} kernel{'s'[: len(wanted) > 1]}")
    jobs = max(1, min(os.cpu_count() or 1, _available_bytes() // _BUILD_MEMORY_BYTES))
    builds: dict[str, Build] = {}
    builders: list[Child] = []
    with ThreadPoolExecutor(jobs) as pool:
        try:
            futures = {pool.submit(_build, plan, k, c, logs, builders): k for k, c in wanted}
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


def _skipped(plan: Plan, kernel: Kernel, case: Case) -> str | None:
    return unsupported(kernel, plan.problem, case, plan.capability)


def _build(plan: Plan, kernel: Kernel, case: Case, logs: Path, builders: list[Child]) -> Build:
    log = logs / f"build-{kernel.name}.log"
    start = time.monotonic()
    child = Child("harness.jit", log=log)
    builders.append(child)
    try:
        answer = child.ask(
            "build",
            BUILD_TIMEOUT_S,
            kernel=str(kernel.path),
            problem=str(plan.problem.path),
            axes=dict(case.axes),
            arch=plan.arch,
            rebuild=plan.rebuild,
        )
        return _build_record(answer)
    except ChildFailed as failed:
        where = f" (whole output: logs/{log.name})"
        return Build(time.monotonic() - start, failed.status, failed.reason + where)
    finally:
        child.kill()


def _build_record(answer: Mapping[str, Any]) -> Build:
    extensions = answer["extensions"]
    paths = [e["path"] if e["fresh"] else "cached" for e in extensions]
    return Build(
        seconds=answer["seconds"],
        path=next((path for path in ("full", "lean", "cached") if path in paths), None),
        why_full="; ".join(e["why_full"] for e in extensions if e["why_full"]),
        resources=tuple(r for e in extensions for r in e["resources"]),
    )


def _available_bytes() -> int:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return _BUILD_MEMORY_BYTES
