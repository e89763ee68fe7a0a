"""`load_inline` with a memory: every extension is built once, ahead of time, and then only loaded.

`install` puts a stand-in for `torch.utils.cpp_extension.load_inline` in place before a kernel
file is executed. In a builder process it compiles what the store lacks, first with the lean
headers of `lean.py` and, if those lack something, with PyTorch's own; in a worker it loads
what the store has and never runs a compiler. torch's load_inline does the building either way.
"""

from __future__ import annotations

import functools
import importlib.machinery
import importlib.util
import inspect
import os
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from harness.build import store
from harness.build.compile import BuildFailed, build, normalised, places
from harness.build.fingerprint import artifact_key


class NotBuilt(Exception):
    """A worker met an extension that no builder saw."""


@dataclass(frozen=True)
class Use:
    """One call of load_inline: the artifact it got, and whether that was built just now."""

    manifest: store.Manifest
    fresh: bool


def install(
    file: Path, arch: str | None, compile_missing: bool, rebuild: bool = False
) -> list[Use]:
    """Make `load_inline` ours in this process, whichever way a file imports it.

    file: the kernel file, to which compiler messages then point.
    arch: what CUDA sources are built for; torch would ask the GPU otherwise, and fail without.
    rebuild: build even what the store has, remembered failures included.
    Returns a list that grows with every call.
    """
    if arch is not None:
        os.environ["TORCH_CUDA_ARCH_LIST"] = arch
    import torch
    from torch.utils import cpp_extension

    original = cpp_extension.load_inline
    uses: list[Use] = []

    @functools.wraps(original)
    def load_inline(*args: Any, **kwargs: Any) -> ModuleType | str:
        bound = inspect.signature(original).bind(*args, **kwargs)
        bound.apply_defaults()
        arguments = normalised(bound.arguments)
        key = artifact_key(arguments)
        manifest = None if rebuild else store.find(key)
        if manifest and manifest.failed and manifest.places != places(arguments, file):
            manifest = None  # the message would point to where the source used to be
            store.forget(key)
        fresh = manifest is None
        if manifest is None:
            if not compile_missing:
                raise NotBuilt(
                    f"the extension {arguments['name']!r} was not built ahead of time: call "
                    "load_inline at import or in ModelNew's constructor, with a source that "
                    "does not change from one process to the next"
                )
            manifest = build(original, arguments, key, file, rebuild)
        uses.append(Use(manifest, fresh))
        if compile_missing:
            print(store.log(key))
        if manifest.failed:
            raise BuildFailed(manifest.failed)
        library = store.library(key, manifest)
        if arguments["is_python_module"]:
            return import_library(manifest.module, library)
        torch.ops.load_library(library)  # type: ignore[no-untyped-call]
        return str(library)

    cpp_extension.load_inline = load_inline
    return uses


def import_library(name: str, library: Path) -> ModuleType:
    """Load a built extension under the name that it was built for."""
    loader = importlib.machinery.ExtensionFileLoader(name, str(library))
    spec = importlib.util.spec_from_file_location(name, library, loader=loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module
