"""PARENT: the judge as the runner sees it. One that dies is replaced, and brought to where it was.

Each request names where in the run it belongs, so that a judge that is new is told all that it
needs first: the case, the trial, the worker.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from harness.children import Child, ChildFailed
from harness.records import Case, Comparison, Draw, Status, Verdict
from harness.run.ask_worker import WorkerClient
from harness.run.plan import Plan, Report

COMPILE_TIMEOUT_S = 600.0
"""For making a baseline ready that compiles; everything else has the time that kernels have."""
COMPARE_TIMEOUT_S = 600.0
"""For one comparison: it reads tensors of any size."""


class CaseFailed(Exception):
    """The judge could not prepare or judge a case: the verdict for the kernel at hand."""

    def __init__(self, verdict: Verdict):
        super().__init__(verdict.reason)
        self.verdict = verdict


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
        self._logs = logs
        self._report = report
        self.child: Child | None = None
        self._case: tuple[Case, int] | None = None
        self._draws: list[Draw] | CaseFailed | None = None
        self._made: int | None = None
        """The trial that it has ready."""

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
        if isinstance(self._draws, CaseFailed):
            raise self._draws
        return self._draws

    def _prepare_now(self) -> list[Draw]:
        assert self._case is not None
        plan, (case, index) = self._plan, self._case
        answer = self._ask(
            "prepare",
            on_note=lambda text: self._report.step(f"reference  {case}  {text}"),
            problem=str(plan.problem.path),
            axes=dict(case.axes),
            dtype=case.dtype,
            secret=f"{plan.seed} {index}",
            families=plan.problem.families,
            step_s=plan.timeout_s,
        )
        return [Draw(**draw) for draw in answer]

    def make(self, trial: int) -> bool:
        """Have the judge get a trial ready; False for one of stress that the reference cannot do.

        Raises as `prepare` does.
        """
        if self._made == trial:
            return True
        assert self._case is not None
        case, index = self._case
        draw = self.prepare(case, index)[trial]

        def make() -> None:
            self.prepare(case, index)  # it may be a new one
            self._ask(
                "make",
                on_note=lambda text: self._report.step(f"reference  {case}  {text}"),
                trial=trial,
            )

        failed = self._reference_does(make, tries=1 if draw.stress else 2)
        if isinstance(failed, CaseFailed):
            if draw.stress:
                return False
            self._draws = failed
            raise failed
        self._made = trial
        return True

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
                reason = f"reference: {failed.reason}"
                return CaseFailed(Verdict(Status.UNGRADABLE, reason, judge_died=died))

    # What it does with a worker

    def answer(self, worker: WorkerClient, trial: int) -> Comparison:
        """The judge's word on what a worker answers to a trial.

        Raises ChildFailed for what the worker does not do. Where the judge has no word, the kernel
        is not cleared: raises JudgeDied if it died over it, CaseFailed if it can't compare.
        """
        self.make(trial)
        self._construct(worker, self._plan.timeout_s)
        return _comparison(self._about(worker, "answer", COMPARE_TIMEOUT_S, as_request="call"))

    def warm_up(self, worker: WorkerClient, seconds: float, timeout_s: float) -> float:
        """Get a worker ready to be timed; rough microseconds per call."""
        self._ready_to_time()
        self._construct(worker, timeout_s)
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
        comparison = answer["comparison"]
        return answer["times_us"], _comparison(comparison) if comparison else None

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

    def _ready_to_time(self) -> None:
        """A new judge must have made a trial, to know what a call changes and returns."""
        if self._made is None:
            self.make(0)

    def _construct(self, worker: WorkerClient, timeout_s: float) -> None:
        """Have a worker listen to this judge, and have a model for its case."""
        assert self.child is not None
        if worker.judge is not self.child:
            ours = worker.listen(self.child)
            said = self._ask("attach", name=worker.name, pid=worker.child.pid, connection=ours)
            if "worker" in said:
                raise worker.failed("attach", said, timeout_s)
        if not worker.constructed:
            self._about(worker, "construct", timeout_s, each_s=timeout_s)
            worker.constructed = True

    def _about(
        self,
        worker: WorkerClient,
        request: str,
        timeout_s: float,
        each_s: float | None = None,
        as_request: str = "",
        **arguments: Any,
    ) -> Any:
        """Ask for something that a worker is to do; raises ChildFailed where it does not."""
        each_s = self._plan.timeout_s if each_s is None else each_s
        try:
            said = self._ask(
                request, timeout_s + 2 * each_s, name=worker.name, patience_s=each_s, **arguments
            )
        except ChildFailed as failed:
            if failed.server_died:
                raise
            memory = failed.status is Status.OUT_OF_MEMORY
            status = Status.OUT_OF_MEMORY if memory else Status.CRASHED
            verdict = Verdict(status, f"the judge, over this output: {failed.reason}")
            raise (CaseFailed if failed.alive else JudgeDied)(verdict) from failed
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
            self.child = Child(
                "harness.judge",
                self._plan.device,
                log=self._logs / "judge.log",
                timeout_s=self._plan.timeout_s,
            )
        try:
            return self.child.ask(request, timeout_s, **arguments)
        except ChildFailed as failed:
            if not failed.alive:
                self.drop()
            raise


def _comparison(answer: Mapping[str, Any]) -> Comparison:
    status = answer["status"]
    return Comparison(**{**answer, "status": Status(status) if status else None})
