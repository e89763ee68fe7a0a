"""Time and speed-up against the first axis, log-log: a panel per dtype and column of the sweep."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from harness.records import Speedup, Status, Timing
from harness.report.drawing import FAINT, INK, RATIO_TICKS, grid, header, thinned
from harness.report.layout import Run, named, plain
from harness.timing import stats


class Point(NamedTuple):
    """A value with its interval at a row of the sweep."""

    row: Any
    middle: float
    low: float
    high: float


def latency(run: Run) -> Figure | None:
    """Median times; None where nothing was timed."""
    if run.frame["latency_us"].isna().all():
        return None
    figure, panels = _panels(run, "latency (µs)", "Median latency, 95% interval", _draw_times)
    low, high = panels.get_ylim()
    if high < 2 * low:  # differences of a few percent should look it
        low, high = math.sqrt(low * high / 2), math.sqrt(low * high * 2)
    steps = (1,) if high > 30 * low else (1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9)
    candidates = [step * 10.0**power for power in range(-3, 10) for step in steps]
    ticks = thinned(candidates, 10.0, low, high, gap=0.12)
    panels.set_ylim(low, high)
    panels.set_yticks(ticks, [f"{tick:.10g}" for tick in ticks])
    return figure


def relative(run: Run) -> Figure | None:
    """Speed-ups over eager; None where there are none."""
    if (run.frame["latency_us"] / run.frame["eager_us"]).isna().all():
        return None
    detail = "Speed-up over eager, 95% interval"
    figure, panels = _panels(run, "speed-up", detail, _draw_ratios, without="eager")
    low, high = panels.get_ylim()
    low, high = min(low, 0.95), max(high, 1.05)
    ticks = thinned(RATIO_TICKS, 1.0, low, high, gap=0.1)
    panels.set_ylim(low, high)
    panels.set_yticks(ticks, [f"{tick:g}×" for tick in ticks])
    return figure


def _panels(
    run: Run,
    quantity: str,
    detail: str,
    draw: Callable[[Axes, Run, pd.DataFrame], None],
    without: str = "",
) -> tuple[Figure, Axes]:
    """The panels with their lines, and the one whose vertical axis all of them share."""
    across, down = grid(len(run.columns), most=4)
    rows = down * len(run.dtypes)
    figure = Figure((max(4.5, 2.5 * across + 0.8), max(2.4, 1.8 * rows + 0.3)))
    panels = figure.subplots(rows, across, squeeze=False, sharex=True, sharey=True)
    for i, dtype in enumerate(run.dtypes):
        block = panels[i * down : (i + 1) * down]
        for panel in block.flat[len(run.columns) :]:
            panel.set_visible(False)
        for panel, column in zip(block.flat, run.columns, strict=False):
            here = (run.frame["dtype"] == dtype) & (run.frame["(column)"] == column)
            draw(panel, run, run.frame[here])
            panel.grid(True)
            panel.tick_params(labelsize=7)
            panel.set_title(named(run.column_axes, column))
        for panel in block[:, 0]:
            panel.set_ylabel(f"{dtype}\n{quantity}")
    _scale(panels[0, 0], run.places)
    # The lowest panels that are there: the last row may be short.
    for panel in panels[-down:].flat[: len(run.columns)][-across:]:
        panel.set_xlabel(run.row_axis)
        panel.tick_params(labelbottom=True)
    baselines = {name: style for name, style in run.baselines.items() if name != without}
    legend = [Line2D([], [], label=n, **_pen(s, "--")) for n, s in baselines.items()]
    timed = set(run.frame.loc[run.frame["latency_us"].notna(), "kernel"])
    legend += [Line2D([], [], label=n, **_pen(s)) for n, s in run.kernels.items() if n in timed]
    if (run.frame["status"] == Status.NON_FINITE).any():
        hollow = _pen((FAINT, "o"), "") | {"markerfacecolor": "white"}
        legend.append(Line2D([], [], label="NON_FINITE, not ranked", **hollow))
    header(figure, run.problem, [detail, run.device, *run.fixed], legend)
    return figure, panels[0, 0]


def _scale(panel: Axes, places: dict[Any, float]) -> None:
    """Log axes with plain numbers for ticks; all panels share those of this one."""
    panel.set(xscale="log", yscale="log")
    first, last = min(places.values()), max(places.values())
    margin = max((last / first) ** 0.05, 1.1)
    shown = thinned(places.values(), last, first, last)
    labels = {place: plain(row) for row, place in places.items()}
    panel.set_xlim(first / margin, last * margin)
    panel.set_xticks(shown, [labels[place] for place in shown])
    for axis in (panel.xaxis, panel.yaxis):
        axis.set_minor_locator(NullLocator())


def _draw_times(panel: Axes, run: Run, frame: pd.DataFrame) -> None:
    """Every subject's medians; `frame` holds one dtype and column, as it does below."""
    for baseline, style in run.baselines.items():
        medians = frame.groupby("(row)", as_index=False).median(numeric_only=True)
        _line(panel, run, _points(medians, f"{baseline}_us"), _pen(style, "--"))
    for kernel, style in run.kernels.items():
        own = frame[frame["kernel"] == kernel]
        _kernel_line(panel, run, own, _points(own, "latency_us"), style)


def _draw_ratios(panel: Axes, run: Run, frame: pd.DataFrame) -> None:
    """Every subject's speed-up over eager; one that is not ranked has no interval."""
    panel.axhline(1, color=INK, lw=0.8)
    for baseline, style in run.baselines.items():
        if baseline != "eager":
            found = baseline_speedups(frame, baseline)
            points = [Point(row, s.ratio, s.ci_low, s.ci_high) for row, s in found]
            _line(panel, run, points, _pen(style, "--"))
    for kernel, style in run.kernels.items():
        own = frame[frame["kernel"] == kernel]
        unranked = own[own["speedup_vs_eager"].isna()].dropna(subset=["eager_us", "latency_us"])
        ratios = unranked["eager_us"] / unranked["latency_us"]
        points = [Point(row, r, r, r) for row, r in zip(unranked["(row)"], ratios, strict=True)]
        points += _points(own, "speedup_vs_eager")
        _kernel_line(panel, run, own, points, style)


def _points(frame: pd.DataFrame, column: str) -> list[Point]:
    """A column's values with their intervals, where there are any."""
    stem, unit = (column.removesuffix("_us"), "_us") if column.endswith("_us") else (column, "")
    names = ["(row)", column, f"{stem}_ci_low{unit}", f"{stem}_ci_high{unit}"]
    return [Point(*values) for values in frame[names].dropna().itertuples(index=False)]


def baseline_speedups(frame: pd.DataFrame, baseline: str) -> list[tuple[Any, Speedup]]:
    """A baseline's speed-ups over eager, one per case that timed both, with the case's row.

    Both stand in the row of every kernel of a case; the median row speaks for the case.
    """
    names = [f"{s}{end}_us" for s in ("eager", baseline) for end in ("", "_ci_low", "_ci_high")]
    cases = frame.groupby("case")
    medians = cases[names].median().dropna()
    rows = cases["(row)"].first()
    return [
        (rows[case], stats.speedup_of_medians(Timing(a, b, c, ()), Timing(d, e, f, ())))
        for case, a, b, c, d, e, f in medians.itertuples()
    ]


def _kernel_line(
    panel: Axes, run: Run, frame: pd.DataFrame, points: list[Point], style: tuple[str, str]
) -> None:
    """A kernel's line, hollow where its rows in `frame` are not ranked."""
    _line(panel, run, points, _pen(style))
    unranked = set(frame.loc[frame["status"] == Status.NON_FINITE, "(row)"])
    hollow = [point for point in points if point.row in unranked]
    pen = _pen(style, "") | {"markerfacecolor": "white"}
    panel.plot([run.places[p.row] for p in hollow], [p.middle for p in hollow], zorder=3, **pen)


def _line(panel: Axes, run: Run, points: list[Point], pen: dict[str, Any]) -> None:
    points = sorted(points, key=lambda point: run.places[point.row])
    middle = [point.middle for point in points]
    bars = [[p.middle - p.low for p in points], [p.high - p.middle for p in points]]
    places = [run.places[point.row] for point in points]
    panel.errorbar(places, middle, yerr=bars, elinewidth=0.8, **pen)


def _pen(style: tuple[str, str], linestyle: str = "-") -> dict[str, Any]:
    colour, marker = style
    return {"color": colour, "marker": marker, "ls": linestyle, "lw": 1.1, "ms": 3.2, "mew": 0.9}
