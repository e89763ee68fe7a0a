"""What is drawn of a run of a single size."""

from __future__ import annotations

import pytest
from drawn import MARKED, cut_off, texts
from matplotlib.colors import to_hex

from harness.records import Status
from harness.report import dots

ONE = {"batch_size": [64]}


@pytest.mark.parametrize("draw", [dots.latency, dots.relative])
def test_what_fails_under_stress_is_marked(load, draw):
    figure = draw(load(sizes=ONE, outcome=lambda *_: MARKED))
    assert "fused †" in [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert "† right on the problem's contract" in " ".join(texts(figure)).replace("\n", " ")
    assert cut_off(figure) == []


def test_subjects_stand_below_each_other_with_their_times(load):
    figure = dots.latency(load(sizes=ONE, kernels=("fused", "naive")))
    panel = figure.axes[0]
    names = [label.get_text() for label in panel.get_yticklabels()]
    assert names == ["eager", "compile", "fused", "naive"]
    assert [text.get_text() for text in panel.texts] == ["100.0 µs", "80.0 µs"] + ["50.0 µs"] * 2
    assert panel.get_xlabel() == "latency (µs, log)"
    assert "batch_size = 64" in " ".join(texts(figure))


def test_speedups_leave_eager_out(load):
    figure = dots.relative(load(sizes=ONE))
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names == ["compile", "fused"]
    assert {"1.25×", "2.00×", "1×"} <= set(texts(figure))


def test_what_is_not_ranked_is_hollow_and_explained(load):
    figure = dots.latency(load(sizes=ONE, shaky=lambda name, *_: name == "fused"))
    hollow = [
        line
        for line in figure.axes[0].get_lines()
        if line.get_marker() in "os" and to_hex(line.get_markerfacecolor()) == "#ffffff"
    ]
    assert [line.get_xdata()[0] for line in hollow] == [50.0]
    assert "uncertain, not ranked" in texts(figure)


def test_a_dtype_without_a_time_says_so(load):
    figure = dots.latency(
        load(
            sizes=ONE,
            dtypes=("float32", "float16"),
            kernels=("a", "b"),
            outcome=lambda kernel, axes, dtype: (
                Status.CRASHED if (kernel, dtype) == ("b", "float16") else Status.PASSED
            ),
        )
    )
    assert texts(figure).count("not timed") == 1


@pytest.mark.parametrize("draw", [dots.latency, dots.relative])
def test_nothing_timed_is_no_picture(load, draw):
    assert draw(load(sizes=ONE, outcome=lambda *_: Status.CRASHED)) is None


@pytest.mark.parametrize("draw", [dots.latency, dots.relative])
@pytest.mark.parametrize(
    "run", [{}, {"kernels": [f"a_kernel_with_a_long_name_{i}" * 3 for i in range(8)]},
            {"dtypes": ("float32", "float16")}]
)  # fmt: skip
def test_the_page_is_as_large_as_it_must_be(load, draw, run):
    figure = draw(load(sizes=ONE, **run))
    assert cut_off(figure) == []
    rows = sum(len(panel.get_yticks()) for panel in figure.axes)
    assert figure.get_size_inches()[1] < 0.3 * rows + 1.4 * len(figure.axes)
