"""PARENT: builds, then judges and times kernel by kernel and case by case; a row for each.

It never imports torch and never runs a line of a kernel file. Whatever becomes of a kernel
becomes a row, and the row is on disk before the next one starts.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from harness import scratch
from harness.catalog.facts import restated_axes, unsupported
from harness.children import ChildFailed, uninterrupted
from harness.records import (
    KERNEL,
    Build,
    Case,
    Comparison,
    Draw,
    Kernel,
    Result,
    Status,
    Timing,
    Verdict,
)
from harness.run.ask_builder import build_all
from harness.run.ask_judge import BaselineFailed, CaseFailed, JudgeClient, JudgeDied
from harness.run.ask_worker import WorkerClient
from harness.run.measuring import measure
from harness.run.plan import Plan, Report
from harness.timing import stats
from harness.verdict import ruling


class Writer(Protocol):
    """Where rows go: each is safe when `append` returns."""

    def append(self, result: Result) -> None: ...


def run(plan: Plan, folder: Path, writer: Writer, report: Report) -> None:
    """Build, judge and time every kernel on every case; one row each, written as it is known."""
    logs = folder / "logs"
    logs.mkdir()
    runner = Runner(plan, logs, report)
    patience_s = 0.0  # a Ctrl-C is not to wait for a kernel that hangs
    try:
        runner.builds = build_all(plan, logs, report)
        for index, case in enumerate(plan.cases):
            for kernel in plan.kernels:
                report.step(f"{kernel.name}  {case}")
                result = runner.row(kernel, case, index)
                writer.append(result)
                report.row(result)
            runner.judge.end_case()
        patience_s = 3.0
    finally:
        with uninterrupted(discard=patience_s == 0.0):
            runner.close(patience_s)


@dataclass(frozen=True)
class Outcome:
    """What became of one kernel on one case."""

    verdict: Verdict
    timings: Mapping[str, Timing] = field(default_factory=dict)
    """By subject; empty if it was not timed."""
    fallback: str = ""
    """What its file went on without, as its worker says."""


def _broken_off(judged: Outcome | None, verdict: Verdict) -> Outcome:
    """What to say of a kernel that failed, of which this much was known before."""
    if judged is None:
        return Outcome(verdict)
    known = ruling.broken_off(judged.verdict, verdict.status, verdict.reason)
    return replace(judged, verdict=known)


class Runner:
    """The children of one run, and what is known so far."""

    def __init__(self, plan: Plan, logs: Path, report: Report) -> None:
        self._plan = plan
        self._logs = logs
        self._exchange = scratch.make("exchange")
        self.judge = JudgeClient(plan, self._exchange, logs, report)
        self.builds: dict[str, Build] = {}
        self._workers: dict[str, WorkerClient] = {}
        self._given_up: dict[str, str] = {}
        """Kernel name -> why the rest of its cases are not tried."""

    def row(self, kernel: Kernel, case: Case, index: int) -> Result:
        """What becomes of one kernel on one case."""
        plan = self._plan
        if why := unsupported(kernel, plan.problem, case, plan.capability) or self._given_up.get(
            kernel.name
        ):
            outcome = Outcome(Verdict(Status.SKIPPED, why))
        elif (build := self.builds[kernel.name]).status:
            outcome = Outcome(Verdict(build.status, build.reason))
        else:
            outcome = self._try_twice(kernel, case, index)
            self._release_worker(kernel.name)  # another kernel may need the memory
        return self._result(kernel, case, index, outcome)

    def _result(self, kernel: Kernel, case: Case, index: int, outcome: Outcome) -> Result:
        build = self.builds.get(kernel.name)
        fallback = outcome.fallback or (build.fallback if build else "")
        baselines = dict(outcome.timings)
        own = baselines.pop(KERNEL, None)
        ranked = own is not None and outcome.verdict.status is Status.PASSED and not fallback
        return Result(
            problem=self._plan.problem.name,
            kernel=kernel.name,
            case=case,
            case_index=index,
            verdict=outcome.verdict,
            build=build,
            known_defect=kernel.known_defect,
            timing=own,
            baselines=baselines,
            speedups={name: stats.speedup(t, own) for name, t in baselines.items()}
            if ranked and own
            else {},
            fallback=fallback,
        )

    def _try_twice(self, kernel: Kernel, case: Case, index: int) -> Outcome:
        """Judge and time; once more if the judge died over it, or the server of all processes."""
        try:
            return self._judge_and_time(kernel, case, index)
        except (JudgeDied, ChildFailed):
            # With the server went all of them, and each is to be missed but once.
            for name in list(self._workers):
                self._drop_worker(name)
            self.judge.drop()
        try:
            return self._judge_and_time(kernel, case, index)
        except JudgeDied as died:
            return Outcome(died.verdict)
        except ChildFailed as failed:
            self._drop_worker(kernel.name)
            return Outcome(Verdict(failed.status, f"{failed.reason}, twice on this case"))

    def _judge_and_time(self, kernel: Kernel, case: Case, index: int) -> Outcome:
        """Raises JudgeDied, and ChildFailed if the server of all processes died."""
        judged: Outcome | None = None
        try:
            ready = self.judge.prepare(case, index)
            outcome = judged = self._judge(kernel, case, ready.trials)
            if judged.verdict.timed and not self._plan.judge_only:
                outcome = self._time(judged, kernel, case, index)
        except BaselineFailed:
            self._release_worker(kernel.name)  # the judge may have to prepare the case again
            return self._judge_and_time(kernel, case, index)
        except CaseFailed as failed:
            outcome = _broken_off(judged, failed.verdict)
        except ChildFailed as failed:
            if failed.server_died:
                raise
            if not failed.alive:
                self._drop_worker(kernel.name)
            outcome = _broken_off(judged, Verdict(failed.status, failed.reason))
        if outcome.verdict.status is Status.TIMED_OUT:
            self._given_up[kernel.name] = f"not tried: timed out on case {index} ({case})"
        return outcome

    def _judge(self, kernel: Kernel, case: Case, trials: Sequence[Draw]) -> Outcome:
        """Run the kernel on the contract's trials, as far as the first that it gets wrong, then on
        those of stress, as long as its process lives. What the judge cannot tell of stress is
        left out."""
        self._constructed(kernel, case)
        tried: list[tuple[Draw, Comparison]] = []
        fallback = ""
        for at, draw in enumerate(trials):
            alive = True
            try:
                fallback = self._constructed(kernel, case).call(at)
                comparison = self.judge.compare(at, kernel.name)
            except ChildFailed as failed:
                if failed.server_died:
                    raise
                comparison, alive = Comparison(failed.status, failed.reason), failed.alive
                if draw.stress or not alive:  # what is to come finds the kernel as new
                    self._drop_worker(kernel.name)
            except CaseFailed as failed:
                if draw.stress:
                    continue
                comparison = Comparison(failed.verdict.status, failed.verdict.reason)
            except JudgeDied:
                if draw.stress:
                    break
                raise
            tried.append((draw, comparison))
            if ruling.ends(draw, comparison) or not alive:
                break
        return Outcome(ruling.verdict(tried, self._plan.strict), fallback=fallback)

    def _time(self, judged: Outcome, kernel: Kernel, case: Case, index: int) -> Outcome:
        """Time a kernel that was judged, and judge one more call of it."""
        ready = self.judge.prepare(case, index)  # once more if the judge was lost over stress
        worker = self._constructed(kernel, case)
        timings = measure(self.judge, worker, case, ready, self._plan.effort)
        at = worker.finish(ready.timed)
        comparison = self.judge.compare(at, kernel.name)
        wrong = ruling.when_timed(judged.verdict, ready.trials[at], comparison)
        return replace(judged, verdict=wrong) if wrong else replace(judged, timings=timings)

    def _constructed(self, kernel: Kernel, case: Case) -> WorkerClient:
        """The kernel's worker with its ModelNew made for the case."""
        worker = self._worker(kernel, case)
        if not worker.constructed:
            worker.construct()
        return worker

    def _worker(self, kernel: Kernel, case: Case) -> WorkerClient:
        """The kernel's worker, started if it has none, or one that its file's globals are not
        this case's in."""
        overrides = {axis: case.axes[axis] for axis in restated_axes(kernel, self._plan.problem)}
        if (worker := self._workers.get(kernel.name)) and worker.overrides != overrides:
            self._drop_worker(kernel.name)
        if kernel.name not in self._workers:
            self._workers[kernel.name] = WorkerClient(
                self._plan, kernel, overrides, self._exchange, self._logs
            )
        return self._workers[kernel.name]

    def _release_worker(self, name: str) -> None:
        if worker := self._workers.get(name):
            try:
                worker.release()
            except ChildFailed:
                self._drop_worker(name)

    def _drop_worker(self, name: str) -> None:
        if worker := self._workers.pop(name, None):
            worker.child.kill()

    def close(self, patience_s: float) -> None:
        """End every child: all at once by themselves, the stubborn ones by force."""
        children = [worker.child for worker in self._workers.values()]
        children += [self.judge.child] if self.judge.child else []
        for child in children:
            child.hang_up()
        for child in children:
            child.kill(patience_s)
        shutil.rmtree(self._exchange, ignore_errors=True)
