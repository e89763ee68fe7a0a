"""The store of built extensions: one folder per artifact, named by a hash of all that made it.

    <root>/<key>/manifest.json   what was built, how, in how long; or why it cannot be built
    <root>/<key>/<module>.so     the extension, absent where the build failed
    <root>/<key>/build.log       commands and compiler output
    <root>/building/<key>/       a build under way, moved to its place when it is done
    <root>/locks/<key>           held by the process that builds
    <root>/toolkit/, logs/       small things of other modules, kept

A folder in its place is complete, whatever was killed when: it got there by one rename.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from harness import cache
from harness.records import Diagnostic, Resources

MANIFEST = "manifest.json"
LOG = "build.log"

LIMIT_BYTES = 2 << 30
"""The store forgets what was unused longest when it grows beyond this."""

_SAFE_S = 3600.0
"""What was used this recently stays: another process may be about to load it."""


@dataclass(frozen=True)
class Manifest:
    """What is known of one artifact."""

    name: str
    """The name in the caller's load_inline."""
    module: str
    """The Python module's name, and the stem of its file."""
    seconds: float
    """Wall time of the build."""
    route: str
    """"lean" or "full": the headers it was built with."""
    why_full: str = ""
    failed: Diagnostic | None = None
    """The first error; None for a good build."""
    places: list[str] = field(default_factory=list)
    """Where the sources stood in the kernel's file, as messages have it."""
    resources: list[Resources] = field(default_factory=list)
    """Of every CUDA kernel."""
    arch: str | None = None

    @classmethod
    def parse(cls, text: str) -> Manifest:
        """Raises ValueError or TypeError for what is no manifest of this version."""
        fields = json.loads(text)
        if fields.get("failed") is not None:
            fields["failed"] = Diagnostic(**fields["failed"])
        fields["resources"] = [Resources(**taken) for taken in fields.get("resources", [])]
        return cls(**fields)


def find(key: str) -> Manifest | None:
    """The artifact's manifest, marked as used now; None if there is no such artifact."""
    path = cache.root() / key / MANIFEST
    try:
        manifest = Manifest.parse(path.read_text())
        with contextlib.suppress(OSError):  # a store shared for reading only
            os.utime(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (ValueError, TypeError):
        # Written by another version of this tool; the key covers sources, not this format.
        shutil.rmtree(path.parent, ignore_errors=True)
        return None
    return manifest if manifest.failed or library(key, manifest).exists() else None


@contextlib.contextmanager
def building(key: str) -> Iterator[Path]:
    """A private folder to build in, under a lock that only one process at a time holds.

    The lock is the operating system's: it ends with its holder, however that ends. Ask `find`
    again once inside, since another process may have built the same while this one waited.
    """
    with (cache.make_folder("locks") / key).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder = cache.root() / "building" / key
        shutil.rmtree(folder, ignore_errors=True)  # of a build that was killed
        folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def put(key: str, manifest: Manifest, library: Path | None, output: str) -> None:
    """Move a finished build to its place; call while inside `building(key)`."""
    done = cache.root() / "building" / key / "done"
    done.mkdir()
    if library is not None:
        library.rename(done / f"{manifest.module}.so")
    (done / LOG).write_text(output)
    (done / MANIFEST).write_text(json.dumps(asdict(manifest), indent=2) + "\n")
    # What a rebuild replaces goes aside first: another process misses it for an instant at most.
    with contextlib.suppress(FileNotFoundError):
        (cache.root() / key).rename(done.with_name("replaced"))
    done.rename(cache.root() / key)
    _trim()


def library(key: str, manifest: Manifest) -> Path:
    """The extension's file."""
    return cache.root() / key / f"{manifest.module}.so"


def log(key: str) -> str:
    """The commands and the compilers' output of a build."""
    try:
        return (cache.root() / key / LOG).read_text()
    except OSError:
        return ""


def forget(key: str) -> None:
    """Remove one artifact."""
    shutil.rmtree(cache.root() / key, ignore_errors=True)


@dataclass(frozen=True)
class Entry:
    """One artifact as `run_bench.py cache` shows it."""

    key: str
    manifest: Manifest
    size_bytes: int
    used: float
    """When it was last loaded, in seconds since the epoch."""


def entries() -> list[Entry]:
    """All artifacts, the most recently used first."""
    found = []
    for path in cache.root().glob(f"*/{MANIFEST}"):
        try:
            used = path.stat().st_mtime
            manifest = Manifest.parse(path.read_text())
            size = sum(file.stat().st_size for file in path.parent.iterdir())
        except (OSError, ValueError, TypeError):
            continue  # removed by another process meanwhile, or of another version
        found.append(Entry(path.parent.name, manifest, size, used))
    return sorted(found, key=lambda entry: -entry.used)


def clear() -> int:
    """Remove every artifact, but no build under way; return how many bytes that freed."""
    freed = sum(entry.size_bytes for entry in entries())
    for path in cache.root().glob(f"*/{MANIFEST}"):  # also what another version of this tool made
        forget(path.parent.name)
    _sweep()
    return freed


def _sweep() -> None:
    """Remove what builds that were killed left behind."""
    for folder in (cache.root() / "building").glob("*"):
        with contextlib.suppress(OSError), (cache.root() / "locks" / folder.name).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)


def _trim() -> None:
    _sweep()
    total = 0
    for entry in entries():
        total += entry.size_bytes
        if total > LIMIT_BYTES and time.time() - entry.used > _SAFE_S:
            forget(entry.key)
