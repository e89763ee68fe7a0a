"""The key of a built extension: a hash of what was asked for, and of what it was built with.

Files that take part besides, such as headers, are looked after by `dependencies`. What a kernel
file imports from its neighbours counts by the source strings that it makes of it, which are here.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from harness.build import lean, toolchain

Arguments = dict[str, Any]
"""load_inline's or load's, every one of them, both kinds of sources as lists of texts."""

_UNIMPORTANT = ("build_directory", "verbose", "keep_intermediates", "use_pch")
"""Arguments that leave the binary alone."""


def artifact_key(arguments: Arguments) -> str:
    """SHA-256 over everything that changes the binary, but for files that it includes: sources,
    flags, the name that it is imported by, compilers, torch, Python, the lean headers."""
    import torch

    asked = {k: v for k, v in arguments.items() if k not in _UNIMPORTANT}
    uses_cuda = bool(arguments["cuda_sources"]) or bool(arguments.get("with_cuda"))
    facts = {
        "arguments": asked,
        "machine": toolchain.describe(uses_cuda, "native" in str(asked)),
        "torch": torch.__version__,
        "torch's CUDA": torch.version.cuda,
        "C++ ABI": torch.compiled_with_cxx11_abi(),
        "lean": lean.digest(),
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()
