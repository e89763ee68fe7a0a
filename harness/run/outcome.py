"""PARENT: what became of one kernel on one case, until it is a row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.records import (
    KERNEL,
    Bound,
    Build,
    Case,
    Comparison,
    Draw,
    Kernel,
    Problem,
    Result,
    Status,
    Timing,
    Verdict,
)
from harness.timing import stats
from harness.verdict import ruling


@dataclass
class Outcome:
    """What became of one kernel on one case, as far as it is known."""

    verdict: Verdict | None = None
    """None while it is judged."""
    tried: list[tuple[Draw, Comparison]] = field(default_factory=list)
    timings: Mapping[str, Timing] = field(default_factory=dict)
    """By subject; empty if it was not timed."""
    bound: Bound | None = None
    fallback: str = ""
    """What its file went on without, as its worker says."""

    def failed(self, verdict: Verdict) -> None:
        """It failed for good, of which this much was known before."""
        known = self.verdict
        self.verdict = (
            ruling.broken_off(known, verdict.status, verdict.reason) if known else verdict
        )

    def row(
        self, problem: Problem, kernel: Kernel, case: Case, index: int, build: Build | None
    ) -> Result:
        """Once there is a verdict; build: None where nothing was built."""
        assert self.verdict is not None
        fallback = self.fallback or (build.fallback if build else "")
        baselines = dict(self.timings)
        own = baselines.pop(KERNEL, None)
        if not self.verdict.timed:  # what its process tells is not believed
            own = None
        ranked = own is not None and self.verdict.status is Status.PASSED and not fallback
        return Result(
            problem=problem.name,
            kernel=kernel.name,
            case=case,
            case_index=index,
            verdict=self.verdict,
            build=build,
            known_defect=kernel.known_defect,
            timing=own,
            bound=self.bound,
            baselines=baselines,
            speedups={name: stats.speedup(t, own) for name, t in baselines.items()}
            if ranked and own
            else {},
            fallback=fallback,
        )
