"""PARENT: a kernel's worker as the runner sees it, believed in nothing that can be checked here."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.children import Child, ChildFailed
from harness.records import Kernel, Status
from harness.run.plan import Plan


class WorkerClient:
    """One worker with its kernel loaded. Every request raises ChildFailed as `Child.ask` does."""

    def __init__(
        self,
        plan: Plan,
        kernel: Kernel,
        overrides: Mapping[str, Any],
        exchange: Path,
        logs: Path,
    ) -> None:
        """Start the process and load the kernel; nothing is left of it where that fails.

        overrides: values for globals of the kernel's file that restate the problem's axes.
        """
        self.overrides = overrides
        self.constructed = False
        """Has it a ModelNew for the case that the judge has ready?"""
        self._timeout_s = plan.timeout_s
        self.child = Child(
            "harness.worker",
            str(kernel.path),
            plan.device,
            plan.arch,
            str(exchange),
            log=logs / f"{kernel.name}.log",
            timeout_s=plan.timeout_s,
        )
        try:
            self.child.ask("load", overrides=dict(overrides))
        except BaseException:
            self.child.kill()
            raise

    def construct(self) -> None:
        """Make ModelNew for the case that the judge has ready."""
        self.child.ask("construct")
        self.constructed = True

    def call(self, trial: int) -> str:
        """Have the kernel's output on a trial put into the exchange; what the file goes on
        without, if an extension of its own could not be had, else ""."""
        return str(self.child.ask("call", trial=trial))

    def warm_up(self, trials: Sequence[int], seconds: float) -> float:
        """Get ready to be timed on these trials in turn; rough microseconds per call."""
        rough_us = self.child.ask(
            "warm_up", self._timeout_s + seconds, trials=trials, seconds=seconds
        )
        return _checked_times("warm_up", [rough_us], 1)[0]

    def block(self, timer: str, samples: int, rough_us: float) -> list[float]:
        """One block of samples, in microseconds. rough_us: how long a call takes, about."""
        # The deadline is for one call; a block is many.
        timeout_s = self._timeout_s + 10 * (samples + 3) * rough_us / 1e6
        times_us = self.child.ask("block", timeout_s, timer=timer, samples=samples)
        return _checked_times("block", times_us, samples)

    def finish(self, trials: Sequence[int]) -> int:
        """One more call, made as the timed ones were, put into the exchange; which trial's."""
        at = self.child.ask("finish")
        if type(at) is not int or at not in range(len(trials)):
            raise _unusable("finish", at)
        return trials[at]

    def release(self) -> None:
        """Give the memory of the case back, since another kernel may need it."""
        self.constructed = False
        self.child.ask("release")


def _checked_times(request: str, times_us: Any, count: int) -> list[float]:
    """A worker's answer, if it is so many times that a clock can measure; else ChildFailed."""
    usable = isinstance(times_us, list) and len(times_us) == count
    if not usable or not all(
        isinstance(us, int | float) and math.isfinite(us) and us > 0 for us in times_us
    ):
        raise _unusable(request, times_us)
    return [float(us) for us in times_us]


def _unusable(request: str, answer: object) -> ChildFailed:
    reason = f"the kernel's process answers {request!r} with {str(answer)[:80]}"
    return ChildFailed(Status.RUNTIME_ERROR, reason, alive=False)
