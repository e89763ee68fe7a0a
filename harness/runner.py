"""PARENT: schedules builds, judging and timing; owns seeds, deadlines, verdicts and files.

It never imports torch and never runs a line of a kernel file. Whatever becomes of a kernel
becomes a row, and the row is on disk before the next one starts.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness import stats
from harness.catalog import unsupported
from harness.children import Child, ChildFailed
from harness.plan import Plan, Report
from harness.prebuild import build_all
from harness.records import (
    TIMED,
    TIMED_TRIALS,
    Build,
    Case,
    Kernel,
    Result,
    Status,
    Timing,
    Verdict,
)
from harness.results import Writer

PREPARE_TIMEOUT_S = 600.0
"""For making a case's truth, and for compiling a baseline."""


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
            run_.end_case()
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


class _CaseFailed(Exception):
    """The judge could not prepare or judge a case: the verdict for every kernel on it."""

    def __init__(self, verdict: Verdict):
        super().__init__(verdict.reason)
        self.verdict = verdict


class _Run:
    """The children of one run, and what is known so far."""

    def __init__(self, plan: Plan, exchange: Path, logs: Path, report: Report) -> None:
        self._plan = plan
        self._exchange = exchange
        self._logs = logs
        self._report = report
        self.builds: dict[str, Build] = {}
        self._judge: Child | None = None
        self._workers: dict[str, Child] = {}
        self._given_up: dict[str, str] = {}
        """Kernel name -> why the rest of its cases are not tried."""
        self._case_ready: tuple[list[str], dict[str, float]] | _CaseFailed | None = None
        """Of the case at hand: the trials' names and the baselines' rough times."""

    # One row

    def row(self, kernel: Kernel, case: Case, index: int) -> Result:
        """What becomes of one kernel on one case."""
        timings: dict[str, Timing] = {}
        if why := self._unsupported(kernel, case) or self._given_up.get(kernel.name):
            verdict = Verdict(Status.SKIPPED, why)
        elif (build := self.builds[kernel.name]).status:
            verdict = Verdict(build.status, build.reason)
        else:
            verdict, timings = self._judge_and_time(kernel, case, index)
        own = timings.pop("kernel", None)
        ranked = own is not None and verdict.status is Status.PASSED
        return Result(
            problem=self._plan.problem.name,
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
            trials, baselines = self._prepare(case, index)
            verdict = self._judge_kernel(kernel, trials)
            if verdict.status not in TIMED or self._plan.judge_only:
                return verdict, {}
            timings = self._time_kernel(kernel, len(trials), baselines)
            if wrong := self._wrong_when_timed(kernel):
                return wrong, {}
            return verdict, timings
        except _CaseFailed as failed:
            return failed.verdict, {}
        except ChildFailed as failed:
            if not failed.alive and kernel.name in self._workers:
                self._workers.pop(kernel.name).kill()
            if failed.status is Status.TIMED_OUT:
                self._given_up[kernel.name] = f"not tried: timed out on case {index} ({case})"
            return Verdict(failed.status, failed.reason), {}

    def _unsupported(self, kernel: Kernel, case: Case) -> str | None:
        return unsupported(kernel, self._plan.problem, case, self._plan.capability)

    # The judge's side

    def _prepare(self, case: Case, index: int) -> tuple[list[str], dict[str, float]]:
        """Have the judge get the case and its baselines ready, once for all kernels."""
        if self._case_ready is None:
            try:
                self._case_ready = self._prepare_now(case, index, self._plan.baselines)
            except _CaseFailed as failed:
                self._case_ready = failed
        if isinstance(self._case_ready, _CaseFailed):
            raise self._case_ready
        return self._case_ready

    def _prepare_now(
        self, case: Case, index: int, baselines: Sequence[str]
    ) -> tuple[list[str], dict[str, float]]:
        plan = self._plan
        trials = self._ask_judge(
            "prepare",
            PREPARE_TIMEOUT_S,
            problem=str(plan.problem.path),
            axes=dict(case.axes),
            dtype=case.dtype,
            # Cases draw from seeds far apart; the judge adds a small number per trial.
            seed=plan.seed + 1000 * index,
            families=plan.problem.families,
        )
        rough_us: dict[str, float] = {}
        for name in () if plan.judge_only else baselines:
            self._report.step(f"{name}  {case}")
            try:
                rough_us[name] = self._ask_judge(
                    "start_baseline",
                    PREPARE_TIMEOUT_S,
                    name=name,
                    warm_up_s=plan.effort.warm_up_s,
                )
                self._report.baseline(case, name, rough_us[name])
            except _CaseFailed as failed:
                self._report.note(f"baseline {name} has no time on {case}: {failed.verdict.reason}")
                if self._judge is None:  # it died of this one: again without
                    return self._prepare_now(case, index, [b for b in baselines if b != name])
        return trials, rough_us

    def _ask_judge(self, request: str, timeout_s: float, **arguments: Any) -> Any:
        if self._judge is None:
            self._judge = Child(
                "harness.judge",
                self._plan.device,
                str(self._exchange),
                log=self._logs / "judge.log",
            )
        try:
            return self._judge.ask(request, timeout_s, **arguments)
        except ChildFailed as failed:
            if not failed.alive:
                self._judge.kill()
                self._judge = None
                self._case_ready = None  # what it had prepared died with it
            status = failed.status if failed.status is Status.OUT_OF_MEMORY else Status.UNGRADABLE
            raise _CaseFailed(Verdict(status, f"reference: {failed.reason}")) from failed

    # The worker's side

    def _judge_kernel(self, kernel: Kernel, trials: Sequence[str]) -> Verdict:
        """Run the kernel on every trial. The first finite trial it gets wrong decides; one that
        is wrong on non-finite inputs alone is NON_FINITE."""
        child = self._worker(kernel)
        self._ask(child, "construct", setup=str(self._exchange / "setup.pt"))
        output = self._exchange / f"{kernel.name}.out"
        worst: Mapping[str, Any] | None = None
        for index in range(len(trials)):
            self._ask(child, "call", trial=self._trial(index), output=str(output))
            found = self._ask_judge("compare", PREPARE_TIMEOUT_S, trial=index, output=str(output))
            output.unlink(missing_ok=True)
            if found["status"]:
                return Verdict(
                    Status(found["status"]),
                    found["reason"],
                    # Of a kernel wrong on non-finite inputs: its error on finite ones.
                    (worst or found)["error_rel"],
                    (worst or found)["eager_error_rel"],
                )
            if worst is None or (found["error_rel"] or 0) > (worst["error_rel"] or 0):
                worst = found
        assert worst is not None
        return Verdict(Status.PASSED, "", worst["error_rel"], worst["eager_error_rel"])

    def _wrong_when_timed(self, kernel: Kernel) -> Verdict | None:
        """Judge one more call, made as the timed ones were: its inputs are not what they were."""
        output = self._exchange / f"{kernel.name}.out"
        trial = self._ask(self._worker(kernel), "finish", output=str(output))
        found = self._ask_judge("compare", PREPARE_TIMEOUT_S, trial=trial, output=str(output))
        output.unlink(missing_ok=True)
        if not found["status"]:
            return None
        reason = f"right when judged, wrong after being timed: {found['reason']}"
        errors = found["error_rel"], found["eager_error_rel"]
        return Verdict(Status(found["status"]), reason, *errors)

    def _time_kernel(
        self, kernel: Kernel, trials: int, rough_us: Mapping[str, float]
    ) -> dict[str, Timing]:
        """Time baselines and kernel block by block: A B C, C B A, A B C, ... cancels drift."""
        effort = self._plan.effort
        child = self._worker(kernel)
        timed = [self._trial(index) for index in range(min(trials, TIMED_TRIALS))]
        own_us = self._ask(child, "warm_up", trials=timed, seconds=effort.warm_up_s)
        slowest_us = max([own_us, *rough_us.values()])
        samples = int(effort.block_us / slowest_us)
        samples = max(effort.min_samples, min(samples, effort.max_samples))
        take: dict[str, Callable[[], list[float]]] = {
            name: lambda name=name: self._ask_judge(  # type: ignore[misc]
                "block", PREPARE_TIMEOUT_S, name=name, samples=samples
            )
            for name in rough_us
        }
        # The deadline is for one call; a block is many.
        block_s = self._plan.timeout_s + 10 * (samples + 3) * own_us / 1e6
        take["kernel"] = lambda: child.ask("block", block_s, samples=samples)
        blocks: dict[str, list[list[float]]] = {name: [] for name in take}
        order = list(take)
        for _ in range(effort.blocks):
            for name in order:
                blocks[name].append(take[name]())
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

    def end_case(self) -> None:
        """Give the memory of a case back."""
        self._case_ready = None
        if self._judge is not None:
            # One that fails at this is replaced when it is next asked.
            with contextlib.suppress(_CaseFailed):
                self._ask_judge("release", PREPARE_TIMEOUT_S)
        for name in list(self._workers):
            try:
                self._ask(self._workers[name], "release")
            except ChildFailed:
                self._workers.pop(name).kill()

    def close(self, patience_s: float) -> None:
        """End every child: all at once by themselves, the stubborn ones by force."""
        children = [*self._workers.values(), *([self._judge] if self._judge else [])]
        for child in children:
            child.hang_up()
        for child in children:
            child.kill(patience_s)
