"""CHILD: executes a problem or kernel file as a module of its own."""

from __future__ import annotations

import ast
import contextlib
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from harness.catalog import syntax

_siblings: dict[str, Path] = {}
"""Modules that files of the user's brought -> the folder of the file that did."""


def load_module(path: Path, overrides: Mapping[str, Any] | None = None) -> ModuleType:
    """Execute a file as a module of its own, with some module globals replaced beforehand.

    Each is replaced right after its own assignment, so that a global derived from it at import
    follows, and one that shares the line (`rows = columns = 4`) does not. Line numbers stay those
    of the file. It may import its neighbours, as a script does.
    """
    tree = ast.parse(path.read_bytes(), filename=str(path))
    tree.body = [part for s in tree.body for part in (s, *_replacing(s, overrides or {}))]
    # A name of its own, so that no file can shadow a library; registered, since Triton and
    # inspect look a function's module up by name.
    module = ModuleType(f"harness_file_{path.stem}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module
    with _among_its_neighbours(path.resolve().parent):
        exec(compile(tree, str(path), "exec"), module.__dict__)
    return module


def _replacing(statement: ast.stmt, overrides: Mapping[str, Any]) -> list[ast.stmt]:
    """Assignments of the overrides among the names that a statement gives a value."""
    return [
        ast.fix_missing_locations(
            ast.copy_location(
                ast.Assign([ast.Name(name, ast.Store())], _constant(overrides[name])), statement
            )
        )
        for name, _ in syntax.assignments(statement)
        if name in overrides
    ]


def _constant(value: Any) -> ast.Constant:
    """A tuple has become a list on its way from the parent."""
    return ast.Constant(tuple(value) if isinstance(value, list) else value)  # type: ignore[arg-type]


@contextlib.contextmanager
def _among_its_neighbours(folder: Path) -> Iterator[None]:
    """Let the files in `folder` be imported: before all others now, after all others later on.

    What the file of another folder brought by the same name is forgotten first; whoever imported
    it has it.
    """
    for name in [name for name, place in _siblings.items() if place != folder]:
        sys.modules.pop(name, None)
        del _siblings[name]
    before = set(sys.modules)
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):  # the file may have changed it
            sys.path.remove(str(folder))
        if str(folder) not in sys.path:
            sys.path.append(str(folder))  # for what its functions import when they are called
        for name in set(sys.modules) - before:
            first = folder / name.partition(".")[0]
            ours = first.name == "harness"
            if not ours and (first.is_dir() or first.with_suffix(".py").is_file()):
                _siblings[name] = folder
