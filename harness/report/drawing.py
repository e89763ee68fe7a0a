"""What all pictures share: the look, the header, ticks and labels."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

INK, FAINT = "#222222", "#707070"
RATIO_TICKS = (0.1, 0.2, 0.25, 0.33, 0.5, 0.67, 0.8, 0.9, 1, 1.1, 1.25, 1.5, 2, 3, 4, 5, 10, 20, 50)
DPI = 150
STYLE: dict[Any, Any] = {
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
    # No-break spaces: a line may end between two details, not inside one.
    detail = " · ".join(text.replace(" ", "\N{NO-BREAK SPACE}") for text in details)
    faint = textwrap.wrap(detail, int(15 * width))
    letters = [len(str(line.get_label())) + 7 for line in legend] or [0]
    fits = int(13 * width)
    columns = len(letters) if sum(letters) <= fits else max(1, fits // max(letters))

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
    kept: list[float] = []
    inside = (value for value in values if low <= value <= high)
    for value in sorted(inside, key=lambda value: abs(math.log(value / anchor))):
        if all(abs(math.log(value / other)) >= gap * math.log(high / low) for other in kept):
            kept.append(value)
    return sorted(kept)


def write(panel: Axes, x: float, y: float, text: str, **style: Any) -> None:
    panel.text(x, y, text, ha="center", va="center", linespacing=1.0, **style)


def beside(panel: Axes, x: float, y: float, text: str, points: float, **style: Any) -> None:
    """Text so many points to the right of x, a part of the panel's width."""
    margin = panel.get_yaxis_transform()
    panel.annotate(text, (x, y), (points, 0), margin, "offset points", va="center", **style)


def stacked(status: str) -> str:
    return status.replace("_", "\n")


def luminance(colour: Sequence[float]) -> float:
    red, green, blue = colour[:3]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
