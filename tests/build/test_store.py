"""The store: complete artifacts or none, bounded in size."""

from __future__ import annotations

import os
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
    return store.Manifest(**{"name": "n", "module": "m", "seconds": 1.5, "route": "lean"} | changes)


def fill(key: str, size: int = 10, **changes: object) -> store.Manifest:
    made = manifest(**changes)
    with store.building(key) as folder:
        (folder / "m.so").write_bytes(b"x" * size)
        store.put(key, made, folder / "m.so", "what was said")
    return made


def test_what_is_put_is_found() -> None:
    made = fill("k")
    assert store.find("k") == made
    assert store.library("k", made).read_bytes() == b"x" * 10
    assert store.log("k") == "what was said"
    assert store.find("other") is None


def test_a_failure_is_kept_without_a_library(root: Path) -> None:
    with store.building("k"):
        store.put("k", manifest(failed=Diagnostic("error: no")), None, "error: no")
    found = store.find("k")
    assert found is not None and found.failed == Diagnostic("error: no")
    assert not list(root.glob("k/*.so"))


def test_a_build_that_breaks_off_leaves_nothing(root: Path) -> None:
    with pytest.raises(KeyboardInterrupt), store.building("k") as folder:
        (folder / "m.so").write_bytes(b"half")
        raise KeyboardInterrupt
    assert store.find("k") is None
    assert not list((root / "building").iterdir())


def test_what_a_killed_build_left_is_no_obstacle(root: Path) -> None:
    (root / "building" / "k" / "done").mkdir(parents=True)
    fill("k")
    assert store.find("k") is not None


def test_a_manifest_of_another_version_is_forgotten(root: Path) -> None:
    fill("k")
    (root / "k" / store.MANIFEST).write_text('{"unknown": 1}')
    assert store.find("k") is None
    assert not (root / "k").exists()


def test_the_longest_unused_goes_first_but_nothing_used_lately(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "LIMIT_BYTES", 2500)
    long_ago = time.time() - 2 * store._SAFE_S
    for age, key in enumerate("abc"):
        fill(key, size=700)
        os.utime(root / key / store.MANIFEST, (long_ago - age, long_ago - age))
    fill("new", size=700)
    assert [entry.key for entry in store.entries()] == ["new", "a"]
    for key in "de":
        fill(key, size=700)
    assert {"new", "d", "e"} <= {entry.key for entry in store.entries()}


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
    (root / "building" / "killed").mkdir(parents=True)
    with store.building("busy") as busy:
        fill("other")
        store.clear()
        assert busy.exists()
    assert not (root / "building" / "killed").exists()


def test_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERNEL_BENCH_CACHE", "")
    assert cache.root().name == "kernel-bench"
