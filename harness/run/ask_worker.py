"""PARENT: one worker as the runner sees it: started, loaded, handed over to the judge."""

from __future__ import annotations

import contextlib
import multiprocessing
from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from harness.children import Child, ChildFailed
from harness.records import Kernel, Status
from harness.run.plan import Plan

_MAY_SAY = frozenset(
    {
        *(Status.BUILD_FAILED, Status.LOAD_FAILED, Status.RUNTIME_ERROR, Status.OUT_OF_MEMORY),
        Status.WRONG_STRUCTURE,  # of it, by the judge
    }
)
"""What is believed of a process that a kernel may speak for: none that clears it."""


class WorkerClient:
    """One worker, of a kernel or a baseline. Every request raises ChildFailed as `Child.ask` does.

    What the judge says of it that it does not do, it says here: `failed`.
    """

    def __init__(self, plan: Plan, name: str, path: Path, logs: Path) -> None:
        """Start the process."""
        self.name = name
        self.overrides: Mapping[str, Any] | None = None
        """The values that globals of its file are loaded with; None before."""
        self.judge: Child | None = None
        """Whom it listens to."""
        self.constructed = False
        """Has it a model for the case that the judge has ready?"""
        self._loading = ""
        """The request that it has not answered yet."""
        self._timeout_s = plan.timeout_s
        self.child = Child(
            "harness.worker", str(path), plan.device, plan.arch,
            log=logs / f"{name}.log", timeout_s=plan.timeout_s,
        )  # fmt: skip

    def begin_to_load(self, overrides: Mapping[str, Any], baseline: bool = False) -> None:
        """Have it import its file, with these values for its globals, and do not wait: whatever
        fails is raised by `finish_loading`."""
        self.overrides = overrides
        self._loading = "load_baseline" if baseline else "load"
        with contextlib.suppress(ChildFailed):  # what does not hear this does not answer it either
            self.stop_listening()
            if baseline:
                self.child.tell("load_baseline", name=self.name, axes=dict(overrides))
            else:
                self.child.tell("load", overrides=dict(overrides))

    def finish_loading(self) -> None:
        """Wait until its file is imported, if it has not done so yet."""
        if not self._loading:
            return
        try:
            self.child.hear(self._loading)
        except ChildFailed as failed:
            if failed.answered and not (failed.status in _MAY_SAY and failed.reason):
                raise self.nonsense("load") from failed
            raise
        self._loading = ""

    def listen(self, judge: Child) -> Connection:
        """Have it listen to a judge; return the judge's end of the connection."""
        self.stop_listening()
        ours, theirs = multiprocessing.Pipe()
        self.child.tell("listen", connection=theirs)
        self.judge = judge
        return ours

    def stop_listening(self) -> None:
        """Wait for it to notice that its judge has hung up, or was killed while it had it stand
        still."""
        self.constructed = False
        if self.judge is not None:
            self.judge = None
            self.child.go_on()
            self.child.hear("listen")

    def failed(self, request: str, said: Mapping[str, Any], timeout_s: float) -> ChildFailed:
        """What the judge says of a request that got no good answer, as the parent takes it."""
        if said["worker"] == "late":
            self.child.kill()
            reason = f"no answer to {request!r} within {timeout_s:g} s"
            return ChildFailed(Status.TIMED_OUT, reason, alive=False)
        if said["worker"] == "failed":
            if not (said["status"] in _MAY_SAY and said["reason"]):
                return self.nonsense(request)
            if said["poisoned"]:
                self.child.kill()
            status, alive = Status(said["status"]), not said["poisoned"]
            return ChildFailed(status, said["reason"], alive, answered=True)
        try:
            self.child.hear(request, 5.0)
        except ChildFailed as failed:
            if not failed.answered and failed.status is not Status.TIMED_OUT:
                return failed  # it says how the process died
        self.child.kill()
        reason = f"the process hung up during {request!r}"
        return ChildFailed(Status.CRASHED, reason, alive=False)

    def nonsense(self, request: str) -> ChildFailed:
        """End it: its answer is none."""
        self.child.kill()
        reason = f"the process answered {request!r} with what is no answer"
        return ChildFailed(Status.CRASHED, reason, alive=False)


def of_kernel(plan: Plan, kernel: Kernel, logs: Path) -> WorkerClient:
    """A kernel's worker, started."""
    return WorkerClient(plan, kernel.name, kernel.path, logs)


def of_baseline(plan: Plan, name: str, logs: Path) -> WorkerClient:
    """A baseline's worker, started."""
    return WorkerClient(plan, name, plan.problem.path, logs)
