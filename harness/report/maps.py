"""Eager's time / a kernel's, case by case: a heat map per dtype."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from harness.report import layout
from harness.report.drawing import (
    FAINT,
    NEAR_ONE,
    folded,
    grid,
    header,
    log_ticks,
    shortened,
    stacked,
    write,
)
from harness.report.layout import Point, Run, Subject, plain
from harness.report.numbers import format_ratio

WIDEST = 4.0
"""Speed-ups from 1/4 to 4 have colours of their own; what lies beyond is as dark as these."""

COLOURS = LinearSegmentedColormap.from_list(
    "pale RdBu", matplotlib.colormaps["RdBu"](np.linspace(0.25, 0.75, 255))
)
"""Red, white, blue, none of them too dark for black words."""


def speedup_maps(run: Run, kernel: Subject) -> Figure | None:
    """One heat map per dtype; None where there is no speed-up to show."""
    if not layout.speedups(run.frame, kernel):
        return None
    own = run.frame[run.frame["kernel"] == kernel.name]
    dtypes = list(dict.fromkeys(own["dtype"]))
    across, down = grid(len(dtypes), most=10 // len(run.columns))
    width = across * (0.76 * len(run.columns) + 0.6) + 0.8
    lines = max(_column_name(column).count("\n") for column in run.columns)
    height = 0.4 * len(run.rows) + 0.75 + 0.13 * lines
    figure = Figure((max(4.5, width), down * height))
    panels = figure.subplots(down, across, squeeze=False)
    points = [point for subject in run.kernels for point in layout.speedups(run.frame, subject)]
    scale, beyond = _ratio_scale(point.value for point in points if point.ranked)
    for panel in panels.flat[len(dtypes) :]:
        panel.set_visible(False)
    for panel, dtype in zip(panels.flat, dtypes, strict=False):
        _heat_map(panel, run, dtype, kernel, scale)
        panel.set(title=dtype, xlabel=folded(run.column_axes, 36))
    for panel in panels[:, 0]:
        panel.set_ylabel(textwrap.fill(run.row_axis, 4 + 5 * len(run.rows)))
    _colour_bar(figure, list(panels.flat), scale, beyond, cells=down * len(run.rows))
    headline = f"{run.problem} · {shortened(kernel.name)}{kernel.mark}"
    footnotes = run.footnotes if kernel.mark else []
    header(figure, headline, ["Speed-up over eager", *run.machine, *run.fixed, *footnotes])
    return figure


def _heat_map(panel: Axes, run: Run, dtype: str, kernel: Subject, scale: ScalarMappable) -> None:
    """One cell per case of the kernel."""
    for x, column in enumerate(run.columns):
        part = run.part(dtype, column)
        own = part[part["kernel"] == kernel.name]
        points = {point.row: point for point in layout.speedups(part, kernel)}
        for row, why in zip(own["(row)"], own["(unranked)"], strict=True):
            _cell(panel, x, run.rows.index(row), points.get(row), why, scale)
    columns = [_column_name(column) for column in run.columns]
    panel.set(xlim=(-0.5, len(columns) - 0.5), ylim=(len(run.rows) - 0.5, -0.5))
    panel.set_xticks(range(len(columns)), columns)
    panel.set_yticks(range(len(run.rows)), [shortened(plain(row), 24) for row in run.rows])
    panel.tick_params(length=0)
    panel.spines[:].set_visible(False)


def _column_name(column: Iterable[object]) -> str:
    """The values of the column's axes, in lines that are no wider than a cell."""
    return folded((shortened(plain(value), 10) for value in column), 10)


def _cell(
    panel: Axes, x: int, y: int, point: Point | None, unranked: str, scale: ScalarMappable
) -> None:
    """Coloured by its speed-up if it is ranked, plain grey if it was only timed, else hatched."""
    look: dict[str, Any] = {"facecolor": "#F3F3F3", "edgecolor": "white"}
    if point and point.ranked:
        look["facecolor"] = scale.to_rgba(np.array([math.log2(point.value)]))[0]
        write(panel, x, y, format_ratio(point.value), color="black")
    elif point:
        write(panel, x, y - 0.13, stacked(unranked), size=6)
        write(panel, x, y + 0.3, format_ratio(point.value), size=6, color=FAINT)
    else:
        write(panel, x, y, stacked(unranked or "eager not timed"), size=6)
        look["hatch"] = "////"
    panel.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, linewidth=1.2, **look))


def _ratio_scale(ratios: Iterable[float]) -> tuple[ScalarMappable, tuple[bool, bool]]:
    """Red to blue over log2 of a ratio, white at 1x, as wide as the run needs: 1.5x to WIDEST.

    And whether there are ratios below and above what it tells apart.
    """
    logs = [math.log2(ratio) for ratio in ratios]
    furthest = max(map(abs, logs), default=0.0)
    limit = min(max(1.15 * furthest, math.log2(1.5)), math.log2(WIDEST))
    scale = ScalarMappable(Normalize(-limit, limit), COLOURS)
    return scale, (any(log < -limit for log in logs), any(log > limit for log in logs))


def _colour_bar(
    figure: Figure, panels: list[Axes], scale: ScalarMappable, beyond: tuple[bool, bool], cells: int
) -> None:
    low, high = (2.0**end for end in scale.get_clim())
    gap = 0.45 / (cells + 1.2)
    ticks = log_ticks(low, high, gap, NEAR_ONE)
    labels = {tick: f"{tick:g}×" for tick in ticks}
    # Where colours end before the ratios do, the ends say so and have the last word.
    for end, is_beyond, sign in ((low, beyond[0], "≤"), (high, beyond[1], "≥")):
        if is_beyond:
            room = gap * math.log(high / low)
            labels = {t: text for t, text in labels.items() if abs(math.log(t / end)) >= room}
            labels[end] = f"{sign}{end:g}×"
    bar = figure.colorbar(scale, ax=panels, aspect=max(8, 3 * cells), pad=0.02)
    bar.set_ticks([math.log2(tick) for tick in labels], labels=list(labels.values()))
    bar.set_label("log", size=7, color=FAINT)
    bar.outline.set_visible(False)
