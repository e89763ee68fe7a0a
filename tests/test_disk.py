"""What a disk refuses."""

from __future__ import annotations

import csv
import errno
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest

from harness.disk import CarefulWriter, refusal
from harness.records import Case, HarnessError, Result, Status, Verdict
from harness.results import RESULTS


def failed(status: Status) -> Result:
    case = Case({"rows": 1}, "float32", "cpu")
    return Result("pretended", "mine", case, 0, Verdict(status, "OSError: no room\nat line 2"))


@pytest.fixture
def full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that takes no more, where others do."""
    folder = tmp_path / "full"
    folder.mkdir()
    make = tempfile.TemporaryFile

    def refuse(*, dir: Path, **options: Any) -> Any:
        if Path(dir) == folder:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return make(dir=dir, **options)

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    return folder


def rows(folder: Path) -> int:
    with (folder / RESULTS).open() as file:
        return len(list(csv.DictReader(file)))


@pytest.mark.parametrize("status", ["BUILD_FAILED", "LOAD_FAILED", "RUNTIME_ERROR", "CRASHED"])
def test_a_full_disk_convicts_no_kernel(status: str, full: Path, tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match=r"full has no room left, .* of 'mine' \(.*no room\)"):
        CarefulWriter(full, ["rows"], []).append(failed(Status(status)))
    assert rows(full) == 0
    CarefulWriter(tmp_path, ["rows"], []).append(failed(Status(status)))
    assert rows(tmp_path) == 1


def test_the_store_of_builds_may_be_full_as_well(
    full: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERNEL_BENCH_CACHE", str(full))
    with pytest.raises(HarnessError, match="full has no room left"):
        CarefulWriter(tmp_path, ["rows"], []).append(failed(Status.BUILD_FAILED))


def test_what_no_disk_causes_is_a_row_on_a_full_one_too(full: Path) -> None:
    CarefulWriter(full, ["rows"], []).append(failed(Status.WRONG_VALUES))
    assert rows(full) == 1


@pytest.mark.parametrize(
    "error, says",
    [
        (OSError(errno.ENOSPC, "No space left", "/a"), "/a: No space left: make room, or name"),
        (OSError(errno.EMFILE, "Too many open files", "/a"), "/a: Too many open files."),
        (OSError("odd"), "odd."),
    ],
)
def test_what_the_system_refuses_in_one_sentence(error: OSError, says: str) -> None:
    assert refusal(error).startswith(says)
