"""Kernel files that compile in no time, and the processes that build and load them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from command_line import TINY

from harness.children import Child, ChildFailed
from harness.records import Status

PATIENCE_S = 120.0

# Header-free and with a binding written by hand, so that it compiles in no time.
CPP = """
#include <Python.h>
static PyObject* value(PyObject*, PyObject*) { return PyLong_FromLong(VALUE); }
static PyMethodDef methods[] = {{"value", value, METH_NOARGS, ""}, {}};
static PyModuleDef definition = {PyModuleDef_HEAD_INIT, "quick", "", -1, methods};
#define CONCAT(a, b) a##b
#define INIT(name) CONCAT(PyInit_, name)
PyMODINIT_FUNC INIT(TORCH_EXTENSION_NAME)() { return PyModule_Create(&definition); }
"""
FILE = """
from torch.utils.cpp_extension import load_inline
CPP = r\"\"\"{source}\"\"\"
class ModelNew:
    def __init__(self, *arguments): ...
print("value", load_inline("quick", CPP, no_implicit_headers=True, {options}).value())
"""


class Builder:
    """A process that builds one kernel file, and what the file printed."""

    def __init__(self, kernel: Path, log: Path) -> None:
        self.kernel = kernel
        self.child = Child("harness.builder", log=log, timeout_s=PATIENCE_S)

    def build(self, **changes: Any) -> list[str]:
        """The names of the extensions that were compiled, one for every compilation."""
        asked = {"kernel": str(self.kernel), "problem": str(TINY), "sizes": [{}], "arch": None}
        asked |= {"restated": []}
        asked |= {"rebuild": False, "patience_s": PATIENCE_S} | changes
        notes: list[str] = []
        self.answer = self.child.ask("build", PATIENCE_S, on_note=notes.append, **asked)
        if self.answer["status"]:
            raise ChildFailed(Status(self.answer["status"]), self.answer["reason"], alive=True)
        return [note.removeprefix("compiling ") for note in notes if note.startswith("compiling")]

    @property
    def printed(self) -> list[str]:
        lines = self.child.log.read_text().splitlines()
        return [line for line in lines if line.startswith("value")]


def load_in_worker(kernel: Path, log: Path) -> None:
    arguments = (str(kernel), "cpu", None)
    child = Child("harness.worker", *arguments, log=log, timeout_s=PATIENCE_S)
    try:
        child.ask("load", PATIENCE_S, overrides={})
    finally:
        child.kill()
