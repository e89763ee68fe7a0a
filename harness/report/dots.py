"""A run of a single size: time and speed-up of every subject, below each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from matplotlib.figure import Figure

from harness.report import layout
from harness.report.curves import Values
from harness.report.drawing import (
    INK,
    beside,
    header,
    hollow_mark,
    ratio_axis,
    remark,
    shortened,
    time_axis,
)
from harness.report.layout import Run, Subject, named
from harness.report.numbers import format_ratio, format_us


def latency(run: Run) -> Figure | None:
    """Median times; None where nothing was timed."""
    detail = "Median latency, 95% interval"
    figure = _lists(run, detail, "latency (µs, log)", run.subjects, layout.times, format_us)
    if figure is not None:
        time_axis(figure.axes[0], "x", gap=0.15)
    return figure


def relative(run: Run) -> Figure | None:
    """Speed-ups over eager; None where there are none."""
    if not any(layout.speedups(run.frame, kernel) for kernel in run.kernels):
        return None
    detail = "Speed-up over eager, 95% interval"
    figure = _lists(run, detail, "speed-up (log)", run.contenders, layout.speedups, format_ratio)
    if figure is not None:
        for panel in figure.axes:
            panel.axvline(1, color=INK, lw=0.8, zorder=1)
        ratio_axis(figure.axes[0], "x", gap=0.15)
    return figure


def _lists(
    run: Run,
    detail: str,
    quantity: str,
    subjects: Sequence[Subject],
    values: Values,
    text: Callable[[float], str],
) -> Figure | None:
    """A panel per dtype; all share the axes of the first, whose ticks are to be set."""
    subjects = [subject for subject in subjects if values(run.frame, subject)]
    if not subjects:
        return None
    names = [shortened(subject.name) + subject.mark for subject in subjects]
    height = len(run.dtypes) * (0.24 * len(subjects) + 0.6)
    figure = Figure((4.2 + 0.075 * max(map(len, names)), height))
    panels = figure.subplots(len(run.dtypes), 1, squeeze=False, sharex=True, sharey=True)
    for panel, dtype in zip(panels.flat, run.dtypes, strict=True):
        panel.set(title=dtype, xscale="log", ylim=(len(subjects) - 0.4, -0.6))
        panel.set_yticks(range(len(subjects)), names)
        panel.tick_params(axis="y", length=0)
        panel.grid(True, axis="x")
        for y, subject in enumerate(subjects):
            points = values(run.frame[run.frame["dtype"] == dtype], subject)
            for point in points:
                bars = [[point.value - point.low], [point.high - point.value]]
                panel.errorbar(
                    point.value, y, xerr=bars, color=subject.colour, marker=subject.marker, ms=4.5,
                    elinewidth=1, mfc=subject.colour if point.ranked else "white",
                )  # fmt: skip
                beside(panel, 1, y, text(point.value), 6, size=8)
            if not points:
                remark(panel, y, "not timed")
    panels[-1, 0].set_xlabel(quantity)
    size = named([run.row_axis], run.rows) if run.row_axis else []
    legend = [hollow_mark(run.reasons)] if run.reasons else []
    details = [detail, *size, *run.machine, *run.fixed, *run.footnotes]
    header(figure, run.problem, details, legend)
    return figure
