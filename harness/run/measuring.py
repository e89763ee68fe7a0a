"""PARENT: times a kernel and its baselines block by block, in alternation."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NoReturn

from harness.children import ChildFailed
from harness.records import (
    BASELINES,
    CLOCK,
    HELD,
    KERNEL,
    LOOSE,
    Bound,
    Case,
    Comparison,
    Status,
    Timing,
)
from harness.run.ask_judge import COMPILE_TIMEOUT_S, CaseFailed, JudgeClient, JudgeDied
from harness.run.ask_worker import WorkerClient
from harness.run.crew import Crew
from harness.run.plan import Plan, Report
from harness.timing import bound, stats

EAGER = "eager"
"""The baseline whose worker is asked what a call takes that does nothing."""
OWN_LAUNCH = 0.5
"""What a launch takes the host without torch round it, as a part of an operation of torch's."""
AGAIN = 5
"""So many times more what does not bear a time out is measured."""


class _BeginAgain(Exception):
    """A baseline broke off and is left out, or lacked memory that was given back since."""


class WrongWhenTimed(Exception):
    """A call that was timed was wrong."""

    def __init__(self, comparison: Comparison):
        super().__init__(comparison.reason)
        self.comparison = comparison


@dataclass
class _CaseSoFar:
    """What is known of the baselines on one case."""

    index: int
    rough_us: dict[str, float] = field(default_factory=dict)
    """Of every baseline that works."""
    dropped: set[str] = field(default_factory=set)
    medians_us: dict[str, list[float]] = field(default_factory=dict)
    """What each took beside every kernel that has been timed."""


@dataclass(frozen=True)
class Measured:
    """What came of timing a kernel on a case."""

    timings: Mapping[str, Timing]
    """By subject: KERNEL, and every baseline that works on the case."""
    bound: Bound
    doubt: str
    """Why the kernel's time is not believed; "" if it is."""


class Stopwatch:
    """Times kernels beside the baselines of a case."""

    def __init__(self, plan: Plan, judge: JudgeClient, crew: Crew, report: Report) -> None:
        self._plan = plan
        self._judge = judge
        self._crew = crew
        self._report = report
        self._so_far = _CaseSoFar(-1)
        self.handover_us: float | None = None
        """What a call that does nothing takes; None where nothing was timed."""
        self._batches_us: dict[int, float] = {}
        """What a batch of so many such calls takes, where there are batches."""

    def measure(self, worker: WorkerClient, case: Case, index: int) -> Measured:
        """Time a kernel beside its baselines, and have the judge's clock bear that out.

        Where a median comes out uncertain, all is measured once more, and what is less uncertain
        stands: a machine that was busy for a moment is not the kernel's fault.

        Raises WrongWhenTimed, and what `JudgeClient.block` raises of the kernel's worker.
        """
        if self._so_far.index != index:
            self._so_far = _CaseSoFar(index)
        while True:
            try:
                return self._measure(worker, case)
            except _BeginAgain:
                continue

    def _measure(self, worker: WorkerClient, case: Case) -> Measured:
        baselines = self._baselines(worker, case)
        if self.handover_us is None:
            self._take_handover(case)
        effort, so_far = self._plan.effort, self._so_far
        own_us = self._judge.warm_up(worker, effort.warm_up_s, self._plan.timeout_s)
        subjects = {**baselines, KERNEL: worker}
        rough_us = {**{name: so_far.rough_us[name] for name in baselines}, KERNEL: own_us}

        def once() -> dict[str, Timing]:
            timings = self._alternate(subjects, rough_us, case)
            return {s: _widened(t, so_far.medians_us.get(s, ())) for s, t in timings.items()}

        timings = once()
        if _uncertain(timings):
            timings = min(once(), timings, key=_uncertain)
        if self._plan.machine.kind != "cpu":
            timings = {
                s: replace(t, launching_us=self._launching(s, subjects[s], case))
                for s, t in timings.items()
            }
        for name in baselines:
            so_far.medians_us.setdefault(name, []).append(timings[name].median_us)
        return Measured(timings, *self._bounded(worker, timings[KERNEL].median_us, case))

    def _launching(self, subject: str, worker: WorkerClient, case: Case) -> float:
        """How much of a call may be launching, in microseconds."""
        if subject == KERNEL:
            return self._judge.launching(worker, OWN_LAUNCH)
        try:
            return self._judge.launching(worker, 1.0)
        except (ChildFailed, CaseFailed, JudgeDied) as failed:
            self._leave_out(subject, case, failed)

    def _bounded(self, worker: WorkerClient, latency_us: float, case: Case) -> tuple[Bound, str]:
        """What the judge's clock says of a kernel with this median, and why that is not believed.

        What else the machine does only adds to what is measured for it: where that does not bear
        the median out it is measured again, and the least counts.
        """
        found, bytes_floor_us = Bound(CLOCK), None
        if self._plan.machine.kind != "cpu":
            calls = bound.calls_for(latency_us)
            found, bytes_floor_us = self._batch(worker, calls, latency_us, case)
            while found.kind == LOOSE and (found.calls or 0) > bound.FEWEST_CALLS:
                calls = (found.calls or calls) // 2  # there was memory for so many
                found, bytes_floor_us = self._batch(worker, calls, latency_us, case)
        for _ in range(AGAIN):
            why = bound.doubt(latency_us, found, self.handover_us, bytes_floor_us)
            above = found.kind == HELD and found.us is not None and found.us > latency_us
            if not why and not above:
                break
            self._take_handover(case, found.calls or 0)
            if found.calls is not None:
                again, _ = self._batch(worker, found.calls, latency_us, case)
                found = min(again, found, key=lambda b: (b.kind != HELD, b.us or 0.0))
        return found, bound.doubt(latency_us, found, self.handover_us, bytes_floor_us)

    def _batch(
        self, worker: WorkerClient, calls: int, latency_us: float, case: Case
    ) -> tuple[Bound, float | None]:
        """One batch, and what its output's bytes take at least, in microseconds, each call."""
        took = self._judge.bound(worker, calls, latency_us)
        if took["calls"] is None:
            return Bound(LOOSE), None
        if (comparison := took["comparison"]) and comparison.status:
            raise WrongWhenTimed(comparison)
        calls, us = took["calls"], None
        if calls not in self._batches_us:
            self._take_handover(case, calls)
        if (nothing_us := self._batches_us.get(calls)) is not None:
            us = bound.per_call_us(took["wall_us"], calls, took["copies_us"], nothing_us)
        return Bound(HELD if took["held"] else LOOSE, us, calls), took["floor_us"]

    def _take_handover(self, case: Case, calls: int = 0) -> None:
        """Measure what a call takes that does nothing, and a batch of so many, by the worker of a
        baseline."""
        with contextlib.suppress(ChildFailed, CaseFailed, JudgeDied):
            took = self._judge.handover(self._crew.baseline(EAGER, case), calls)
            self.handover_us = _least(self.handover_us, took["call_us"])
            batch_us = _least(self._batches_us.get(calls), took["batch_us"])
            if batch_us is not None:
                self._batches_us[calls] = batch_us

    def _baselines(self, kernel: WorkerClient, case: Case) -> dict[str, WorkerClient]:
        """The workers of the baselines that work on this case, warmed up."""
        workers = {}
        for name in self._plan.baselines:
            if name in self._so_far.dropped:
                continue
            try:
                workers[name] = self._baseline(name, case)
            except (ChildFailed, CaseFailed, JudgeDied) as failed:
                timed = (*self._plan.baselines, kernel.name)
                if lacks_memory(failed) and self._crew.make_room(*timed):
                    self._crew.dismiss(name)  # it may not be warmed up
                    raise _BeginAgain from failed
                self._leave_out(name, case, failed)
        return workers

    def _baseline(self, name: str, case: Case) -> WorkerClient:
        worker = self._crew.baseline(name, case)
        if not worker.constructed or worker.judge is not self._judge.child:
            self._report.step(f"{name}  {case}")
            compiles = BASELINES.get(name) is not None
            timeout_s = max(self._plan.timeout_s, COMPILE_TIMEOUT_S if compiles else 0.0)
            rough_us = self._judge.warm_up(worker, self._plan.effort.warm_up_s, timeout_s)
            if name not in self._so_far.rough_us:
                self._report.baseline(case, name, rough_us)
            self._so_far.rough_us[name] = rough_us
        return worker

    def _leave_out(
        self, name: str, case: Case, failed: ChildFailed | CaseFailed | JudgeDied
    ) -> NoReturn:
        """Go on without a baseline. With a judge that died over it, others have to begin again."""
        if isinstance(failed, ChildFailed) and failed.server_died:
            raise failed
        self._crew.drop(name)
        self._so_far.dropped.add(name)
        self._report.note(f"baseline {name} has no time on {case}: {failed}")
        raise _BeginAgain from failed

    def _alternate(
        self, subjects: Mapping[str, WorkerClient], rough_us: Mapping[str, float], case: Case
    ) -> dict[str, Timing]:
        """Block by block: A B C, C B A, A B C, ... cancels drift."""
        effort = self._plan.effort
        fitting = int(effort.block_us / max(rough_us.values()))
        samples = max(effort.min_samples, min(fitting, effort.max_samples))
        blocks_us: dict[str, list[Sequence[float]]] = {subject: [] for subject in subjects}
        order = list(subjects)
        for _ in range(effort.blocks):
            for subject in order:
                blocks_us[subject].append(
                    self._block(subject, subjects[subject], samples, rough_us[subject], case)
                )
            order.reverse()
        return {s: stats.summarise(blocks, effort.timer) for s, blocks in blocks_us.items()}

    def _block(
        self, subject: str, worker: WorkerClient, samples: int, rough_us: float, case: Case
    ) -> list[float]:
        judged = subject == KERNEL
        try:
            times_us, comparison = self._judge.block(worker, samples, rough_us, judged)
        except (ChildFailed, CaseFailed, JudgeDied) as failed:
            if judged:
                raise
            self._leave_out(subject, case, failed)
        if comparison is not None and comparison.status:
            raise WrongWhenTimed(comparison)
        return times_us


def lacks_memory(failed: ChildFailed | CaseFailed | JudgeDied) -> bool:
    """Is it worth another try when others have given their memory back?"""
    if isinstance(failed, CaseFailed):
        return failed.lacks_memory
    status = failed.verdict.status if isinstance(failed, JudgeDied) else failed.status
    return status is Status.OUT_OF_MEMORY


def _widened(timing: Timing, medians_us: Sequence[float]) -> Timing:
    """A baseline's timing whose interval holds what it took beside other kernels on this case,
    where that is far from it: blocks of one minute say nothing of what the next one brings."""
    wide = replace(
        timing,
        ci_low_us=min(timing.ci_low_us, *medians_us, timing.median_us),
        ci_high_us=max(timing.ci_high_us, *medians_us, timing.median_us),
    )
    return wide if wide.uncertain else timing


def _least(*found_us: float | None) -> float | None:
    return min((us for us in found_us if us is not None), default=None)


def _uncertain(timings: Mapping[str, Timing]) -> int:
    return sum(timing.uncertain for timing in timings.values())
