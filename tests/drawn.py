"""Runs to draw, and what their pictures say."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.text import Text

from harness import results
from harness.records import Case, NonFinite, Result, Speedup, Status, Timing, Verdict

SIZES = {"batch_size": [1, 16, 128, 1024, 4096], "features": [1024, 16384]}
MACHINE = {
    "device_name": "NVIDIA H100",
    "torch": "2.11.0",
    "gpu": {"driver": "580.1"},
    "date": "2026-11-25T04:46:23+00:00",
}
EAGER_US, COMPILE_US, KERNEL_US = 100.0, 80.0, 50.0


def timing(us: float, spread: float = 0.01) -> Timing:
    return Timing(us, us * (1 - spread), us * (1 + spread), ((us,),), "cold")


PASSED = Verdict(Status.PASSED, error_rel=0.0)
MARKED = Verdict(Status.PASSED, error_rel=0.0, stress="NaN inputs: lost")
ASTRAY = Verdict(
    Status.WRONG_VALUES, "NaN inputs: lost", non_finite=NonFinite.DIFFERS, finite_right=True
)


def passed(kernel: str, axes: Mapping[str, Any], dtype: str) -> Verdict:
    return PASSED


def make_run(
    folder: Path,
    sizes: Mapping[str, Sequence[Any]] = SIZES,
    dtypes: Sequence[str] = ("float32",),
    kernels: Sequence[str] = ("fused",),
    outcome: Callable[[str, Mapping[str, Any], str], Verdict | Status] = passed,
    problem: str = "matmul",
    baselines: Sequence[str] = ("eager", "compile"),
    machine: Mapping[str, Any] = MACHINE,
    device: str = "cuda",
    us: Callable[[str, Mapping[str, Any], str], float] | None = None,
    shaky: Callable[[str, Mapping[str, Any], str], bool] = lambda *_: False,
    fallback: Callable[[str], str] = lambda kernel: "",
) -> Path:
    """A run whose kernels take 50 us, eager 100 us and baselines 80 us, whatever the case.

    outcome: what became of a kernel on a case; a status alone will do.
    us, shaky: the time of a subject on a case, if not that, and whether it is uncertain.
    fallback: why a kernel is not its own, if it is not.
    """
    usual = {"eager": EAGER_US} | {name: COMPILE_US for name in baselines if name != "eager"}
    cases = [dict(zip(sizes, values, strict=True)) for values in itertools.product(*sizes.values())]
    for axes in cases:
        if "features" in axes:
            axes["out_features"] = axes["features"]
    writer = results.Writer(folder, list(cases[0]), baselines)
    results.write_environment(folder, machine)

    def measure(subject: str, axes: Mapping[str, Any], dtype: str) -> Timing:
        median_us = us(subject, axes, dtype) if us else usual.get(subject, KERNEL_US)
        return timing(median_us, 0.2 if shaky(subject, axes, dtype) else 0.01)

    for index, (dtype, axes) in enumerate(itertools.product(dtypes, cases)):
        for kernel in kernels:
            verdict = outcome(kernel, axes, dtype)
            if isinstance(verdict, Status):
                verdict = Verdict(verdict, "because", error_rel=0.0)
            own = measure(kernel, axes, dtype) if verdict.timed else None
            others = {name: measure(name, axes, dtype) for name in baselines if verdict.timed}
            ranked = verdict.status is Status.PASSED and not fallback(kernel)
            speedups = {
                name: Speedup(t.median_us / own.median_us, *(
                    t.median_us / own.median_us * f for f in (0.95, 1.05)))
                for name, t in others.items()
                if ranked and own
            }  # fmt: skip
            writer.append(
                Result(
                    problem, kernel, Case(axes, dtype, device), index,
                    verdict, timing=own, baselines=others, speedups=speedups,
                    fallback=fallback(kernel),
                )
            )  # fmt: skip
    return folder


def texts(figure: Figure) -> list[str]:
    """All that can be read in a figure, with plain blanks."""
    shown = (text for text in figure.findobj(Text) if text.get_visible())
    plain = (text.get_text().replace("\N{NO-BREAK SPACE}", " ") for text in shown)
    return [text for text in plain if text]


def cut_off(figure: Figure) -> list[str]:
    """Texts that leave the figure, or whose visible panel does."""
    figure.draw_without_rendering()
    page = figure.bbox.padded(1.0)
    lost = []
    for panel in [figure, *(axes for axes in figure.axes if axes.get_visible())]:
        for text in panel.findobj(Text):
            box = text.get_window_extent()
            inside = page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0
            if text.get_visible() and text.get_text() and not (inside and box.y1 <= page.y1):
                lost.append(text.get_text())
    return lost
