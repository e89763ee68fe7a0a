"""Which files a build depends on, and whether they still are what they were.

The compilers say which headers they read, and the linker which libraries. They do not say which
they would have read, had they been there: a header that is missing, that `__has_include` asked for,
or that would have come first. So what include lines, definitions and flags name is looked up in
every folder that the compilers search, too; a name that leads nowhere is kept with None.

Left out are torch, Python, CUDA, the compilers' own headers and the system's libraries, whose
versions are part of the key, and the lean headers, whose content is.
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
import subprocess
import sysconfig
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from harness.build import lean

_COMPILERS_OWN = re.compile(r"/c\+\+/\d|/lib\w*/(?:gcc|clang|llvm[^/]*)/")
_SYSTEMS_LIBRARIES = re.compile(r"/(?:usr/)?lib\w*/")
_SYSTEMS_HEADERS = "/usr/include/"

# What a line that includes, asks for or defines a header's name names.
_NAMING_LINE = re.compile(r"^.*(?:include|define).*$", re.MULTILINE)
_NAME = re.compile(r'["<]\s*([^"<>\s]+)\s*[">]')
_ABSOLUTE = re.compile(r"/[^\s\"',]+")
_NAMES_OPTIONS_FILE = re.compile(r"@|optf|options-file")

CHANGED = "changed while it was read"
"""In the place of a hash; no file has it."""


def unchanged(dependencies: Mapping[str, str | None]) -> bool:
    """Has every file still the content it had, and is what was missing still missing?"""
    return all(_content(Path(path)) == content for path, content in dependencies.items())


def _content(path: Path) -> str | None:
    """A hash of a file's content; None if there is no such file."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
    except OSError:
        return None


def collect(
    folder: Path,
    sources: Mapping[str, Path | None],
    flags: Sequence[str],
    searched: Sequence[Path],
    since: float,
) -> dict[str, str | None]:
    """The files that a build in `folder` depends on: path -> hash of its content, None if missing.

    sources: their text -> the folder that they lie in, if they are files.
    flags: the caller's, to compilers and linker. searched: what `search_folders` returns.
    since: when the build started, in seconds since the epoch. A file that was changed after that
    may have been read before: it makes the build good for once only.
    """
    files = _Files(folder, since)
    for path in _read_by_compilers(folder):
        files.add(path)
    for path in _read_by_linker(folder):
        if not _SYSTEMS_LIBRARIES.match(os.path.realpath(folder / path)):
            files.add(path, is_text=False)
    files.texts += sources.items()
    words = list(flags)
    while words:
        word = words.pop()
        files.texts.append((f"define {word}", None))
        for name in _ABSOLUTE.findall(word):
            is_options = bool(_NAMES_OPTIONS_FILE.search(word))
            if text := files.add(Path(name), is_text=is_options):
                words.append(text)
    while files.texts:
        text, own = files.texts.pop()
        for name in _names(text):
            for place in [own, *searched] if own else searched:
                files.add(place / name)
    return files.contents


class _Files:
    """The files of a build, as they come to light."""

    def __init__(self, folder: Path, since: float) -> None:
        self.contents: dict[str, str | None] = {}
        """Path -> hash; None if there is no such file."""
        self.texts: list[tuple[str, Path | None]] = []
        """What may name further files, with the folder of the file that it is."""
        self._folder = folder
        self._since = since
        self._workplace = f"{folder.resolve().parent}/"

    def add(self, path: Path, *, is_text: bool = True) -> str:
        """Keep a file, if it is of those that count; return its text if it has not been seen."""
        # Links are followed when the file is looked at, but not through the build's own folder.
        name = str(path) if path.is_absolute() else os.path.realpath(self._folder / path)
        if name in self.contents or _is_left_out(name, self._workplace):
            return ""
        content = self.contents[name] = _content(Path(name))
        if content is None or not is_text:
            return ""
        if self._since < Path(name).stat().st_mtime <= time.time():
            self.contents[name] = CHANGED
        text = Path(name).read_text(errors="replace")
        if not name.startswith(_SYSTEMS_HEADERS):
            self.texts.append((text, Path(name).parent))
        return text


def _names(text: str) -> set[str]:
    """What the lines of a source name that may be a header."""
    joined = re.sub(r"\\\r?\n", "", text)
    return {name for line in _NAMING_LINE.findall(joined) for name in _NAME.findall(line)}


def _is_left_out(name: str, *more: str) -> bool:
    """Does a file or folder belong to what the key names, or lie in one of those folders?"""
    real = f"{os.path.realpath(name)}/"
    return real.startswith((*_left_out(), *more)) or bool(_COMPILERS_OWN.search(real))


@functools.cache
def _left_out() -> tuple[str, ...]:
    """Folders, with a slash at the end."""
    import torch

    places = [Path(torch.__file__).parent, lean.INCLUDE]
    places += [Path(sysconfig.get_path(name)) for name in ("include", "platinclude")]
    if home := os.environ.get("CUDA_HOME"):
        places.append(Path(home))
    reals = {f"{place.resolve()}/" for place in places}
    return tuple(reals - {"/usr/", "//"})  # where a distribution's CUDA lies, lies all else


def _read_by_compilers(folder: Path) -> Iterator[Path]:
    """What the depfiles list: rules of make, of which only what follows the colon matters."""
    for depfile in folder.glob("*.d"):
        text = depfile.read_text(errors="surrogateescape").replace("\\\n", " ")
        paths = text.partition(": ")[2]
        for word in re.findall(r"(?:\\.|\S)+", paths):
            yield Path(re.sub(r"\\(.)", r"\1", word).replace("$$", "$"))


def _read_by_linker(folder: Path) -> Iterator[Path]:
    """What the linker's trace lists: a path in every line, perhaps in brackets after a flag."""
    for trace in folder.glob("*.trace"):
        for line in trace.read_text(errors="surrogateescape").splitlines():
            bracketed = re.fullmatch(r"-l\S+ \((.+)\)", line.strip())
            yield Path(bracketed[1] if bracketed else line.strip())


def search_folders(command: str, folder: Path) -> list[Path]:
    """Where a compiler's command looks for headers, folders that are not there included.

    command: in the shell's words, without files. folder: where it is run.
    """
    output = subprocess.run(
        f"{command} -o /dev/null /dev/null",
        shell=True,
        cwd=folder,
        capture_output=True,
        text=True,
        errors="surrogateescape",
        check=False,
        env=os.environ | {"LC_ALL": "C", "TMPDIR": str(folder)},
    ).stderr
    places = re.findall(r"^ignoring nonexistent directory \"(.+)\"$", output, re.MULTILINE)
    for listing in re.findall(
        r"^#include .* search starts here:\n((?: .+\n)*)", output, re.MULTILINE
    ):
        places += [line.strip() for line in listing.splitlines()]
    return [p for p in dict.fromkeys(folder / p for p in places) if not _is_left_out(str(p))]
