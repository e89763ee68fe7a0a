"""What a run is told, and whom it tells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from harness.children import Child
from harness.records import Build, Case, Kernel, Machine, Problem, Result


@dataclass(frozen=True)
class Effort:
    """How to measure, and how long. Every subject gets `blocks` blocks, in alternating order."""

    timer: str
    """A name in `timing.stopwatch.TIMERS`."""
    blocks: int
    block_us: float
    """A block holds about as many samples of the slowest subject as fit in this time."""
    min_samples: int
    max_samples: int
    warm_up_s: float


FULL = {
    "cuda": Effort(
        timer="cold", blocks=10, block_us=20_000, min_samples=4, max_samples=20, warm_up_s=0.05
    ),
    "cpu": Effort(
        timer="wall", blocks=10, block_us=40_000, min_samples=3, max_samples=20, warm_up_s=0.1
    ),
}
QUICK = {
    "cuda": Effort(
        timer="cold", blocks=4, block_us=10_000, min_samples=3, max_samples=10, warm_up_s=0.02
    ),
    "cpu": Effort(
        timer="wall", blocks=4, block_us=20_000, min_samples=3, max_samples=10, warm_up_s=0.05
    ),
}


@dataclass(frozen=True)
class Plan:
    """All that a run needs to know."""

    problem: Problem
    kernels: Sequence[Kernel]
    cases: Sequence[Case]
    baselines: Sequence[str]
    machine: Machine
    effort: Effort
    seed: int = 0
    """Secret while the run lasts; every case's inputs derive from it."""
    timeout_s: float = 60.0
    """For one request to a worker."""
    judge_only: bool = False
    strict: bool = False
    """Is what goes wrong beyond the problem's contract a failure?"""
    rebuild: bool = False
    """Build even what the store has, remembered failures included."""
    judge: Child | None = None
    """The process that told of the machine, which goes on as the run's judge."""

    @property
    def device(self) -> str:
        return self.machine.device

    @property
    def capability(self) -> tuple[int, int] | None:
        return self.machine.capability

    @property
    def arch(self) -> str | None:
        return self.machine.arch


class Report(Protocol):
    """What the command line shows while the run goes on."""

    def step(self, text: str) -> None: ...
    def built(self, kernel: Kernel, build: Build) -> None: ...
    def baseline(self, case: Case, name: str, rough_us: float) -> None: ...
    def note(self, text: str) -> None: ...
    def row(self, result: Result) -> None: ...
