"""What the pictures say, read off the figures themselves, and that none says it off the page."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path

import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.text import Text

from harness import results
from harness.records import TIMED, Case, HarnessError, Result, Speedup, Status, Timing, Verdict
from harness.report import drawing, pictures

SIZES = {"batch_size": [1, 16, 128, 1024, 4096], "features": [1024, 16384]}


def timing(us: float) -> Timing:
    return Timing(us, us * 0.99, us * 1.02, ((us,),))


def passed(kernel, axes, dtype):
    return Status.PASSED


def make_run(
    folder, sizes=None, dtypes=("float32",), kernels=("fused",), outcome=passed,
    problem="matmul", baselines=("eager", "compile"), device_name="NVIDIA H100",
):  # fmt: skip
    """A run whose kernels take 50 us, eager 100 us and compile 80 us, whatever the case."""
    sizes = sizes or SIZES
    cases = [dict(zip(sizes, values, strict=True)) for values in itertools.product(*sizes.values())]
    for axes in cases:
        axes["out_features"] = axes.get("features", 0)
    writer = results.Writer(folder, list(cases[0]), baselines)
    if device_name:
        results.write_environment(folder, {"device_name": device_name})
    for index, (dtype, axes) in enumerate(itertools.product(dtypes, cases)):
        for kernel in kernels:
            status = outcome(kernel, axes, dtype)
            times = {"eager": timing(100.0), "compile": timing(80.0)} if status in TIMED else {}
            times = {name: times[name] for name in baselines if name in times}
            ratios = {"eager": Speedup(2.0, 1.9, 2.1)} if status is Status.PASSED else {}
            writer.append(
                Result(
                    problem,
                    kernel,
                    Case(axes, dtype, "cuda"),
                    index,
                    Verdict(status, "because", error_rel=0.0),
                    timing=timing(50.0) if status in TIMED else None,
                    baselines=times,
                    speedups=ratios if "eager" in times else {},
                )
            )
    return folder


@pytest.fixture
def draw(tmp_path, monkeypatch):
    """Make a run, plot it, and return its figures by file name."""

    def draw(**run) -> dict[str, Figure]:
        saved: dict[Path, Figure] = {}
        monkeypatch.setattr(Figure, "savefig", lambda self, path, **_: saved.update({path: self}))
        written = pictures.plot_all(make_run(tmp_path, **run))
        assert written == list(saved)
        return {path.name: figure for path, figure in saved.items()}

    return draw


def texts(figure: Figure) -> list[str]:
    shown = (text for text in figure.findobj(Text) if text.get_visible())
    return [text.get_text() for text in shown if text.get_text()]


def cut_off(figure: Figure) -> list[str]:
    """Texts that leave the figure, or whose visible panel does."""
    figure.draw_without_rendering()
    page = figure.bbox.padded(1.0)
    lost = []
    for panel in [figure, *(axes for axes in figure.axes if axes.get_visible())]:
        for text in panel.findobj(Text):
            box = text.get_window_extent()
            inside = (
                page.x0 <= box.x0
                and box.x1 <= page.x1
                and page.y0 <= box.y0
                and (box.y1 <= page.y1)
            )
            if text.get_visible() and text.get_text() and not inside:
                lost.append(text.get_text())
    return lost


# files


def test_pictures_are_written_beside_the_results(tmp_path):
    written = pictures.plot_all(make_run(tmp_path, kernels=("fused", "naive")))
    assert [path.name for path in written] == [
        "speedup_fused.png", "speedup_naive.png", "latency.png", "relative.png", "summary.png",
    ]  # fmt: skip
    for path in written:
        assert path.parent == tmp_path
        assert path.read_bytes().startswith(b"\x89PNG")


def test_a_run_where_nothing_was_timed_has_no_pictures(draw):
    assert draw(outcome=lambda *_: Status.BUILD_FAILED) == {}


def test_without_eager_only_latency_is_drawn(draw):
    assert list(draw(baselines=())) == ["latency.png"]


def test_a_kernel_that_was_never_timed_has_no_heat_map(draw):
    figures = draw(
        kernels=("fused", "broken"),
        outcome=lambda kernel, *_: Status.CRASHED if kernel == "broken" else Status.PASSED,
    )
    assert list(figures) == ["speedup_fused.png", "latency.png", "relative.png", "summary.png"]


def test_a_folder_without_results_is_explained(tmp_path):
    with pytest.raises(HarnessError, match="does not exist"):
        pictures.plot_all(tmp_path)


def test_drawing_needs_neither_torch_nor_a_display():
    code = (
        "import sys, harness.report.pictures; "
        "sys.exit(bool({'torch', 'matplotlib.pyplot'} & set(sys.modules)))"
    )
    root = Path(pictures.__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0


# legibility


@pytest.mark.parametrize(
    "run",
    [
        {},
        {"sizes": {"batch_size": [16]}, "device_name": None},
        {"problem": "a_problem_with_a_name_that_goes_on_" * 5, "device_name": "A device " * 20},
        {
            "sizes": {"batch_size": [1, 64, 2048], "features": [1, 2, 3, 4, 5]},
            "dtypes": ("float32", "float16", "bfloat16"),
            "kernels": ("k", "a_kernel_with_quite_a_long_name"),
        },
        {
            "sizes": {"batch_size": [1, 64], "features": [1, 2, 3]},
            "kernels": ("fused_epilogue", "warp_per_row", "naive_clamp"),
            "outcome": lambda kernel, *_: (
                Status.NON_FINITE if kernel == "naive_clamp" else Status.PASSED
            ),
        },
        {"outcome": lambda *_: Status.NON_FINITE},
    ],
    ids=["plain", "one case", "long names", "many panels", "full legend", "non-finite"],
)
def test_no_text_leaves_the_page(draw, run):
    for name, figure in draw(**run).items():
        assert cut_off(figure) == [], name


def test_sizes_on_a_log_axis_are_plain_numbers(draw):
    shown = texts(draw()["latency.png"])
    assert {"1", "16", "128", "1024", "4096"} <= set(shown)
    assert not any("$" in text for text in shown)


def test_sizes_too_close_to_label_apart_are_left_out_but_never_the_largest():
    kept = drawing.thinned([1, 1000, 1001, 1024], 1024, 1, 1024)
    assert kept == [1, 1024]


def test_titles_name_problem_kernel_dtype_and_device(draw):
    shown = "\n".join(texts(draw(dtypes=("float32", "bfloat16"))["speedup_fused.png"]))
    for word in ("matmul · fused", "float32", "bfloat16", "NVIDIA\N{NO-BREAK SPACE}H100"):
        assert word in shown


# axes


def test_axes_that_are_always_equal_count_as_one(draw):
    assert "features = out_features" in texts(draw()["speedup_fused.png"])


def test_equal_axes_that_do_not_vary_are_not_taken_for_one(draw):
    figure = draw(sizes={"batch_size": [1, 2], "features": [8]})["speedup_fused.png"]
    shown = " ".join(texts(figure)).replace("\N{NO-BREAK SPACE}", " ")
    assert "features = 8 · out_features = 8" in shown


def test_more_than_two_axes_share_the_columns(draw):
    sizes = {"shape": ["wide", "tall"], "mode": ["sum", "mean"], "features": [8, 0.5]}
    shown = texts(draw(sizes=sizes)["speedup_fused.png"])
    assert {"mode, features = out_features", "sum, 8", "sum, 0.5", "mean, 8", "mean, 0.5"} <= set(
        shown
    )
    assert shown.count("2.00×") == 8


# heat maps


def test_cells_show_the_speedup_or_why_there_is_none(draw):
    def outcome(kernel, axes, dtype):
        return {1: Status.WRONG_VALUES, 16: Status.NON_FINITE}.get(
            axes["batch_size"], Status.PASSED
        )

    figure = draw(outcome=outcome)["speedup_fused.png"]
    shown = texts(figure)
    assert shown.count("WRONG\nVALUES") == 2
    assert shown.count("NON\nFINITE") == 2
    assert shown.count("2.00×") == 6 + 2  # the unranked ratio of NON_FINITE is written as well
    hatched = [patch for patch in figure.axes[0].patches if patch.get_hatch()]
    assert len(hatched) == 2


def test_colours_are_centred_on_no_change(draw):
    bar = draw()["speedup_fused.png"].axes[-1]
    low, high = bar.get_ylim()
    assert low == -high
    assert "1×" in [label.get_text() for label in bar.get_yticklabels()]


# latency and summary


def test_a_subject_keeps_its_colour_from_picture_to_picture(draw):
    figures = draw(kernels=("fused", "naive"))
    legend = figures["latency.png"].legends[0]
    lines = {line.get_label(): to_hex(line.get_color()) for line in legend.get_lines()}
    panel = figures["summary.png"].axes[0]
    names = [label.get_text() for label in panel.get_yticklabels()]
    bars = dict(zip(names, (to_hex(bar.get_facecolor()) for bar in panel.patches), strict=True))
    assert list(lines) == ["eager", "compile", "fused", "naive"]
    assert len(set(lines.values())) == 4
    assert bars == {name: lines[name] for name in bars}


def test_latencies_of_non_finite_kernels_are_marked(draw):
    assert "NON_FINITE, not ranked" in texts(
        draw(outcome=lambda *_: Status.NON_FINITE)["latency.png"]
    )


def drawn(figure: Figure) -> set[tuple[str, float]]:
    """Colour and height of every marker in the figure's panels."""
    return {
        (to_hex(line.get_color()), round(float(y), 6))
        for panel in figure.axes
        for line in panel.get_lines()
        if line.get_marker() not in ("None", "_", "|")
        for y in line.get_ydata()
    }


def test_relative_shows_ranked_and_unranked_kernels_and_compile_but_not_eager(draw):
    def outcome(kernel, axes, dtype):
        return {"unsafe": Status.NON_FINITE, "broken": Status.CRASHED}.get(kernel, Status.PASSED)

    figures = draw(kernels=("fused", "unsafe", "broken"), outcome=outcome)
    colours = {
        line.get_label(): to_hex(line.get_color())
        for line in figures["relative.png"].legends[0].get_lines()
    }
    assert "eager" not in colours
    # Eager takes 100 us, compile 80, kernels 50.
    assert drawn(figures["relative.png"]) == {
        (colours["compile"], 1.25), (colours["fused"], 2.0), (colours["unsafe"], 2.0),
    }  # fmt: skip


def test_summary_ranks_the_fastest_first_and_counts_cases(draw):
    def outcome(kernel, axes, dtype):
        if kernel == "unsafe":
            return Status.NON_FINITE
        return Status.WRONG_VALUES if axes["batch_size"] == 1 else Status.PASSED

    figure = draw(kernels=("unsafe", "fused"), outcome=outcome)["summary.png"]
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names == ["fused", "compile", "unsafe"]
    shown = texts(figure)
    assert {"2.00×", "8/10", "1.25×", "10/10", "never passed: 10 NON_FINITE"} <= set(shown)


def test_summary_of_a_baseline_uses_each_case_once(draw):
    """Its times stand in the rows of all three kernels; that is ten cases, not thirty."""
    assert "10/10" in texts(draw(kernels=("a", "b", "c"))["summary.png"])
