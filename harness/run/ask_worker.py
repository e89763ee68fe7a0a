"""PARENT: one worker as the runner sees it: started, loaded, handed over to the judge."""

from __future__ import annotations

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
        """The values that globals of its file were loaded with; None before."""
        self.judge: Child | None = None
        """Whom it listens to."""
        self.constructed = False
        """Has it a model for the case that the judge has ready?"""
        self._timeout_s = plan.timeout_s
        self.child = Child(
            "harness.worker", str(path), plan.device, plan.arch,
            log=logs / f"{name}.log", timeout_s=plan.timeout_s,
        )  # fmt: skip

    def load(self, overrides: Mapping[str, Any], baseline: bool = False) -> None:
        """Have it import its file, with these values for its globals."""
        self.stop_listening()
        try:
            if baseline:
                self.child.ask("load_baseline", name=self.name, axes=dict(overrides))
            else:
                self.child.ask("load", overrides=dict(overrides))
        except ChildFailed as failed:
            if failed.answered and not (failed.status in _MAY_SAY and failed.reason):
                raise self.nonsense("load") from failed
            raise
        self.overrides = overrides

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


def of_kernel(plan: Plan, kernel: Kernel, overrides: Mapping[str, Any], logs: Path) -> WorkerClient:
    """A kernel's worker with its file loaded; nothing is left of it where that fails."""
    return _loaded(WorkerClient(plan, kernel.name, kernel.path, logs), overrides, baseline=False)


def of_baseline(plan: Plan, name: str, axes: Mapping[str, Any], logs: Path) -> WorkerClient:
    """A baseline's worker with the problem's file loaded; as `of_kernel`."""
    client = WorkerClient(plan, name, plan.problem.path, logs)
    return _loaded(client, axes, baseline=True)


def _loaded(client: WorkerClient, overrides: Mapping[str, Any], baseline: bool) -> WorkerClient:
    try:
        client.load(overrides, baseline)
    except BaseException:
        client.child.kill()
        raise
    return client
