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


def assignments(statement: ast.stmt) -> list[tuple[str, ast.expr | None]]:
    """The plain names that a statement gives a value, each with the expression it gets.

    The expression is None where the statement alone does not tell which: `a, b = sizes()`.
    """
    if isinstance(statement, ast.Assign):
        pairs = [(target, statement.value) for target in statement.targets]
        return [pair for target, value in pairs for pair in _unpacked(target, value)]
    if isinstance(statement, ast.AnnAssign) and statement.value is not None:
        return _unpacked(statement.target, statement.value)
    if isinstance(statement, ast.AugAssign):
        return _unpacked(statement.target, None)
    if isinstance(statement, _COMPOUND) and not ast.unparse(statement).startswith("if __name__"):
        nodes = (node for node in ast.walk(statement) if isinstance(node, ast.Name))
        return [(node.id, None) for node in nodes if isinstance(node.ctx, ast.Store)]
    return []


_COMPOUND = (ast.If, ast.For, ast.While, ast.With, ast.Try, ast.Match)


def _unpacked(target: ast.expr, value: ast.expr | None) -> list[tuple[str, ast.expr | None]]:
    if isinstance(target, ast.Name):
        return [(target.id, value)]
    if isinstance(target, ast.Starred):
        return _unpacked(target.value, None)
    if not isinstance(target, ast.Tuple | ast.List):
        return []
    parts = value.elts if isinstance(value, ast.Tuple | ast.List) else []
    starred = any(isinstance(part, ast.Starred) for part in (*target.elts, *parts))
    one_each = len(parts) == len(target.elts) and not starred
    values = parts if one_each else [None] * len(target.elts)
    return [
        pair for part, own in zip(target.elts, values, strict=True) for pair in _unpacked(part, own)
    ]


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
        names.update(name for name, _ in assignments(statement))
        if isinstance(statement, ast.ClassDef | ast.FunctionDef):
            names.add(statement.name)
        elif isinstance(statement, ast.Import | ast.ImportFrom):
            names.update(alias.asname or alias.name for alias in statement.names)
    return names


def literals(tree: ast.Module, path: Path, facts: Sequence[str]) -> dict[str, Any]:
    """Module globals that hold a literal, or arithmetic of numbers.

    Raises HarnessError if one of `facts` is neither.
    """
    values: dict[str, Any] = {}
    for statement in tree.body:
        for name, value in assignments(statement):
            try:
                values[name] = _constant(value)
            except (ValueError, TypeError, ArithmeticError):
                if name in facts:
                    raise HarnessError(
                        f"{path}:{statement.lineno}: {name} must be written as a literal, "
                        "since it is read without running the file."
                    ) from None
                values.pop(name, None)
    return values


def _constant(value: ast.expr | None) -> Any:
    """What a literal or arithmetic of numbers stands for. Raises ValueError for anything else."""
    if value is None:
        raise ValueError("not written out")
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
