"""The text of a caller's own headers, which name what the sources that include them need."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from harness.build import toolchain

_FOLDER_FLAGS = (
    "-I",
    "-isystem",
    "-iquote",
    "-idirafter",
    "--include-directory=",
    "--include-path",
)
_FILE_FLAGS = ("-include", "-imacros", "--pre-include")
_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*[<"]([^>"\n]+)[>"]', re.MULTILINE)


def with_own_headers(sources: Sequence[str], arguments: Mapping[str, Any]) -> str:
    """The sources and, after them, every header of the caller's that they come to include.

    arguments: load_inline's; its paths and flags say where the caller's headers are. A header that
    is found by no text, such as one that a macro names, is left out.
    """
    folders = [Path(folder) for folder in arguments.get("extra_include_paths") or []]
    folders += map(Path, _values(_FOLDER_FLAGS, arguments))
    for variable in toolchain.INCLUDE_PATHS:
        folders += map(Path, filter(None, os.environ.get(variable, "").split(os.pathsep)))
    texts = list(sources)
    texts += [f'#include "{file}"' for file in _values(_FILE_FLAGS, arguments)]
    read: dict[Path, str] = {}
    waiting = [(text, folders) for text in texts]
    while waiting:
        text, places = waiting.pop()
        for header in _found(_INCLUDE.findall(text), places):
            if header not in read:
                read[header] = header.read_text(errors="replace")
                waiting.append((read[header], [header.parent, *folders]))  # its neighbours first
    return "\n".join([*sources, *read.values()])


def _found(names: Iterable[str], folders: Sequence[Path]) -> Iterator[Path]:
    for name in names:
        candidates = (folder / name for folder in folders)  # of an absolute name, the name itself
        if path := next((path for path in candidates if path.is_file()), None):
            yield path.resolve()


def _values(flags: Sequence[str], arguments: Mapping[str, Any]) -> Iterator[str]:
    """What the compilers' flags say after any of these, in the same word or the next."""
    for kind in ("extra_cflags", "extra_cuda_cflags"):
        # load_inline takes several flags in one string as well.
        words = [word for flag in arguments.get(kind) or [] for word in shlex.split(flag)]
        for word, following in pairwise([*words, ""]):
            for flag in flags:
                if word == flag:
                    yield following
                elif word.startswith(flag):
                    yield word.removeprefix(flag)
