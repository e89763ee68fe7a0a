"""Time and speed-up against the first axis, log-log: a panel per dtype and column of the sweep."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from harness.report import layout
from harness.report.drawing import (
    FAINT,
    INK,
    folded,
    grid,
    header,
    hollow_mark,
    ratio_axis,
    shortened,
    thinned,
    time_axis,
)
from harness.report.layout import Point, Run, Subject, named, plain

Values = Callable[[pd.DataFrame, Subject], list[Point]]
"""What a subject did, in the part of a run's frame that a panel shows."""


def latency(run: Run) -> Figure | None:
    """Median times; None where nothing was timed."""
    if not layout.timed_rows(run.frame).any():
        return None
    figure = _panels(
        run, "Median latency, 95% interval", "latency (µs, log)", run.subjects, layout.times
    )
    time_axis(figure.axes[0], "y", gap=0.12)
    return figure


def relative(run: Run) -> Figure | None:
    """Speed-ups over eager; None where there are none."""
    if not any(layout.speedups(run.frame, kernel) for kernel in run.kernels):
        return None
    detail = "Speed-up over eager, 95% interval"
    figure = _panels(run, detail, "speed-up (log)", run.contenders, layout.speedups)
    for panel in figure.axes:
        panel.axhline(1, color=INK, lw=0.8, zorder=1)
    ratio_axis(figure.axes[0], "y", gap=0.1)
    return figure


def _panels(
    run: Run, detail: str, quantity: str, subjects: Sequence[Subject], values: Values
) -> Figure:
    """The panels with their curves; all share the axes of the first, whose ticks are to be set."""
    across, down = grid(len(run.columns), most=4)
    rows = down * len(run.dtypes)
    figure = Figure((max(4.5, 2.5 * across + 0.8), max(2.4, 1.8 * rows + 0.3)))
    panels = figure.subplots(rows, across, squeeze=False, sharex=True, sharey=True)
    turned = _size_axis(panels[0, 0], run, width_in=2.2 if across > 1 else 3.7)
    for i, dtype in enumerate(run.dtypes):
        block = panels[i * down : (i + 1) * down]
        for panel in block.flat[len(run.columns) :]:
            panel.set_visible(False)
        for panel, column in zip(block.flat, run.columns, strict=False):
            _draw(panel, run, run.part(dtype, column), subjects, values)
            panel.grid(True)
            panel.tick_params(labelsize=7)
            panel.tick_params(axis="x", labelrotation=turned)
            panel.set_title(folded(named(run.column_axes, column), 36))
        for panel in block[:, 0]:
            panel.set_ylabel(f"{dtype}\n{quantity}")
    # The lowest panels that are there: the last row may be short.
    for panel in panels[-down:].flat[: len(run.columns)][-across:]:
        panel.set_xlabel(folded([run.row_axis + (" (log)" if run.numeric else "")], 36))
        panel.tick_params(labelbottom=True)
    details = [detail, *run.machine, *run.fixed, *run.footnotes]
    header(figure, run.problem, details, _legend(run, subjects, values))
    return figure


def _size_axis(panel: Axes, run: Run, width_in: float) -> float:
    """The axes' scales, and the sizes as ticks in plain numbers; words stand evenly apart.

    Returns by how many degrees the ticks are to be turned.
    """
    panel.set(xscale="log" if run.numeric else "linear", yscale="log")
    labels = {place: shortened(plain(row), 12) for row, place in run.places.items()}
    label_in = 0.07 * max(map(len, labels.values()))
    first, last = min(labels), max(labels)
    if run.numeric:
        margin = (last / first) ** 0.06
        panel.set_xlim(first / margin, last * margin)
        ticks = thinned(labels, last, first, last, gap=max(0.1, label_in / width_in))
    else:
        panel.set_xlim(first - 0.4, last + 0.4)
        ticks = list(labels)
    panel.set_xticks(ticks, [labels[place] for place in ticks])
    for axis in (panel.xaxis, panel.yaxis):
        axis.set_minor_locator(NullLocator())
    return 0 if run.numeric or label_in * len(labels) < width_in else 30


def _draw(
    panel: Axes, run: Run, frame: pd.DataFrame, subjects: Sequence[Subject], values: Values
) -> None:
    """Every subject's curve in one panel, whose part of the run's frame this is."""
    empty = True
    for subject in subjects:
        points = sorted(values(frame, subject), key=lambda point: run.places[point.row])
        if not points:
            continue
        empty = False
        places = [run.places[point.row] for point in points]
        bars = [[p.value - p.low for p in points], [p.high - p.value for p in points]]
        pen = _pen(subject, subjects)
        panel.errorbar(places, [p.value for p in points], yerr=bars, elinewidth=0.8, **pen)
        # Over the filled markers, which errorbar puts a little above its own zorder.
        pen |= {
            "ls": "",
            "mfc": "white",
            "mec": subject.colour,
            "mew": 1,
            "zorder": pen["zorder"] + 0.5,
        }
        hollow = [point for point in points if not point.ranked]
        panel.plot([run.places[p.row] for p in hollow], [p.value for p in hollow], **pen)
    if empty:
        text = textwrap.fill(_why_empty(frame), 28)
        panel.text(
            0.5, 0.5, text, transform=panel.transAxes, ha="center", va="center", size=7, color=FAINT
        )


def _pen(subject: Subject, subjects: Sequence[Subject]) -> dict[str, Any]:
    """How a subject is drawn: the first kernel thick and below, the last baseline thin and on top.

    So curves that coincide are seen one inside the other, none of them out of its place.
    """
    order = [s for s in subjects if s.is_kernel] + [s for s in subjects if not s.is_kernel]
    index = order.index(subject)
    around = len(order) - 1 - index
    most = max(1, len(order) - 1)
    return {
        "color": subject.colour,
        "marker": subject.marker,
        "ls": "-" if subject.is_kernel else (0, (3, 1.5)),
        "lw": 1 + min(0.55, 3 / most) * around,
        "ms": 3.8 + min(0.9, 4.5 / most) * around,
        "mec": "white",
        "mew": 0.4,
        "zorder": 2 + index,
    }


def _why_empty(frame: pd.DataFrame) -> str:
    if frame.empty:
        return "not in the sweep"
    if layout.timed_rows(frame).any():
        return "eager was not timed"
    counts = Counter(frame["status"]).most_common()
    return "nothing timed: " + ", ".join(f"{count} {status}" for status, count in counts)


def _legend(run: Run, subjects: Sequence[Subject], values: Values) -> list[Line2D]:
    entries = [
        Line2D([], [], label=shortened(s.name) + s.mark, **_pen(s, subjects))
        for s in subjects
        if values(run.frame, s)
    ]
    return entries + ([hollow_mark(run.reasons)] if run.reasons else [])
