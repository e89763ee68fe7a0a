"""PARENT: the judge as the runner sees it. One that dies is replaced, and brought to where it was.

Each request names where in the run it belongs, so that a judge that is new is told all that it
needs first: the case, the trial, the worker.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from harness.children import Child, ChildFailed
from harness.records import Case, Comparison, Draw, Status, Verdict
from harness.run.ask_worker import WorkerClient
from harness.run.plan import Plan, Report

COMPILE_TIMEOUT_S = 600.0
"""For making a baseline ready that compiles; everything else has the time that kernels have."""
GET_READY_TIMEOUT_S = 120.0
"""For CUDA to start."""
COMPARE_TIMEOUT_S = 600.0
"""For one comparison: it reads tensors of any size."""


NONE_NOW = -1
"""In place of a trial: the judge has made some, and keeps none."""


class CaseFailed(Exception):
    """The judge could not prepare or judge a case: the verdict for the kernel at hand."""

    def __init__(self, verdict: Verdict, lacks_memory: bool = False):
        super().__init__(verdict.reason)
        self.verdict = verdict
        self.lacks_memory = lacks_memory
        """Is it worth another try when others have given theirs back?"""


class JudgeDied(Exception):
    """The judge died while it had a kernel's output: worth another try, once."""

    def __init__(self, verdict: Verdict):
        super().__init__(verdict.reason)
        self.verdict = verdict
        """What to say if it dies again."""


class JudgeClient:
    """Whoever is the judge at the moment, and what it has ready."""

    def __init__(self, plan: Plan, logs: Path, report: Report) -> None:
        self._plan = plan
        self._log = logs / "judge.log"
        self._report = report
        self.child = plan.judge
        self._case: tuple[Case, int] | None = None
        self._draws: list[Draw] | CaseFailed | None = None
        self._made: int | None = None
        """The trial that it has ready."""

    def take_over(self) -> None:
        """Go on with the process that told of the machine, if there is one, and if it can."""
        if self.child is not None:
            try:
                self.child.hear("get_ready", GET_READY_TIMEOUT_S)
                self.child.print_to(self._log)
            except ChildFailed:
                self.drop()

    # Where it stands

    def prepare(self, case: Case, index: int) -> list[Draw]:
        """Have the judge know a case; its trials.

        One that dies over it is replaced once. Raises CaseFailed for what the reference cannot do,
        and ChildFailed if the server died.
        """
        if self._case != (case, index):
            self._case, self._draws, self._made = (case, index), None, None
        if self._draws is None:
            self._draws = self._reference_does(self._prepare_now)
        ready = self._draws
        if isinstance(ready, CaseFailed):
            if ready.lacks_memory:
                self._draws = None
            raise ready
        return ready

    def _prepare_now(self) -> list[Draw]:
        assert self._case is not None
        plan, (case, index) = self._plan, self._case
        answer = self._ask(
            "prepare",
            on_note=lambda text: self._report.step(f"reference  {case}  {text}"),
            device=plan.device,
            problem=str(plan.problem.path),
            axes=dict(case.axes),
            dtype=case.dtype,
            secret=f"{plan.seed} {index}",
            families=plan.problem.families,
            step_s=plan.timeout_s,
        )
        return [Draw(**draw) for draw in answer]

    def make(self, trial: int) -> None:
        """Have the judge get a trial ready, if it has another. Raises as `prepare` does."""
        if self._made == trial:
            return
        assert self._case is not None
        case, index = self._case
        draw = self.prepare(case, index)[trial]

        def make() -> None:
            self.prepare(case, index)  # it may be a new one
            self._made = None
            self._ask(
                "make",
                on_note=lambda text: self._report.step(f"reference  {case}  {text}"),
                trial=trial,
            )

        failed = self._reference_does(make, tries=1 if draw.stress else 2)
        if isinstance(failed, CaseFailed):
            if not draw.stress and not failed.lacks_memory:
                self._draws = failed
            raise failed
        self._made = trial

    def _reference_does(self, work: Callable[[], Any], tries: int = 2) -> Any:
        """What the work returns, or CaseFailed: tried again if the judge died over it."""
        while True:
            tries -= 1
            try:
                return work()
            except ChildFailed as failed:
                if failed.server_died:
                    raise
                late = failed.status is Status.TIMED_OUT
                if tries and not failed.answered and not late:
                    continue
                died = not failed.answered and not late
                return _ungradable(failed, died)

    # What it does with a worker

    def construct(self, worker: WorkerClient, timeout_s: float | None = None) -> None:
        """Have a worker listen to this judge, and have a model for its case, if it has none.

        A trial is made first: only then does the judge know what a call changes. Raises as
        `answer` does.
        """
        if self._made is None:
            self.make(0)
        assert self.child is not None
        timeout_s = self._plan.timeout_s if timeout_s is None else timeout_s
        if worker.judge is not self.child:
            ours = worker.listen(self.child)
            self._of(worker, "attach", timeout_s, timeout_s, pid=worker.child.pid, connection=ours)
        if not worker.constructed:
            self._about(worker, "construct", timeout_s, each_s=timeout_s)
            worker.constructed = True

    def answer(self, worker: WorkerClient, trial: int) -> Comparison | None:
        """The judge's word on what a worker answers to a trial; None if it is none for this kernel.

        Raises ChildFailed for what the worker does not do. Where the judge has no word, the kernel
        is not cleared: raises JudgeDied if it died over it, CaseFailed if it can't compare.
        """
        self.make(trial)
        self.construct(worker)
        answer = self._about(worker, "answer", COMPARE_TIMEOUT_S, as_request="call")
        return _comparison(answer) if answer is not None else None

    def warm_up(self, worker: WorkerClient, seconds: float, timeout_s: float) -> float:
        """Get a worker ready to be timed; rough microseconds per call."""
        self.construct(worker, timeout_s)
        return float(
            self._about(worker, "warm_up", timeout_s + seconds, seconds=seconds, each_s=timeout_s)
        )

    def block(
        self, worker: WorkerClient, samples: int, rough_us: float, judged: bool
    ) -> tuple[list[float], Comparison | None]:
        """One block of a worker's samples, in microseconds, and what came of those of its calls
        that were judged.

        rough_us: how long a call takes, about. Raises as `answer` does.
        """
        # The deadline is for one call; a block is many.
        timeout_s = COMPARE_TIMEOUT_S + 10 * (samples + 3) * rough_us / 1e6
        answer = self._about(worker, "block", timeout_s, samples=samples, judged=judged)
        self._made = NONE_NOW
        comparison = answer["comparison"]
        return answer["times_us"], _comparison(comparison) if comparison else None

    def handover(self, worker: WorkerClient, calls: int = 0) -> Mapping[str, float | None]:
        """What a call that does nothing takes, in microseconds: all times have it in them.

        `call_us` by the timer, and `batch_us` by the judge's clock for a batch of so many, None
        for none and on a CPU.
        """
        self.construct(worker)
        answer: Mapping[str, float | None] = self._about(
            worker, "handover", self._plan.timeout_s, calls=calls
        )
        return answer

    def bound(self, worker: WorkerClient, calls: int, rough_us: float) -> Mapping[str, Any]:
        """One batch of a worker's calls, as `Judge.bound` has it, but for `comparison`: a
        Comparison, or None. Raises as `answer` does."""
        timeout_s = COMPARE_TIMEOUT_S + 10 * calls * rough_us / 1e6
        answer = self._about(worker, "bound", timeout_s, calls=calls)
        self._made = NONE_NOW
        found = answer.get("comparison")
        return {**answer, "comparison": _comparison(found) if found else None}

    def launching(self, worker: WorkerClient, each_share: float) -> float:
        """How much of one of the calls that were timed last may be launching, at most, in
        microseconds. On a GPU.

        each_share: of what the host takes for an operation of torch's, what it takes at least for
        each launch.
        """
        told = self._about(worker, "launch", self._plan.timeout_s)
        try:
            launch_us, host_us, calls_us = (float(number) for number in told)
            if not all(0 < us < math.inf for us in (launch_us, host_us, calls_us)):
                raise ValueError("no such times")
        except (TypeError, ValueError):
            raise worker.nonsense("launch") from None
        return launch_us * max(1.0, calls_us / (each_share * host_us))

    def fallback(self, worker: WorkerClient) -> str:
        """What a kernel's file goes on without, if an extension of its own could not be had."""
        return str(self._about(worker, "fallback", self._plan.timeout_s))

    def dismiss(self, worker: WorkerClient) -> None:
        """Have a worker give the memory of the case back, since another may need it."""
        worker.constructed = False
        if self.child is not None and worker.judge is self.child:
            self._about(worker, "dismiss", self._plan.timeout_s)

    def detach(self, worker: WorkerClient) -> None:
        """Have the judge hang up on a worker, dead or alive."""
        if self.child is not None and worker.judge is self.child:
            with contextlib.suppress(ChildFailed):  # then it has hung up for certain
                self._ask("detach", name=worker.name)

    def _about(
        self,
        worker: WorkerClient,
        request: str,
        timeout_s: float,
        each_s: float | None = None,
        as_request: str = "",
        **arguments: Any,
    ) -> Any:
        """Ask for something that a worker is to do, each step of it in `each_s`; raises ChildFailed
        where it does not."""
        each_s = self._plan.timeout_s if each_s is None else each_s
        arguments["patience_s"] = each_s
        return self._of(worker, request, timeout_s + 2 * each_s, each_s, as_request, **arguments)

    def _of(
        self,
        worker: WorkerClient,
        request: str,
        timeout_s: float,
        each_s: float,
        as_request: str = "",
        **arguments: Any,
    ) -> Any:
        try:
            said = self._ask(request, timeout_s, name=worker.name, **arguments)
        except ChildFailed as failed:
            if failed.server_died:
                raise
            if request == "construct" and failed.alive:  # with what the reference is made of
                raise _ungradable(failed) from failed
            lacks_memory = failed.status is Status.OUT_OF_MEMORY
            status = Status.OUT_OF_MEMORY if lacks_memory else Status.CRASHED
            verdict = Verdict(status, f"the judge, over this output: {failed.reason}")
            if failed.alive:
                raise CaseFailed(verdict, lacks_memory) from failed
            raise JudgeDied(verdict) from failed
        if "worker" in said:
            raise worker.failed(as_request or request, said, each_s)
        return said["answer"]

    # Its life

    def end_case(self) -> None:
        """Give the memory of a case back."""
        self._case = self._draws = self._made = None
        if self.child is not None:
            # One that fails at this is replaced when it is next asked.
            with contextlib.suppress(ChildFailed):
                self._ask("release")

    def drop(self) -> None:
        """Do without the present judge; the next request starts another."""
        if self.child is not None:
            self.child.kill()
        self.child = None
        self._made = None  # what it had prepared died with it
        if not isinstance(self._draws, CaseFailed):
            self._draws = None

    def _ask(self, request: str, timeout_s: float | None = None, **arguments: Any) -> Any:
        if self.child is None:
            self.child = Child("harness.judge", log=self._log, timeout_s=self._plan.timeout_s)
        try:
            return self.child.ask(request, timeout_s, **arguments)
        except ChildFailed as failed:
            if not failed.alive:
                self.drop()
            raise


def _comparison(answer: Mapping[str, Any]) -> Comparison:
    status = answer["status"]
    return Comparison(**{**answer, "status": Status(status) if status else None})


def _ungradable(failed: ChildFailed, died: bool = False) -> CaseFailed:
    verdict = Verdict(Status.UNGRADABLE, f"reference: {failed.reason}", judge_died=died)
    return CaseFailed(verdict, lacks_memory=failed.status is Status.OUT_OF_MEMORY)
