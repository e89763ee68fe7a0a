"""From options to a plan."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from command_line import TINY, bad_kernel
from pretended import CPU

from harness.build import toolchain
from harness.planning import Options, find_names, plan_run
from harness.records import HarnessError, Machine
from harness.run.plan import FULL, QUICK, Plan

OPTIONS = Options(str(TINY), kernels=[str(bad_kernel("control_exact"))])
GPU = replace(CPU, device="cuda:1", device_name="a pretended GPU", capability=(9, 0), arch="9.0a")


@pytest.fixture(autouse=True)
def tools(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every compiler is there."""
    monkeypatch.setattr(toolchain, "check", lambda device: None)


def plan(here: Machine = CPU, **changes: Any) -> Plan:
    return plan_run(find_names(replace(OPTIONS, **changes)), here)


def test_what_is_left_empty_depends_on_the_device() -> None:
    cpu, gpu = plan(CPU), plan(GPU)
    assert [case.dtype for case in cpu.cases] == ["float32"]
    assert [case.dtype for case in gpu.cases] == ["float32", "bfloat16"]
    assert {case.device for case in gpu.cases} == {"cuda:1"}
    assert (cpu.effort, gpu.effort) == (FULL["cpu"], FULL["cuda"])
    assert (cpu.machine, gpu.machine) == (CPU, GPU)


def test_what_is_asked_for_is_in_the_plan() -> None:
    asked = plan(
        dtypes=["float16", "float64"],
        sweeps=["batch_size=3,4"],
        baselines=["eager"],
        quick=True,
        judge_only=True,
        strict=True,
        rebuild=True,
        timeout_s=5.0,
        seed=0,
    )
    assert [(case.axes["batch_size"], case.dtype) for case in asked.cases] == [
        (3, "float16"), (4, "float16"), (3, "float64"), (4, "float64"),
    ]  # fmt: skip
    assert (asked.baselines, asked.effort, asked.judge_only) == (["eager"], QUICK["cpu"], True)
    assert (asked.strict, asked.rebuild, asked.timeout_s, asked.seed) == (True, True, 5.0, 0)


def test_each_run_has_a_seed_of_its_own() -> None:
    assert len({plan().seed for _ in range(3)}) == 3


@pytest.mark.parametrize(
    "mistake",
    [
        {"problem": "no_such_problem"},
        {"kernels": ["no_such_kernel"]},
        {"sweeps": ["no_such_axis=1"]},
        {"sweeps": ["batch_size=none"]},
    ],
)
def test_a_typo_is_seen_without_a_machine(mistake: Any) -> None:
    with pytest.raises(HarnessError):
        find_names(replace(OPTIONS, **mistake))


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_a_problems_own_sweep_is_checked_for_every_device(device: str, tmp_path: Path) -> None:
    problem = tmp_path / "mine.py"
    problem.write_text(f'SWEEP = {{"{device}": "rows=1"}}\n' + TINY.read_text())
    with pytest.raises(HarnessError, match="has no axis 'rows'"):
        find_names(replace(OPTIONS, problem=str(problem)))


def test_a_condition_that_means_nothing_is_seen_before_anything_runs(
    tmp_path: Path,
) -> None:
    wrong = tmp_path / "wrong.py"
    wrong.write_text('REQUIRES = "columns == 4"\nclass ModelNew: ...\n')
    with pytest.raises(HarnessError, match="REQUIRES 'columns == 4' cannot be evaluated"):
        plan(kernels=[str(wrong)])


def test_an_axis_with_the_name_of_a_column_is_a_mistake(tmp_path: Path) -> None:
    problem = tmp_path / "mine.py"
    problem.write_text("status = 3\n" + TINY.read_text())
    with pytest.raises(HarnessError, match="'status' has the name of a column"):
        find_names(replace(OPTIONS, problem=str(problem)))
