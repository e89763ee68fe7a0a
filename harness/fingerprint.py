"""The key of a built extension: a hash of everything that changes the binary."""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

from harness import lean, toolchain

Arguments = dict[str, Any]
"""load_inline's, every one of them, both kinds of sources as lists."""

_UNIMPORTANT = ("name", "build_directory", "verbose", "keep_intermediates", "use_pch")
"""Arguments of load_inline that leave the binary's behaviour alone."""


def artifact_key(arguments: Arguments) -> str:
    """SHA-256 over everything that changes the binary: sources, flags, compilers, torch, Python,
    the lean headers."""
    import torch

    said = {k: v for k, v in arguments.items() if k not in _UNIMPORTANT}
    facts = {
        "arguments": said,
        "machine": toolchain.describe(bool(arguments["cuda_sources"]), "native" in str(said)),
        "torch": torch.__version__,
        "torch's CUDA": torch.version.cuda,
        "C++ ABI": torch.compiled_with_cxx11_abi(),
        "lean": lean.digest(),
        "includes": _included(arguments),
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()


_INCLUDE_FLAG = re.compile(r"-(?:I|isystem|iquote|idirafter)\s*(.+)|--include-path=(.+)")


def _included(arguments: Arguments) -> dict[str, str]:
    """Hashes of the user's own headers that the sources include, directly or through others."""
    folders = [Path(folder) for folder in _include_folders(arguments)]
    texts = [(text, folders) for text in [*arguments["cpp_sources"], *arguments["cuda_sources"]]]
    found: dict[str, str] = {}
    while texts:
        text, places = texts.pop()
        for name in re.findall(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', text, re.MULTILINE):
            candidates = [Path(name)] if Path(name).is_absolute() else [p / name for p in places]
            for path in candidates:
                if str(path) not in found and path.is_file():
                    content = path.read_bytes()
                    found[str(path)] = hashlib.sha256(content).hexdigest()
                    # A header may include its neighbours.
                    texts.append((content.decode(errors="replace"), [path.parent, *folders]))
    return found


def _include_folders(arguments: Arguments) -> list[str]:
    """Where the caller and the environment send the compilers for headers."""
    folders = list(arguments.get("extra_include_paths") or [])
    for kind in ("extra_cflags", "extra_cuda_cflags"):
        # A flag and its folder may be one word or two.
        flags = re.sub(
            r"(-I|-isystem|-iquote|-idirafter)\0", r"\1", "\0".join(arguments[kind] or [])
        )
        matches = map(_INCLUDE_FLAG.match, flags.split("\0"))
        folders += [match[1] or match[2] for match in matches if match]
    for variable in toolchain.INCLUDE_PATHS:
        folders += filter(None, os.environ.get(variable, "").split(os.pathsep))
    return folders
