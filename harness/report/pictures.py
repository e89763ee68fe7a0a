"""A run's results.csv as pictures: which there are, and how they come to be on disk.

Reads files only, so a run from another machine is drawn just as well. Kernels have
colours that colour-blind readers can tell apart, baselines are grey, and each keeps
its colour and marker throughout a run. What is not ranked is hollow or grey.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from harness import PROGRAM, results
from harness.report import bars, curves, dots, layout, maps
from harness.report.drawing import DPI, STYLE
from harness.report.layout import Run

FORMATS = ("png", "svg")


def plot_all(folder: Path, warn: Callable[[str], None]) -> list[Path]:
    """Draw every picture that the folder's results have data for; return the PNG files.

    speedup_<kernel>.png   eager's time / the kernel's, case by case: a heat map per dtype
    latency.png            time of every kernel and baseline against the first axis
    relative.png           the same as speed-ups over eager, where a few percent show
    summary.png            geometric mean speed-up of every kernel, per dtype

    Beside each lies an SVG of the same name. Each file is written aside, then renamed. A
    picture that cannot be drawn is a sentence for `warn`, and the others are drawn.
    Raises HarnessError when the folder holds no results or cannot be written to.
    """
    run = layout.load(folder)
    files = []
    with matplotlib.rc_context(STYLE):
        for name, draw in _pictures(run).items():
            try:
                figure = draw()
                images = {} if figure is None else _images(figure)
            except Exception as error:  # a run's figures are worth more than any of its pictures
                what = f"{type(error).__name__}: {error}".splitlines()[0]
                warn(f"The picture {name} could not be drawn ({what}); the results are all there.")
                continue
            for suffix, image in images.items():
                _write(folder / f"{name}.{suffix}", image)
            if images:
                files.append(folder / f"{name}.png")
    return files


def _pictures(run: Run) -> Mapping[str, Callable[[], Figure | None]]:
    """Name -> what draws it, or returns None where there is nothing to draw."""
    # A single size has no curve.
    against_size = dots if len(run.rows) == 1 else curves
    return {
        **{
            f"speedup_{kernel.name}": partial(maps.speedup_maps, run, kernel)
            for kernel in run.kernels
        },
        "latency": partial(against_size.latency, run),
        "relative": partial(against_size.relative, run),
        "summary": partial(bars.summary, run),
    }


def _images(figure: Figure) -> dict[str, bytes]:
    """The figure as files: suffix -> content, the same whenever it is drawn."""
    images = {}
    for suffix in FORMATS:
        image = io.BytesIO()
        metadata = {"Date": None} if suffix == "svg" else {}
        with warnings.catch_warnings():
            # A letter of a name that the font lacks is a box in the picture, and no more.
            warnings.filterwarnings("ignore", "Glyph .* missing from font")
            figure.savefig(image, format=suffix, dpi=DPI, metadata=metadata)
        figure.set_layout_engine("none")  # once laid out, it is so in every format
        images[suffix] = image.getvalue()
    return images


def _write(path: Path, image: bytes) -> None:
    try:
        results.write_whole(path, image)
    except OSError as error:
        folder = path.parent
        raise results.refused(
            path, error, len(results.read(folder)), f"draw them with `{PROGRAM} plot {folder}`"
        ) from error
