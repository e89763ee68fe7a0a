"""The files a run leaves behind: results.csv, samples.csv and environment.json.

results.csv has one row for every (kernel, case), whatever became of it; samples.csv
has every duration behind those rows. Both are on disk before `append` returns, and
samples go first: a run killed at any moment leaves at most one torn last record,
which `read` drops, and never a row that lacks its samples.
"""

from __future__ import annotations

import csv
import errno
import io
import json
import math
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import columns
from harness.records import BASELINES, HarnessError, Result

if TYPE_CHECKING:  # who only writes need not wait for it
    import pandas as pd

RESULTS = "results.csv"
SAMPLES = "samples.csv"
ENVIRONMENT = "environment.json"


def create_folder(root: Path, problem: str, device: str) -> Path:
    """Make and return `<root>/<date>-<time>-<problem>-<device>/`, a folder no other run uses.

    Raises HarnessError when it cannot be made.
    """
    stem = re.sub(r"[^\w.-]+", "-", f"{datetime.now():%Y%m%d-%H%M%S}-{problem}-{device}")
    for attempt in range(1, 1000):
        folder = root / (stem if attempt == 1 else f"{stem}-{attempt}")
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:
            if not folder.is_dir():  # something on the way to it is a file
                raise HarnessError(f"{root} is not a folder; name another for results.") from None
        except OSError as error:
            raise HarnessError(
                f"Cannot make a results folder in {root} ({error.strerror}); "
                "name a folder that you may write to."
            ) from error
    raise HarnessError(f"{root} holds a thousand runs of this second; name another folder.")


class Writer:
    """Appends results to a run's folder, each one on disk before the next begins."""

    def __init__(self, folder: Path, axes: Sequence[str], baselines: Sequence[str]) -> None:
        """Write both headers.

        axes: names of the problem's axes, in column order.
        baselines: names that may occur in `Result.baselines`, beyond BASELINES.
        Raises HarnessError when two columns would share a name, or when the folder
        cannot be written to.
        """
        self.folder = folder
        self._rows = 0
        check_axes(axes)
        self._axes = tuple(axes)
        self._columns = columns.names(
            self._axes, tuple(dict.fromkeys([*columns.ALWAYS_THERE, *baselines]))
        )
        self._write(RESULTS, [self._columns])
        self._write(SAMPLES, [columns.SAMPLE_COLUMNS])

    def append(self, result: Result) -> None:
        """Put one result on disk: its samples, then its row.

        Raises ValueError for an axis or baseline that the header does not have,
        HarnessError when the disk refuses; the rows before are safe then.
        """
        if set(result.case.axes) != set(self._axes):
            raise ValueError(f"case [{result.case}] does not have the axes {self._axes}")
        row = columns.row(result)
        if unknown := row.keys() - set(self._columns):
            raise ValueError(f"the header has no columns {sorted(unknown)}")
        self._write(SAMPLES, columns.sample_rows(result))
        self._write(RESULTS, [[row.get(column) for column in self._columns]])
        self._rows += 1

    def _write(self, name: str, rows: Iterable[Iterable[object]]) -> None:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(map(_cell, row) for row in rows)
        path = self.folder / name
        try:
            _append(path, text.getvalue().encode(errors="backslashreplace"))
        except OSError as error:
            raise refused(path, error, self._rows) from error


def _append(path: Path, content: bytes) -> None:
    """Put the content on disk behind what is there, or leave the file as it was."""
    with path.open("ab", buffering=0) as file:
        end = file.seek(0, os.SEEK_END)
        try:
            while content:  # a disk that is filling up takes a part
                content = content[file.write(content) :]
            os.fsync(file.fileno())
        except BaseException:
            os.ftruncate(file.fileno(), end)
            raise


def refused(
    path: Path, error: OSError, rows: int = 0, then: str = "run the rest again"
) -> HarnessError:
    """What to say when a file of a run cannot be written.

    rows: how many of the run's are on disk; then: what to do when the cause is gone.
    """
    why = f"Cannot write {path} ({error.strerror})"
    if not rows:
        return HarnessError(f"{why}; make room or name another folder.")
    safe = f"{rows} row{'s are' if rows > 1 else ' is'} safe in {path.with_name(RESULTS)}"
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    remedy = "Make room" if full else "See to it that the folder can be written to"
    return HarnessError(f"{why}; {safe}. {remedy}, then {then}.")


def write_whole(path: Path, content: bytes) -> None:
    """Write a file aside, then rename it: it is there whole, or as it was before.

    Raises OSError when the disk refuses.
    """
    aside = path.with_name(f".{path.name}.tmp")
    try:
        aside.write_bytes(content)
        aside.replace(path)
    except BaseException:  # Ctrl-C as well
        aside.unlink(missing_ok=True)
        raise


def write_environment(folder: Path, facts: Mapping[str, Any]) -> None:
    """Write the facts to environment.json, in their own order; what JSON lacks, as text.

    Raises HarnessError when the disk refuses.
    """
    path = folder / ENVIRONMENT
    try:
        write_whole(path, (json.dumps(facts, indent=2, default=str) + "\n").encode())
    except OSError as error:
        raise refused(path, error) from error


def read_environment(folder: Path) -> dict[str, Any]:
    """The facts of environment.json; empty when a run was stopped before it had any."""
    try:
        facts = json.loads((folder / ENVIRONMENT).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return facts if isinstance(facts, dict) else {}


def read(folder: Path) -> pd.DataFrame:
    """Read results.csv: one row per (kernel, case), every number exactly as it was measured.

    Missing numbers are NaN, missing text is None, an empty reason is "". Axis columns
    hold integers, floats or strings, whichever their cells look like. A run of an older version
    reads as one of today: see `columns.fill_in`.
    Raises HarnessError when there are no results to read.
    """
    import pandas as pd

    path = folder / RESULTS
    if not path.is_file():
        raise HarnessError(f"{path} does not exist; name the folder of a finished run.")
    try:
        text = path.read_bytes().decode(errors="replace")
    except OSError as error:
        raise HarnessError(f"Cannot read {path} ({error.strerror}).") from error
    header, *rows = _whole_records(text) or [[]]
    if not rows:
        raise HarnessError(f"{path} holds no results; run the benchmark again.")
    if missing := columns.REQUIRED - set(header):
        raise HarnessError(
            f"{path} is no results file of this tool: it has no column {min(missing)!r}."
        )
    axes = columns.axes(header)
    frame = pd.DataFrame(
        {
            name: [_value(name, cell) if cell or name not in axes else "" for cell in cells]
            for name, cells in zip(header, zip(*rows, strict=True), strict=True)
        }
    )
    columns.fill_in(frame)
    return frame


def check_axes(axes: Iterable[str]) -> None:
    """Raise HarnessError if a column of results.csv has the name of an axis already."""
    clashes = [axis for axis in axes if axis in columns.names((), tuple(BASELINES))]
    if clashes:
        raise HarnessError(
            f"The problem's axis {clashes[0]!r} has the name of a column of {RESULTS}: "
            "call it something else in the problem's file."
        )


def _cell(value: object) -> object:
    """The value as one cell that every CSV reader and every spreadsheet takes for what it is.

    Reasons quote compilers and kernels, so they may hold anything. A spreadsheet runs
    text that starts like a formula, quoted or not, hence the apostrophe before it
    (OWASP, "CSV Injection"); carriage returns end a record to some readers.
    """
    if not isinstance(value, str):
        return value
    text = value.replace("\r\n", "\n").replace("\r", "\n")
    return "'" + text if text.startswith(("=", "+", "-", "@", "\t")) else text


def _value(column: str, cell: str) -> object:
    """What a cell stands for. Not left to pandas, to which a kernel called "null" is missing."""
    if column == "reason":
        return cell
    if cell == "":
        return None if column in columns.TEXT else math.nan
    if column not in columns.TEXT:
        for number in (int, float):
            with suppress(ValueError):
                return number(cell)
    return cell


def _whole_records(text: str) -> list[list[str]]:
    """The records of a CSV text, without a last one that was only half written."""
    csv.field_size_limit(sys.maxsize)  # the default refuses a compiler's longer messages
    records = list(csv.reader(io.StringIO(text, newline="")))
    if records and (not text.endswith("\n") or len(records[-1]) < len(records[0])):
        records.pop()
    return records
