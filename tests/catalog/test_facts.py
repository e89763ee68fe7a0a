"""Facts read from files that are never run, and sweeps expanded into cases."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import TINY

from harness.catalog.facts import (
    read_kernel,
    read_problem,
    restated_axes,
    unsupported,
    why_no_axis,
)
from harness.records import NON_FINITE, Case, HarnessError, Kernel, Problem

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


@pytest.mark.parametrize(
    "source, axes",
    [
        ("height, width = 32, 48", {"height": 32, "width": 48}),
        ("[height, width] = (32, 48)", {"height": 32, "width": 48}),
        ("(a, b), c = (1, 2), 3", {"a": 1, "b": 2, "c": 3}),
        ("a = b = 3", {"a": 3, "b": 3}),
        ("a, b = c, d = 1, 2", {"a": 1, "b": 2, "c": 1, "d": 2}),
        ("a: int = 3", {"a": 3}),
        ("a, b = 1024 * 8, -1", {"a": 8192, "b": -1}),
        ("a, b = 1, n()", {"a": 1}),
        ("a, _b = 1, 2", {"a": 1}),
        ("a, b = sizes()", {}),
        ("a, b = (1, 2), 3", {"a": (1, 2), "b": 3}),
        ("a, b = 1, 2, 3", {}),
        ("a, *b = 1, 2", {}),
        ("a, b = *n(), 2", {}),
        ("a, b = 'xy'", {}),
        ("a = 1\na, b = sizes()", {}),
        ("a = 1\na += 1", {}),
        ("a = 1\nif n():\n    a = 2", {}),
        ("a = 1\nif __name__ == '__main__':\n    a = 2", {"a": 1}),
        ("a: int", {}),
        ("shape = (3, 4)", {"shape": (3, 4)}),
        ("shape = (rows, 4)", {}),
        ("names = ('a', 4)", {}),
        ("shape = ()", {}),
    ],
)
def test_axes_of_lines_that_assign_several_names(
    source: str, axes: dict[str, int], write: Write
) -> None:
    bare = "class Model: ...\ndef get_inputs(): ...\ndef get_init_inputs(): ...\n"
    assert read_problem(write(f"{source}\n{bare}")).axes == axes


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
        "written", path, ("cuda",), ("float16",), (9, 0), "rows % 4 == 0", NON_FINITE
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
        ('KNOWN_DEFECT = "WRONG_VALEUS"', "Did you mean 'WRONG_VALUES'?"),
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
        ({"requires": "rows > 4"}, "the kernel requires rows > 4 (rows=4)"),
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


def test_tiny_is_a_problem() -> None:
    assert read_problem(TINY).axes == {
        "batch_size": 7,
        "in_features": 12,
        "out_features": 10,
    }


@pytest.mark.parametrize(
    "name, says",
    [
        ("shape", "Line 7 of problem.py computes shape: write its value there, as a number"),
        ("rebound", "Line 12 of problem.py computes rebound"),  # the last line decides
        ("torch", ""),
        ("absent", ""),
    ],
)
def test_why_a_global_is_no_axis(name: str, says: str, problem: Problem) -> None:
    why = why_no_axis(problem.path, name)
    assert why.startswith(says) and bool(why) == bool(says)


def test_a_kernel_restates_an_axis_only_with_the_problems_own_value(
    write: Callable[..., Path],
) -> None:
    axes = {"rows": 4, "shape": (3, 4), "scale": 1.0, "N": 64, "name": "sum"}
    problem = Problem("p", Path("p.py"), axes, {}, None)
    states = "rows = 4\nshape = (3, 4)\nscale = 1\nN = 256\n"  # a float is no int, N a block size
    assert restated_axes(read_kernel(write(states + KERNEL)), problem) == ["rows", "shape"]
