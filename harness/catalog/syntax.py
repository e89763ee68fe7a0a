"""What a Python file states, read from its syntax tree without running it."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.records import HarnessError


def parse(path: Path) -> ast.Module:
    """A file as Python reads it, in the encoding that it states.

    Raises HarnessError if the file is missing or is not Python.
    """
    try:
        return ast.parse(path.read_bytes(), filename=str(path))
    except OSError as error:
        raise HarnessError(f"{path} cannot be read: {error.strerror}.") from error
    except (SyntaxError, ValueError) as error:
        raise HarnessError(f"{path} is not valid Python: {error}.") from error


def assigned_names(statement: ast.stmt) -> list[str]:
    """The plain names that a statement gives a value."""
    if isinstance(statement, ast.Assign):
        return [t.id for t in statement.targets if isinstance(t, ast.Name)]
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        return [statement.target.id]
    return []


def load_inline_calls(tree: ast.AST) -> list[ast.Call]:
    """Every call of load_inline, by whichever name it was imported."""
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("load_inline")
    ]


def defined_names(tree: ast.Module) -> set[str]:
    """Every name that the module's own statements define, imported ones included."""
    names: set[str] = set()
    for statement in tree.body:
        names.update(assigned_names(statement))
        if isinstance(statement, ast.ClassDef | ast.FunctionDef):
            names.add(statement.name)
        elif isinstance(statement, ast.Import | ast.ImportFrom):
            names.update(alias.asname or alias.name for alias in statement.names)
    return names


def literals(tree: ast.Module, path: Path, facts: Sequence[str]) -> dict[str, Any]:
    """Module globals that hold a literal, or arithmetic of numbers.

    Raises HarnessError if one of `facts` is neither.
    """
    found: dict[str, Any] = {}
    for statement in tree.body:
        for name in assigned_names(statement):
            try:
                found[name] = _constant(statement.value)  # type: ignore[attr-defined]
            except (ValueError, TypeError, ArithmeticError):
                if name in facts:
                    raise HarnessError(
                        f"{path}:{statement.lineno}: {name} must be written as a literal, "
                        "since it is read without running the file."
                    ) from None
                found.pop(name, None)
    return found


def _constant(value: ast.expr) -> Any:
    """What a literal or arithmetic of numbers stands for. Raises ValueError for anything else."""
    if isinstance(value, ast.BinOp | ast.UnaryOp):
        nodes = list(ast.walk(value))
        numbers = [n for n in nodes if isinstance(n, ast.Constant)]
        if all(isinstance(n, _ARITHMETIC) for n in nodes) and all(
            isinstance(n.value, int | float) for n in numbers
        ):
            return eval(compile(ast.Expression(value), "", "eval"), {"__builtins__": {}})
    return ast.literal_eval(value)


# No powers: one of them can take a lifetime.
_ARITHMETIC = (
    ast.BinOp, ast.UnaryOp, ast.Constant,
    ast.unaryop, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod,
)  # fmt: skip
_EXPRESSION_NODES = (
    *_ARITHMETIC, ast.Expression, ast.BoolOp, ast.Compare, ast.Name,
    ast.boolop, ast.cmpop, ast.Load,
)  # fmt: skip


def check_expression(text: str, path: Path) -> None:
    """Allow arithmetic and comparisons of axes only: the parent runs nothing else of a kernel's."""
    if not isinstance(text, str):
        raise HarnessError(f"{path}: REQUIRES is {text!r}: write the condition as a string.")
    try:
        nodes = list(ast.walk(ast.parse(text, mode="eval")))
    except SyntaxError as error:
        raise HarnessError(f"{path}: REQUIRES {text!r} is no expression: {error.msg}.") from error
    for node in nodes:
        if not isinstance(node, _EXPRESSION_NODES):
            raise HarnessError(
                f"{path}: REQUIRES {text!r} may only compare axes, as in 'in_features % 4 == 0'."
            )
