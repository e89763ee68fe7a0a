"""Executing a file as a module of its own."""

from __future__ import annotations

import codecs
import sys
from pathlib import Path

import pytest

from harness.catalog import syntax
from harness.catalog.load import load_module


@pytest.fixture(autouse=True)
def undisturbed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)


def test_globals_are_replaced_before_others_derive_from_them(tmp_path: Path) -> None:
    path = tmp_path / "k.py"
    path.write_text("rows = 2\ntwice = 2 * rows\n")
    assert load_module(path).twice == 4
    assert load_module(path, {"rows": 5}).twice == 10


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
    assert load_module(path).unit == "µ"
    assert syntax.literals(syntax.parse(path), path, facts=()) == {"unit": "µ"}


def test_a_file_may_import_its_neighbours_when_loaded_and_later(tmp_path: Path) -> None:
    (tmp_path / "early.py").write_text("value = 1\n")
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "late.py").write_text("value = 2\n")
    path = tmp_path / "k.py"
    path.write_text("import early\ndef late():\n    from package import late\n    return late\n")
    module = load_module(path)
    assert (module.early.value, module.late().value) == (1, 2)
    sys.modules.pop("early")


def test_two_files_with_neighbours_of_one_name_each_get_their_own(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "common.py").write_text(f"value = {name!r}\n")
        (tmp_path / name / f"{name}.py").write_text("import common\nvalue = common.value\n")
    one, two = (load_module(tmp_path / name / f"{name}.py") for name in ("one", "two"))
    assert (one.value, two.value) == ("one", "two")
    assert one.common.value == "one"
    sys.modules.pop("common")


def test_a_neighbour_is_no_library_of_what_comes_later(tmp_path: Path) -> None:
    (tmp_path / "colorsys.py").write_text("mine = True\n")
    path = tmp_path / "k.py"
    path.write_text("value = 1\n")
    load_module(path)
    import colorsys

    assert not hasattr(colorsys, "mine")
