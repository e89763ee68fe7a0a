"""PARENT: builds; then, case by case and trial by trial, has every kernel judged, and times those
that are right; a row for each.

It never imports torch and never runs a line of a kernel file. Whatever becomes of a kernel becomes
a row, and a case's rows are on disk before the next case starts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from harness.catalog.facts import unsupported
from harness.children import ChildFailed, uninterrupted
from harness.records import (
    Build,
    Case,
    Comparison,
    Draw,
    Kernel,
    Result,
    Status,
    Verdict,
)
from harness.run.ask_builder import build_all
from harness.run.ask_judge import CaseFailed, JudgeClient, JudgeDied
from harness.run.ask_worker import WorkerClient
from harness.run.crew import Crew
from harness.run.measuring import Stopwatch, WrongWhenTimed, lacks_memory
from harness.run.outcome import Outcome
from harness.run.plan import Plan, Report
from harness.verdict import ruling

T = TypeVar("T")


TOGETHER = 16
"""So many kernels answer a trial before the next is made; the others of a case have theirs when
these are done with, since each process holds a part of the device's memory."""


class Writer(Protocol):
    """Where rows go: each is safe when `append` returns."""

    def append(self, result: Result) -> None: ...


def run(plan: Plan, folder: Path, writer: Writer, report: Report) -> float | None:
    """Build, judge and time every kernel on every case; one row each, written as it is known.

    Returns what a call that does nothing took, in microseconds; None if nothing was timed.
    """
    logs = folder / "logs"
    logs.mkdir()
    runner = Runner(plan, logs, report)
    patience_s = 0.0  # a Ctrl-C is not to wait for a kernel that hangs
    try:
        runner.builds = build_all(plan, logs, report)
        runner.judge.take_over()
        for index, case in enumerate(plan.cases):
            for result in runner.rows(case, index):
                writer.append(result)
                report.row(result)
        patience_s = 3.0
        return runner.stopwatch.handover_us
    finally:
        with uninterrupted(discard=patience_s == 0.0):
            runner.close(patience_s)


class Runner:
    """The children of one run, and what is known so far."""

    def __init__(self, plan: Plan, logs: Path, report: Report) -> None:
        self._plan = plan
        self._report = report
        self.judge = JudgeClient(plan, logs, report)
        self._crew = Crew(plan, self.judge, logs)
        self.stopwatch = Stopwatch(plan, self.judge, self._crew, report)
        self.builds: dict[str, Build] = {}
        self._given_up: dict[str, str] = {}
        """Kernel name -> why the rest of its cases are not tried."""

    def rows(self, case: Case, index: int) -> Iterator[Result]:
        """What becomes of every kernel on one case, in their order."""
        kernels = self._plan.kernels
        for start in range(0, len(kernels), TOGETHER):
            group = kernels[start : start + TOGETHER]
            yield from self._rows(group, case, index)
            for kernel in group if len(kernels) > TOGETHER else ():
                self._crew.drop(kernel.name)
        self._crew.dismiss_others()  # the baselines, until they are constructed for another case
        self.judge.end_case()

    def _rows(self, kernels: Sequence[Kernel], case: Case, index: int) -> Iterator[Result]:
        outcomes = {kernel.name: self._from_outside(kernel, case) for kernel in kernels}
        self._judge(kernels, outcomes, case, index)
        for kernel in kernels:
            outcome = outcomes[kernel.name]
            assert outcome.verdict is not None
            if outcome.verdict.timed and not self._plan.judge_only:
                self._report.step(f"{kernel.name}  {case}")
                self._time(outcome, kernel, case, index)
            self._crew.dismiss(kernel.name)  # another kernel may need the memory
            if outcome.verdict.status is Status.TIMED_OUT:
                self._given_up[kernel.name] = f"not tried: timed out on case {index} ({case})"
            build = self.builds.get(kernel.name)
            yield outcome.row(self._plan.problem, kernel, case, index, build)

    def _from_outside(self, kernel: Kernel, case: Case) -> Outcome:
        """Whatever is known of a kernel before it is run."""
        plan = self._plan
        if why := unsupported(kernel, plan.problem, case, plan.capability) or self._given_up.get(
            kernel.name
        ):
            return Outcome(Verdict(Status.SKIPPED, why))
        build = self.builds[kernel.name]
        return Outcome(Verdict(build.status, build.reason) if build.status else None)

    def _judge(
        self, kernels: Sequence[Kernel], outcomes: Mapping[str, Outcome], case: Case, index: int
    ) -> None:
        """Have every kernel answer a trial before the next is made: on the contract's trials as
        far as the first that it gets wrong, then on those of stress, as long as its process lives.
        """

        def racing() -> list[Kernel]:
            return [k for k in kernels if outcomes[k.name].verdict is None]

        for kernel in racing():
            self._crew.begin(kernel, case)  # its file is loaded while the judge gets ready
        try:
            trials = self._reference(lambda: self.judge.prepare(case, index)) if racing() else []
            for at, draw in enumerate(trials):
                if not racing() or not self._made(at, draw):
                    continue
                for kernel in racing() if at == 0 else ():
                    self._construct(outcomes[kernel.name], kernel, case, index)
                for kernel in racing():
                    self._report.step(f"{kernel.name}  {case}  {draw.name} inputs")
                    self._answer(outcomes[kernel.name], kernel, case, index, at, draw)
        except CaseFailed as failed:
            for kernel in racing():
                outcomes[kernel.name].failed(failed.verdict)
        for kernel in racing():
            self._ruled(outcomes[kernel.name])

    def _made(self, at: int, draw: Draw) -> bool:
        """Have the judge make a trial; False for one of stress that the reference cannot do."""
        try:
            self._reference(lambda: self.judge.make(at))
        except CaseFailed:
            if not draw.stress:
                raise
            return False
        return True

    def _reference(self, work: Callable[[], T]) -> T:
        """What the judge's work without any kernel returns. Raises CaseFailed."""
        try:
            return self._again(work)
        except ChildFailed as failed:  # with the server
            reason = f"reference: {failed.reason}"
            raise CaseFailed(Verdict(Status.UNGRADABLE, reason, judge_died=True)) from failed

    def _construct(self, outcome: Outcome, kernel: Kernel, case: Case, index: int) -> None:
        """Have one kernel get ready to answer: what it fails at before has to do with no inputs."""
        try:
            self._with_worker(outcome, kernel, case, index, self.judge.construct)
        except ChildFailed as failed:
            outcome.failed(Verdict(failed.status, failed.reason))
        except (CaseFailed, JudgeDied) as failed:
            outcome.failed(failed.verdict)

    def _answer(
        self, outcome: Outcome, kernel: Kernel, case: Case, index: int, at: int, draw: Draw
    ) -> None:
        """Have one kernel answer one trial, and note what came of it."""
        alive = True
        try:
            comparison = self._with_worker(
                outcome, kernel, case, index, lambda worker: self.judge.answer(worker, at)
            )
        except ChildFailed as failed:
            comparison, alive = Comparison(failed.status, failed.reason), failed.alive
            if draw.stress:  # what is to come finds the kernel as new
                self._crew.drop(kernel.name)
        except (CaseFailed, JudgeDied) as failed:
            if draw.stress:  # what the judge cannot tell of it is left out
                return
            if failed.verdict.status is Status.UNGRADABLE:
                # What the reference itself cannot do, the others meet in their turn.
                outcome.failed(failed.verdict)
                self._crew.dismiss(kernel.name)
                return
            comparison = Comparison(failed.verdict.status, failed.verdict.reason)
        if comparison is None:  # what it would show cannot be asked of this kernel
            return
        outcome.tried.append((draw, comparison))
        if ruling.ends(draw, comparison) or not alive:
            self._ruled(outcome)
            self._crew.dismiss(kernel.name)

    def _ruled(self, outcome: Outcome) -> None:
        """Judge by all that was tried."""
        outcome.verdict = ruling.verdict(outcome.tried, self._plan.strict)

    def _time(self, outcome: Outcome, kernel: Kernel, case: Case, index: int) -> None:
        """Time a kernel that was judged; what it returned meanwhile is judged as well."""
        assert outcome.verdict is not None
        try:
            measured = self._with_worker(
                outcome, kernel, case, index,
                lambda worker: self.stopwatch.measure(worker, case, index),
            )  # fmt: skip
            outcome.timings, outcome.bound = measured.timings, measured.bound
            if measured.doubt:
                outcome.failed(Verdict(Status.SUSPECT, measured.doubt))
        except WrongWhenTimed as wrong:
            outcome.verdict = ruling.when_timed(outcome.verdict, wrong.comparison)
        except ChildFailed as failed:
            outcome.failed(Verdict(failed.status, failed.reason))
        except (CaseFailed, JudgeDied) as failed:
            outcome.failed(failed.verdict)

    def _with_worker(
        self,
        outcome: Outcome,
        kernel: Kernel,
        case: Case,
        index: int,
        work: Callable[[WorkerClient], T],
    ) -> T:
        """What the work with a kernel's worker returns. Raises as `_again` does."""

        def do() -> T:
            self.judge.prepare(case, index)
            worker = self._crew.kernel(kernel, case)
            done = work(worker)
            outcome.fallback = self.judge.fallback(worker)
            return done

        return self._again(do, kernel.name)

    def _again(self, work: Callable[[], T], name: str = "") -> T:
        """What the work returns. It is begun again, once, if the judge died over it, or the server
        of all processes did; and if others held the memory that it lacked, once they have given
        back what they can spare, and once they have been ended.

        name: of the kernel whose worker does it, if any: ended if it is lost.
        Raises ChildFailed for what the kernel does, or if the server died twice; CaseFailed and
        JudgeDied.
        """
        for attempt in (1, 2, 3):
            try:
                return work()
            except (ChildFailed, CaseFailed, JudgeDied) as failed:
                if self._cleared(failed, name, attempt):
                    continue
                if isinstance(failed, ChildFailed) and failed.server_died:
                    reason = f"{failed.reason}, twice on this case"
                    raise ChildFailed(failed.status, reason, alive=False) from failed
                raise
        raise AssertionError

    def _cleared(
        self, failed: ChildFailed | CaseFailed | JudgeDied, name: str, attempt: int
    ) -> bool:
        """Clear away what a failure has left; is what was begun worth another try?"""
        if isinstance(failed, ChildFailed) and failed.server_died:
            # With it went all of them, and each is to be missed but once.
            self.judge.drop()
            self._crew.drop_all()
            return attempt == 1
        died = isinstance(failed, JudgeDied)
        if died or (isinstance(failed, ChildFailed) and not failed.alive):
            self._crew.drop(name)
        lacking = lacks_memory(failed)
        if attempt == 1:
            return (lacking and self._crew.make_room(name)) or died
        return attempt == 2 and lacking and not died and self._crew.drop_others(name)

    def close(self, patience_s: float) -> None:
        """End every child: all at once by themselves, the stubborn ones by force."""
        children = [*self._crew.children(), *([self.judge.child] if self.judge.child else [])]
        for child in children:
            child.hang_up()
        for child in children:
            child.kill(patience_s)
