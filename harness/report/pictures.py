"""A run's results.csv as pictures: how much faster case by case, and all in all.

`harness.report.curves` draws time and speed-up against the first axis.

Reads files only, so a run from another machine is drawn just as well. Kernels have
colours that colour-blind readers can tell apart, baselines are grey, and each keeps
its colour and marker throughout a run.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import NullLocator

from harness.records import Speedup, Status
from harness.report import curves
from harness.report.drawing import (
    DPI,
    FAINT,
    INK,
    RATIO_TICKS,
    STYLE,
    beside,
    grid,
    header,
    luminance,
    stacked,
    thinned,
    write,
)
from harness.report.layout import Run, load, plain
from harness.timing import stats


def plot_all(folder: Path) -> list[Path]:
    """Draw every picture that the folder's results have data for; return the files written.

    speedup_<kernel>.png   eager's time / the kernel's, case by case: a heat map per dtype
    latency.png            time of every kernel and baseline against the first axis
    relative.png           the same as speed-ups over eager, where a few percent show
    summary.png            geometric mean speed-up of every kernel, per dtype

    Raises HarnessError when the folder holds no results.
    """
    run = load(folder)
    with matplotlib.rc_context(STYLE):
        figures = {f"speedup_{kernel}.png": _speedup_maps(run, kernel) for kernel in run.kernels}
        figures |= {"latency.png": curves.latency(run), "relative.png": curves.relative(run)}
        figures["summary.png"] = _summary(run)
        drawn = {folder / name: figure for name, figure in figures.items() if figure is not None}
        for path, figure in drawn.items():
            figure.savefig(path, dpi=DPI)
    return list(drawn)


# Speed-up, case by case


def _speedup_maps(run: Run, kernel: str) -> Figure | None:
    """Heat maps of eager's time / the kernel's, one per dtype; None where nothing was timed."""
    frame = run.frame[run.frame["kernel"] == kernel]
    if (frame["latency_us"] / frame["eager_us"]).isna().all():
        return None
    dtypes = list(dict.fromkeys(frame["dtype"]))
    across, down = grid(len(dtypes), most=10 // len(run.columns))
    width = across * (0.76 * len(run.columns) + 0.6) + 0.8
    figure = Figure((max(4.5, width), down * (0.4 * len(run.rows) + 0.75)))
    panels = figure.subplots(down, across, squeeze=False)
    scale = _ratio_scale(run.frame["speedup_vs_eager"])
    for panel in panels.flat[len(dtypes) :]:
        panel.set_visible(False)
    for panel, dtype in zip(panels.flat, dtypes, strict=False):
        _heat_map(panel, run, frame[frame["dtype"] == dtype], scale)
        panel.set(title=dtype, xlabel=", ".join(run.column_axes))
    for panel in panels[:, 0]:
        panel.set_ylabel(run.row_axis)
    low, high = scale.get_clim()
    ticks = thinned(RATIO_TICKS, 1.0, 2**low, 2**high, gap=0.45 / (down * len(run.rows)))
    bar = figure.colorbar(scale, ax=panels, aspect=max(8, 3 * down * len(run.rows)), pad=0.02)
    bar.set_ticks([math.log2(t) for t in ticks], labels=[f"{t:g}×" for t in ticks])
    bar.outline.set_visible(False)
    header(figure, f"{run.problem} · {kernel}", ["Speed-up over eager", run.device, *run.fixed])
    return figure


def _heat_map(panel: Axes, run: Run, frame: pd.DataFrame, scale: ScalarMappable) -> None:
    """One cell per case of `frame`, which holds one kernel and dtype."""
    for row in frame.to_dict("records"):
        _cell(panel, run.columns.index(row["(column)"]), run.rows.index(row["(row)"]), row, scale)
    columns = [", ".join(map(plain, column)) for column in run.columns]
    panel.set(xlim=(-0.5, len(columns) - 0.5), ylim=(len(run.rows) - 0.5, -0.5))
    panel.set_xticks(range(len(columns)), columns)
    panel.set_yticks(range(len(run.rows)), [plain(row) for row in run.rows])
    panel.tick_params(length=0)
    panel.spines[:].set_visible(False)


def _cell(panel: Axes, x: int, y: int, row: dict[Any, Any], scale: ScalarMappable) -> None:
    """Coloured by its speed-up if it passed, plain grey if it was only timed, else hatched."""
    look: dict[str, Any] = {"facecolor": "#F3F3F3", "edgecolor": "white"}
    if row["status"] == Status.PASSED and row["speedup_vs_eager"] > 0:
        colour = scale.to_rgba(np.array([math.log2(row["speedup_vs_eager"])]))[0]
        look["facecolor"] = colour
        ink = "white" if luminance(colour) < 0.45 else INK
        write(panel, x, y, f"{row['speedup_vs_eager']:.2f}×", color=ink)
    elif row["latency_us"] > 0 and row["eager_us"] > 0:
        write(panel, x, y - 0.13, stacked(row["status"]), size=6)
        ratio = row["eager_us"] / row["latency_us"]
        write(panel, x, y + 0.3, f"{ratio:.2f}×", size=6, color=FAINT)
    else:
        write(panel, x, y, stacked(row["status"]), size=6)
        look["hatch"] = "////"
    panel.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, linewidth=1.2, **look))


def _ratio_scale(ratios: pd.Series[float]) -> ScalarMappable:
    """Red to blue over log2 of a ratio, white at 1x, as wide as the run needs: 1.5x to 4x."""
    furthest = max((abs(math.log2(ratio)) for ratio in ratios.dropna()), default=0.0)
    limit = min(max(1.15 * furthest, math.log2(1.5)), 2.0)
    return ScalarMappable(Normalize(-limit, limit), matplotlib.colormaps["RdBu"])


# All in all


@dataclass(frozen=True)
class Bar:
    """One subject's speed-up over eager on one dtype; `mean` is None if it passed nothing."""

    name: str
    colour: str
    mean: Speedup | None
    note: str
    """How many cases the mean is over, or what became of those it is not."""


def _summary(run: Run) -> Figure | None:
    """Geometric mean speed-up over eager as bars from 1x, best first, one panel per dtype.

    A mean is over the cases that were passed, and their number stands beside it. Its
    interval combines the cases' own: how well this mean was measured, not what another
    sweep would find (`stats.mean_speedup`). Kernels that passed nothing are listed last
    with what became of them; baselines other than eager are shown as kernels are.
    """
    bars = [_bars(run, run.frame[run.frame["dtype"] == dtype]) for dtype in run.dtypes]
    subjects = sorted(zip(*bars, strict=True), key=_overall)
    means = [bar.mean for subject in subjects for bar in subject if bar.mean]
    if not means:
        return None
    low = min(0.9, *(mean.ci_low for mean in means)) / 1.04
    high = max(1.1, *(mean.ci_high for mean in means)) * 1.04
    across, down = grid(len(bars), most=2)
    names = 0.075 * max(len(subject[0].name) for subject in subjects)
    width = across * 3.5 + names
    figure = Figure((max(4.5, width), down * (0.26 * len(subjects) + 0.6)))
    panels = figure.subplots(down, across, squeeze=False, sharey=True)
    for panel in panels.flat[len(bars) :]:
        panel.set_visible(False)
    ticks = thinned(RATIO_TICKS, 1.0, low, high, gap=0.14)
    by_dtype = zip(*subjects, strict=True)
    for panel, dtype, column in zip(panels.flat, run.dtypes, by_dtype, strict=False):
        panel.set(title=dtype, xscale="log", xlim=(low, high), ylim=(len(subjects) - 0.4, -0.6))
        panel.set_xticks(ticks, [f"{tick:g}×" for tick in ticks])
        panel.set_yticks(range(len(subjects)), [bar.name for bar in column])
        panel.xaxis.set_minor_locator(NullLocator())
        _bar_chart(panel, column)
    detail = "Geometric mean speed-up over eager, on the cases passed"
    header(figure, run.problem, [detail, run.device, *run.fixed])
    return figure


def _bars(run: Run, frame: pd.DataFrame) -> list[Bar]:
    """Baselines but eager, then kernels; `frame` holds one dtype."""
    cases = frame["case"].nunique()
    subjects = [
        (name, colour, [s for _, s in curves.baseline_speedups(frame, name)], "not timed")
        for name, (colour, _) in run.baselines.items()
        if name != "eager"
    ]
    for name, (colour, _) in run.kernels.items():
        own = frame[frame["kernel"] == name]
        fates = Counter(own["status"]).most_common(2)
        fate = "never passed: " + ", ".join(f"{count} {status}" for status, count in fates)
        subjects.append((name, colour, _speedups(own), fate))
    return [
        Bar(name, colour, stats.mean_speedup(ratios), f"{len(ratios)}/{cases}")
        if ratios
        else Bar(name, colour, None, fate)
        for name, colour, ratios, fate in subjects
    ]


def _overall(subject: Sequence[Bar]) -> float:
    """Sorts the fastest first and what has no mean last."""
    ratios = [bar.mean.ratio for bar in subject if bar.mean]
    return -stats.geometric_mean(ratios) if ratios else 0.0


def _bar_chart(panel: Axes, bars: Sequence[Bar]) -> None:
    panel.grid(True, axis="x")
    for y, bar in enumerate(bars):
        if bar.mean is None:
            beside(panel, 0, y, bar.note, 4, size=7, color=FAINT, backgroundcolor="white")
            continue
        ratio = bar.mean.ratio
        error = [[ratio - bar.mean.ci_low], [bar.mean.ci_high - ratio]]
        panel.barh(y, ratio - 1, left=1, height=0.62, color=bar.colour)
        panel.errorbar(ratio, y, xerr=error, fmt="none", ecolor=INK, elinewidth=1, capsize=2)
        beside(panel, 1, y, f"{ratio:.2f}×", 6, weight="bold")
        beside(panel, 1, y, bar.note, 40, size=7.5, color=FAINT)
    panel.axvline(1, color=INK, lw=0.8)
    panel.spines["left"].set_visible(False)
    panel.tick_params(axis="y", length=0)


def _speedups(frame: pd.DataFrame) -> list[Speedup]:
    """A kernel's speed-ups over eager on the cases that it passed."""
    stem = "speedup_vs_eager"
    passed = frame[frame["status"] == Status.PASSED].dropna(subset=stem)
    columns = (passed[name] for name in (stem, f"{stem}_ci_low", f"{stem}_ci_high"))
    return [Speedup(*values) for values in zip(*columns, strict=True)]
