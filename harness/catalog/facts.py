"""Reads the facts that problem and kernel files state, from their syntax trees.

Nothing here executes a file, and nothing imports torch.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.catalog import syntax
from harness.catalog.nearest import choices, suggest
from harness.records import FAMILIES, NON_FINITE, Case, HarnessError, Kernel, Problem, Status

DTYPES = ("float32", "bfloat16", "float16", "float64")

DEVICES = ("cuda", "cpu")

_PROBLEM_FACTS = ("SWEEP", "FAMILIES")

_DEFECTS = (*Status.__members__, NON_FINITE)

_KERNEL_FACTS = ("DEVICES", "DTYPES", "MIN_CAPABILITY", "REQUIRES", "KNOWN_DEFECT")


def read_problem(path: Path) -> Problem:
    """Read a problem file's axes and facts without executing it.

    An axis is a module global that holds a number, a string or a tuple of numbers, written out or
    as arithmetic of numbers (1024 * 8), on a line of its own or with others (`rows, columns = 64,
    32`). One that derives from another axis is none: it follows that one.
    Raises HarnessError if the file is missing, is not Python, or lacks a required name.
    """
    tree = syntax.parse(path)
    for required in ("Model", "get_inputs", "get_init_inputs"):
        if required not in syntax.defined_names(tree):
            raise HarnessError(
                f"{path} defines no {required!r}: a problem needs a class Model and the "
                "functions get_inputs() and get_init_inputs()."
            )
    literals = syntax.literals(tree, path, facts=_PROBLEM_FACTS)
    families = _names(literals, "FAMILIES", tuple(FAMILIES), path)
    axes = {
        name: value
        for name, value in literals.items()
        if not name.startswith("_") and name not in _PROBLEM_FACTS and _is_axis(value)
    }
    sweep = _read_sweep(literals.get("SWEEP", {}), path)
    return Problem(path.stem, path.resolve(), axes, sweep, families)


def _is_axis(value: Any) -> bool:
    if isinstance(value, tuple):
        return bool(value) and all(isinstance(part, int | float) for part in value)
    return isinstance(value, int | float | str)


def why_no_axis(path: Path, name: str) -> str:
    """Why a problem's module global is no axis; empty if the file has no such global."""
    for statement in reversed(syntax.parse(path).body):
        names = {assigned for assigned, _ in syntax.assignments(statement)}
        if name in names and len(names) > 1:
            return (
                f"Line {statement.lineno} of {path.name} assigns several names at once, from what "
                "is not a number or text for each: write it as in `rows, columns = 64, 32`."
            )
        if name in names:
            return (
                f"Line {statement.lineno} of {path.name} computes {name}: write its value there, "
                "as a number or text, to sweep it; or sweep what it follows from."
            )
    return ""


def _read_sweep(value: Any, path: Path) -> dict[str, tuple[str, ...]]:
    """Device -> sweep items, in the grammar of `--sweep`; one item alone will do."""
    by_device = (
        {d: (v,) if isinstance(v, str) else v for d, v in value.items()}
        if isinstance(value, dict)
        else None
    )
    if by_device is None or not all(
        device in DEVICES and _is_list(items) and all(isinstance(item, str) for item in items)
        for device, items in by_device.items()
    ):
        raise HarnessError(
            f"{path}: SWEEP is {value!r}: write it by device, as in "
            "{'cuda': ('batch_size=1,64',), 'cpu': ('batch_size=4',)}."
        )
    return {device: tuple(items) for device, items in by_device.items()}


def read_kernel(path: Path) -> Kernel:
    """Read a kernel file's facts without executing it.

    A file that states no DEVICES is a CUDA kernel if it passes `cuda_sources`, else a CPU one.
    Raises HarnessError if the file is missing, is not Python, or has no ModelNew.
    """
    tree = syntax.parse(path)
    if "ModelNew" not in syntax.defined_names(tree):
        raise HarnessError(
            f"{path} defines no 'ModelNew': a kernel file needs a class ModelNew with the "
            "same constructor and forward() as the problem's Model."
        )
    facts = syntax.literals(tree, path, facts=_KERNEL_FACTS)
    defect = facts.get("KNOWN_DEFECT")
    if defect is not None and defect not in _DEFECTS:
        raise HarnessError(
            f"{path}: KNOWN_DEFECT is {defect!r}, which is neither a status nor {NON_FINITE}. "
            f"{suggest(str(defect), _DEFECTS)}"
        )
    requires = facts.get("REQUIRES")
    if requires is not None:
        syntax.check_expression(requires, path)
    capability = facts.get("MIN_CAPABILITY")
    if capability is not None and not (
        isinstance(capability, tuple) and [type(part) for part in capability] == [int, int]
    ):
        raise HarnessError(
            f"{path}: MIN_CAPABILITY is {capability!r}: write it as two numbers, (9, 0)."
        )
    return Kernel(
        name=path.stem,
        path=path.resolve(),
        devices=_names(facts, "DEVICES", DEVICES, path) or _guess_devices(tree),
        dtypes=_names(facts, "DTYPES", DTYPES, path),
        min_capability=capability,
        requires=requires,
        known_defect=defect or None,
        literals={name: value for name, value in facts.items() if name not in _KERNEL_FACTS},
    )


def restated_axes(kernel: Kernel, problem: Problem) -> list[str]:
    """The problem's axes that a kernel's file states as well, as many public solutions do.

    Only with the problem's own value: another one is something of the kernel's own that happens
    to have the name.
    """
    return [
        axis
        for axis, value in problem.axes.items()
        if type(kernel.literals.get(axis)) is type(value) and kernel.literals[axis] == value
    ]


def _names(
    facts: Mapping[str, Any], fact: str, known: Sequence[str], path: Path
) -> tuple[str, ...] | None:
    """A fact that is a tuple of known names; one name alone will do."""
    value = facts.get(fact)
    if value is None:
        return None
    names = (value,) if isinstance(value, str) else tuple(value) if _is_list(value) else (value,)
    for name in names:
        if name not in known:
            raise HarnessError(f"{path}: {fact} names {name!r}. {choices(str(name), known)}")
    return names


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple)


def unsupported(
    kernel: Kernel, problem: Problem, case: Case, capability: tuple[int, int] | None
) -> str | None:
    """Why this kernel does not run this case, by the facts its file states; None if it does."""
    device = case.device.partition(":")[0]
    if device not in kernel.devices:
        return f"the kernel runs on {' or '.join(kernel.devices)}, this run is on {device}"
    if kernel.dtypes and case.dtype not in kernel.dtypes:
        return f"the kernel supports {', '.join(kernel.dtypes)}"
    if kernel.min_capability and capability and capability < kernel.min_capability:
        least, own = (".".join(map(str, c)) for c in (kernel.min_capability, capability))
        return f"the kernel needs compute capability {least}, this GPU has {own}"
    if kernel.requires:
        try:
            holds = eval(kernel.requires, {"__builtins__": {}}, dict(case.axes))
        except (NameError, ArithmeticError, TypeError) as error:
            raise HarnessError(
                f"{kernel.path}: REQUIRES {kernel.requires!r} cannot be evaluated for problem "
                f"{problem.name!r}: {error}. Its axes are {', '.join(problem.axes)}."
            ) from error
        if not holds:
            names = {n.id for n in ast.walk(ast.parse(kernel.requires)) if isinstance(n, ast.Name)}
            own = ", ".join(f"{axis}={case.axes[axis]}" for axis in case.axes if axis in names)
            return f"the kernel requires {kernel.requires}" + (f" ({own})" if own else "")
    return None


def _guess_devices(tree: ast.Module) -> tuple[str, ...]:
    calls = syntax.load_inline_calls(tree)
    if not calls:
        return DEVICES
    # load_inline(name, cpp_sources, cuda_sources, ...)
    has_cuda = any(
        len(call.args) > 2 or any(k.arg == "cuda_sources" for k in call.keywords) for call in calls
    )
    return ("cuda",) if has_cuda else ("cpu",)
