"""The server that children are forked from must leave the GPU alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from command_line import ROOT

PROGRAM = """
import torch

asked = []
torch.cuda._is_compiled = lambda: True  # as in a CUDA build of torch
torch.version.cuda = "13.0"
torch.cuda.is_available = lambda: bool(asked.append("is_available"))
if hasattr(torch._C, "_cuda_getDeviceCount"):
    torch._C._cuda_getDeviceCount = lambda: asked.append("device count") or 0
{imports}
from torch.utils import cpp_extension

assert cpp_extension.CUDA_HOME is not None
print(asked)
"""


def test_children_have_their_garbage_collected_but_what_they_all_have() -> None:
    code = "import gc, harness.preload; print(gc.isenabled(), gc.get_freeze_count() > 100_000)"
    said = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert said.stdout == "True True\n"


def asked_by(imports: str, toolkit: Path) -> str:
    said = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(imports=imports)],
        env=os.environ | {"CUDA_HOME": str(toolkit)},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return said.stdout.strip()


def test_nothing_asks_for_a_gpu(tmp_path: Path) -> None:
    assert asked_by("import harness.preload", tmp_path) == "[]"
    # That the question is noticed at all.
    assert asked_by("import torch.utils.cpp_extension", tmp_path) == "['is_available']"
