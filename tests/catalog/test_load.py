"""Executing a problem or kernel file, with some of its globals replaced."""

from __future__ import annotations

import codecs
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.catalog import load, syntax

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


@pytest.fixture(autouse=True)
def undisturbed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)


@pytest.mark.parametrize(
    "content",
    [
        codecs.BOM_UTF8 + "unit = 'µ'\n".encode(),
        "# -*- coding: latin-1 -*-\nunit = 'µ'\n".encode("latin-1"),
        "#!/usr/bin/env python\r\n# coding: cp1252\r\nunit = 'µ'\r\n".encode("cp1252"),
        "unit = 'µ'\n".encode(),
    ],
    ids=["BOM", "latin-1", "cp1252, CRLF", "UTF-8"],
)
def test_a_file_has_the_encoding_that_it_states(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "k.py"
    path.write_bytes(content)
    assert load.load_module(path).unit == "µ"
    assert syntax.literals(syntax.parse(path), path, facts=()) == {"unit": "µ"}


def test_a_file_may_import_its_neighbours_when_loaded_and_later(tmp_path: Path) -> None:
    (tmp_path / "early.py").write_text("value = 1\n")
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "late.py").write_text("value = 2\n")
    path = tmp_path / "k.py"
    path.write_text("import early\ndef late():\n    from package import late\n    return late\n")
    module = load.load_module(path)
    assert (module.early.value, module.late().value) == (1, 2)
    sys.modules.pop("early")


def test_two_files_with_neighbours_of_one_name_each_get_their_own(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "common.py").write_text(f"value = {name!r}\n")
        (tmp_path / name / f"{name}.py").write_text("import common\nvalue = common.value\n")
    one, two = (load.load_module(tmp_path / name / f"{name}.py") for name in ("one", "two"))
    assert (one.value, two.value) == ("one", "two")
    assert one.common.value == "one"
    sys.modules.pop("common")


def test_a_neighbour_is_no_library_of_what_comes_later(tmp_path: Path) -> None:
    (tmp_path / "colorsys.py").write_text("mine = True\n")
    path = tmp_path / "k.py"
    path.write_text("value = 1\n")
    load.load_module(path)
    import colorsys

    assert not hasattr(colorsys, "mine")


def test_a_tuple_that_has_been_through_json_is_one_again(write: Write) -> None:
    assert load.load_module(write("shape = (1, 2)\n"), {"shape": [3, 4]}).shape == (3, 4)
