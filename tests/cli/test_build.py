"""`build`: what is built, what is left out, what it returns."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from command_line import TINY, Run, bad_kernel

from harness import cache
from harness.records import Build, Kernel, Status
from harness.run import ask_builder
from harness.run.plan import Plan

CPU_KERNEL = """
from torch.utils.cpp_extension import load_inline
DTYPES = ("float16",)
SOURCE = "torch::Tensor same(torch::Tensor x) { return x; }"
m = load_inline(name="same", cpp_sources=SOURCE, functions=["same"])
class ModelNew: ...
"""
no_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")


@no_gpu
def test_kernels_are_built_and_a_later_run_finds_them(
    tmp_path: Path, call: Callable[..., Run]
) -> None:
    (tmp_path / "same.py").write_text(CPU_KERNEL)
    given = ("build", "--problem", TINY, "--kernel", tmp_path / "same.py")
    first, again = call(*given, "--rebuild", "--verbose"), call(*given)
    assert (first.code, again.code) == (0, 0)
    assert "built same in" in first.said and "-shared" in first.said
    assert "(cached)" in again.said and "-shared" not in again.said


@no_gpu
def test_a_kernel_that_does_not_build_is_exit_code_1(call: Callable[..., Run]) -> None:
    run = call("build", "--problem", TINY, "--kernel", bad_kernel("syntax_error"))
    assert run.code == 1
    assert "BUILD_FAILED syntax_error" in run.said


@no_gpu
def test_kernels_for_another_device_are_left_out_and_named(call: Callable[..., Run]) -> None:
    given = ("build", "--problem", "rms_norm", "--kernel", "block_per_row")
    run = call(*given, "--kernel", "cpu_fused")
    assert run.code == 0
    assert "not built: block_per_row: for cuda, not for cpu" in run.said
    alone = call(*given)
    assert alone.code == 2
    assert "Nothing can be built: block_per_row: for cuda, not for cpu." in alone.error
    assert "--arch" in alone.error


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch) -> list[Plan]:
    """The plans that were to be built, where nothing is."""
    plans: list[Plan] = []

    def build_all(plan: Plan, logs: Path, report: object) -> dict[str, Build]:
        plans.append(plan)
        return {kernel.name: outcome(kernel) for kernel in plan.kernels}

    def outcome(kernel: Kernel) -> Build:
        return Build(1.0, fallback="ext: no" if kernel.name == "scaled" else "")

    monkeypatch.setattr(ask_builder, "build_all", build_all)
    return plans


@no_gpu
def test_every_size_and_dtype_of_a_run_is_built(
    plans: list[Plan], call: Callable[..., Run]
) -> None:
    run = call("build", "--problem", "rms_norm", "--sweep", "features=512,2048")
    assert run.code == 0
    (plan,) = plans
    assert {case.axes["batch_size"] for case in plan.cases} == {1, 64, 1024}
    assert {case.axes["features"] for case in plan.cases} == {512, 2048}
    assert {case.dtype for case in plan.cases} == {"float32", "bfloat16", "float16", "float64"}


@no_gpu
def test_a_fall_back_is_no_build(plans: list[Plan], call: Callable[..., Run]) -> None:
    run = call("build", "--problem", TINY, "--kernel", bad_kernel("scaled"))
    assert run.code == 1
    assert plans[0].kernels[0].known_defect is not Status.BUILD_FAILED


def test_an_architecture_is_built_for_without_a_gpu(
    plans: list[Plan], call: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.build.toolchain.check", lambda device: None)
    run = call("build", "--problem", "rms_norm", "--arch", "9.0a")
    assert run.code == 0
    assert "not built: cpu_fused: for cpu, not for cuda\n" in run.said
    says = "A run on a GPU of 9.0a that shares this store loads what was built from"
    assert f"{says}  {cache.root()}\n" in run.said
    (plan,) = plans
    assert (plan.device, plan.arch, plan.capability) == ("cuda", "9.0a", (9, 0))
    assert {case.device for case in plan.cases} == {"cuda"}
