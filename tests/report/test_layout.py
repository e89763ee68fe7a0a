"""A run laid out: axes, looks, words on the machine, and what every subject did."""

from __future__ import annotations

from dataclasses import replace

import pytest
from drawn import ASTRAY, MARKED, make_run

from harness import results
from harness.records import HarnessError, Status
from harness.report import layout


def subject(run: layout.Run, name: str) -> layout.Subject:
    return next(s for s in [*run.baselines, *run.kernels] if s.name == name)


# axes


def test_a_folder_without_results_is_explained(tmp_path):
    with pytest.raises(HarnessError, match="does not exist"):
        layout.load(tmp_path)


def test_axes_that_are_always_equal_count_as_one(load):
    run = load()
    assert (run.row_axis, run.column_axes) == ("batch_size", ["features = out_features"])
    assert run.columns == [(1024,), (16384,)]


def test_equal_axes_that_do_not_vary_are_not_taken_for_one(load):
    run = load(sizes={"batch_size": [1, 2], "features": [8]})
    assert run.fixed == ["features = 8", "out_features = 8"]


def test_more_than_two_axes_share_the_columns(load):
    run = load(sizes={"shape": ["wide", "tall"], "mode": ["sum", "mean"], "features": [8, 0.5]})
    assert run.rows == ["wide", "tall"] and not run.numeric
    assert run.column_axes == ["mode", "features = out_features"]
    assert run.columns == [("sum", 8), ("sum", 0.5), ("mean", 8), ("mean", 0.5)]
    assert len(run.part("float32", ("mean", 0.5))) == 2


def test_a_problem_without_axes_has_one_place_for_all_dtypes(load):
    run = load(sizes={}, dtypes=("float32", "float16"))
    assert (run.rows, run.columns, run.row_axis) == ([""], [()], "")


def test_an_axis_may_be_an_empty_text(load):
    run = load(sizes={"mode": ["", "sum"], "rows": [1, 2]})
    assert run.rows == ["", "sum"]
    assert len(run.part("float32", (2,))) == 2


# words


@pytest.mark.parametrize(
    "device, facts, words",
    [
        (
            "cuda",
            {"device_name": "NVIDIA H100", "torch": "2.11.0", "gpu": {"driver": "580.1"},
             "threads": 8, "date": "2026-11-25T04:46:23+00:00"},
            ["GPU: NVIDIA H100", "torch 2.11.0", "driver 580.1", "2026-11-25 04:46"],
        ),
        (
            "cpu",
            {"device_name": "A Processor", "torch": "2.11.0", "threads": 16},
            ["CPU: A Processor", "16 threads", "torch 2.11.0"],
        ),
        ("cuda:1", {"gpu": None}, ["GPU: cuda:1"]),
        ("cpu", {}, ["CPU: cpu"]),
    ],
)  # fmt: skip
def test_the_caption_says_where_and_when_as_far_as_is_known(load, device, facts, words):
    assert load(device=device, machine=facts).machine == words


def test_a_run_without_an_environment_has_a_caption(tmp_path):
    folder = make_run(tmp_path)
    (folder / results.ENVIRONMENT).unlink()
    assert layout.load(folder).machine == ["GPU: cuda"]


def test_looks_are_apart_and_baselines_are_named_as_elsewhere(load):
    run = load(
        kernels=[f"k{i}" for i in range(8)], baselines=("eager", "compile", "compile-max-autotune")
    )
    assert [s.name for s in run.baselines] == ["eager", "compile", "compile-max-autotune"]
    looks = [(s.colour, s.marker) for s in [*run.kernels, *run.baselines]]
    assert len(set(looks)) == 11


def test_a_kernel_may_be_called_as_a_baseline_is(load):
    run = load(kernels=("eager",))
    own, baseline = run.kernels[0], run.baselines[0]
    assert own.name == baseline.name == "eager" and own != baseline


# what subjects did


def test_times_and_speedups_have_their_intervals(load):
    run = load(sizes={"rows": [1, 2]})
    fused = subject(run, "fused")
    assert layout.times(run.frame, fused) == [
        layout.Point(row, 50.0, 50 * 0.99, 50 * 1.01, True) for row in (1, 2)
    ]
    assert layout.speedups(run.frame, fused) == [
        layout.Point(row, 2.0, 1.9, 2.1, True) for row in (1, 2)
    ]


def test_a_baseline_stands_once_for_a_case_whoever_was_timed_beside_it(load):
    run = load(sizes={"rows": [1, 2]}, kernels=("a", "b", "c"))
    compiled = subject(run, "compile")
    assert [(p.row, p.value) for p in layout.times(run.frame, compiled)] == [(1, 80.0), (2, 80.0)]
    assert [p.value for p in layout.speedups(run.frame, compiled)] == [1.25, 1.25]
    low, high = layout.speedups(run.frame, compiled)[0][2:4]
    assert 1.25 * 0.98 < low < 1.25 < high < 1.25 * 1.02


@pytest.mark.parametrize("why", ["NaN astray", "fallback", "uncertain"])
def test_what_is_not_ranked_keeps_its_ratio_and_says_why(load, why):
    run = load(
        sizes={"rows": [1]},
        outcome=lambda *_: ASTRAY if why == "NaN astray" else Status.PASSED,
        shaky=lambda *_: why == "uncertain",
        fallback=lambda _: "nvcc failed" if why == "fallback" else "",
    )
    assert run.reasons == [why]
    assert run.frame["(unranked)"].tolist() == [why]
    (point,) = layout.speedups(run.frame, subject(run, "fused"))
    assert (point.value, point.ranked) == (2.0, False)
    (point,) = layout.times(run.frame, subject(run, "fused"))
    assert (point.value, point.ranked) == (50.0, False)
    assert layout.ranked_speedups([point]) == []


def test_what_fails_under_stress_keeps_its_rank_and_has_a_mark(load):
    run = load(sizes={"rows": [1]}, outcome=lambda *_: MARKED)
    assert run.reasons == [] and len(run.footnotes) == 1
    assert subject(run, "fused").mark == " †" and subject(run, "eager").mark == ""
    (point,) = layout.speedups(run.frame, subject(run, "fused"))
    assert (point.value, point.ranked) == (2.0, True)


def test_strictly_what_fails_under_stress_is_no_footnote(load):
    strict = replace(ASTRAY, stress="NaN inputs: lost")
    run = load(sizes={"rows": [1]}, outcome=lambda *_: strict)
    assert (run.reasons, run.footnotes) == (["NaN astray"], [])


def test_uncertain_eager_costs_the_kernel_its_rank_but_not_its_time(load):
    run = load(sizes={"rows": [1]}, shaky=lambda name, *_: name == "eager")
    assert not layout.speedups(run.frame, subject(run, "fused"))[0].ranked
    assert layout.times(run.frame, subject(run, "fused"))[0].ranked
    assert not layout.times(run.frame, subject(run, "eager"))[0].ranked


def test_another_uncertain_baseline_costs_no_rank_over_eager(load):
    run = load(sizes={"rows": [1]}, shaky=lambda name, *_: name == "compile")
    assert layout.speedups(run.frame, subject(run, "fused"))[0].ranked
    assert layout.times(run.frame, subject(run, "eager"))[0].ranked
    assert not layout.times(run.frame, subject(run, "compile"))[0].ranked


def test_certain_times_of_a_baseline_speak_for_the_case_before_uncertain_ones(tmp_path):
    turns = iter([False, True])
    folder = make_run(
        tmp_path,
        sizes={"rows": [1]},
        kernels=("a", "b"),
        baselines=("eager",),
        us=lambda name, *_: 100.0 if name == "eager" else 50.0,
        shaky=lambda name, *_: name == "eager" and next(turns),
    )
    run = layout.load(folder)
    # The second row's wide interval does not come in.
    assert layout.times(run.frame, subject(run, "eager")) == [
        layout.Point(1, 100.0, 99.0, 101.0, True)
    ]


def test_what_was_not_timed_has_no_points(load):
    run = load(baselines=(), outcome=lambda kernel, axes, _: (
        Status.CRASHED if axes["batch_size"] == 1 else Status.PASSED))  # fmt: skip
    fused = subject(run, "fused")
    assert len(layout.times(run.frame, fused)) == 8
    assert layout.speedups(run.frame, fused) == []
