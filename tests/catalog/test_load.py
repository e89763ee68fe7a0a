"""Executing a problem or kernel file, with some of its globals replaced."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.catalog import load

PROBLEM = """
import torch
rows = 4
scale = 0.5
shape = (rows, 2)
doubled = rows * 2
def get_inputs(): return [torch.zeros(shape)]
"""

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str, name: str = "written.py") -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def test_overrides_reach_what_is_derived_from_them(write: Write) -> None:
    module = load.load_module(write(PROBLEM), {"rows": 9, "scale": 0.25})
    assert (module.rows, module.doubled, module.shape, module.scale) == (9, 18, (9, 2), 0.25)
    assert module.get_inputs()[0].shape == (9, 2)


@pytest.mark.parametrize(
    "source, overrides, area",
    [
        ("a, b = 32, 48", {"a": 2, "b": 3}, 6),
        ("a, b = 32, 48", {"b": 3}, 96),
        ("[a, (b, c)] = 32, [48, 1]", {"a": 2, "b": 3, "c": 1}, 6),
        ("a = b = 4", {"a": 2, "b": 4}, 8),
        ("a = b = 4", {"a": 2, "b": 3}, 6),
        ("a = b, c = 4, 5\na = 2", {"b": 3, "c": 5}, 6),
        ("a: int = 4\nb: int = 5", {"a": 2}, 10),
        ("a, b = c, d = 4, 5", {"a": 2, "b": 3, "c": 4, "d": 5}, 6),
    ],
)
def test_lines_that_assign_several_names(
    source: str, overrides: dict[str, Any], area: int, write: Write
) -> None:
    module = load.load_module(write(f"{source}\narea = a * b\n"), overrides)
    assert module.area == area
    assert {name: getattr(module, name) for name in overrides} == overrides


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
