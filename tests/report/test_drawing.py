"""Ticks, ink and words that all pictures share."""

from __future__ import annotations

import itertools
import math

import pytest
from drawn import cut_off
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from harness.report import drawing


def test_sizes_too_close_to_label_apart_are_left_out_but_never_the_largest():
    assert drawing.thinned([1, 1000, 1001, 1024], 1024, 1, 1024) == [1, 1024]


@pytest.mark.parametrize(
    "low, high",
    [(0.95, 1.05), (0.9, 1.1), (0.5, 3), (0.3, 6), (0.02, 40), (0.0002, 5000), (1e-9, 1e9)],
)
@pytest.mark.parametrize("way", ["x", "y"])
def test_an_axis_of_speedups_has_ticks_on_any_range(low, high, way):
    panel = Figure().subplots()
    panel.set(**{f"{way}scale": "log", f"{way}lim": (low, high)})
    drawing.ratio_axis(panel, way, gap=0.1)
    axis = getattr(panel, f"{way}axis")
    ticks = axis.get_ticklocs()
    assert 3 <= len(ticks) <= 11
    assert 1 in ticks
    apart = [math.log(b / a) / math.log(high / low) for a, b in itertools.pairwise(ticks)]
    assert min(apart) > 0.09
    if high / low > 1e4:
        assert {round(math.log10(tick), 9) % 1 for tick in ticks} == {0}  # powers of ten
    assert [label.get_text() for label in axis.get_ticklabels()][list(ticks).index(1)] == "1×"


@pytest.mark.parametrize(
    "low, high", [(50, 50.5), (1.05, 2.2), (7, 65), (6, 75), (20, 700), (0.01, 1e8)]
)
def test_an_axis_of_times_has_ticks_on_any_range(low, high):
    panel = Figure().subplots()
    panel.set(yscale="log", ylim=(low, high))
    drawing.time_axis(panel, "y", gap=0.12)
    low, high = panel.get_ylim()
    inside = [tick for tick in panel.get_yticks() if low <= tick <= high]
    assert len(inside) >= 3
    assert high >= 1.99 * low  # a few percent are no cliff


@pytest.mark.parametrize("length", [1, 44, 45, 300])
def test_a_long_name_loses_its_middle(length):
    name = "".join(chr(ord("a") + i % 26) for i in range(length))
    short = drawing.shortened(name)
    assert len(short) == min(length, 44)
    assert (short == name) == (length <= 44)
    assert short[:10] == name[:10] and short[-10:] == name[-10:]


def test_lines_end_between_parts_and_not_inside_one():
    parts = ["features = 1024", "mode = sum", "eps = 0.1"]
    text = drawing.folded(parts, 28).replace("\N{NO-BREAK SPACE}", " ")
    assert text.split("\n") == ["features = 1024, mode = sum,", "eps = 0.1"]


def test_one_long_entry_does_not_cost_a_legend_its_columns():
    figure = Figure((6, 3))
    figure.subplots()
    names = ["compile-max-autotune-no-cudagraphs", *(f"kernel_{i}" for i in range(8))]
    drawing.header(figure, "problem", ["detail"], [Line2D([], [], label=name) for name in names])
    assert cut_off(figure) == []
    places = {text.get_window_extent().x0 for text in figure.legends[0].get_texts()}
    assert len(places) > 1


@pytest.mark.parametrize(
    "reasons, text",
    [
        (["NaN astray"], "NaN astray, not ranked"),
        (["a", "b"], "a or b, not ranked"),
        (["a", "b", "c"], "a, b or c, not ranked"),
    ],
)
def test_hollow_points_are_explained(reasons, text):
    assert drawing.hollow_mark(reasons).get_label() == text


def test_no_line_of_a_header_ends_in_a_dot():
    figure = Figure((3, 2))
    drawing.header(figure, "problem", [f"detail number {i}" for i in range(9)])
    _, faint = (text.get_text().splitlines() for text in figure.texts)
    assert len(faint) > 2
    assert not any(line.rstrip("\N{NO-BREAK SPACE} ").endswith("·") for line in faint)
