"""The children of a run, pretended: a test sets what they answer and sees what they were asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from harness.children import ChildFailed
from harness.records import Build, Case, Draw, Kernel, Machine, Problem, Result, Status
from harness.run.plan import Effort, Plan
from harness.timing.bound import TURNS_US

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
    """What the judge answers when it knows a case with these trials."""
    return [asdict(draw) for draw in draws]


class Worker:
    """What the judge may say of a worker that does not do its part."""

    GONE: Mapping[str, Any] = {"worker": "gone"}
    LATE: Mapping[str, Any] = {"worker": "late"}

    @staticmethod
    def fails(status: str, poisoned: bool = False) -> Mapping[str, Any]:
        said = {"status": status, "reason": f"pretended {status}", "poisoned": poisoned}
        return {"worker": "failed", **said}


ANSWERS: Mapping[str, Answer] = {
    "get_ready": None,
    "print_to": None,
    "build": {"seconds": 1.0},
    "load": None,
    "load_baseline": None,
    "prepare": prepared(OWN, NAN),
    "make": None,
    "attach": None,
    "detach": None,
    "construct": None,
    "answer": RIGHT,
    "warm_up": 500.0,
    "handover": {"call_us": 5.0, "batch_us": 50.0},
    "bound": {},  # see Stage._bound
    "block": [],  # see Stage._block
    "launch": [2.0, 4.0, 10.0],
    "fallback": "",
    "dismiss": None,
    "release": None,
}
OF_A_WORKER = (
    "attach",
    "construct",
    "answer",
    "warm_up",
    "block",
    "handover",
    "bound",
    "launch",
    "fallback",
    "dismiss",
)
"""What the judge is asked for that a worker has to do its part in."""


class Stage:
    """The children of a run, what they were asked, and what they answer.

    `answers` maps "who request" to a list of answers, the last of which is repeated; who is
    "judge", or a name for its worker and its builder. With the name of a worker behind, it is the
    judge's answer about that one.
    """

    def __init__(self) -> None:
        self.answers: dict[str, list[Answer]] = {}
        self.asked: list[str] = []
        self.arguments: list[tuple[str, dict[str, Any]]] = []
        self.children: list[FakeChild] = []

    def started(self, who: str) -> int:
        return sum(child.who == who for child in self.children)

    def present(self, who: str) -> FakeChild:
        return next(child for child in reversed(self.children) if child.who == who)

    def ask(self, child: FakeChild, request: str, arguments: dict[str, Any]) -> str:
        """Note what a child is asked; return it as `answers` has it."""
        assert child.alive, f"{child.who} is dead and asked to {request}"
        who = Path(arguments["kernel"]).stem if request == "build" else child.who
        about = f" {arguments['name']}" if who == "judge" and "name" in arguments else ""
        asked = f"{who} {request}{about}"
        self.asked.append(asked)
        self.arguments.append((asked, arguments))
        return asked

    def answer(
        self, child: FakeChild, asked: str, request: str, arguments: dict[str, Any]
    ) -> Answer:
        who = asked.partition(" ")[0]
        answers = self.answers.get(asked) or self.answers.get(f"{who} {request}") or []
        answer = answers.pop(0) if len(answers) > 1 else (*answers, ANSWERS[request])[0]
        if callable(answer):
            answer = answer()
        if isinstance(answer, ChildFailed):
            child.alive = answer.alive
        if isinstance(answer, BaseException):
            raise answer
        if who == "judge" and request in OF_A_WORKER:
            return self._told(request, arguments, answer)
        return answer

    def _told(self, request: str, arguments: dict[str, Any], answer: Answer) -> Answer:
        """What the judge answers about a worker."""
        if isinstance(answer, dict) and "worker" in answer:
            if answer == Worker.GONE:
                self.present(arguments["name"]).alive = False
            return answer
        whole = {"block": self._block, "bound": self._bound}.get(request)
        return {"answer": whole(arguments, answer) if whole else answer}

    def _bound(self, arguments: dict[str, Any], answer: Answer) -> Answer:
        """answer: what is other than of a batch whose calls take 90 microseconds each."""
        calls = arguments["calls"]
        usual = {"calls": calls, "wall_us": 50.0 + TURNS_US + 90.0 * calls, "copies_us": 0.0}
        return usual | {"held": True, "floor_us": 1.0, "comparison": RIGHT} | answer

    def _block(self, arguments: dict[str, Any], answer: Answer) -> Answer:
        """answer: the times, or the comparison."""
        times_us = answer if isinstance(answer, list) else []
        comparison = answer if isinstance(answer, dict) else RIGHT
        return {
            "times_us": times_us or [100.0 + i for i in range(arguments["samples"])],
            "comparison": comparison if arguments["judged"] else None,
        }


class FakeChild:
    """Fails the test that asks it for what it cannot do yet, or no more."""

    def __init__(self, stage: Stage, module: str, *args: Any, log: Path, timeout_s: float) -> None:
        self.stage = stage
        names = {"harness.judge": "judge", "harness.builder": "builder"}
        self.who = names.get(module, log.stem)
        self.log = log
        self.alive = True
        self.killed = False
        self.dead_with_server = False
        self.loaded = self.who in names.values()
        self.listens = self.went_on = False
        self.told: tuple[str, str, dict[str, Any]] | None = None
        """The request, as the stage has it, that was not heard yet."""
        self.trial: int | None = None
        """Of a judge: the one that it has made."""
        self.attached: dict[str, FakeChild] = {}
        """Of a judge: the workers that listen to it."""
        self.constructed: set[str] = set()
        stage.children.append(self)

    @property
    def pid(self) -> int:
        return 1000 + self.stage.children.index(self)

    def ask(
        self,
        request: str,
        timeout_s: float | None = None,
        on_note: Callable[[str], None] | None = None,
        connection: Connection | None = None,
        **arguments: Any,
    ) -> Answer:
        if connection is not None:
            connection.close()
        self._lives()
        assert not self.listens, f"{self.who} listens to a judge and is asked to {request}"
        if self.who == "judge":
            self._can_judge(request, arguments)
        asked = self.stage.ask(self, request, arguments)
        answer = self.stage.answer(self, asked, request, arguments)
        assert self.loaded, f"{self.who} is asked to {request} before it has loaded"
        if self.who == "judge":
            self._judged(request, arguments)
        return answer

    def _lives(self) -> None:
        if self.dead_with_server:
            self.alive = False
            raise fails(Status.CRASHED, alive=False, server_died=True)

    def _can_judge(self, request: str, arguments: dict[str, Any]) -> None:
        name = arguments.get("name", "")
        if request == "make":
            self.trial = None
        elif request == "attach":
            assert self.stage.present(name).pid == arguments["pid"]
        elif request in OF_A_WORKER:
            assert self.attached[name] is self.stage.present(name), f"{name} is another by now"
        if request in ("construct", "answer", "warm_up", "block"):
            assert self.trial is not None, f"the judge has made no trial and is asked to {request}"
        if request in ("answer", "warm_up", "block", "handover", "bound"):
            assert name in self.constructed, f"{name} has no model and is asked to {request}"

    def _judged(self, request: str, arguments: dict[str, Any]) -> None:
        name = arguments.get("name", "")
        if request in ("prepare", "release"):
            self.trial = None
        elif request == "make":
            self.trial = arguments["trial"]
        elif request == "attach":
            self.attached[name] = self.stage.present(name)
        elif request == "construct":
            self.constructed.add(name)
        elif request == "detach":
            self.attached.pop(name, None)
        if request in ("attach", "dismiss", "detach"):
            self.constructed.discard(name)

    def print_to(self, log: Path) -> None:
        self.ask("print_to")
        self.log = log

    def go_on(self) -> None:
        """Of a worker: its judge may have left it standing still."""
        self.went_on = True

    def tell(self, request: str, connection: Connection | None = None, **arguments: Any) -> None:
        """Of a worker: to load its file, or to listen. Of a judge: to get ready."""
        if connection is None:
            self._lives()
            assert not self.listens
            self.told = (self.stage.ask(self, request, arguments), request, arguments)
            return
        self.went_on = False
        connection.close()
        self._lives()
        assert self.alive and self.loaded and not self.listens
        self.stage.asked.append(f"{self.who} {request}")
        self.listens = True

    def hear(self, request: str, timeout_s: float | None = None) -> None:
        """How what it was told ended."""
        if self.told:
            self._lives()
            told, self.told = self.told, None
            self.stage.answer(self, *told)
            self.loaded = True
            return
        assert self.went_on or request != "listen", f"{self.who} may stand still for ever"
        self._lives()
        if not self.alive:
            raise fails(Status.CRASHED, alive=False)
        judges = [child for child in self.stage.children if child.alive]
        assert all(self not in judge.attached.values() for judge in judges), "it still listens"
        self.listens = False

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
        self.handover_us: float | None = None
        """What the run returned."""

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
GPU = Machine("cuda", "a pretended GPU", torch="2.0", cuda="13.0")

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
