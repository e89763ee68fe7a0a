"""How many builds at once, what each is asked to build, and how long it may take."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from building import CPP, FILE
from command_line import TINY
from pretended import PLAN, FakeChild, Notes, Stage, kernel

from harness.records import Case, Kernel, Problem, Status
from harness.run import ask_builder
from harness.run.plan import Plan

GIB = 1 << 30


class Steps(Notes):
    def __init__(self) -> None:
        super().__init__()
        self.steps: list[str] = []

    def step(self, text: str) -> None:
        self.steps.append(text)


def test_only_sizes_that_a_kernel_runs_are_built_and_each_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage()
    monkeypatch.setattr(
        ask_builder, "Child", lambda module, *args, **kw: FakeChild(stage, module, *args, **kw)
    )
    cases = [Case({"rows": n}, dtype, "cpu") for dtype in ("float32", "float16") for n in (1, 2, 3)]
    kernels = [kernel("a"), kernel("b", requires="rows > 2"), kernel("c", requires="rows > 3")]
    builds = ask_builder.build_all(replace(PLAN, cases=cases, kernels=kernels), tmp_path, Notes())
    asked = {name: arguments["sizes"] for name, arguments in stage.arguments}
    assert asked == {
        "a build": [{"rows": 1}, {"rows": 2}, {"rows": 3}],
        "b build": [{"rows": 3}],
    }
    assert set(builds) == {"a", "b"}


@pytest.mark.parametrize(
    "answer",
    [
        *({"seconds": 1.0, "status": s, "reason": "so"} for s in ("PASSED", "SKIPPED", "splendid")),
        *({"seconds": 1.0, "status": "BUILD_FAILED"}, {"faster": True}, {}, None, "built"),
    ],
)
def test_a_builder_clears_no_kernel_that_speaks_for_it(
    answer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage()
    stage.answers["a build"] = [answer]
    monkeypatch.setattr(
        ask_builder, "Child", lambda module, *args, **kw: FakeChild(stage, module, *args, **kw)
    )
    builds = ask_builder.build_all(PLAN, tmp_path, Notes())
    assert (builds["a"].status, builds["b"].status) == (Status.CRASHED, None)
    assert builds["a"].reason == "the builder answered with what is no answer"


@pytest.mark.parametrize(
    "limit, used, free",
    [(5 * GIB, 2 * GIB, 3 * GIB), (2 * GIB, 3 * GIB, 0), (64 * GIB, 0, 9 * GIB)],
)
def test_a_containers_memory_limit_counts(limit: int, used: int, free: int, tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text(f"MemTotal: 1 kB\nMemAvailable:   {9 << 20} kB\n")
    assert ask_builder.available_bytes(meminfo, tmp_path) == 9 * GIB
    (tmp_path / "memory.max").write_text(f"{limit}\n")
    (tmp_path / "memory.current").write_text(f"{used}\n")
    assert ask_builder.available_bytes(meminfo, tmp_path) == free
    (tmp_path / "memory.max").write_text("max\n")
    assert ask_builder.available_bytes(meminfo, tmp_path) == 9 * GIB


# how long


@pytest.fixture
def plan(tmp_path: Path) -> Callable[..., Plan]:
    """A plan for one kernel file with this text, on the tiny problem."""

    def plan(text: str, **changes: Any) -> Plan:
        path = tmp_path / "k.py"
        path.write_text(text)
        problem = Problem("tiny", TINY, {}, {}, None)
        kernels = [Kernel("k", path, ("cpu",), None, None, None, None)]
        cases = [Case({"out_features": n}, "float32", "cpu") for n in (3, 5)]
        return replace(PLAN, problem=problem, kernels=kernels, cases=cases, **changes)

    return plan


@pytest.mark.parametrize(
    "text, doing",
    [
        ("import time; time.sleep(600)", "running k.py"),
        (
            "import time\nclass ModelNew:\n def __init__(self, *a): time.sleep(600)",
            "constructing ModelNew",
        ),
    ],
)
def test_a_file_that_hangs_has_the_time_of_a_request(
    text: str, doing: str, plan: Callable[..., Plan], tmp_path: Path
) -> None:
    steps = Steps()
    build = ask_builder.build_all(plan(text, timeout_s=1.5), tmp_path, steps)["k"]
    assert build.status is Status.TIMED_OUT
    assert build.reason == f"no answer to 'build' within 1.5 s of {doing}"
    assert f"{doing} (k)" in steps.steps


def test_a_compiler_has_more_and_is_shown(plan: Callable[..., Plan], tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.h"
    os.mkfifo(pipe)
    text = FILE.format(source=f'#include "{pipe}"\n{CPP}', options="")
    steps = Steps()
    patience_s = 1.0

    def answer_late() -> None:
        with pipe.open("w") as end:  # as soon as the compiler reads
            time.sleep(2 * patience_s)
            end.write("#define VALUE 1\n")

    thread = threading.Thread(target=answer_late, daemon=True)
    thread.start()
    build = ask_builder.build_all(plan(text, timeout_s=patience_s), tmp_path, steps)["k"]
    thread.join()
    assert (build.status, build.route) == (None, "lean"), build.reason
    assert steps.steps[-3:] == ["compiling quick (k)", "loading quick (k)", "running k.py (k)"]


def test_after_a_compiler_the_file_has_no_more_than_before(
    plan: Callable[..., Plan], tmp_path: Path
) -> None:
    text = FILE.format(source=CPP.replace("VALUE", "1 +"), options="")
    text = text.replace("print(", "try: print(") + "except RuntimeError: pass\n"
    text += "import time; time.sleep(600)\n"
    build = ask_builder.build_all(plan(text, timeout_s=1.5), tmp_path, Notes())["k"]
    assert build.status is Status.TIMED_OUT
    assert build.reason == "no answer to 'build' within 1.5 s of running k.py"
