"""What all pictures share: the look, the header, ticks and labels."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

INK, FAINT = "#222222", "#707070"
NEAR_ONE = (0.2, 0.25, 0.33, 0.5, 0.67, 0.8, 0.9, 0.95, 1, 1.05, 1.1, 1.25, 1.5, 2, 3, 4, 5)
"""Speed-ups to put on an axis that spans no more than these."""
DPI = 150
STYLE: dict[Any, Any] = {
    "text.parse_math": False,  # a $ in a name is a $
    "svg.hashsalt": "kernel-bench",  # the same run, the same file
    "font.size": 8.5,
    "text.color": INK,
    "axes.edgecolor": "#999999",
    "axes.labelcolor": INK,
    "axes.titlesize": 8.5,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": "#E0E0E0",
    "grid.linewidth": 0.5,
    "hatch.color": "#D3D3D3",
    "hatch.linewidth": 0.6,
    "legend.frameon": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
}


def header(
    figure: Figure, headline: str, details: Sequence[str], legend: Sequence[Line2D] = ()
) -> None:
    """Put a bold line, a fainter one and a legend on top, wrapped to the figure's width.

    The figure grows by what they need, and its panels are laid out below them.
    """
    width, panels_height = figure.get_size_inches()
    bold = textwrap.wrap(headline, int(9.4 * width))
    dot = "\N{NO-BREAK SPACE}·"
    folds = folded(details, int(15 * width), f"{dot} ").splitlines()
    faint = [line.removesuffix(dot) for line in folds]
    columns = _legend_columns(legend, int(13 * width))
    heights = (0.19 * len(bold), 0.155 * len(faint), 0.17 * math.ceil(len(legend) / columns))
    height = panels_height + 0.12 + sum(heights)
    left, top = 0.08 / width, 1 - 0.07 / height
    figure.set_size_inches(width, height)
    figure.set_layout_engine("constrained", rect=(0, 0, 1, panels_height / height))
    figure.text(left, top, "\n".join(bold), size=10.5, weight="bold", va="top")
    top -= heights[0] / height
    figure.text(left, top, "\n".join(faint), size=8, color=FAINT, va="top")
    if legend:
        corner = (left, top - heights[1] / height)
        figure.legend(
            handles=legend, ncols=columns, loc="upper left", bbox_to_anchor=corner,
            borderaxespad=0.1, borderpad=0.2, handlelength=2.4, columnspacing=1.2, fontsize=8,
        )  # fmt: skip


def _legend_columns(legend: Sequence[Line2D], letters: int) -> int:
    """The most columns whose widest entries fit so many letters side by side, as matplotlib
    fills them: from the left, top to bottom.
    """
    widths = [len(str(line.get_label())) + 7 for line in legend]
    for count in range(len(widths), 1, -1):
        columns = np.array_split(widths, count)
        if sum(max(column) for column in columns) <= letters:
            return count
    return 1


def folded(parts: Iterable[str], letters: int, comma: str = ", ") -> str:
    """The parts in lines of so many letters, broken between parts, inside none that fits one."""
    whole = (p.replace(" ", "\N{NO-BREAK SPACE}") if len(p) <= letters else p for p in parts)
    return textwrap.fill(comma.join(whole), max(1, letters))


def shortened(name: str, most: int = 44) -> str:
    """A name with its middle left out where it is too long for a picture."""
    if len(name) <= most:
        return name
    end = most // 2
    return f"{name[: most - end - 1]}…{name[-end:]}"


def grid(panels: int, most: int) -> tuple[int, int]:
    """Columns and rows for so many panels, as even as at most `most` columns allow."""
    down = math.ceil(panels / max(1, most))
    return math.ceil(panels / down), down


def thinned(
    values: Iterable[float], anchor: float, low: float, high: float, gap: float = 0.1
) -> list[float]:
    """The values from low to high, less those too close to one nearer the anchor.

    gap: the smallest distance to keep, as a part of a log axis from low to high.
    """
    ticks: list[float] = []
    inside = (value for value in values if low <= value <= high)
    for value in sorted(inside, key=lambda value: abs(math.log(value / anchor))):
        if all(abs(math.log(value / other)) >= gap * math.log(high / low) for other in ticks):
            ticks.append(value)
    return sorted(ticks)


def log_ticks(
    low: float, high: float, gap: float, fine: Sequence[float], anchor: float = 1.0
) -> list[float]:
    """Round numbers from low to high for a log axis, on any range at least one.

    fine: what to choose from if the range is within them; else 1, 2, 5, 10, 20, ... where they
    have room, else powers of ten. gap and anchor: as for `thinned`.
    """
    if fine and fine[0] <= low and high <= fine[-1]:
        return thinned(fine, anchor, low, high, gap)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    room = math.log(2) >= gap * math.log(high / low)
    steps = (1, 2, 5) if room else (1,)
    return thinned(
        (step * 10.0**power for power in powers for step in steps), anchor, low, high, gap
    )


def time_axis(panel: Axes, way: str, gap: float) -> None:
    """Ticks in plain numbers on a log axis of times; way: "x" or "y"."""
    low, high = getattr(panel, f"get_{way}lim")()
    if high < 2 * low:  # differences of a few percent should look it
        low, high = math.sqrt(low * high / 2), math.sqrt(low * high * 2)
    steps = (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9) if high < 3 * low else (1, 1.5, 2, 3, 5, 7)
    fine = [step * 10.0**power for power in range(-6, 13) for step in steps]
    ticks = log_ticks(low, high, gap, fine if high < 10 * low else (), anchor=10.0)
    _set_axis(panel, way, low, high, ticks, [f"{tick:.10g}" for tick in ticks])


def ratio_axis(panel: Axes, way: str, gap: float) -> None:
    """Ticks such as 0.5× on a log axis of speed-ups, which shows 1× whatever the range."""
    low, high = getattr(panel, f"get_{way}lim")()
    low, high = min(low, 0.95), max(high, 1.05)
    ticks = log_ticks(low, high, gap, NEAR_ONE)
    _set_axis(panel, way, low, high, ticks, [f"{tick:.10g}×" for tick in ticks])


def _set_axis(
    panel: Axes, way: str, low: float, high: float, ticks: list[float], labels: list[str]
) -> None:
    panel.set(**{f"{way}lim": (low, high), f"{way}ticks": ticks, f"{way}ticklabels": labels})
    getattr(panel, f"{way}axis").set_minor_locator(NullLocator())


def hollow_mark(reasons: Iterable[str]) -> Line2D:
    """What a legend says of hollow points; reasons: why the run has some."""
    *most, last = dict.fromkeys(reasons)
    text = f"{' or '.join(filter(None, [', '.join(most), last]))}, not ranked"
    look: dict[str, Any] = {"color": FAINT, "marker": "o", "ls": "", "ms": 4, "mew": 0.9}
    return Line2D([], [], label=text, markerfacecolor="white", **look)


def write(panel: Axes, x: float, y: float, text: str, **style: Any) -> None:
    panel.text(x, y, text, ha="center", va="center", linespacing=1.0, **style)


def beside(panel: Axes, x: float, y: float, text: str, points: float, **style: Any) -> None:
    """Text so many points to the right of x, a part of the panel's width."""
    margin = panel.get_yaxis_transform()
    panel.annotate(text, (x, y), (points, 0), margin, "offset points", va="center", **style)


def remark(panel: Axes, y: float, text: str) -> None:
    """A few words where a row of a panel has nothing to show, clear of the grid."""
    ground = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
    beside(panel, 0, y, text, 4, size=7, color=FAINT, bbox=ground)


def stacked(words: str) -> str:
    return words.replace("_", "\n")


def luminance(colour: Sequence[float]) -> float:
    """How bright a colour is to the eye, 0 to 1; red, green and blue in sRGB, 0 to 1.

    Source: Web Content Accessibility Guidelines 2.2, "relative luminance".
    """
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour[:3]
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def ink_on(colour: Sequence[float]) -> str:
    """Black or white, whichever stands out more: by 4.5 to 1 at the least, as WCAG asks."""
    return "black" if luminance(colour) > 0.179 else "white"
