"""CHILD: calls what a case of the corpus built, and says what came of it in comparable text.

A process of its own, because a call may crash: with some pairs of nvcc and g++, formatting a
number into the message of a TORCH_CHECK does, when it was built with the real headers.
"""

from __future__ import annotations

import hashlib
import re
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from corpus import aten, checks, cpu, cuda, extensions, objects, parts
from harness.build.load_inline import import_library
from harness.serve import Handler

CORPUS = {
    "cpu": [
        *cpu.CASES,
        *aten.CASES,
        *parts.CASES,
        *extensions.CASES,
        *objects.CASES,
        *checks.CASES,
    ],
    "cuda": cuda.CASES,
}


def outcome(library: str, device: str, case: str, call: int) -> str:
    """What one call of a case does. In a library of many cases, names begin with the case's."""
    known = next(c for c in CORPUS[device] if c.name == case)
    module: Any = import_library(Path(library).stem, Path(library))
    shared = {f: getattr(module, f"{case}__{f}", None) for f in known.functions or ()}
    if any(shared.values()):
        module = types.SimpleNamespace(**shared)
    elif not known.functions:
        module = getattr(module, case, module)
    try:
        return as_text(known.calls(module, device)[call]())
    except Exception as error:
        # Where a backtrace is shown counts, but not what is in it.
        text = re.sub(r"Exception raised from .*", "(a backtrace)", str(error), flags=re.DOTALL)
        return f"{type(error).__name__}: " + re.sub(r"\w+__(\w+\(\))", r"\1", text)


def as_text(value: Any) -> str:
    """A tensor becomes its bytes, hashed, and everything that describes it."""
    if isinstance(value, torch.Tensor):
        content = value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
        traits = (value.shape, value.stride(), value.dtype, value.device, value.requires_grad)
        return f"tensor {hashlib.sha256(content).hexdigest()[:16]} {traits}"
    if isinstance(value, list | tuple):
        return f"{type(value).__name__} of [{'; '.join(map(as_text, value))}]"
    return f"{type(value).__name__} {value!r}"


def make_handlers() -> Mapping[str, Handler]:
    return {"outcome": outcome}
