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
from harness.run.ask_judge import CaseFailed, JudgeClient, JudgeDied
from harness.run.ask_worker import WorkerClient
from harness.run.plan import Plan


class Crew:
    """By name: no kernel is called as a baseline is (`catalog.find`)."""

    def __init__(self, plan: Plan, judge: JudgeClient, logs: Path) -> None:
        self._plan = plan
        self._judge = judge
        self._logs = logs
        self._workers: dict[str, WorkerClient] = {}

    def begin(self, kernel: Kernel, case: Case) -> None:
        """Have the kernel's worker load its file, and do not wait: in a new process if it has none,
        or one that its file's globals are not this case's in."""
        plan = self._plan
        overrides = {axis: case.axes[axis] for axis in restated_axes(kernel, plan.problem)}
        worker = self._workers.get(kernel.name)
        if worker and worker.overrides != overrides:
            self.drop(kernel.name)
        if kernel.name not in self._workers:
            worker = self._workers[kernel.name] = ask_worker.of_kernel(plan, kernel, self._logs)
            worker.begin_to_load(overrides)

    def kernel(self, kernel: Kernel, case: Case) -> WorkerClient:
        """The kernel's worker, its file loaded for the case. Raises ChildFailed; nothing is left of
        a worker whose file does not load."""
        self.begin(kernel, case)
        return self._loaded(self._workers[kernel.name])

    def baseline(self, name: str, case: Case) -> WorkerClient:
        """The baseline's worker, the problem's file loaded for the case; as `kernel`."""
        worker = self._workers.get(name)
        if worker is None:
            worker = self._workers[name] = ask_worker.of_baseline(self._plan, name, self._logs)
        if worker.overrides != case.axes:
            self._judge.detach(worker)
            worker.begin_to_load(case.axes, baseline=True)
        return self._loaded(worker)

    def _loaded(self, worker: WorkerClient) -> WorkerClient:
        try:
            worker.finish_loading()
        except ChildFailed:
            self.drop(worker.name)
            raise
        return worker

    def dismiss(self, name: str) -> None:
        """Have a worker, if there is one of this name, give back the memory of the case."""
        if worker := self._workers.get(name):
            try:
                self._judge.dismiss(worker)
            except (ChildFailed, CaseFailed, JudgeDied):
                self.drop(name)

    def dismiss_others(self, *names: str) -> bool:
        """Have all but these workers give their memory back; False if none had any."""
        holding = [name for name, worker in self._workers.items() if worker.constructed]
        others = [name for name in holding if name not in names]
        for name in others:
            self.dismiss(name)
        return bool(others)

    def make_room(self, *names: str) -> bool:
        """Have all but these workers give their memory back, or end those that have none to give:
        a process on a GPU holds some without any model. False if nothing is to be had."""
        return self.dismiss_others(*names) or self.drop_others(*names)

    def drop_others(self, *names: str) -> bool:
        """End all but these workers; False if there were none."""
        others = self._workers.keys() - set(names)
        for name in others:
            self.drop(name)
        return bool(others)

    def drop(self, name: str) -> None:
        """End a worker, if there is one of this name; the next request for it starts another."""
        if worker := self._workers.get(name):
            worker.child.kill()
            del self._workers[name]  # not before: a Ctrl-C is to find it
            self._judge.detach(worker)

    def drop_all(self) -> None:
        for name in list(self._workers):
            self.drop(name)

    def children(self) -> Iterator[Child]:
        for worker in self._workers.values():
            yield worker.child
