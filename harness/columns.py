"""The columns of results.csv and samples.csv: what a result puts into them, what a frame has.

This module alone knows what the columns of times and speed-ups are called: `interval`,
`speedup`, `baselines` and `uncertain` look them up in what `results.read` returns.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING

from harness.records import (
    ASTRAY,
    KERNEL,
    NON_FINITE,
    UNCERTAIN,
    NonFinite,
    Result,
    Status,
    Timing,
)

if TYPE_CHECKING:  # who only writes need not wait for it
    import pandas as pd

ALWAYS_THERE = ("eager", "compile")
"""Baselines whose columns are there even if they were not run."""

BEFORE_AXES = ("problem", "kernel", "device", "dtype")
AFTER_AXES = (
    "case", "status", "known_defect", "reason", "non_finite", "stress", "fallback",
    "build_s", "build_route", "build_why_full",
    "registers", "shared_bytes", "spill_bytes", "local_bytes",
    "error_rel", "eager_error_rel",
    "latency_us", "latency_ci_low_us", "latency_ci_high_us", "samples", "timer", "uncertain",
    "bound_us", "bound_kind",
)  # fmt: skip
REQUIRED = frozenset({*BEFORE_AXES, "case", "status", "reason", "latency_us"})
"""Columns without which a file is none of ours, whatever its version."""

RESOURCES = ("registers", "shared_bytes", "spill_bytes", "local_bytes")
"""Of a kernel's CUDA kernels, the one that takes most."""

TEXT = frozenset({
    *BEFORE_AXES, "status", "known_defect", "reason", "non_finite", "stress", "fallback",
    "build_route", "build_why_full", "timer", "uncertain", "bound_kind",
})  # fmt: skip
SAMPLE_COLUMNS = ("case", "kernel", "subject", "block", "latency_us")

ESTIMATE = ("middle", "low", "high")
"""A median or a ratio, and the ends of its 95% interval."""

_VS = "speedup_vs_"


def names(axes: Sequence[str], baselines: Sequence[str]) -> list[str]:
    """The header of results.csv."""
    return [
        *BEFORE_AXES,
        *axes,
        *AFTER_AXES,
        *chain.from_iterable(_time_columns(_stem(name)) for name in baselines),
        *chain.from_iterable(_speedup_columns(_stem(name)) for name in baselines),
    ]


def axes(header: Sequence[str]) -> list[str]:
    """Names of the problem's axes: the columns between dtype and case."""
    return list(header[header.index(BEFORE_AXES[-1]) + 1 : header.index(AFTER_AXES[0])])


# From a result


def row(result: Result) -> dict[str, object]:
    """Column -> cell. Columns without a value are left out."""
    cells: dict[str, object] = {
        "problem": result.problem,
        "kernel": result.kernel,
        "device": result.case.device,
        "dtype": result.case.dtype,
        **result.case.axes,
        "case": result.case_index,
        "status": result.verdict.status,
        "known_defect": result.known_defect,
        "reason": result.verdict.reason,
        "non_finite": result.verdict.non_finite,
        "stress": result.verdict.stress or None,
        "fallback": result.fallback or None,
        "uncertain": " ".join(result.uncertain) or None,
        "error_rel": result.verdict.error_rel,
        "eager_error_rel": result.verdict.eager_error_rel,
    }
    if result.build is not None:
        cells |= {
            "build_s": result.build.seconds,
            "build_route": result.build.route,
            "build_why_full": result.build.why_full or None,
        }
        cells |= {name: result.build.most(name) for name in RESOURCES}
    if result.timing is not None:
        cells |= {"samples": result.timing.samples, "timer": result.timing.timer or None}
    if result.bound is not None:
        cells |= {"bound_us": result.bound.us, "bound_kind": result.bound.kind}
    for subject, timing in result.timings.items():
        cells |= _times(subject, timing)
    for name, s in result.speedups.items():
        cells |= dict(
            zip(_speedup_columns(_stem(name)), (s.ratio, s.ci_low, s.ci_high), strict=True)
        )
    return cells


def sample_rows(result: Result) -> Iterator[tuple[object, ...]]:
    """Every duration behind a result, as SAMPLE_COLUMNS has it."""
    for subject, timing in result.timings.items():
        for block, samples_us in enumerate(timing.blocks_us):
            for latency_us in samples_us:
                yield result.case_index, result.kernel, subject, block, latency_us


# From a frame


def interval(frame: pd.DataFrame, subject: str) -> pd.DataFrame:
    """A subject's median times in microseconds, for the rows of the frame.

    subject: KERNEL, or a baseline by its name. Returns the columns of ESTIMATE; NaN where
    it was not timed.
    """
    return _estimate(frame, _time_columns(_stem(subject)))


def speedup(frame: pd.DataFrame, baseline: str) -> pd.DataFrame:
    """The kernels' speed-ups over a baseline, for the rows of the frame.

    Returns the columns of ESTIMATE; NaN where there is none, as in a row that did not pass.
    """
    return _estimate(frame, _speedup_columns(_stem(baseline)))


def baselines(frame: pd.DataFrame) -> list[str]:
    """Names of the baselines that were timed on some row, in the order of their columns."""
    heads = [str(name) for name in frame.columns]
    stems = (head.removeprefix(_VS) for head in heads if head.startswith(_VS))
    timed = [stem.replace("_", "-") for stem in stems if _time_columns(stem)[1] in heads]
    return [name for name in timed if interval(frame, name)["middle"].notna().any()]


def uncertain(frame: pd.DataFrame, subject: str) -> pd.Series[bool]:
    """Which rows of the frame say that this subject's time is uncertain."""
    return frame["uncertain"].map(lambda cell: isinstance(cell, str) and subject in cell.split())


def fates(frame: pd.DataFrame) -> pd.Series[str]:
    """What became of the kernels, as `Verdict.fate` has it: a wrong one is timed only if it is
    right on every finite input."""
    astray = (frame["status"] == Status.WRONG_VALUES) & interval(frame, KERNEL)["middle"].notna()
    return frame["status"].mask(astray, ASTRAY)


def fill_in(frame: pd.DataFrame) -> None:
    """Give the frame of an older version's run the columns that it lacks, and today's statuses.

    `uncertain` follows from the intervals, and NON_FINITE was a status; others have no values.
    """
    for name in ("fallback", "timer", "non_finite", "stress", "bound_us", "bound_kind"):
        if name not in frame:
            frame[name] = None
    astray = frame["status"] == NON_FINITE
    frame.loc[astray, ["status", "non_finite"]] = [Status.WRONG_VALUES, NonFinite.DIFFERS]
    if "uncertain" not in frame:
        wide = {}
        for subject in (KERNEL, *baselines(frame)):
            times = interval(frame, subject)
            wide[subject] = times["high"] - times["low"] > UNCERTAIN * times["middle"]
        frame["uncertain"] = [" ".join(s for s in wide if wide[s][at]) for at in frame.index]


def _estimate(frame: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    return frame.reindex(columns=list(columns)).set_axis(list(ESTIMATE), axis=1).astype(float)


# Names


def _stem(subject: str) -> str:
    return "latency" if subject == KERNEL else subject.replace("-", "_")


def _time_columns(stem: str) -> tuple[str, str, str]:
    return f"{stem}_us", f"{stem}_ci_low_us", f"{stem}_ci_high_us"


def _speedup_columns(stem: str) -> tuple[str, str, str]:
    return f"{_VS}{stem}", f"{_VS}{stem}_ci_low", f"{_VS}{stem}_ci_high"


def _times(subject: str, timing: Timing) -> dict[str, object]:
    values = (timing.median_us, timing.ci_low_us, timing.ci_high_us)
    return dict(zip(_time_columns(_stem(subject)), values, strict=True))
