"""A run laid out for drawing: which axes give rows or columns, who gets which colour."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from harness import results
from harness.records import Status

# Okabe and Ito, "Color Universal Design", 2008.
KERNEL_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
BASELINE_COLOURS = ("#333333", "#8A8A8A", "#B5B5B5")
MARKERS = "osD^vPX"


@dataclass(frozen=True)
class Run:
    """A results file, its axes laid out in two dimensions.

    The first axis that varies gives the rows. The other axes that vary give the columns
    between them, one for each combination that occurs, so a sweep of any number of axes
    fits. Axes equal in every case (in_features = out_features) count as one. Axes that
    never vary are in `fixed`.
    """

    frame: pd.DataFrame
    """As `results.read` gives it, with the case's place in `(row)` and `(column)`."""
    row_axis: str
    column_axes: list[str]
    device: str
    fixed: list[str]
    """`axis = value` of the axes that never vary."""

    @property
    def problem(self) -> str:
        return str(self.frame["problem"].iloc[0])

    @property
    def rows(self) -> list[Any]:
        return _ordered(self.frame["(row)"])

    @property
    def places(self) -> dict[Any, float]:
        """Row -> where it stands on a line: its own value, or its rank if it has no logarithm."""
        numbers = all(isinstance(row, int | float) and row > 0 for row in self.rows)
        return {row: row if numbers else rank for rank, row in enumerate(self.rows, start=1)}

    @property
    def columns(self) -> list[tuple[Any, ...]]:
        return _ordered(self.frame["(column)"])

    @property
    def dtypes(self) -> list[str]:
        return list(dict.fromkeys(self.frame["dtype"]))

    @property
    def kernels(self) -> dict[str, tuple[str, str]]:
        """Kernel -> its colour and marker; those that were timed take the first colours."""
        timed = set(self.frame.loc[self.frame["latency_us"].notna(), "kernel"])
        names = sorted(dict.fromkeys(self.frame["kernel"]), key=lambda name: name not in timed)
        return _styled(names, KERNEL_COLOURS)

    @property
    def baselines(self) -> dict[str, tuple[str, str]]:
        """Baseline that ran in some case, as the columns call it -> its colour and marker."""
        heads = (name.removeprefix("speedup_vs_") for name in map(str, self.frame))
        timed = (h for h in heads if f"{h}_ci_low_us" in self.frame and h != "latency")
        return _styled((h for h in timed if self.frame[f"{h}_us"].notna().any()), BASELINE_COLOURS)


def load(folder: Path) -> Run:
    """Read a folder. Raises HarnessError when it holds no results.

    A kernel skipped on every case, such as a CPU kernel in a run on a GPU, is left out.
    """
    frame = results.read(folder)
    ran = set(frame.loc[frame["status"] != Status.SKIPPED, "kernel"])
    if ran:
        frame = frame[frame["kernel"].isin(ran)].reset_index(drop=True)
    groups = _tied(frame, results.axis_columns(frame) or ["case"])
    varying = [group for group in groups if frame[group[0]].nunique() > 1] or groups[:1]
    rows, *columns = varying
    device = results.read_environment(folder).get("device_name") or frame["device"].iloc[0]
    frame["(row)"] = frame[rows[0]]
    # Column by column, for a frame's rows would turn integers beside floats into floats.
    frame["(column)"] = list(zip(*(frame[axis] for axis, *_ in columns), strict=True)) or [
        () for _ in frame.index
    ]
    return Run(
        frame,
        row_axis=" = ".join(rows),
        column_axes=[" = ".join(column) for column in columns],
        device=str(device),
        fixed=[f"{g[0]} = {plain(frame[g[0]].iloc[0])}" for g in groups if g not in varying],
    )


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


def _styled(names: Iterable[str], colours: Sequence[str]) -> dict[str, tuple[str, str]]:
    distinct = enumerate(dict.fromkeys(names))
    return {name: (colours[i % len(colours)], MARKERS[i % len(MARKERS)]) for i, name in distinct}


def plain(value: object) -> str:
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def named(axes: Iterable[str], values: Iterable[object]) -> str:
    return ", ".join(f"{axis} = {plain(value)}" for axis, value in zip(axes, values, strict=True))
