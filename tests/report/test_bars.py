"""What the summary picture ranks, counts and leaves out."""

from __future__ import annotations

import pytest
from drawn import ASTRAY, MARKED, cut_off, texts
from matplotlib.colors import to_hex

from harness.records import Status
from harness.report import bars


def names(figure) -> list[str]:
    return [label.get_text() for label in figure.axes[0].get_yticklabels()]


def test_the_fastest_comes_first_and_cases_are_counted(load):
    def outcome(kernel, axes, dtype):
        if kernel == "unsafe":
            return ASTRAY
        return Status.SKIPPED if axes["batch_size"] == 1 else Status.PASSED

    figure = bars.summary(load(kernels=("unsafe", "fused"), outcome=outcome))
    assert names(figure) == ["fused", "compile", "unsafe"]
    assert {
        "2.00×",
        "8 of 10 cases",
        "1.25×",
        "10 of 10 cases",
        "not ranked: 10 NaN astray",
    } <= set(texts(figure))


def test_a_kernel_that_is_right_comes_before_a_faster_one_that_is_not(load):
    def outcome(kernel, axes, dtype):
        wrong = kernel == "hasty" and axes["batch_size"] == 1
        return Status.WRONG_VALUES if wrong else Status.PASSED

    figure = bars.summary(
        load(
            kernels=("hasty", "fused"),
            outcome=outcome,
            us=lambda name, *_: {"eager": 100.0, "compile": 80.0, "hasty": 5.0}.get(name, 50.0),
        )
    )
    assert names(figure) == ["fused", "compile", "hasty"]
    assert "passed every case they ran first" in " ".join(texts(figure)).replace("\n", " ")


def test_what_fails_under_stress_is_ranked_and_marked(load):
    figure = bars.summary(
        load(
            kernels=("hasty", "fused"),
            outcome=lambda kernel, *_: MARKED if kernel == "hasty" else Status.PASSED,
            us=lambda name, *_: {"eager": 100.0, "compile": 80.0, "hasty": 5.0}.get(name, 50.0),
        )
    )
    assert names(figure) == ["hasty †", "fused", "compile"]
    assert "† right on the problem's contract" in " ".join(texts(figure)).replace("\n", " ")


def test_uncertainty_makes_no_kernel_wrong(load):
    figure = bars.summary(
        load(
            kernels=("slow", "fast"),
            us=lambda name, *_: {"eager": 100.0, "compile": 80.0, "fast": 5.0}.get(name, 50.0),
            shaky=lambda name, axes, _: name == "fast" and axes["batch_size"] == 1,
        )
    )
    assert names(figure) == ["fast", "slow", "compile"]


def test_a_baseline_uses_each_case_once(load):
    """Its times stand in the rows of all three kernels; that is ten cases, not thirty."""
    assert "10 of 10 cases" in texts(bars.summary(load(kernels=("a", "b", "c"))))


def test_means_are_geometric(load):
    figure = bars.summary(
        load(
            sizes={"rows": [1, 2]}, baselines=("eager",),
            us=lambda name, axes, _: 100.0 if name == "eager" else {1: 50.0, 2: 12.5}[axes["rows"]],
        )
    )  # fmt: skip
    assert "4.00×" in texts(figure)  # of 2 and 8


def test_uncertain_times_are_in_no_mean(load):
    """Eager takes 100 times as long on the case where it is uncertain."""
    figure = bars.summary(
        load(
            sizes={"rows": [1, 2]},
            us=lambda name, axes, _: (
                {"eager": 100.0, "compile": 80.0}.get(name, 50.0)
                * (100 if name == "eager" and axes["rows"] == 2 else 1)
            ),
            shaky=lambda name, axes, _: name == "eager" and axes["rows"] == 2,
        )
    )
    shown = texts(figure)
    assert {"2.00×", "1.25×", "1 of 2 cases"} <= set(shown)
    assert not any(text.startswith(("20.0", "12.5")) for text in shown)


def test_a_baselines_mean_is_nothing_to_other_baselines(load):
    figure = bars.summary(
        load(
            sizes={"rows": [1, 2]},
            baselines=("eager", "compile", "compile-max-autotune"),
            shaky=lambda name, *_: name == "compile-max-autotune",
        )
    )
    shown = dict(zip(names(figure), figure.axes[0].get_yticks(), strict=True))
    assert set(shown) == {"compile", "compile-max-autotune", "fused"}
    assert texts(figure).count("2 of 2 cases") == 2  # compile's and fused's
    assert "not ranked: uncertain" in texts(figure)


def test_a_fallback_is_listed_with_what_became_of_it(load):
    figure = bars.summary(
        load(kernels=("a", "b"), fallback=lambda k: "no nvcc" if k == "b" else "")
    )
    assert "not ranked: 10 fallback" in texts(figure)


def test_a_kernel_without_a_baseline_beside_it_is_listed(load):
    figure = bars.summary(
        load(
            kernels=("a", "b"),
            baselines=("eager", "compile"),
            outcome=lambda kernel, axes, dtype: (
                Status.CRASHED if kernel == "b" and axes["batch_size"] > 1 else Status.PASSED
            ),
        )
    )
    assert "2 of 10 cases" in texts(figure)


def test_nothing_ranked_is_no_picture(load):
    assert bars.summary(load(baselines=("eager",), outcome=lambda *_: ASTRAY)) is None


@pytest.mark.parametrize("fastest", [1.0, 5000.0])
def test_any_ratio_fits_the_page(load, fastest):
    kernels = [f"a_kernel_with_a_long_name_{i}" for i in range(8)]
    us = {name: 100 / (0.0002 * (fastest / 0.0002) ** (i / 7)) for i, name in enumerate(kernels)}
    figure = bars.summary(
        load(kernels=kernels, us=lambda name, *_: us.get(name, 100.0), dtypes=("a", "b"))
    )
    assert cut_off(figure) == []
    panel = figure.axes[0]
    assert "0.0002×" in texts(figure)
    assert panel.get_xlabel() == "speed-up (log)"
    assert len(panel.get_xticks()) >= 3
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in panel.texts]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_bars_begin_at_no_change(load):
    figure = bars.summary(load(us=lambda name, *_: 100.0 if name == "eager" else 200.0))
    for bar in figure.axes[0].patches:
        assert sorted((bar.get_x(), bar.get_x() + bar.get_width())) == pytest.approx([0.5, 1])
    assert len({to_hex(bar.get_facecolor()) for bar in figure.axes[0].patches}) == 2
