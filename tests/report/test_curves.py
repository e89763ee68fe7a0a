"""What the curves show, read off the figures themselves."""

from __future__ import annotations

import itertools

import pytest
from drawn import ASTRAY, MARKED, PASSED, cut_off, texts
from matplotlib.colors import to_hex

from harness.records import Status
from harness.report import bars, curves
from harness.report.numbers import FOOTNOTE


def drawn(figure, hollow: bool | None = None) -> set[tuple[str, float]]:
    """Colour and height of every marker in the figure's panels; of the hollow ones, or not."""
    return {
        (to_hex(line.get_color()), round(float(y), 6))
        for panel in figure.axes
        for line in panel.get_lines()
        if line.get_marker() not in ("None", "_", "|")
        if hollow in (None, to_hex(line.get_markerfacecolor()) == "#ffffff")
        for y in line.get_ydata()
    }


def colours(figure) -> dict[str, str]:
    return {line.get_label(): to_hex(line.get_color()) for line in figure.legends[0].get_lines()}


def test_sizes_on_a_log_axis_are_plain_numbers(load):
    figure = curves.latency(load())
    assert {"1", "16", "128", "1024", "4096"} <= set(texts(figure))


@pytest.mark.parametrize("draw, label", [(curves.latency, "latency (µs, log)"),
                                         (curves.relative, "speed-up (log)")])  # fmt: skip
def test_axes_say_that_they_are_logarithmic(load, draw, label):
    figure = draw(load())
    panel = figure.axes[0]
    assert panel.get_ylabel() == f"float32\n{label}"
    assert panel.get_yscale() == "log"
    assert "batch_size (log)" in texts(figure)


def test_sizes_that_are_no_numbers_have_no_logarithm(load):
    shown = texts(curves.latency(load(sizes={"mode": ["sum", "mean"]})))
    assert {"sum", "mean", "mode"} <= set(shown) and "mode (log)" not in shown


@pytest.mark.parametrize(
    "sizes",
    [
        {"mode": ["sum", "mean", "a rather long word", "another long word", "none"]},
        {"rows": [1000, 1001, 1048576, 2097152, 4194304]},
        {"rows": [0.001, 0.00123456, 1000]},
    ],
)
def test_sizes_do_not_run_into_each_other(load, sizes):
    figure = curves.latency(load(sizes=sizes | {"features": [1, 2]}))
    figure.draw_without_rendering()
    for panel in figure.axes:
        boxes = [label.get_tightbbox() for label in panel.get_xticklabels()]
        turned = {label.get_rotation() for label in panel.get_xticklabels()}
        assert turned == ({30} if "mode" in sizes else {0})
        if "rows" in sizes:
            assert not any(a.overlaps(b) for a, b in itertools.pairwise(boxes))


def test_subjects_keep_their_colours_from_picture_to_picture(load):
    run = load(kernels=("fused", "naive"), baselines=("eager", "compile", "compile-max-autotune"))
    lines = colours(curves.latency(run))
    panel = bars.summary(run).axes[0]
    names = [label.get_text() for label in panel.get_yticklabels()]
    beams = dict(zip(names, (to_hex(bar.get_facecolor()) for bar in panel.patches), strict=True))
    assert list(lines) == ["eager", "compile", "compile-max-autotune", "fused", "naive"]
    assert len(set(lines.values())) == 5
    assert beams == {name: lines[name] for name in beams}


def test_relative_shows_ranked_and_unranked_kernels_and_compile_but_not_eager(load):
    def outcome(kernel, axes, dtype):
        return {"unsafe": ASTRAY, "broken": Status.CRASHED}.get(kernel, Status.PASSED)

    figure = curves.relative(load(kernels=("fused", "unsafe", "broken"), outcome=outcome))
    colour = colours(figure)
    assert list(colour) == ["compile", "fused", "unsafe", "NaN astray, not ranked"]
    # Eager takes 100 us, compile 80, kernels 50.
    assert drawn(figure) == {
        (colour["compile"], 1.25), (colour["fused"], 2.0), (colour["unsafe"], 2.0),
    }  # fmt: skip
    assert drawn(figure, hollow=True) == {(colour["unsafe"], 2.0)}


def test_uncertain_and_fallback_points_are_hollow_and_explained(load):
    us = {"eager": 100.0, "compile": 80.0, "fused": 50.0, "copy": 60.0}
    run = load(
        kernels=("fused", "copy"),
        us=lambda name, axes, _: us[name] * axes["batch_size"],
        shaky=lambda name, axes, _: axes["batch_size"] == {"compile": 16, "fused": 1}.get(name),
        fallback=lambda kernel: "no nvcc" if kernel == "copy" else "",
    )
    figure = curves.latency(run)
    colour = colours(figure)
    copies = {(colour["copy"], 60.0 * size) for size in (1, 16, 128, 1024, 4096)}
    shaky = {(colour["compile"], 80.0 * 16), (colour["fused"], 50.0)}
    assert drawn(figure, hollow=True) == copies | shaky
    assert "uncertain or fallback, not ranked" in colour
    ratios = curves.relative(run)
    assert (colour["fused"], 2.0) in drawn(ratios, hollow=True)  # on that case
    assert (colour["fused"], 2.0) in drawn(ratios, hollow=False)


def test_what_fails_under_stress_is_ranked_and_marked(load):
    run = load(
        kernels=("fused", "sound"),
        outcome=lambda kernel, axes, _: (
            MARKED if kernel == "fused" and axes["batch_size"] == 1 else PASSED
        ),
    )
    figure = curves.relative(run)
    assert list(colours(figure)) == ["compile", "fused †", "sound"]
    assert drawn(figure, hollow=True) == set()
    assert FOOTNOTE in " ".join(texts(figure)).replace("\n", " ")


def test_nothing_hollow_nothing_said_of_it(load):
    assert not any("not ranked" in text or "†" in text for text in texts(curves.latency(load())))


def test_curves_that_coincide_are_seen_inside_each_other(load):
    figure = curves.latency(load(kernels=[f"k{i}" for i in range(8)]))
    heights = {colour for colour, y in drawn(figure) if y == 50}
    lines = [line for line in figure.axes[0].get_lines()
             if len(line.get_ydata()) and line.get_ydata()[0] == 50 and line.get_linewidth() > 0
             and line.get_linestyle() == "-"]  # fmt: skip
    above = sorted(lines, key=lambda line: line.get_zorder())
    assert len(above) == 8 and len(heights) == 6  # of eight kernels two share colours
    for below, on_top in itertools.pairwise(above):
        assert below.get_linewidth() > on_top.get_linewidth() + 0.2
        assert below.get_markersize() > on_top.get_markersize() + 0.3


def test_an_empty_panel_says_why(load):
    fates = {"float16": Status.SKIPPED}
    run = load(
        sizes={"batch_size": [1, 2], "features": [8, 16]},
        dtypes=("float32", "float16"),
        kernels=("a", "b"),
        outcome=lambda kernel, axes, dtype: (
            Status.PASSED if dtype == "float32" and axes["features"] == 8
            else Status.OUT_OF_MEMORY if kernel == "a" else fates.get(dtype, Status.CRASHED)
        ),
    )  # fmt: skip
    shown = [text.replace("\n", " ") for text in texts(curves.latency(run))]
    assert shown.count("nothing timed: 2 OUT_OF_MEMORY, 2 CRASHED") == 1
    assert shown.count("nothing timed: 2 OUT_OF_MEMORY, 2 SKIPPED") == 2


def test_a_panel_without_eager_says_so(load):
    """Eager ran out of memory on the larger size."""
    run = load(sizes={"batch_size": [1, 2], "features": [8, 16]})
    missing = [name for name in run.frame if name.startswith(("eager", "speedup_vs_eager"))]
    run.frame.loc[run.frame["features"] == 16, missing] = float("nan")
    assert "eager was not timed" in texts(curves.relative(run))


def test_nothing_timed_is_no_picture(load):
    run = load(outcome=lambda *_: Status.BUILD_FAILED)
    assert curves.latency(run) is curves.relative(run) is None


def test_without_eager_there_is_latency_alone(load):
    run = load(baselines=())
    assert curves.latency(run) is not None and curves.relative(run) is None


@pytest.mark.parametrize(
    "run",
    [
        {},
        {"problem": "a_problem_with_a_name_that_goes_on_" * 5,
         "machine": {"device_name": "A device " * 20}, "kernels": ("k" * 120, "short")},
        {"sizes": {"batch_size": [1, 64, 2048], "features": [1, 2, 3, 4, 5]},
         "dtypes": ("float32", "float16", "bfloat16"),
         "kernels": ("k", "a_kernel_with_quite_a_long_name")},
        {"sizes": {"b": [1, 2, 3], "features": [8, 4096], "mode": ["sum", "none at all"]},
         "kernels": [f"kernel_{i}" for i in range(8)],
         "baselines": ("eager", "compile", "compile-max-autotune-no-cudagraphs")},
        {"us": lambda name, axes, _: len(name) * 10.0 ** (axes["batch_size"] % 13 - 4)},
        {"outcome": lambda *_: ASTRAY},
        {"outcome": lambda *_: MARKED},
        {"kernels": ("$x$", "_private", "[bold]", "a_{b}^c"), "problem": "$\\frac{1}{2$"},
    ],
    ids=["plain", "long names", "many panels", "three axes", "wide", "non-finite", "marked",
         "odd names"],
)  # fmt: skip
@pytest.mark.parametrize("draw", [curves.latency, curves.relative])
def test_no_text_leaves_the_page(load, draw, run):
    assert cut_off(draw(load(**run))) == []


def test_odd_names_are_shown_as_they_are(load):
    names = ["$x$", "_private", "[bold]", "a_{b}^c"]
    shown = texts(curves.latency(load(kernels=names, problem="cost_$y$")))
    assert {*names, "cost_$y$"} <= set(shown)
