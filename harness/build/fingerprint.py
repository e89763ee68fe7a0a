"""The key of a built extension: a hash of everything that changes the binary.

A library that is named by `-l` is taken to be what it was; one that is named by its path is hashed.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from harness.build import lean, toolchain

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


_FOLDER_FLAGS = ("-I", "-isystem", "-iquote", "-idirafter")
_FILE_FLAGS = ("-include", "-imacros")


def _included(arguments: Arguments) -> dict[str, str]:
    """Hashes of the user's own files that take part: headers that the sources include, directly or
    through others, and what is linked by its path."""
    folders = [*map(Path, arguments.get("extra_include_paths") or [])]
    folders += map(Path, _after(_FOLDER_FLAGS, arguments))
    for variable in toolchain.INCLUDE_PATHS:
        folders += map(Path, filter(None, os.environ.get(variable, "").split(os.pathsep)))
    sources = [*arguments["cpp_sources"], *arguments["cuda_sources"]]
    sources += [f'#include "{file}"' for file in _after(_FILE_FLAGS, arguments)]
    texts = [(text, folders) for text in sources]
    linked = [Path(word) for word in _words(arguments, "extra_ldflags") if "/" in word]
    found = {str(path): _hash(path.read_bytes()) for path in linked if path.is_file()}
    while texts:
        text, places = texts.pop()
        for name in re.findall(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', text, re.MULTILINE):
            candidates = [Path(name)] if Path(name).is_absolute() else [p / name for p in places]
            for path in candidates:
                if str(path) not in found and path.is_file():
                    content = path.read_bytes()
                    found[str(path)] = _hash(content)
                    # A header may include its neighbours.
                    texts.append((content.decode(errors="replace"), [path.parent, *folders]))
    return found


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _words(arguments: Arguments, *kinds: str) -> list[str]:
    """The words of flags, of which load_inline takes several in one string as well."""
    return [word for kind in kinds for flag in arguments[kind] or [] for word in shlex.split(flag)]


def _after(flags: Sequence[str], arguments: Arguments) -> list[str]:
    """What the compilers' flags say after any of these, in the same word or the next."""
    words = _words(arguments, "extra_cflags", "extra_cuda_cflags")
    said = []
    for word, following in zip_longest(words, words[1:]):
        for flag in flags:
            if word == flag and following:
                said.append(following)
            elif word.startswith(flag) and word != flag:
                said.append(word.removeprefix(flag))
    return said
