"""Facts read from files that are never run, and sweeps expanded into cases."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import ROOT, TINY, bad_kernel

from harness.catalog import find, load
from harness.catalog.facts import DEVICES, read_kernel, read_problem, unsupported
from harness.records import Case, HarnessError, Kernel, Problem, Status

PROBLEM = """
import torch
rows = 4
scale = 0.5
mode = "sum"
exact = True
shape = (rows, 2)
doubled = rows * 2
UPPER = 7
names = ["a"]
rebound = 1
rebound = doubled
class Model(torch.nn.Module): ...
def get_inputs(): return [torch.zeros(shape)]
def get_init_inputs(): return []
"""
KERNEL = "class ModelNew: ...\n"
INLINE = "from torch.utils import cpp_extension\nm = cpp_extension.load_inline"

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str, name: str = "written.py") -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


@pytest.fixture
def problem(write: Write) -> Problem:
    return read_problem(write(PROBLEM, "problem.py"))


# problems


def test_axes_are_globals_that_hold_numbers_or_text(problem: Problem) -> None:
    assert problem.axes == {"rows": 4, "scale": 0.5, "mode": "sum", "exact": True, "UPPER": 7}


def test_an_axis_may_be_arithmetic_of_numbers_in_any_case(write: Write) -> None:
    extra = "N = 1024 * 8\nhalf = N // 2\n_private = 3\ndim = -1\nhuge = 9 ** 9 ** 9\n"
    axes = read_problem(write(extra + PROBLEM)).axes
    assert (axes["N"], axes["dim"]) == (8192, -1)
    assert not axes.keys() & {"half", "_private", "huge"}


@pytest.mark.parametrize("name", ["Model", "get_inputs", "get_init_inputs"])
def test_a_problem_lacking_a_name(name: str, write: Write) -> None:
    with pytest.raises(HarnessError, match=f"defines no '{name}'"):
        read_problem(write(PROBLEM.replace(name, "other")))


def test_a_problem_may_state_its_sweep_and_families(write: Write) -> None:
    facts = 'SWEEP = {"cpu": ("rows=1,2",)}\nFAMILIES = ("own", "normal")\n'
    problem = read_problem(write(facts + PROBLEM))
    assert problem.sweep == {"cpu": ("rows=1,2",)}
    assert problem.families == ("own", "normal")
    one = read_problem(write('FAMILIES = "normal"\n' + PROBLEM))
    assert one.families == ("normal",) and "FAMILIES" not in one.axes


@pytest.mark.parametrize(
    "fact, says",
    [
        ('FAMILIES = ("nromal",)', "Did you mean 'normal'?"),
        ("FAMILIES = tuple(x)", r"written.py:1: FAMILIES must be written as a literal"),
        ("SWEEP = dict()", "SWEEP must be written as a literal"),
        ("SWEEP = ('rows=1,2',)", "write it by device"),
        ("SWEEP = {'cpu': 5}", "write it by device"),
        ("SWEEP = {'gpu': 'rows=1'}", "write it by device"),
        ("class Broken(:", "is not valid Python"),
    ],
)
def test_a_problem_with_a_bad_fact(fact: str, says: str, write: Write) -> None:
    with pytest.raises(HarnessError, match=says):
        read_problem(write(fact + "\n" + PROBLEM))


def test_every_problem_of_the_tree_is_listed() -> None:
    names = [problem.name for problem in find.list_problems(ROOT)]
    assert names == sorted(path.stem for path in (ROOT / "reference").glob("*.py"))


def test_every_kernel_of_the_tree_can_be_read() -> None:
    for problem in find.list_problems(ROOT):
        for kernel in find.find_kernels(ROOT, problem, []):
            assert set(kernel.devices) <= set(DEVICES)


# kernels


def test_reading_a_kernel_does_not_run_it(write: Write) -> None:
    kernel = read_kernel(write("raise SystemExit\n" + KERNEL))
    assert kernel.name == "written"


def test_the_facts_of_a_kernel(write: Write) -> None:
    facts = (
        'DEVICES = ("cuda",)\nDTYPES = ["float16"]\nMIN_CAPABILITY = (9, 0)\n'
        'REQUIRES = "rows % 4 == 0"\nKNOWN_DEFECT = "NON_FINITE"\n'
    )
    path = write(facts + KERNEL)
    assert read_kernel(path) == Kernel(
        "written", path, ("cuda",), ("float16",), (9, 0), "rows % 4 == 0", Status.NON_FINITE
    )


@pytest.mark.parametrize(
    "source, devices",
    [
        ("", ("cuda", "cpu")),
        (f"{INLINE}('n', cpp_sources=CPP)\n", ("cpu",)),
        (f"{INLINE}('n', CPP, CUDA)\n", ("cuda",)),
        (f"{INLINE}(name='n', cpp_sources=CPP, cuda_sources=CUDA)\n", ("cuda",)),
    ],
)
def test_devices_are_guessed_from_what_is_compiled(
    source: str, devices: tuple[str, ...], write: Write
) -> None:
    assert read_kernel(write(source + KERNEL)).devices == devices


@pytest.mark.parametrize(
    "fact, says",
    [
        ('KNOWN_DEFECT = "NON_FINITTE"', "Did you mean 'NON_FINITE'?"),
        ("DTYPES = tuple(all_of_them)", "DTYPES must be written as a literal"),
        ('REQUIRES = "rows %"', "is no expression"),
        ("REQUIRES = \"__import__('os')\"", "may only compare axes"),
        ('REQUIRES = "rows.real == 4"', "may only compare axes"),
        ('REQUIRES = "[r for r in (rows,)]"', "may only compare axes"),
        ('REQUIRES = "rows ** rows == 4"', "may only compare axes"),
    ],
)
def test_a_kernel_with_a_bad_fact(fact: str, says: str, write: Write) -> None:
    with pytest.raises(HarnessError, match=says):
        read_kernel(write(f"{fact}\n{KERNEL}"))


def test_kernels_are_found_by_name_and_by_path() -> None:
    problem = find.find_problem(ROOT, "gemm_swish_divide_clamp_tanh_clamp")
    found = find.find_kernels(ROOT, problem, ["seed", str(bad_kernel("scaled"))])
    assert [kernel.name for kernel in found] == ["seed", "scaled"]


# what a kernel supports


def kernel(**facts: object) -> Kernel:
    blank = {
        "devices": ("cpu", "cuda"),
        "dtypes": None,
        "min_capability": None,
        "requires": None,
        "known_defect": None,
    }
    return Kernel("kernel", Path("kernel.py"), **(blank | facts))


@pytest.mark.parametrize(
    "facts, why",
    [
        ({}, None),
        ({"devices": ("cpu",)}, "the kernel runs on cpu, this run is on cuda"),
        ({"dtypes": ("float32", "float16")}, None),
        ({"dtypes": ("float16",)}, "the kernel supports float16"),
        ({"min_capability": (9, 0)}, None),
        ({"min_capability": (8, 9)}, None),
        (
            {"min_capability": (10, 0)},
            "the kernel needs compute capability 10.0, this GPU has 9.0",
        ),
        ({"requires": "rows == 4 and scale < 1"}, None),
        ({"requires": "rows > 4"}, "the kernel requires rows > 4"),
    ],
)
def test_unsupported_says_why(facts: dict, why: str | None, problem: Problem) -> None:
    case = Case(dict(problem.axes), "float32", "cuda:1")
    assert unsupported(kernel(**facts), problem, case, (9, 0)) == why


@pytest.mark.parametrize("requires", ["columns == 4", "rows / 0 == 1", "mode % 4 == 0"])
def test_a_requirement_that_means_nothing_here(requires: str, problem: Problem) -> None:
    case = Case(dict(problem.axes), "float32", "cpu")
    with pytest.raises(HarnessError, match="Its axes are rows, scale, mode, exact"):
        unsupported(kernel(requires=requires), problem, case, None)


# executing a file, in children


def test_overrides_reach_what_is_derived_from_them(problem: Problem) -> None:
    module = load.load_module(problem.path, {"rows": 9, "scale": 0.25})
    assert (module.rows, module.doubled, module.shape, module.scale) == (9, 18, (9, 2), 0.25)
    assert module.get_inputs()[0].shape == (9, 2)


def test_files_keep_names_lines_and_namespaces_of_their_own(write: Write) -> None:
    path = write('size = (\n  1)\ndef fail():\n    raise ValueError("here")\n', "json.py")
    import json

    first, second = (load.load_module(path, {"size": value}) for value in (2, 3))
    assert sys.modules["json"] is json
    assert (first.size, second.size) == (2, 3)
    with pytest.raises(ValueError, match="here") as raised:
        first.fail()
    assert raised.traceback[-1].lineno == 3  # counted from 0
    assert str(raised.traceback[-1].path) == str(path)


def test_tiny_is_a_problem() -> None:
    assert read_problem(TINY).axes == {
        "batch_size": 7,
        "in_features": 12,
        "out_features": 10,
    }
