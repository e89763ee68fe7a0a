"""The files a run leaves behind: results.csv, samples.csv and environment.json.

results.csv has one row for every (kernel, case), whatever became of it; samples.csv
has every duration behind those rows. Both are on disk before `append` returns, and
samples go first: a run killed at any moment leaves at most one torn last record,
which `read` drops, and never a row that lacks its samples.
"""

from __future__ import annotations

import csv
import io
import json
import math
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.records import BASELINES, HarnessError, Result, Timing

if TYPE_CHECKING:
    import pandas as pd

RESULTS = "results.csv"
SAMPLES = "samples.csv"
ENVIRONMENT = "environment.json"

ALWAYS_THERE = ("eager", "compile")
"""Baselines whose columns are there even if they were not run."""

BEFORE_AXES = ("problem", "kernel", "device", "dtype")
AFTER_AXES = (
    "case", "status", "known_defect", "reason",
    "build_s", "build_route", "build_why_full",
    "registers", "shared_bytes", "spill_bytes", "local_bytes",
    "error_rel", "eager_error_rel",
    "latency_us", "latency_ci_low_us", "latency_ci_high_us", "samples",
)  # fmt: skip
RESOURCES = ("registers", "shared_bytes", "spill_bytes", "local_bytes")
"""Of a kernel's CUDA kernels, the one that takes most."""
TEXT = (*BEFORE_AXES, "status", "known_defect", "reason", "build_route", "build_why_full")
SAMPLE_COLUMNS = ("case", "kernel", "subject", "block", "latency_us")


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
        self._folder = folder
        check_axes(axes)
        self._axes = tuple(axes)
        self._columns = _columns(self._axes, tuple(dict.fromkeys([*ALWAYS_THERE, *baselines])))
        self._write(RESULTS, [self._columns])
        self._write(SAMPLES, [SAMPLE_COLUMNS])

    def append(self, result: Result) -> None:
        """Put one result on disk: its samples, then its row.

        Raises ValueError for an axis or baseline that the header does not have,
        HarnessError when the disk refuses.
        """
        if set(result.case.axes) != set(self._axes):
            raise ValueError(f"case [{result.case}] does not have the axes {self._axes}")
        row = _row(result)
        if unknown := row.keys() - set(self._columns):
            raise ValueError(f"the header has no columns {sorted(unknown)}")
        self._write(SAMPLES, _sample_rows(result))
        self._write(RESULTS, [[row.get(column) for column in self._columns]])

    def _write(self, name: str, rows: Iterable[Iterable[object]]) -> None:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(map(_cell, row) for row in rows)
        path = self._folder / name
        try:
            with path.open("ab") as file:
                file.write(text.getvalue().encode(errors="backslashreplace"))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise _refused(path, error) from error


def _refused(path: Path, error: OSError) -> HarnessError:
    return HarnessError(
        f"Cannot write {path} ({error.strerror}); make room or name another folder."
    )


def write_environment(folder: Path, facts: Mapping[str, Any]) -> None:
    """Write the facts to environment.json, in their own order; what JSON lacks, as text.

    Raises HarnessError when the disk refuses.
    """
    path = folder / ENVIRONMENT
    aside = path.with_suffix(".tmp")
    try:
        aside.write_text(json.dumps(facts, indent=2, default=str) + "\n", encoding="utf-8")
        aside.replace(path)
    except OSError as error:
        raise _refused(path, error) from error


def read_environment(folder: Path) -> dict[str, Any]:
    """The facts of environment.json; empty when a run was stopped before it had any."""
    try:
        facts = json.loads((folder / ENVIRONMENT).read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return facts if isinstance(facts, dict) else {}


def read(folder: Path) -> pd.DataFrame:
    """Read results.csv: one row per (kernel, case), every number exactly as it was measured.

    Missing numbers are NaN, missing text is None, an empty reason is "". Axis columns
    hold integers, floats or strings, whichever their cells look like.
    Raises HarnessError when there are no results to read.
    """
    import pandas as pd  # not before: writing needs none of it

    path = folder / RESULTS
    if not path.is_file():
        raise HarnessError(f"{path} does not exist; name the folder of a finished run.")
    header, *rows = _whole_records(path.read_bytes().decode(errors="replace")) or [[]]
    if not rows:
        raise HarnessError(f"{path} holds no results; run the benchmark again.")
    if missing := {*BEFORE_AXES, "case", "status", "reason", "latency_us"} - set(header):
        raise HarnessError(
            f"{path} is no results file of this tool: it has no column {min(missing)!r}."
        )
    columns = dict(zip(header, zip(*rows, strict=True), strict=True))
    return pd.DataFrame(
        {name: [_value(name, cell) for cell in cells] for name, cells in columns.items()}
    )


def axis_columns(frame: pd.DataFrame) -> list[str]:
    """Names of the problem's axes: the columns between dtype and case."""
    names = [str(column) for column in frame.columns]
    return names[names.index(BEFORE_AXES[-1]) + 1 : names.index(AFTER_AXES[0])]


def _columns(axes: Sequence[str], baselines: Sequence[str]) -> list[str]:
    columns = [
        *BEFORE_AXES,
        *axes,
        *AFTER_AXES,
        *chain.from_iterable(_time_columns(_slug(name)) for name in baselines),
        *chain.from_iterable(_speedup_columns(_slug(name)) for name in baselines),
    ]
    return columns


def check_axes(axes: Iterable[str]) -> None:
    """Raise HarnessError if a column of results.csv has the name of an axis already."""
    taken = [axis for axis in axes if axis in _columns((), tuple(BASELINES))]
    if taken:
        raise HarnessError(
            f"The problem's axis {taken[0]!r} has the name of a column of {RESULTS}: "
            "call it something else in the problem's file."
        )


def _slug(baseline: str) -> str:
    return baseline.replace("-", "_")


def _time_columns(subject: str) -> tuple[str, str, str]:
    return f"{subject}_us", f"{subject}_ci_low_us", f"{subject}_ci_high_us"


def _speedup_columns(baseline: str) -> tuple[str, str, str]:
    stem = f"speedup_vs_{baseline}"
    return stem, f"{stem}_ci_low", f"{stem}_ci_high"


def _row(result: Result) -> dict[str, object]:
    """Column -> cell. Columns without a value are left out."""
    row: dict[str, object] = {
        "problem": result.problem,
        "kernel": result.kernel,
        "device": result.case.device,
        "dtype": result.case.dtype,
        **result.case.axes,
        "case": result.case_index,
        "status": result.verdict.status,
        "known_defect": result.known_defect,
        "reason": result.verdict.reason,
        "error_rel": result.verdict.error_rel,
        "eager_error_rel": result.verdict.eager_error_rel,
    }
    if result.build is not None:
        row |= {
            "build_s": result.build.seconds,
            "build_route": result.build.route,
            "build_why_full": result.build.why_full or None,
        }
        row |= {name: result.build.most(name) for name in RESOURCES}
    if result.timing is not None:
        row |= _times("latency", result.timing) | {"samples": result.timing.samples}
    for name, timing in result.baselines.items():
        row |= _times(_slug(name), timing)
    for name, s in result.speedups.items():
        columns = _speedup_columns(_slug(name))
        row |= dict(zip(columns, (s.ratio, s.ci_low, s.ci_high), strict=True))
    return row


def _times(subject: str, timing: Timing) -> dict[str, object]:
    values = (timing.median_us, timing.ci_low_us, timing.ci_high_us)
    return dict(zip(_time_columns(subject), values, strict=True))


def _sample_rows(result: Result) -> Iterator[tuple[object, ...]]:
    own = {} if result.timing is None else {"kernel": result.timing}
    for subject, timing in (own | dict(result.baselines)).items():
        for block, samples_us in enumerate(timing.blocks_us):
            for latency_us in samples_us:
                yield result.case_index, result.kernel, subject, block, latency_us


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
        return None if column in TEXT else math.nan
    if column not in TEXT:
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
