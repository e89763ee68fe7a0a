"""A run laid out for drawing: which axes give rows or columns, who gets which colour, and what
every subject did: its times and its speed-ups over eager, each ranked or not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from harness import columns, results
from harness.records import KERNEL, Speedup, Status, Timing
from harness.report.numbers import FOOTNOTE, MARK
from harness.timing import stats

# Okabe and Ito, "Color Universal Design", 2008.
KERNEL_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
BASELINE_COLOURS = ("#333333", "#8A8A8A", "#B5B5B5")
MARKERS = "osD^vPX"


@dataclass(frozen=True)
class Subject:
    """A kernel or a baseline, and its looks in every picture."""

    name: str
    colour: str
    marker: str
    is_kernel: bool
    mark: str = ""
    """What its name is followed by if FOOTNOTE is about it."""


class Point(NamedTuple):
    """A time in microseconds or a speed-up over eager, with its interval, at a row of the sweep."""

    row: Any
    value: float
    low: float
    high: float
    ranked: bool
    """False where it is not to be compared: drawn hollow, and out of every mean."""


@dataclass(frozen=True)
class Run:
    """A results file, its axes laid out in two dimensions.

    The first axis that varies gives the rows. The other axes that vary give the columns
    between them, one for each combination that occurs, so a sweep of any number of axes
    fits. Axes equal in every case (in_features = out_features) count as one. Axes that
    never vary are in `fixed`.
    """

    frame: pd.DataFrame
    """As `results.read` gives it, with the case's place in `(row)` and `(column)`, and in
    `(unranked)` why a row is not ranked: its fate, fallback or uncertain; empty if it is."""
    row_axis: str
    column_axes: list[str]
    machine: list[str]
    """What it ran on, with which torch and driver, and when; as far as that is known."""
    fixed: list[str]
    """`axis = value` of the axes that never vary."""

    @cached_property
    def problem(self) -> str:
        return str(self.frame["problem"].iloc[0])

    @cached_property
    def rows(self) -> list[Any]:
        return _ordered(self.frame["(row)"])

    @cached_property
    def numeric(self) -> bool:
        """Do the rows have logarithms?"""
        return all(isinstance(row, int | float) and row > 0 for row in self.rows)

    @cached_property
    def places(self) -> dict[Any, float]:
        """Row -> where it stands on a line: its own value, or its rank if it has no logarithm."""
        return {row: row if self.numeric else rank for rank, row in enumerate(self.rows, start=1)}

    @cached_property
    def columns(self) -> list[tuple[Any, ...]]:
        return _ordered(self.frame["(column)"])

    @cached_property
    def dtypes(self) -> list[str]:
        return list(dict.fromkeys(self.frame["dtype"]))

    def part(self, dtype: str, column: tuple[Any, ...]) -> pd.DataFrame:
        """The rows of the frame that one panel shows."""
        here = self.frame["(column)"].map(lambda value: value == column)
        return self.frame[here & (self.frame["dtype"] == dtype)]

    @cached_property
    def kernels(self) -> list[Subject]:
        """Those that were timed come first, and take the first colours."""
        timed = set(self.frame.loc[timed_rows(self.frame), "kernel"])
        names = sorted(dict.fromkeys(self.frame["kernel"]), key=lambda name: name not in timed)
        passed = self.frame[self.frame["status"] == Status.PASSED]
        marked = set(passed.loc[passed["stress"].notna(), "kernel"])
        return [
            replace(subject, mark=f" {MARK}" if subject.name in marked else "")
            for subject in _styled(names, KERNEL_COLOURS, is_kernel=True)
        ]

    @cached_property
    def footnotes(self) -> list[str]:
        """What marks in a picture mean."""
        return [FOOTNOTE] if any(kernel.mark for kernel in self.kernels) else []

    @cached_property
    def subjects(self) -> list[Subject]:
        """Whoever has times to show: baselines, then kernels."""
        return [*self.baselines, *self.kernels]

    @cached_property
    def contenders(self) -> list[Subject]:
        """Whoever is compared with eager: the other baselines, then kernels."""
        return [s for s in self.subjects if s.is_kernel or s.name != "eager"]

    @cached_property
    def reasons(self) -> list[str]:
        """Why some of what was timed is not ranked."""
        timed = self.frame[timed_rows(self.frame)]
        why = list(dict.fromkeys(timed["(unranked)"]))
        # A baseline may be, in a row that is not ranked for another reason.
        why += ["uncertain"] if timed["uncertain"].fillna("").ne("").any() else []
        return [reason for reason in dict.fromkeys(why) if reason]

    @cached_property
    def baselines(self) -> list[Subject]:
        """Those that were timed in some case."""
        return _styled(columns.baselines(self.frame), BASELINE_COLOURS, is_kernel=False)


def load(folder: Path) -> Run:
    """Read a folder. Raises HarnessError when it holds no results.

    A kernel skipped on every case, such as a CPU kernel in a run on a GPU, is left out.
    """
    frame = results.read(folder)
    ran = set(frame.loc[frame["status"] != Status.SKIPPED, "kernel"])
    if ran:
        frame = frame[frame["kernel"].isin(ran)].reset_index(drop=True)
    groups = _tied(frame, columns.axes([str(name) for name in frame]))
    varying = [group for group in groups if frame[group[0]].nunique() > 1] or groups[:1]
    row_axes, column_axes = varying[0] if varying else [], varying[1:]
    frame["(row)"] = frame[row_axes[0]] if row_axes else ""
    # Column by column, for a frame's rows would turn integers beside floats into floats.
    frame["(column)"] = list(zip(*(frame[axis] for axis, *_ in column_axes), strict=True)) or [
        () for _ in frame.index
    ]
    frame["(unranked)"] = _unranked(frame)
    return Run(
        frame,
        row_axis=" = ".join(row_axes),
        column_axes=[" = ".join(axes) for axes in column_axes],
        machine=_machine(results.read_environment(folder), str(frame["device"].iloc[0])),
        fixed=[f"{g[0]} = {plain(frame[g[0]].iloc[0])}" for g in groups if g not in varying],
    )


def _unranked(frame: pd.DataFrame) -> pd.Series[str]:
    """Why a row's speed-up over eager is not ranked; empty where it is."""
    why = columns.fates(frame).where(frame["status"] != Status.PASSED, "")
    why = why.mask((why == "") & frame["fallback"].notna(), "fallback")
    unsure = columns.uncertain(frame, KERNEL) | columns.uncertain(frame, "eager")
    return why.mask((why == "") & unsure, "uncertain")


def _machine(facts: Mapping[str, Any], device: str) -> list[str]:
    """The caption's words on where and when; a run that was stopped early knows less of it."""
    kind = "CPU" if device == "cpu" else "GPU"
    words = [f"{kind}: {facts['device_name']}" if facts.get("device_name") else f"{kind}: {device}"]
    gpu = facts.get("gpu")
    for word, value in (
        ("threads", facts.get("threads") if kind == "CPU" else None),
        ("torch", facts.get("torch")),
        ("driver", gpu.get("driver") if isinstance(gpu, dict) else None),
    ):
        if value:
            words.append(f"{value} {word}" if word == "threads" else f"{word} {value}")
    if date := facts.get("date"):
        words.append(str(date)[:16].replace("T", " "))
    return words


# What a subject did, in a frame of one dtype


def timed_rows(frame: pd.DataFrame) -> pd.Series[bool]:
    """Which rows have a kernel's time."""
    return columns.interval(frame, KERNEL)["middle"].notna()


def times(frame: pd.DataFrame, subject: Subject) -> list[Point]:
    """A subject's median times in microseconds, for every case that timed it."""
    if not subject.is_kernel:
        return [
            Point(row, time.median_us, time.ci_low_us, time.ci_high_us, certain)
            for row, certain, (time,) in _by_case(frame, [subject.name])
        ]
    own = frame[frame["kernel"] == subject.name]
    # A baseline's uncertainty is nothing to the kernel's own time.
    as_itself = own["(unranked)"].isin(["", "uncertain"]) & ~columns.uncertain(own, KERNEL)
    return _points(own, columns.interval(own, KERNEL), as_itself)


def speedups(frame: pd.DataFrame, subject: Subject) -> list[Point]:
    """A subject's speed-ups over eager, for every case that timed both.

    A kernel that is not ranked has no speed-up on record: its ratio to eager stands in.
    """
    if not subject.is_kernel:
        return [
            Point(row, s.ratio, s.ci_low, s.ci_high, certain)
            for row, certain, (eager, time) in _by_case(frame, ["eager", subject.name])
            for s in [stats.speedup_of_medians(eager, time)]
        ]
    own = frame[frame["kernel"] == subject.name]
    eager, time = columns.interval(own, "eager"), columns.interval(own, KERNEL)
    ratio = eager["middle"] / time["middle"]
    bare = pd.DataFrame({"middle": ratio, "low": ratio, "high": ratio})
    recorded = columns.speedup(own, "eager")
    return _points(own, recorded.where(recorded["middle"].notna(), bare), own["(unranked)"] == "")


def _points(frame: pd.DataFrame, estimates: pd.DataFrame, ranked: pd.Series[bool]) -> list[Point]:
    values = zip(
        frame["(row)"], *(estimates[name] for name in columns.ESTIMATE), ranked, strict=True
    )
    return [point for point in (Point(*v) for v in values) if not np.isnan(point.value)]


def _by_case(frame: pd.DataFrame, baselines: Sequence[str]) -> list[tuple[Any, bool, list[Timing]]]:
    """Every case that timed all of the baselines: its row, are the times certain, and the times.

    They stand in the row of every kernel of a case: the medians over those rows whose times are
    certain speak for the case, or over all of them where none is.
    """
    estimates = [columns.interval(frame, name) for name in baselines]
    shaky = [columns.uncertain(frame, name) for name in baselines]
    timed = pd.concat([e["middle"].notna() for e in estimates], axis=1).all(axis=1)
    certain = timed & ~pd.concat(shaky, axis=1).any(axis=1)
    case_certain = certain.groupby(frame["case"]).transform("any")
    speaking = certain | (timed & ~case_certain)
    cases = frame.loc[speaking, "case"]
    medians = [e[speaking].groupby(cases).median() for e in estimates]
    rows = frame.loc[speaking, "(row)"].groupby(cases).first()
    is_certain = case_certain[speaking].groupby(cases).first()
    return [
        (rows[case], bool(is_certain[case]), [_timing(m.loc[case].tolist()) for m in medians])
        for case in rows.index
    ]


def _timing(estimate: Sequence[float]) -> Timing:
    middle, low, high = estimate
    return Timing(middle, low, high, ())


def ranked_speedups(points: Iterable[Point]) -> list[Speedup]:
    return [Speedup(point.value, point.low, point.high) for point in points if point.ranked]


# Words and order


def _tied(frame: pd.DataFrame, axes: Iterable[str]) -> list[list[str]]:
    """The axes, those that vary and are equal on every row together."""
    groups: list[list[str]] = []
    for axis in axes:
        same = (g for g in groups if frame[axis].nunique() > 1 and frame[axis].equals(frame[g[0]]))
        if group := next(same, None):
            group.append(axis)
        else:
            groups.append([axis])
    return groups


def _ordered(values: Iterable[Any]) -> list[Any]:
    """Distinct values: numbers ascending, anything else as they first appear."""
    distinct = list(dict.fromkeys(values))
    parts = (part for value in distinct for part in np.ravel(value).tolist())
    return distinct if any(isinstance(part, str) for part in parts) else sorted(distinct)


def _styled(names: Iterable[str], colours: Sequence[str], is_kernel: bool) -> list[Subject]:
    return [
        Subject(name, colours[i % len(colours)], MARKERS[i % len(MARKERS)], is_kernel)
        for i, name in enumerate(names)
    ]


def plain(value: object) -> str:
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def named(axes: Iterable[str], values: Iterable[object]) -> list[str]:
    return [f"{axis} = {plain(value)}" for axis, value in zip(axes, values, strict=True)]
