"""All in all: the geometric mean speed-up of every subject as bars, the best right one first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from harness.records import NOT_RUN, Speedup
from harness.report import layout
from harness.report.drawing import FAINT, INK, beside, grid, header, ratio_axis, remark, shortened
from harness.report.layout import Run, Subject
from harness.report.numbers import format_ratio
from harness.timing import stats


@dataclass(frozen=True)
class Bar:
    """One subject's speed-up over eager on one dtype; `mean` is None if nothing is ranked."""

    name: str
    colour: str
    mean: Speedup | None
    note: str
    """How many cases the mean is over, or what became of those it is not."""
    right: bool = True
    """False for a kernel that did not pass every case it ran."""


def summary(run: Run) -> Figure | None:
    """Geometric mean speed-up over eager as bars from 1x, best first, one panel per dtype.

    A mean is over the cases that are ranked, and their number stands beside it. Its
    interval combines the cases' own: how well this mean was measured, not what another
    sweep would find (`stats.mean_speedup`). Kernels that did not pass every case they ran
    come after those that did, however fast. Kernels without a ranked case are listed last
    with what became of them; baselines other than eager are shown as kernels are.
    """
    bars = [
        [_bar(run.frame[run.frame["dtype"] == dtype], subject) for subject in run.contenders]
        for dtype in run.dtypes
    ]
    ranking = sorted(zip(*bars, strict=True), key=_overall)
    means = [bar.mean for subject in ranking for bar in subject if bar.mean]
    if not means:
        return None
    low = min(0.9, *(mean.ci_low for mean in means)) / 1.04
    high = max(1.1, *(mean.ci_high for mean in means)) * 1.04
    across, down = grid(len(bars), most=2)
    names = 0.075 * max(len(subject[0].name) for subject in ranking)
    width = across * 3.5 + names
    figure = Figure((max(4.5, width), down * (0.26 * len(ranking) + 0.75)))
    panels = figure.subplots(down, across, squeeze=False, sharey=True)
    for panel in panels.flat[len(bars) :]:
        panel.set_visible(False)
    by_dtype = zip(*ranking, strict=True)
    for panel, dtype, column in zip(panels.flat, run.dtypes, by_dtype, strict=False):
        panel.set(title=dtype, xscale="log", xlim=(low, high), ylim=(len(ranking) - 0.4, -0.6))
        panel.set_yticks(range(len(ranking)), [bar.name for bar in column])
        panel.set_xlabel("speed-up (log)")
        ratio_axis(panel, "x", gap=0.14)
        _bar_chart(panel, column)
    detail = "Geometric mean speed-up over eager"
    if any(bar.mean and not bar.right for subject in ranking for bar in subject):
        detail += ", kernels that passed every case they ran first"
    header(figure, run.problem, [detail, *run.machine, *run.fixed, *run.footnotes])
    return figure


def _bar(frame: pd.DataFrame, subject: Subject) -> Bar:
    """A subject's bar on one dtype, whose rows these are."""
    points = layout.speedups(frame, subject)
    ratios = layout.ranked_speedups(points)
    name = shortened(subject.name) + subject.mark
    own = frame[frame["kernel"] == subject.name] if subject.is_kernel else frame[:0]
    # Of the reasons not to be ranked, uncertainty alone says nothing of the kernel's values.
    wrong = own[~own["status"].isin(NOT_RUN) & ~own["(unranked)"].isin(["", "uncertain"])]
    if ratios:
        cases = frame["case"].nunique()
        note = f"{len(ratios)} of {cases} case{'s'[: cases != 1]}"
        return Bar(name, subject.colour, stats.mean_speedup(ratios), note, right=wrong.empty)
    if not subject.is_kernel:
        fate = "not ranked: uncertain" if points else "not timed"
        return Bar(name, subject.colour, None, fate)
    fates = Counter(why or "without eager's time" for why in own["(unranked)"])
    commonest = ", ".join(f"{count} {why}" for why, count in fates.most_common(2))
    return Bar(name, subject.colour, None, f"not ranked: {commonest}", right=wrong.empty)


def _overall(subject: Sequence[Bar]) -> tuple[bool, bool, float]:
    """Sorts what is right before what is not, the fastest first, and what has no mean last."""
    ratios = [bar.mean.ratio for bar in subject if bar.mean]
    wrong = not all(bar.right for bar in subject)
    return not ratios, wrong, -stats.geometric_mean(ratios) if ratios else 0.0


def _bar_chart(panel: Axes, bars: Sequence[Bar]) -> None:
    panel.grid(True, axis="x")
    widest = max((len(format_ratio(bar.mean.ratio)) for bar in bars if bar.mean), default=0)
    for y, bar in enumerate(bars):
        if bar.mean is None:
            remark(panel, y, bar.note)
            continue
        ratio = bar.mean.ratio
        error = [[ratio - bar.mean.ci_low], [bar.mean.ci_high - ratio]]
        panel.barh(y, ratio - 1, left=1, height=0.62, color=bar.colour)
        panel.errorbar(ratio, y, xerr=error, fmt="none", ecolor=INK, elinewidth=1, capsize=2)
        beside(panel, 1, y, format_ratio(ratio), 6, weight="bold")
        beside(panel, 1, y, bar.note, 12 + 6.6 * widest, size=7.5, color=FAINT)
    panel.axvline(1, color=INK, lw=0.8)
    panel.spines["left"].set_visible(False)
    panel.tick_params(axis="y", length=0)
