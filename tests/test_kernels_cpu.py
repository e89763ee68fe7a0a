"""What the files under reference/ and kernels/ promise, checked without compiling anything."""

from __future__ import annotations

import ast
from collections.abc import Sequence

import pytest
import torch

from harness.catalog import facts, find, load
from harness.catalog.sweep import expand_cases, read_sweep
from harness.records import FAMILIES, Case, Kernel, Problem

ROOT = find.ROOT
PROBLEMS = find.list_problems(ROOT)
KERNELS = [(p, k) for p in PROBLEMS for k in find.find_kernels(ROOT, p, [])]

each_problem = pytest.mark.parametrize("problem", PROBLEMS, ids=lambda p: p.name)
each_kernel = pytest.mark.parametrize(
    ("problem", "kernel"), KERNELS, ids=[f"{p.name}/{k.name}" for p, k in KERNELS]
)

# One row, and a width that no vector width divides.
SMALL = (1, 37)


def small_axes(problem: Problem) -> dict[str, int]:
    rows, width = SMALL
    return {axis: rows if axis == "batch_size" else width for axis in problem.axes}


def tensors(output: object) -> list[torch.Tensor]:
    return list(output) if isinstance(output, tuple | list) else [output]


def test_every_kernel_folder_is_a_problem() -> None:
    folders = {path.name for path in (ROOT / "kernels").iterdir() if any(path.glob("*.py"))}
    assert folders == {problem.name for problem in PROBLEMS}


@each_problem
def test_problem_has_kernels_for_both_devices(problem: Problem) -> None:
    devices = {device for p, kernel in KERNELS if p is problem for device in kernel.devices}
    assert devices == {"cuda", "cpu"}


def default_cases(
    problem: Problem, device: str, dtypes: Sequence[str] = ("float32",), quick: bool = False
) -> list[Case]:
    return expand_cases(problem, read_sweep(problem, [], quick)[device], device, dtypes)


@each_problem
def test_all_that_is_tried_is_the_contract_of_our_own_problems(problem: Problem) -> None:
    assert problem.families == tuple(FAMILIES)


@each_problem
@pytest.mark.parametrize("device", ["cuda", "cpu"])
def test_default_sweep_expands(problem: Problem, device: str) -> None:
    cases = default_cases(problem, device)
    assert 3 <= len(cases) <= 15
    assert len({str(case) for case in cases}) == len(cases)
    # One point of the sweep has to be small enough for a first look.
    assert len(default_cases(problem, device, quick=True)) == 1


@each_problem
def test_reference_runs_at_small_sizes(problem: Problem) -> None:
    module = load.load_module(problem.path, small_axes(problem))
    inputs = module.get_inputs()
    assert all(x.device.type == "cpu" and x.shape[0] == SMALL[0] for x in inputs)
    assert all(x.dtype == torch.float32 for x in inputs if x.is_floating_point())
    with torch.no_grad():
        output = module.Model(*module.get_init_inputs())(*inputs)
    for tensor in tensors(output):
        assert tensor.shape[0] == SMALL[0]
        assert tensor.isfinite().all()


@each_problem
def test_reference_is_sensitive_to_its_input(problem: Problem) -> None:
    """Where every input gives the same output, no kernel can be judged."""
    torch.manual_seed(0)
    module = load.load_module(problem.path, small_axes(problem))
    model = module.Model(*module.get_init_inputs())
    with torch.no_grad():
        first, second = (tensors(model(*module.get_inputs())) for _ in range(2))
    for a, b in zip(first, second, strict=True):
        assert not torch.allclose(a, b, rtol=1e-4, atol=0)


@each_kernel
def test_kernel_states_legal_facts(problem: Problem, kernel: Kernel) -> None:
    assert kernel.devices in (("cuda",), ("cpu",))
    assert set(kernel.dtypes or ()) <= set(facts.DTYPES)
    for device in kernel.devices:
        for case in default_cases(problem, device, kernel.dtypes or ["float32"]):
            # Raises if REQUIRES names what is no axis of the problem.
            facts.unsupported(kernel, problem, case, capability=(9, 0))


@each_kernel
def test_kernel_file_stands_alone(problem: Problem, kernel: Kernel) -> None:
    """It runs wherever PyTorch does: nothing of ours is imported."""
    tree = ast.parse(kernel.path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree)
    imported = {
        (node.module or "").partition(".")[0] if isinstance(node, ast.ImportFrom) else alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    assert {name.partition(".")[0] for name in imported} == {"torch"}


@each_kernel
def test_kernel_has_the_weights_of_its_model(problem: Problem, kernel: Kernel, monkeypatch) -> None:
    """Same names, shapes and, after the same seed, values: ModelNew is a drop-in for Model."""
    monkeypatch.setattr("torch.utils.cpp_extension.load_inline", lambda **_: None)
    reference = load.load_module(problem.path, small_axes(problem))
    candidate = load.load_module(kernel.path)
    states = []
    for model in (reference.Model, candidate.ModelNew):
        torch.manual_seed(0)
        states.append(model(*reference.get_init_inputs()).state_dict())
    expected, actual = states
    assert list(actual) == list(expected)
    for name, weight in expected.items():
        assert torch.equal(actual[name], weight)
