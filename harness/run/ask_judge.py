"""PARENT: the judge as the runner sees it. A case is prepared once for all kernels; a judge that
dies is replaced, and a baseline that does not work is left out of the case.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.children import Child, ChildFailed
from harness.records import Case, Comparison, Status, Verdict
from harness.run.plan import Plan, Report

TIMEOUT_S = 600.0
"""For one request; making the truth and compiling a baseline take longest."""


class CaseFailed(Exception):
    """The judge could not prepare or judge a case: the verdict for the kernel at hand."""

    def __init__(self, verdict: Verdict):
        super().__init__(verdict.reason)
        self.verdict = verdict


class BaselineFailed(Exception):
    """A baseline broke off while it was timed: it is left out, and the row begun again."""


@dataclass(frozen=True)
class Prepared:
    """A case that the judge has ready."""

    trials: int
    timed: list[int]
    """The trials that give the inputs of timed calls."""
    rough_us: dict[str, float]
    """Of every baseline that works on this case."""


class Judging:
    """Whoever is the judge at the moment, and the case that it has ready."""

    def __init__(self, plan: Plan, exchange: Path, logs: Path, report: Report) -> None:
        self._plan = plan
        self._exchange = exchange
        self._logs = logs
        self._report = report
        self._child: Child | None = None
        self._ready: Prepared | CaseFailed | None = None
        self._dropped: set[str] = set()
        """Baselines that do not work on the case at hand."""

    def prepare(self, case: Case, index: int) -> Prepared:
        """Have the judge get the case and its baselines ready, once for all kernels."""
        if self._ready is None:
            try:
                self._ready = self._prepare_now(case, index)
            except ChildFailed as failed:
                self._ready = CaseFailed(Verdict(Status.UNGRADABLE, f"reference: {failed.reason}"))
        if isinstance(self._ready, CaseFailed):
            raise self._ready
        return self._ready

    def _prepare_now(self, case: Case, index: int) -> Prepared:
        plan = self._plan
        made = self._ask(
            "prepare",
            problem=str(plan.problem.path),
            axes=dict(case.axes),
            dtype=case.dtype,
            # Cases draw from seeds far apart; the judge adds a small number per trial.
            seed=plan.seed + 1000 * index,
            families=plan.problem.families,
        )
        rough_us: dict[str, float] = {}
        for name in () if plan.judge_only else plan.baselines:
            if name in self._dropped:
                continue
            self._report.step(f"{name}  {case}")
            try:
                rough_us[name] = self._ask(
                    "start_baseline", name=name, warm_up_s=plan.effort.warm_up_s
                )
                self._report.baseline(case, name, rough_us[name])
            except ChildFailed as failed:
                self._drop(name, case, failed)
                if self._child is None:  # it died of this one: again without
                    return self._prepare_now(case, index)
        return Prepared(len(made["trials"]), made["timed"], rough_us)

    def _drop(self, baseline: str, case: Case, failed: ChildFailed) -> None:
        self._dropped.add(baseline)
        if isinstance(self._ready, Prepared):
            self._ready.rough_us.pop(baseline, None)
        self._report.note(f"baseline {baseline} has no time on {case}: {failed.reason}")

    def compare(self, trial: int, output: Path) -> Comparison:
        """The judge's word on a kernel's output. Where it has none, the kernel is not cleared."""
        try:
            return _comparison(self._ask("compare", trial=trial, output=str(output)))
        except ChildFailed as failed:
            memory = failed.status is Status.OUT_OF_MEMORY
            status = Status.OUT_OF_MEMORY if memory else Status.CRASHED
            reason = f"the judge, over this output: {failed.reason}"
            raise CaseFailed(Verdict(status, reason)) from failed
        finally:
            output.unlink(missing_ok=True)

    def _ask(self, request: str, **arguments: Any) -> Any:
        if self._child is None:
            self._child = Child(
                "harness.judge",
                self._plan.device,
                str(self._exchange),
                log=self._logs / "judge.log",
            )
        try:
            return self._child.ask(request, TIMEOUT_S, **arguments)
        except ChildFailed as failed:
            if not failed.alive:
                self._child.kill()
                self._child = None
                self._ready = None  # what it had prepared died with it
            raise

    def block(self, name: str, case: Case, samples: int) -> list[float]:
        """One block of a baseline's samples, in microseconds."""
        try:
            taken: list[float] = self._ask("block", name=name, samples=samples)
            return taken
        except ChildFailed as failed:
            self._drop(name, case, failed)
            raise BaselineFailed(name) from failed

    def end_case(self) -> None:
        """Give the memory of a case back."""
        self._ready = None
        self._dropped.clear()
        if self._child is not None:
            # One that fails at this is replaced when it is next asked.
            with contextlib.suppress(ChildFailed):
                self._ask("release")

    @property
    def children(self) -> list[Child]:
        return [self._child] if self._child else []


def _comparison(answer: Mapping[str, Any]) -> Comparison:
    status = answer["status"]
    return Comparison(**{**answer, "status": Status(status) if status else None})
