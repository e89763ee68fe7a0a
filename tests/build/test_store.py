"""The store: complete artifacts or none, bounded in size."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from harness import cache
from harness.build import store
from harness.records import Diagnostic


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KERNEL_BENCH_CACHE", str(tmp_path))
    return tmp_path


def manifest(**changes: object) -> store.Manifest:
    return store.Manifest(**{"name": "n", "seconds": 1.5, "route": "lean"} | changes)


def fill(key: str, size: int = 10, content: bytes = b"x", **changes: object) -> store.Artifact:
    with store.building(key) as folder:
        (folder / "built.so").write_bytes(content * size)
        return store.put(folder, key, manifest(**changes), folder / "built.so", "what was said")


def test_what_is_put_is_found() -> None:
    assert not store.knows("k")
    artifact = fill("k")
    assert store.find("k") == artifact
    assert artifact.library.name == "n.so"
    assert artifact.library.read_bytes() == b"x" * 10
    assert artifact.log() == "what was said"
    assert store.find("other") is None
    assert store.knows("k") and not store.knows("other")


def test_a_failure_is_kept_without_a_library(root: Path) -> None:
    with store.building("k") as folder:
        store.put(folder, "k", manifest(failed=Diagnostic("error: no")), None, "error: no")
    artifact = store.find("k")
    assert artifact is not None and artifact.manifest.failed == Diagnostic("error: no")
    assert not list(root.glob("k-*/*.so"))


@pytest.mark.parametrize("damage", ["gone", "empty", "short", "other"])
def test_a_damaged_library_is_forgotten(damage: str) -> None:
    artifact = fill("k", size=5000)
    content = {"empty": b"", "short": b"x" * 4096, "other": b"y" * 5000}.get(damage)
    if content is None:
        artifact.library.unlink()
    else:
        artifact.library.write_bytes(content)
    assert store.find("k") is None
    assert not artifact.folder.exists()
    assert store.find("k") is None


def state(path: Path) -> dict[str, str | None]:
    there = path.is_file()
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() if there else None}


def test_each_state_of_the_files_has_an_artifact(tmp_path: Path) -> None:
    header = tmp_path / "header.h"
    artifacts = {}
    for content in (None, "one", "two"):
        if content:
            header.write_text(content)
        assert store.find("k") is None
        artifacts[content] = fill("k", dependencies=state(header))
    for content in ("one", "two"):
        header.write_text(content)
        assert store.find("k") == artifacts[content]
    header.unlink()
    assert store.find("k") == artifacts[None]
    assert len(store.entries()) == 3


def test_a_rebuild_replaces_its_own_state() -> None:
    fill("k", content=b"x")
    fill("k", content=b"y")
    (entry,) = store.entries()
    assert (cache.root() / entry.key / "n.so").read_bytes() == b"y" * 10


def test_content_is_on_disk_before_it_is_in_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    fsync = os.fsync

    def note(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        written.append(path.name)
        assert not list(cache.root().glob("k-*")) or path == cache.root()
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    fill("k")
    assert set(written[:-1]) == {"n.so", store.LOG, store.MANIFEST, "done"}
    assert written[-1] == cache.root().name


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
@pytest.mark.filterwarnings("ignore")
def test_without_locks_the_rename_decides(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(descriptor: int, operation: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)
    fill("k")
    assert store.find("k") is not None
    if number != errno.ENOSYS:  # there the lock library has a way of its own
        with store.building("j") as one, store.building("j") as other:
            for folder, content in ((one, b"1"), (other, b"2")):
                (folder / "built.so").write_bytes(content)
                store.put(folder, "j", manifest(), folder / "built.so", "")
        artifact = store.find("j")
        assert artifact is not None and artifact.library.read_bytes() == b"2"
        abandoned = cache.root() / "building" / "j.abandoned"
        abandoned.mkdir()
        store.sweep()
        assert abandoned.exists()  # it may be under way
        long_ago = time.time() - 2 * store.ABANDONED_S
        os.utime(abandoned, (long_ago, long_ago))
        store.sweep()
        assert not abandoned.exists()


def test_one_waits_for_another(root: Path) -> None:
    waited = threading.Event()
    done: list[str] = []

    def second() -> None:
        with store.building("k", on_wait=waited.set):
            done.append("second")

    with store.building("k"):
        thread = threading.Thread(target=second)
        thread.start()
        assert waited.wait(60)
        done.append("first")
    thread.join(60)
    assert done == ["first", "second"]


def test_a_build_that_breaks_off_leaves_nothing(root: Path) -> None:
    with pytest.raises(KeyboardInterrupt), store.building("k") as folder:
        (folder / "m.so").write_bytes(b"half")
        raise KeyboardInterrupt
    assert store.find("k") is None
    assert not list((root / "building").iterdir())


def test_what_a_killed_build_left_is_no_obstacle(root: Path) -> None:
    (root / "building" / "k.killed" / "done").mkdir(parents=True)
    fill("k")
    assert store.find("k") is not None
    store.sweep()
    assert not list((root / "building").iterdir())


def test_a_manifest_of_another_version_is_forgotten(root: Path) -> None:
    artifact = fill("k")
    for text in ('{"unknown": 1}', "{", "[]"):
        artifact.folder.mkdir(exist_ok=True)
        (artifact.folder / store.MANIFEST).write_text(text)
        assert store.find("k") is None
        assert not artifact.folder.exists()


def test_the_longest_unused_goes_first_but_nothing_used_lately(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = fill("a", size=700).library.parent
    each = sum(file.stat().st_size for file in size.iterdir())
    monkeypatch.setattr(store, "LIMIT_BYTES", 5 * each // 2)
    long_ago = time.time() - 2 * store.SAFE_S
    for age, key in enumerate("abc"):
        path = fill(key, size=700).folder / store.MANIFEST
        os.utime(path, (long_ago - age, long_ago - age))
    fill("new", size=700)

    def keys() -> list[str]:
        return [entry.key.partition("-")[0] for entry in store.entries()]

    assert keys() == ["new", "a"]
    for key in "de":
        fill(key, size=700)
    assert keys() == ["e", "d", "new"]  # beyond the limit, but perhaps about to be loaded


def test_compilers_of_a_killed_build_are_ended_and_no_others(root: Path) -> None:
    killed = root / "building" / "k.killed" / "lean"
    killed.mkdir(parents=True)
    sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
    with (
        store.building("busy") as busy,
        subprocess.Popen(sleep, cwd=killed) as orphan,
        subprocess.Popen(sleep, cwd=busy) as other,
    ):
        try:
            reaper = threading.Thread(target=orphan.wait)
            reaper.start()
            store.sweep()
            reaper.join(60)
            assert orphan.returncode == -signal.SIGKILL
            assert other.poll() is None
        finally:
            orphan.kill()
            other.kill()
    assert not killed.parent.exists()


def test_clear_says_what_it_freed() -> None:
    fill("a")
    fill("b")
    size = sum(entry.size_bytes for entry in store.entries())
    assert store.clear() == size > 0
    assert store.entries() == []


def test_clear_leaves_what_is_not_the_stores(root: Path) -> None:
    fill("a")
    (root / "precious").mkdir()
    store.clear()
    assert (root / "precious").exists()


def test_what_killed_builds_left_goes_but_no_build_under_way(root: Path) -> None:
    (root / "building" / "killed.1").mkdir(parents=True)
    with store.building("busy") as busy:
        fill("other")
        store.clear()
        assert busy.exists()
    assert not (root / "building" / "killed.1").exists()
