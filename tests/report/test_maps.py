"""What the heat maps say, cell by cell."""

from __future__ import annotations

import itertools

import pytest
from drawn import ASTRAY, MARKED, cut_off, texts
from matplotlib.colors import to_hex

from harness.records import Status
from harness.report import maps


@pytest.fixture
def draw(load):
    """The map of the first kernel of a run."""

    def draw(**run):
        laid_out = load(**run)
        return maps.speedup_maps(laid_out, laid_out.kernels[0])

    return draw


def test_a_kernel_without_speedups_has_no_map(draw):
    assert draw(outcome=lambda *_: Status.CRASHED) is None


def test_a_run_without_eager_has_no_map(draw):
    assert draw(baselines=()) is None


def test_titles_name_problem_kernel_dtype_and_machine(draw):
    shown = " ".join(texts(draw(dtypes=("float32", "bfloat16"))))
    for word in ("matmul · fused", "float32", "bfloat16", "GPU: NVIDIA H100", "driver 580.1"):
        assert word in shown


def test_cells_show_the_speedup_or_why_there_is_none(draw):
    fates = {1: Status.WRONG_VALUES, 16: ASTRAY}
    figure = draw(outcome=lambda _, axes, __: fates.get(axes["batch_size"], Status.PASSED))
    shown = texts(figure)
    assert shown.count("WRONG\nVALUES") == 2
    assert shown.count("NaN astray") == 2
    assert shown.count("2.00×") == 6 + 2  # the unranked ratio is written as well
    assert sum(bool(patch.get_hatch()) for patch in figure.axes[0].patches) == 2


@pytest.mark.parametrize("why", ["uncertain", "fallback"])
def test_cells_that_are_not_ranked_are_grey_and_say_why(draw, why):
    figure = draw(
        sizes={"rows": [1, 2]},
        shaky=lambda name, axes, _: why == "uncertain" and axes["rows"] == 2,
        fallback=lambda _: "nvcc failed" if why == "fallback" else "",
    )
    faces = {to_hex(patch.get_facecolor()) for patch in figure.axes[0].patches}
    assert texts(figure).count(why) == (1 if why == "uncertain" else 2)
    assert "#f3f3f3" in faces
    assert len(faces) == (2 if why == "uncertain" else 1)


def test_a_kernel_that_fails_under_stress_is_marked(load):
    run = load(
        kernels=("fused", "sound"),
        outcome=lambda kernel, *_: MARKED if kernel == "fused" else Status.PASSED,
    )
    fused, sound = (" ".join(texts(maps.speedup_maps(run, kernel))) for kernel in run.kernels)
    assert "matmul · fused †" in fused and "† right on the problem's contract" in fused
    assert "†" not in sound
    assert fused.count("2.00×") == 10  # ranked all the same


def test_three_axes_share_the_columns(draw):
    figure = draw(sizes={"shape": ["wide", "tall"], "mode": ["sum", "mean"], "features": [8, 0.5]})
    shown = set(texts(figure))
    assert {"mode, features = out_features", "sum, 8", "sum, 0.5", "mean, 8", "mean, 0.5"} <= shown
    assert texts(figure).count("2.00×") == 8
    assert cut_off(figure) == []


def test_the_names_of_columns_do_not_run_into_each_other(draw):
    figure = draw(sizes={"rows": [1, 2], "a": [255, 1255], "b": [1000], "c": [1000, 1001],
                         "mode": ["a rather long word", "none"], "d": [4, 8]})  # fmt: skip
    figure.draw_without_rendering()
    boxes = [label.get_tightbbox() for label in figure.axes[0].get_xticklabels()]
    assert len(boxes) == 16
    assert not any(a.overlaps(b) for a, b in itertools.pairwise(boxes))
    assert cut_off(figure) == []


def test_a_ratio_far_from_one_is_not_rounded_to_nothing(draw):
    figure = draw(sizes={"rows": [1]}, us=lambda name, *_: 1.0 if name == "eager" else 5000.0)
    assert "0.0002×" in texts(figure)


def test_colours_are_centred_on_no_change(draw):
    bar = draw().axes[-1]
    low, high = bar.get_ylim()
    assert low == -high
    assert "1×" in [label.get_text() for label in bar.get_yticklabels()]
    assert bar.get_ylabel() == "log"


@pytest.mark.parametrize(
    "ratios, ends",
    [
        ([0.5, 2], {None}),
        ([0.5, 4], {None}),
        ([0.5, 4.1], {"≥4×"}),
        ([0.01, 3], {"≤0.25×"}),
        ([0.0002, 5000], {"≤0.25×", "≥4×"}),
    ],
)
def test_colours_that_end_before_the_ratios_do_say_so(draw, ratios, ends):
    figure = draw(
        sizes={"rows": [1, 2]},
        us=lambda name, axes, _: 100.0 if name == "eager" else 100.0 / ratios[axes["rows"] - 1],
    )
    labels = [label.get_text() for label in figure.axes[-1].get_yticklabels()]
    assert {label for label in labels if label[0] in "≤≥"} == ends - {None}
    assert len(labels) >= 3 and "1×" in labels


def test_words_stand_out_on_dark_and_light_cells(draw):
    ratios = {1: 1.0, 2: 4.0, 3: 0.25}
    figure = draw(
        sizes={"rows": list(ratios)},
        us=lambda name, axes, _: 100.0 if name == "eager" else 100.0 / ratios[axes["rows"]],
    )
    inks = {text.get_text(): to_hex(text.get_color()) for text in figure.axes[0].texts}
    assert inks == dict.fromkeys(("1.00×", "4.00×", "0.25×"), "#000000")
    black = 0.0
    for step in range(256):  # 7 to 1 is the stricter contrast that WCAG asks for
        assert (luminance(maps.COLOURS(step)) + 0.05) / (black + 0.05) >= 7, step


def luminance(colour):
    """How bright a colour is to the eye, 0 to 1; source: WCAG 2.2, "relative luminance"."""
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour[:3]
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("rows", [1, 2, 8])
def test_an_axis_with_a_long_name_stays_on_the_page(draw, rows):
    name = "an_axis_whose_name_is_quite_long"
    figure = draw(sizes={name: [2**i for i in range(rows)], f"{name}_too": [1, 2]})
    assert cut_off(figure) == []


def test_a_single_size_fits_a_small_page(draw):
    figure = draw(sizes={"rows": [1]}, dtypes=("float32", "float16"))
    figure.draw_without_rendering()
    assert figure.get_size_inches()[1] < 2.2
    assert len(figure.axes[-1].get_yticklabels()) >= 3
    assert cut_off(figure) == []
