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

    The assignment itself is replaced, so that a global derived from another at import follows.
    Line numbers stay those of the file.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    for statement in tree.body:
        for name in syntax.assigned_names(statement):
            if overrides and name in overrides:
                value = ast.copy_location(ast.Constant(overrides[name]), statement)
                statement.value = value  # type: ignore[attr-defined]
    # A name of its own, so that no file can shadow a library; registered, since Triton and
    # inspect look a function's module up by name.
    module = ModuleType(f"harness_file_{path.stem}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module
    exec(compile(tree, str(path), "exec"), module.__dict__)
    return module
