"""PARENT: the workers of a run: one for each kernel and each baseline, started when it is needed,
replaced when it is lost.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.catalog.facts import restated_axes
from harness.children import Child, ChildFailed
from harness.records import Case, Kernel
from harness.run import ask_worker
from harness.run.ask_judge import JudgeClient
from harness.run.ask_worker import WorkerClient
from harness.run.plan import Plan


class Crew:
    """By name: no kernel is called as a baseline is (`catalog.find`)."""

    def __init__(self, plan: Plan, judge: JudgeClient, logs: Path) -> None:
        self._plan = plan
        self._judge = judge
        self._logs = logs
        self._workers: dict[str, WorkerClient] = {}

    def kernel(self, kernel: Kernel, case: Case) -> WorkerClient:
        """The kernel's worker, started if it has none, or one that its file's globals are not
        this case's in. Raises ChildFailed."""
        plan = self._plan
        overrides = {axis: case.axes[axis] for axis in restated_axes(kernel, plan.problem)}
        worker = self._workers.get(kernel.name)
        if worker and worker.overrides != overrides:
            self.drop(kernel.name)
        if kernel.name not in self._workers:
            self._workers[kernel.name] = ask_worker.of_kernel(plan, kernel, overrides, self._logs)
        return self._workers[kernel.name]

    def baseline(self, name: str, case: Case) -> WorkerClient:
        """The baseline's worker, the problem's file loaded for the case. Raises ChildFailed."""
        key = _key(name)
        worker = self._workers.get(key)
        if worker is None:
            worker = ask_worker.of_baseline(self._plan, name, case.axes, self._logs)
            self._workers[key] = worker
        elif worker.overrides != case.axes:
            self._judge.detach(worker)
            try:
                worker.load(case.axes, baseline=True)
            except ChildFailed:
                self.drop(key)
                raise
        return worker

    def fallback(self, name: str) -> str:
        """What a kernel's file goes on without, as its worker says; "" if it has none any more."""
        worker = self._workers.get(name)
        return self._judge.fallback(worker) if worker and worker.judge else ""

    def dismiss_all(self) -> None:
        """Have every worker give back the memory of the case, which is over."""
        for key, worker in list(self._workers.items()):
            if worker.constructed:
                self.dismiss(key)

    def dismiss(self, name: str) -> None:
        """Have a kernel's worker, if it has one, give back the memory of the case."""
        if worker := self._workers.get(name):
            try:
                self._judge.dismiss(worker)
            except Exception:
                self.drop(name)

    def dismiss_others(self, name: str) -> bool:
        """Have all other workers give their memory back; False if none had any."""
        holding = [key for key, worker in self._workers.items() if worker.constructed]
        for key in holding:
            if key != name:
                self.dismiss(key)
        return bool(set(holding) - {name})

    def drop(self, name: str) -> None:
        """End a worker; the next request for it starts another."""
        if worker := self._workers.pop(name, None):
            worker.child.kill()
            self._judge.detach(worker)

    def drop_baseline(self, name: str) -> None:
        self.drop(_key(name))

    def drop_all(self) -> None:
        for name in list(self._workers):
            self.drop(name)

    def children(self) -> Iterator[Child]:
        for worker in self._workers.values():
            yield worker.child


def _key(baseline: str) -> str:
    return f"baseline {baseline}"
