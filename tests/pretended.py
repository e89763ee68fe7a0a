"""The children of a run, pretended: a test sets what they answer and sees what they were asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.children import ChildFailed
from harness.records import Build, Case, Draw, Kernel, Machine, Problem, Result, Status
from harness.run.plan import Effort, Plan

Answer = Any
"""What a pretended child returns, or raises if it is an exception."""


def fails(
    status: Status, alive: bool = True, server_died: bool = False, answered: bool | None = None
) -> ChildFailed:
    answered = alive if answered is None else answered
    return ChildFailed(status, f"pretended {status}", alive, server_died, answered)


RIGHT = {"status": None, "reason": "", "error_rel": 1e-7, "eager_error_rel": 2e-7}

WRONG = RIGHT | {"status": "WRONG_VALUES", "reason": "off"}

LOST = WRONG | {"reason": "lost", "error_rel": None}

OWN = Draw("own", finite=True, stress=False)
NAN = Draw("NaN", finite=False, stress=False)
HUGE = Draw("huge normal", finite=True, stress=True)
STRESS = (HUGE, Draw("NaN", finite=False, stress=True), Draw("infinite", finite=False, stress=True))


def prepared(*draws: Draw) -> Answer:
    """What the judge answers when it has these trials ready."""
    return {"trials": [asdict(draw) for draw in draws], "timed": [0]}


ANSWERS: Mapping[str, Answer] = {
    "build": {"seconds": 1.0},
    "prepare": prepared(OWN, NAN),
    "start_baseline": 1000.0,
    "compare": RIGHT,
    "load": None,
    "construct": None,
    "call": "",
    "warm_up": 500.0,
    "finish": 0,
    "block": [],  # see Stage.answer
    "release": None,
}


class Stage:
    """The children of a run, what they were asked, and what they answer.

    `answers` maps "who request" to a list of answers, the last of which is repeated; who is
    "judge", or a kernel's name for its worker and its builder.
    """

    def __init__(self) -> None:
        self.answers: dict[str, list[Answer]] = {}
        self.asked: list[str] = []
        self.arguments: list[tuple[str, dict[str, Any]]] = []
        self.children: list[FakeChild] = []

    def started(self, who: str) -> int:
        return sum(child.who == who for child in self.children)

    def answer(self, child: FakeChild, request: str, arguments: dict[str, Any]) -> Answer:
        assert child.alive, f"{child.who} is dead and asked to {request}"
        who = Path(arguments["kernel"]).stem if request == "build" else child.who
        asked = f"{who} {request}" + (f" {arguments['name']}" if "name" in arguments else "")
        self.asked.append(asked)
        self.arguments.append((asked, arguments))
        answers = self.answers.get(asked) or self.answers.get(f"{who} {request}") or []
        answer = answers.pop(0) if len(answers) > 1 else (*answers, ANSWERS[request])[0]
        if answer == []:
            answer = [100.0 + i for i in range(arguments["samples"])]
        if callable(answer):
            answer = answer()
        if isinstance(answer, ChildFailed):
            child.alive = answer.alive
        if isinstance(answer, BaseException):
            raise answer
        return answer


class FakeChild:
    def __init__(self, stage: Stage, module: str, *args: Any, log: Path, timeout_s: float) -> None:
        self.stage = stage
        self.who = {"harness.judge": "judge", "harness.builder": "builder"}.get(module) or Path(
            args[0]
        ).stem
        self.alive = True
        self.killed = False
        self.dead_with_server = False
        self.loaded = self.who in ("judge", "builder")
        stage.children.append(self)

    def ask(
        self,
        request: str,
        timeout_s: float | None = None,
        on_note: Callable[[str], None] | None = None,
        **arguments: Any,
    ) -> Answer:
        if self.dead_with_server:
            raise fails(Status.CRASHED, alive=False, server_died=True)
        answer = self.stage.answer(self, request, arguments)
        self.loaded = self.loaded or request == "load"
        assert self.loaded, f"{self.who} is asked to {request} before it has loaded"
        return answer

    def hang_up(self) -> None:
        self.alive = False

    def kill(self, patience_s: float = 0.0) -> None:
        self.alive = False
        self.killed = True


class Notes:
    """A report, and a writer, that remember."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.rows: list[Result] = []
        self.builds: dict[str, Build] = {}

    def step(self, text: str) -> None: ...
    def baseline(self, case: Case, name: str, rough_us: float) -> None: ...

    def built(self, kernel: Kernel, build: Build) -> None:
        self.builds[kernel.name] = build

    def note(self, text: str) -> None:
        self.said.append(text)

    def row(self, result: Result) -> None:
        assert result in self.rows, "a row is shown before it is written"

    def append(self, result: Result) -> None:
        self.rows.append(result)

    @property
    def statuses(self) -> list[Status]:
        return [row.verdict.status for row in self.rows]


def kernel(name: str, **facts: Any) -> Kernel:
    blank = {"dtypes": None, "min_capability": None, "requires": None, "known_defect": None}
    return Kernel(name, Path(f"{name}.py"), ("cpu",), **(blank | facts))


CPU = Machine("cpu", "a pretended processor", torch="2.0", cuda=None, threads=1)

PLAN = Plan(
    problem=Problem("pretended", Path("pretended.py"), {"rows": 1}, {}, None),
    kernels=[kernel("a"), kernel("b")],
    cases=[Case({"rows": rows}, "float32", "cpu") for rows in (1, 2)],
    baselines=["eager", "compile"],
    machine=CPU,
    effort=Effort(
        timer="wall", blocks=2, block_us=10_000, min_samples=2, max_samples=8, warm_up_s=0.1
    ),
    seed=7,
    timeout_s=5,
)


Go = Callable[..., Notes]
"""The fixture `go`: run PLAN with changes; return what was said and written."""
