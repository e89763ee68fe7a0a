"""A judge in this process, and workers that it meets: real ones, in processes of their own."""

from __future__ import annotations

import multiprocessing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from command_line import TINY, bad_kernel

from harness.children import Child
from harness.judge import Judge
from harness.records import OTHER_WEIGHTS

PATIENCE_S = 60.0
"""Longer than anything takes, however busy the machine."""

FAMILIES = ["own", "normal", "non_finite"]
TRIALS = ["own", "own again", "own changed", OTHER_WEIGHTS, "normal", "NaN", "infinite"]
"""Those of a case with these families."""

COUNT = "self.calls = getattr(self, 'calls', 0) + 1"
"""A line of a kernel's."""

EXACT = bad_kernel("control_exact").read_text()
RIGHT = "torch.clamp(self.linear(x), -3, 3)"


def doing(*lines: str, constructor: str = "") -> str:
    """A kernel whose forward is these lines; `y` is what the reference returns for `x`."""
    body = "\n".join(f"        {line}" for line in (f"y = {RIGHT}", *lines))
    text = EXACT.replace(f"        return {RIGHT}", body)
    text = text.replace("import torch\n", "import os, signal, time\nimport torch\n", 1)
    built = "self.linear = nn.Linear(in_features, out_features)"
    return text.replace(built, f"{built}\n        {constructor}")


def returning(output: str) -> str:
    """A kernel that returns this, made from `y`."""
    return doing(f"return {output}")


def problem(forward: str, constructor: str = "") -> str:
    """A problem whose Model is the tiny one's, but for these lines."""
    text = TINY.read_text().replace(f"return {RIGHT}", forward)
    built = "self.linear = nn.Linear(in_features, out_features)"
    return text.replace(built, f"{built}\n        {constructor}")


class Court:
    """A judge with a case, and workers by name. A kernel goes by its name in bad_kernels/, or is
    the text of its file."""

    def __init__(self, folder: Path, device: str = "cpu") -> None:
        self.judge = Judge()
        self.device = device
        self.children: dict[str, Child] = {}
        self.draws: list[dict[str, Any]] = []
        self._folder = folder

    def prepare(self, problem: Path | str = TINY, **changes: Any) -> list[dict[str, Any]]:
        """Have the judge prepare a case, and make its first trial."""
        usual = {"axes": {}, "dtype": "float32", "secret": "1", "families": ["own"], "step_s": 60.0}
        path = self._file("problem", problem)
        self.draws = self.judge.prepare(self.device, str(path), **(usual | changes))
        self.judge.make(0)
        return self.draws

    def hire(self, kernel: str, name: str = "kernel") -> Child:
        """A worker with a kernel loaded, that listens to the judge."""
        child = self._start(name, self._file(name, kernel))
        child.ask("load", overrides={})
        self.attach(name)
        return child

    def hire_baseline(
        self, problem: Path = TINY, name: str = "eager", axes: Mapping[str, Any] | None = None
    ) -> Child:
        child = self._start(name, problem)
        child.ask("load_baseline", name=name, axes=dict(axes or {}))
        self.attach(name)
        return child

    def _start(self, name: str, path: Path) -> Child:
        log = self._folder / f"{name}.log"
        arguments = (str(path), self.device, None)
        child = Child("harness.worker", *arguments, log=log, timeout_s=PATIENCE_S)
        self.children[name] = child
        return child

    def attach(self, name: str = "kernel") -> None:
        ours, theirs = multiprocessing.Pipe()
        child = self.children[name]
        child.tell("listen", connection=theirs)
        assert self.judge.attach(name, child.pid, ours) == {"answer": None}

    def detach(self, name: str = "kernel") -> None:
        """Hang up, and wait until the worker has noticed."""
        self.judge.detach(name)
        assert self.children[name].hear("listen") is None

    def construct(self, name: str = "kernel", patience_s: float = PATIENCE_S) -> dict[str, Any]:
        return self.judge.construct(name, patience_s)

    def constructed(self, kernel: str, name: str = "kernel") -> Child:
        """A worker that has made its model for the case."""
        child = self.hire(kernel, name)
        assert self.construct(name) == {"answer": None}
        return child

    def answer(
        self, trial: str = "", name: str = "kernel", patience_s: float = PATIENCE_S
    ) -> Mapping[str, Any]:
        """The judge's word on what the worker answers: a comparison, or what became of it.

        trial: made for it; none for the one that the judge has.
        """
        if trial:
            self.judge.make([draw["name"] for draw in self.draws].index(trial))
        said = self.judge.answer(name, patience_s)
        return said.get("answer", said)

    def block(
        self, samples: int = 4, name: str = "kernel", judged: bool = True,
        patience_s: float = PATIENCE_S,
    ) -> Mapping[str, Any]:  # fmt: skip
        said = self.judge.block(name, samples, patience_s, judged)
        return said.get("answer", said)

    def bound(self, calls: int, name: str = "kernel") -> Mapping[str, Any]:
        said = self.judge.bound(name, calls, PATIENCE_S)
        return said.get("answer", said)

    def close(self) -> None:
        for name, child in self.children.items():
            child.kill()
            self.judge.detach(name)

    def _file(self, name: str, kernel: Path | str) -> Path:
        if isinstance(kernel, Path):
            return kernel
        if "\n" not in kernel:
            return bad_kernel(kernel)
        path = self._folder / f"{name}.py"
        path.write_text(kernel)
        return path
