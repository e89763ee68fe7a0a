"""The store of built extensions: one folder per artifact, named by a hash of all that made it.

    <root>/<key>-<state>/manifest.json   what was built, how, in how long; or why it cannot be
    <root>/<key>-<state>/<name>.so       the extension, absent where the build failed
    <root>/<key>-<state>/build.log       commands and compiler output
    <root>/building/<key>.<random>/      a build under way, moved to its place when it is done
    <root>/locks/<key>                   held by the process that builds
    <root>/logs/                         of the command `build`, kept

A key says what was asked for; a state, which content the files that took part had. When a header
changes, its extension is built anew beside the old one, which serves again if the header changes
back, or another process that sees it otherwise. A folder in its place is complete, whatever was
killed when: it got there by one rename, its content on disk before. The lock only saves work: on a
file system that has none, two processes may build the same, and the rename decides.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from filelock import FileLock, Timeout

from harness import cache
from harness.build import dependencies
from harness.records import Diagnostic, Resources

MANIFEST = "manifest.json"
LOG = "build.log"

LIMIT_BYTES = 2 << 30
"""The store forgets what was unused longest when it grows beyond this."""

SAFE_S = 3600.0
"""What was used this recently stays: another process may be about to load it."""

ABANDONED_S = 24 * 3600.0
"""A build this old is over, where no lock can tell."""


@dataclass(frozen=True)
class Manifest:
    """What is known of one artifact."""

    name: str
    """The name in the caller's load_inline: the Python module's, and the stem of its file."""
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
    dependencies: dict[str, str | None] = field(default_factory=dict)
    """See `dependencies.collect`."""
    library_sha256: str | None = None
    """Of the extension's content; None where the build failed."""

    @classmethod
    def parse(cls, text: str) -> Manifest:
        """Raises ValueError or TypeError for what is no manifest of this version."""
        fields = dict(json.loads(text))
        if fields.get("failed") is not None:
            fields["failed"] = Diagnostic(**fields["failed"])
        fields["resources"] = [Resources(**kernel) for kernel in fields.get("resources", [])]
        return cls(**fields)


@dataclass(frozen=True)
class Artifact:
    """A finished build in its place."""

    folder: Path
    manifest: Manifest

    @property
    def library(self) -> Path:
        """The extension's file."""
        return self.folder / f"{self.manifest.name}.so"

    def log(self) -> str:
        """The commands and the compilers' output."""
        try:
            return (self.folder / LOG).read_text(errors="replace")
        except OSError:
            return ""

    def forget(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


def find(key: str) -> Artifact | None:
    """The artifact of a key as the files it was built from are now, marked as used now.

    None if there is no such artifact. One whose library is damaged is removed.
    """
    for artifact in _artifacts(f"{key}-*"):
        manifest = artifact.manifest
        if not dependencies.unchanged(manifest.dependencies):
            continue
        if not manifest.failed and manifest.library_sha256 != _sha256(artifact.library):
            artifact.forget()
            continue
        with contextlib.suppress(OSError):  # a store shared for reading only
            os.utime(artifact.folder / MANIFEST)
        return artifact
    return None


def knows(key: str) -> bool:
    """Is there an artifact of this key, whatever state it and its files are in?"""
    return any(cache.root().glob(f"{key}-*/{MANIFEST}"))


def _artifacts(pattern: str) -> Iterator[Artifact]:
    for path in cache.root().glob(f"{pattern}/{MANIFEST}"):
        try:
            yield Artifact(path.parent, Manifest.parse(path.read_text()))
        except OSError:
            continue  # removed by another process meanwhile
        except (ValueError, TypeError):
            # Damaged, or of another version of this tool: the key covers sources, not this format.
            shutil.rmtree(path.parent, ignore_errors=True)


def _sha256(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None


@contextlib.contextmanager
def building(key: str, on_wait: Callable[[], None] = lambda: None) -> Iterator[Path]:
    """A private folder to build in, under a lock that only one process at a time holds.

    on_wait: called if another process holds it. The lock is the operating system's: it ends with
    its holder, however that ends. Ask `find` again once inside, since another process may have
    built the same while this one waited.
    """
    lock = FileLock(cache.make_folder("locks") / key)
    with contextlib.suppress(OSError, NotImplementedError):  # a file system without locks
        try:
            lock.acquire(timeout=0)
        except Timeout:
            on_wait()
            lock.acquire()
    try:
        folder = Path(tempfile.mkdtemp(prefix=f"{key}.", dir=cache.make_folder("building")))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        lock.release()


def put(folder: Path, key: str, manifest: Manifest, library: Path | None, output: str) -> Artifact:
    """Move a finished build to its place; call with the folder of `building(key)`."""
    done = folder / "done"
    done.mkdir()
    if library is not None:
        manifest = replace(manifest, library_sha256=_sha256(library))
        library.rename(done / f"{manifest.name}.so")
    (done / LOG).write_text(output, errors="replace")
    (done / MANIFEST).write_text(json.dumps(asdict(manifest), indent=2) + "\n")
    for path in [*done.iterdir(), done]:
        _to_disk(path)
    state = json.dumps(manifest.dependencies, sort_keys=True)
    place = cache.root() / f"{key}-{hashlib.sha256(state.encode()).hexdigest()[:16]}"
    _replace(done, place, aside=folder / "replaced")
    _to_disk(cache.root())
    _trim()
    return Artifact(place, manifest)


def _replace(done: Path, place: Path, aside: Path) -> None:
    """Rename a folder to its place, whatever is there; others miss it for an instant at most."""
    for attempt in range(10):
        with contextlib.suppress(FileNotFoundError):
            place.rename(aside.with_name(f"{aside.name}-{attempt}"))
        try:
            done.rename(place)
            return
        except OSError:
            # Without locks, another process may have put its own there since.
            if attempt == 9 or not place.exists():
                raise


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


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
    artifacts = []
    for artifact in _artifacts("*"):
        with contextlib.suppress(OSError):  # removed by another process meanwhile
            used = (artifact.folder / MANIFEST).stat().st_mtime
            size = sum(file.stat().st_size for file in artifact.folder.iterdir())
            artifacts.append(Entry(artifact.folder.name, artifact.manifest, size, used))
    return sorted(artifacts, key=lambda entry: -entry.used)


def clear() -> int:
    """Remove every artifact, but no build under way; return how many bytes that freed."""
    freed = sum(entry.size_bytes for entry in entries())
    for path in cache.root().glob(f"*/{MANIFEST}"):
        shutil.rmtree(path.parent, ignore_errors=True)
    sweep()
    return freed


def sweep() -> None:
    """Remove what builds that were killed left behind: folders, and compilers still at work."""
    for folder in (cache.root() / "building").glob("*"):
        lock = FileLock(cache.make_folder("locks") / folder.name.partition(".")[0])
        try:
            lock.acquire(timeout=0)
        except Timeout:
            continue  # under way
        except (OSError, NotImplementedError):  # no locks here
            with contextlib.suppress(OSError):
                if time.time() - folder.stat().st_mtime < ABANDONED_S:
                    continue
        _end_processes(folder)
        shutil.rmtree(folder, ignore_errors=True)
        lock.release()


def _end_processes(folder: Path) -> None:
    """Kill what runs in a folder, and wait for its end, but not for ever."""
    for _ in range(200):
        running = False
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):  # another user's, or over meanwhile
                if (process / "cwd").readlink().is_relative_to(folder.resolve()):
                    os.kill(int(process.name), signal.SIGKILL)
                    running = True
        if not running:
            return
        time.sleep(0.01)


def _trim() -> None:
    total = 0
    for entry in entries():
        total += entry.size_bytes
        if total > LIMIT_BYTES and time.time() - entry.used > SAFE_S:
            shutil.rmtree(cache.root() / entry.key, ignore_errors=True)
