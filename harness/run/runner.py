"""PARENT: schedules builds, judging and timing; owns seeds, deadlines, verdicts and files.

It never imports torch and never runs a line of a kernel file. Whatever becomes of a kernel
becomes a row, and the row is on disk before the next one starts.
"""

from __future__ import annotations

import math
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from harness.catalog import facts
from harness.children import Child, ChildFailed
from harness.records import (
    TIMED,
    Build,
    Case,
    Comparison,
    Kernel,
    Result,
    Status,
    Timing,
    Verdict,
)
from harness.results import Writer
from harness.run.ask_builder import build_all
from harness.run.ask_judge import BaselineFailed, CaseFailed, Judging, Prepared
from harness.run.plan import Plan, Report
from harness.timing import stats
from harness.verdict import ruling


def run(plan: Plan, folder: Path, writer: Writer, report: Report) -> None:
    """Build, judge and time every kernel on every case; one row each, written as it is known."""
    logs = folder / "logs"
    logs.mkdir()
    exchange = Path(tempfile.mkdtemp(prefix="kernel-bench-", dir=_roomiest_memory_folder()))
    run_ = _Run(plan, exchange, logs, report)
    patience_s = 0.0  # a Ctrl-C is not to wait for a kernel that hangs
    try:
        run_.builds = build_all(plan, logs, report)
        for index, case in enumerate(plan.cases):
            for kernel in plan.kernels:
                report.step(f"{kernel.name}  {case}")
                result = run_.row(kernel, case, index)
                writer.append(result)
                report.row(result)
            run_.judging.end_case()
        patience_s = 3.0
    finally:
        run_.close(patience_s)
        shutil.rmtree(exchange, ignore_errors=True)


def _roomiest_memory_folder() -> str | None:
    """Shared memory if it has room for large tensors, else the usual temporary folder."""
    shared = "/dev/shm"
    if os.access(shared, os.W_OK) and shutil.disk_usage(shared).free > (4 << 30):
        return shared
    return None


class _Run:
    """The children of one run, and what is known so far."""

    def __init__(self, plan: Plan, exchange: Path, logs: Path, report: Report) -> None:
        self._plan = plan
        self._exchange = exchange
        self._logs = logs
        self.judging = Judging(plan, exchange, logs, report)
        self.builds: dict[str, Build] = {}
        self._workers: dict[str, Child] = {}
        self._given_up: dict[str, str] = {}
        """Kernel name -> why the rest of its cases are not tried."""

    # One row

    def row(self, kernel: Kernel, case: Case, index: int) -> Result:
        """What becomes of one kernel on one case."""
        timings: dict[str, Timing] = {}
        plan = self._plan
        unsupported = facts.unsupported(kernel, plan.problem, case, plan.capability)
        if why := unsupported or self._given_up.get(kernel.name):
            verdict = Verdict(Status.SKIPPED, why)
        elif (build := self.builds[kernel.name]).status:
            verdict = Verdict(build.status, build.reason)
        else:
            verdict, timings = self._judge_and_time(kernel, case, index)
            self._release_worker(kernel.name)  # another kernel may need the memory
        own = timings.pop("kernel", None)
        ranked = own is not None and verdict.status is Status.PASSED
        return Result(
            problem=plan.problem.name,
            kernel=kernel.name,
            case=case,
            case_index=index,
            verdict=verdict,
            build=self.builds.get(kernel.name),
            known_defect=kernel.known_defect,
            timing=own,
            baselines=timings,
            speedups={name: stats.speedup(t, own) for name, t in timings.items()}
            if ranked and own
            else {},
        )

    def _judge_and_time(
        self, kernel: Kernel, case: Case, index: int
    ) -> tuple[Verdict, dict[str, Timing]]:
        try:
            ready = self.judging.prepare(case, index)
            verdict = self._judge_kernel(kernel, ready.trials)
            if verdict.status not in TIMED or self._plan.judge_only:
                return verdict, {}
            timings = self._time_kernel(kernel, case, ready)
            if wrong := self._wrong_when_timed(kernel, ready):
                return wrong, {}
            return verdict, timings
        except BaselineFailed:
            self._release_worker(kernel.name)  # the judge may have to prepare the case again
            return self._judge_and_time(kernel, case, index)
        except CaseFailed as failed:
            return failed.verdict, {}
        except ChildFailed as failed:
            if not failed.alive and kernel.name in self._workers:
                self._workers.pop(kernel.name).kill()
            if failed.status is Status.TIMED_OUT:
                self._given_up[kernel.name] = f"not tried: timed out on case {index} ({case})"
            return Verdict(failed.status, failed.reason), {}

    # The worker's side

    def _judge_kernel(self, kernel: Kernel, trials: int) -> Verdict:
        """Run the kernel on the trials, as far as the first that it gets wrong."""
        child = self._worker(kernel)
        self._ask(child, "construct", setup=str(self._exchange / "setup.pt"))
        output = self._exchange / f"{kernel.name}.out"
        comparisons: list[Comparison] = []
        for index in range(trials):
            self._ask(child, "call", trial=self._trial(index), output=str(output))
            comparisons.append(self.judging.compare(index, output))
            if comparisons[-1].status:
                break
        return ruling.verdict(comparisons)

    def _wrong_when_timed(self, kernel: Kernel, ready: Prepared) -> Verdict | None:
        """Judge one more call, made as the timed ones were: its inputs are not what they were."""
        output = self._exchange / f"{kernel.name}.out"
        at = self._ask(self._worker(kernel), "finish", output=str(output))
        if at not in range(len(ready.timed)):
            raise _unusable("finish", at)
        return ruling.when_timed(self.judging.compare(ready.timed[at], output))

    def _time_kernel(self, kernel: Kernel, case: Case, ready: Prepared) -> dict[str, Timing]:
        """Time baselines and kernel block by block: A B C, C B A, A B C, ... cancels drift."""
        effort = self._plan.effort
        child = self._worker(kernel)
        timed = [self._trial(index) for index in ready.timed]
        own_us = self._ask(child, "warm_up", trials=timed, seconds=effort.warm_up_s)
        _check_times("warm_up", [own_us], 1)
        slowest_us = max([own_us, *ready.rough_us.values()])
        samples = int(effort.block_us / slowest_us)
        samples = max(effort.min_samples, min(samples, effort.max_samples))
        # The deadline is for one call; a block is many.
        block_s = self._plan.timeout_s + 10 * (samples + 3) * own_us / 1e6
        blocks: dict[str, list[list[float]]] = {name: [] for name in [*ready.rough_us, "kernel"]}
        order = list(blocks)
        for _ in range(effort.blocks):
            for name in order:
                if name == "kernel":
                    taken = child.ask("block", block_s, samples=samples)
                    _check_times("block", taken, samples)
                else:
                    taken = self.judging.block(name, case, samples)
                blocks[name].append(taken)
            order.reverse()
        return {name: stats.summarise(taken) for name, taken in blocks.items()}

    def _worker(self, kernel: Kernel) -> Child:
        """The kernel's worker, started and loaded if it has none."""
        if kernel.name not in self._workers:
            child = Child(
                "harness.worker",
                str(kernel.path),
                self._plan.device,
                self._plan.arch,
                log=self._logs / f"{kernel.name}.log",
            )
            try:
                self._ask(child, "load")
            except BaseException:
                child.kill()
                raise
            self._workers[kernel.name] = child
        return self._workers[kernel.name]

    def _ask(self, child: Child, request: str, **arguments: Any) -> Any:
        return child.ask(request, self._plan.timeout_s, **arguments)

    def _trial(self, index: int) -> str:
        return str(self._exchange / f"{index}.pt")

    # Endings

    def _release_worker(self, name: str) -> None:
        if child := self._workers.get(name):
            try:
                self._ask(child, "release")
            except ChildFailed:
                self._workers.pop(name).kill()

    def close(self, patience_s: float) -> None:
        """End every child: all at once by themselves, the stubborn ones by force."""
        children = [*self._workers.values(), *self.judging.children]
        for child in children:
            child.hang_up()
        for child in children:
            child.kill(patience_s)


def _check_times(request: str, times_us: Any, count: int) -> None:
    """Raise ChildFailed unless a worker's answer is so many times that a clock can measure."""
    usable = isinstance(times_us, list) and len(times_us) == count
    if not usable or not all(
        isinstance(us, int | float) and math.isfinite(us) and us > 0 for us in times_us
    ):
        raise _unusable(request, times_us)


def _unusable(request: str, answer: object) -> ChildFailed:
    reason = f"the kernel's process answers {request!r} with {str(answer)[:80]}"
    return ChildFailed(Status.RUNTIME_ERROR, reason, alive=False)
