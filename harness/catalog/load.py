"""CHILD: executes a problem or kernel file as a module of its own."""

from __future__ import annotations

import ast
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from harness.catalog import syntax


def load_module(path: Path, overrides: Mapping[str, Any] | None = None) -> ModuleType:
    """Execute a file as a module of its own, with some module globals replaced beforehand.

    Each is replaced right after its own assignment, so that a global derived from it at import
    follows, and one that shares the line (`rows = columns = 4`) does not. Line numbers stay those
    of the file.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    tree.body = [part for s in tree.body for part in (s, *_replacing(s, overrides or {}))]
    # A name of its own, so that no file can shadow a library; registered, since Triton and
    # inspect look a function's module up by name.
    module = ModuleType(f"harness_file_{path.stem}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module
    exec(compile(tree, str(path), "exec"), module.__dict__)
    return module


def _replacing(statement: ast.stmt, overrides: Mapping[str, Any]) -> list[ast.stmt]:
    """Assignments of the overrides among the names that a statement gives a value."""
    return [
        ast.fix_missing_locations(
            ast.copy_location(
                ast.Assign([ast.Name(name, ast.Store())], ast.Constant(overrides[name])), statement
            )
        )
        for name, _ in syntax.assignments(statement)
        if name in overrides
    ]
