"""PARENT: the judge as the runner sees it. A case is prepared once for all kernels; a judge that
dies is replaced, and a baseline that does not work is left out of the case.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.children import Child, ChildFailed
from harness.records import BASELINES, CONTRACT, Case, Comparison, Draw, Status, Verdict
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


class BaselineFailed(Exception):
    """A baseline broke off while it was timed: it is left out, and the row begun again."""


@dataclass(frozen=True)
class Prepared:
    """A case that the judge has ready."""

    trials: list[Draw]
    timed: list[int]
    """The trials that give the inputs of timed calls."""
    rough_us: dict[str, float]
    """Of every baseline that works on this case."""
    medians_us: dict[str, list[float]] = field(default_factory=dict)
    """Of every baseline, what it took beside each kernel that has been timed on this case."""


class JudgeClient:
    """Whoever is the judge at the moment, and the case that it has ready."""

    def __init__(self, plan: Plan, exchange: Path, logs: Path, report: Report) -> None:
        self._plan = plan
        self._exchange = exchange
        self._logs = logs
        self._report = report
        self.child: Child | None = None
        self._ready: Prepared | CaseFailed | None = None
        self._dropped: set[str] = set()
        """Baselines that do not work on the case at hand."""
        self._contract_only = False
        """Did the case at hand fail with all its trials?"""

    def prepare(self, case: Case, index: int) -> Prepared:
        """Have the judge get the case and its baselines ready, once for all kernels.

        One that dies over it, or had died since it was last asked, is replaced once. Where there is
        stress, that may be the cause, of a hang and a want of room as well: the second try keeps to
        the contract. Raises CaseFailed for what the reference cannot do, and ChildFailed if the
        server died.
        """
        if self._ready is None:
            try:
                try:
                    self._ready = self._prepare_now(case, index)
                except ChildFailed as failed:
                    stress = not self._plan.problem.families and not self._contract_only
                    if not stress and (failed.alive or failed.status is Status.TIMED_OUT):
                        raise
                    self._contract_only |= stress and not failed.server_died
                    self._ready = self._prepare_now(case, index)
            except ChildFailed as failed:
                if failed.server_died:
                    raise
                reason = f"reference: {failed.reason}"
                died = not failed.answered and failed.status is not Status.TIMED_OUT
                self._ready = CaseFailed(Verdict(Status.UNGRADABLE, reason, judge_died=died))
        if isinstance(self._ready, CaseFailed):
            raise self._ready
        return self._ready

    def _prepare_now(self, case: Case, index: int) -> Prepared:
        plan = self._plan
        answer = self._ask(
            "prepare",
            on_note=lambda text: self._report.step(f"reference  {case}  {text}"),
            problem=str(plan.problem.path),
            axes=dict(case.axes),
            dtype=case.dtype,
            # Cases draw from seeds far apart; the judge adds a small number per trial.
            seed=plan.seed + 1000 * index,
            families=CONTRACT if self._contract_only else plan.problem.families,
            step_s=plan.timeout_s,
        )
        rough_us: dict[str, float] = {}
        for name in () if plan.judge_only else plan.baselines:
            if name in self._dropped:
                continue
            self._report.step(f"{name}  {case}")
            compiles = BASELINES.get(name) is not None
            try:
                rough_us[name] = self._ask(
                    "start_baseline",
                    max(plan.timeout_s, COMPILE_TIMEOUT_S) if compiles else plan.timeout_s,
                    name=name,
                    timer=plan.effort.timer,
                    warm_up_s=plan.effort.warm_up_s,
                )
                self._report.baseline(case, name, rough_us[name])
            except ChildFailed as failed:
                if failed.server_died:
                    raise
                self._drop(name, case, failed)
                if self.child is None:  # it died of this one: again without
                    return self._prepare_now(case, index)
        trials = [Draw(**draw) for draw in answer["trials"]]
        return Prepared(trials, answer["timed"], rough_us)

    def _drop(self, baseline: str, case: Case, failed: ChildFailed) -> None:
        self._dropped.add(baseline)
        if isinstance(self._ready, Prepared):
            self._ready.rough_us.pop(baseline, None)
        self._report.note(f"baseline {baseline} has no time on {case}: {failed.reason}")

    def compare(self, trial: int, kernel: str) -> Comparison:
        """The judge's word on a kernel's output for a trial. Where it has none, the kernel is not
        cleared: raises JudgeDied if it died over it, CaseFailed if it can't compare."""
        timeout_s = max(self._plan.timeout_s, COMPARE_TIMEOUT_S)
        try:
            return _comparison(self._ask("compare", timeout_s, trial=trial, kernel=kernel))
        except ChildFailed as failed:
            if failed.server_died:
                raise
            memory = failed.status is Status.OUT_OF_MEMORY
            status = Status.OUT_OF_MEMORY if memory else Status.CRASHED
            verdict = Verdict(status, f"the judge, over this output: {failed.reason}")
            raise (CaseFailed if failed.alive else JudgeDied)(verdict) from failed

    def block(self, name: str, case: Case, timer: str, samples: int) -> list[float]:
        """One block of a baseline's samples, in microseconds."""
        try:
            timeout_s = max(self._plan.timeout_s, COMPILE_TIMEOUT_S)  # it may compile once more
            times_us: list[float] = self._ask(
                "block", timeout_s, name=name, timer=timer, samples=samples
            )
            return times_us
        except ChildFailed as failed:
            if failed.server_died:
                raise
            self._drop(name, case, failed)
            raise BaselineFailed(name) from failed

    def end_case(self) -> None:
        """Give the memory of a case back."""
        self._ready = None
        self._contract_only = False
        self._dropped.clear()
        if self.child is not None:
            # One that fails at this is replaced when it is next asked.
            with contextlib.suppress(ChildFailed):
                self._ask("release")

    def drop(self) -> None:
        """Do without the present judge; the next request starts another."""
        if self.child is not None:
            self.child.kill()
        self.child = None
        self._ready = None  # what it had prepared died with it

    def _ask(self, request: str, timeout_s: float | None = None, **arguments: Any) -> Any:
        if self.child is None:
            self.child = Child(
                "harness.judge",
                self._plan.device,
                str(self._exchange),
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
