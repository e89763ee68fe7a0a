"""Where the store lies, on machines where the usual place will not do."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from harness import cache
from harness.records import HarnessError

BLOCKED = "a file where a folder should be"


@pytest.fixture(autouse=True)
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No variable is set, and temporary files go to this test's folder."""
    for name in ("KERNEL_BENCH_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, "")  # so that whatever a test sets is undone
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    return monkeypatch


@pytest.fixture
def homeless(bare: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    def expanduser(path: Path) -> Path:
        if str(path).startswith("~"):
            raise RuntimeError("Could not determine home directory.")
        return path

    bare.setattr(Path, "expanduser", expanduser)
    return bare


def test_the_root_is_the_users(bare: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert cache.root() == tmp_path / "home" / ".cache" / "kernel-bench"
    bare.setenv("KERNEL_BENCH_CACHE", "")  # an empty variable is none
    bare.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache.root() == tmp_path / "xdg" / "kernel-bench"
    bare.setenv("KERNEL_BENCH_CACHE", "~/x")
    assert cache.root() == tmp_path / "home" / "x"
    bare.setenv("KERNEL_BENCH_CACHE", "here")
    assert cache.root() == Path.cwd() / "here"


def test_the_usual_place_is_not_worth_a_word() -> None:
    assert cache.prepare() == ""
    assert cache.root().is_dir()
    assert not list(cache.root().iterdir())


def test_a_place_that_cannot_be_written_to_is_replaced_and_named_once(
    bare: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "blocked").write_text(BLOCKED)
    bare.setenv("KERNEL_BENCH_CACHE", str(tmp_path / "blocked" / "store"))
    complaint = cache.prepare()
    spare = tmp_path / "tmp" / f"kernel-bench-{os.getuid()}"
    assert cache.root() == spare
    assert "blocked/store" in complaint and str(spare) in complaint
    assert "Not a directory" in complaint and "KERNEL_BENCH_CACHE" in complaint
    assert spare.stat().st_mode & 0o077 == 0
    assert cache.prepare() == ""


def test_without_a_home_there_is_a_temporary_place(
    homeless: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(HarnessError, match="no home directory: set KERNEL_BENCH_CACHE"):
        cache.root()
    assert "no home directory" in cache.prepare()
    assert cache.root().parent == tmp_path / "tmp"


def test_a_temporary_place_that_others_can_write_to_is_not_used(
    homeless: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    spare = tmp_path / "tmp" / f"kernel-bench-{os.getuid()}"
    spare.mkdir()
    spare.chmod(0o777)
    with pytest.raises(HarnessError, match=r"belongs to another user.*Set KERNEL_BENCH_CACHE"):
        cache.prepare()
    spare.rmdir()
    (tmp_path / "elsewhere").mkdir()
    spare.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(HarnessError, match="belongs to another user"):
        cache.prepare()


def test_where_nothing_can_be_written_to_the_remedy_is_named(
    bare: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "blocked").write_text(BLOCKED)
    bare.setenv("KERNEL_BENCH_CACHE", str(tmp_path / "blocked" / "store"))
    bare.setattr(tempfile, "tempdir", str(tmp_path / "blocked"))
    with pytest.raises(HarnessError, match=r"blocked/store.*Set KERNEL_BENCH_CACHE"):
        cache.prepare()
    with pytest.raises(HarnessError, match=r"Not a directory.*set KERNEL_BENCH_CACHE"):
        cache.make_folder("logs")
