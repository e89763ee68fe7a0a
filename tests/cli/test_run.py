"""`run` and `check` from end to end: exit codes, rows and files."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from command_line import TINY, Run, bad_kernel, call_tiny, public

PROMISED_COLUMNS = {
    "problem", "kernel", "device", "dtype", "batch_size", "in_features", "out_features",
    "status", "reason", "non_finite", "stress", "build_s", "error_rel", "eager_error_rel",
    "latency_us", "latency_ci_low_us", "latency_ci_high_us", "samples",
    "eager_us", "compile_us", "speedup_vs_eager", "speedup_vs_compile",
}  # fmt: skip

WRONG_AT_BATCH_3 = (
    bad_kernel("control_exact")
    .read_text()
    .replace("return", "if len(x) == 3:\n            import os; os._exit(1)\n        return")
)


@pytest.fixture(scope="module")
def passed(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run in which all is well: a right kernel, one with a known defect, one that is skipped."""
    kernels = [bad_kernel(name) for name in ("control_exact", "known_defect", "other_size")]
    sweep = ("--sweep", "batch_size=3,7", "--sweep", "in_features=out_features=4,8")
    return call_tiny(kernels, *sweep, out=tmp_path_factory.mktemp("passed"))


# a run


def test_exit_code_0_when_every_kernel_does_what_its_file_promises(passed: Run) -> None:
    assert passed.code == 0
    assert passed.rows.groupby("kernel")["status"].unique().explode().to_dict() == {
        "control_exact": "PASSED",
        "known_defect": "WRONG_VALUES",
        "other_size": "SKIPPED",
    }


def test_one_row_for_every_kernel_and_case(passed: Run) -> None:
    columns = ["batch_size", "in_features", "out_features", "kernel"]
    kernels = ("control_exact", "known_defect", "other_size")
    assert passed.rows[columns].to_numpy().tolist() == [
        [batch, features, features, kernel]
        for batch in (3, 7)
        for features in (4, 8)
        for kernel in kernels
    ]


def test_the_columns_and_files_that_are_promised(passed: Run) -> None:
    assert passed.folder is not None
    assert set(passed.rows.columns) >= PROMISED_COLUMNS
    assert re.fullmatch(r"\d{8}-\d{6}-tiny-cpu", passed.folder.name)
    assert (passed.folder / "samples.csv").stat().st_size > 0
    assert len(list(passed.folder.glob("*.png"))) >= 3
    environment = json.loads((passed.folder / "environment.json").read_text())
    assert environment["seed"] == 1
    assert environment["packages"]["torch"] == torch.__version__


def test_numbers_are_measured_or_missing(passed: Run) -> None:
    rows = passed.rows.set_index("kernel")
    exact, defect, skipped = (rows.loc[k] for k in ("control_exact", "known_defect", "other_size"))
    assert (exact["latency_ci_low_us"] <= exact["latency_us"]).all()
    assert (exact["latency_us"] <= exact["latency_ci_high_us"]).all()
    assert (exact[["latency_us", "eager_us", "speedup_vs_eager", "samples"]] > 0).all(axis=None)
    ratio = exact["eager_us"] / exact["latency_us"]
    assert exact["speedup_vs_eager"].to_list() == pytest.approx(ratio.to_list())
    assert (defect["latency_us"] > 0).all() and defect["speedup_vs_eager"].isna().all()
    assert skipped[["build_s", "error_rel", "latency_us", "eager_us"]].isna().all(axis=None)
    assert rows["compile_us"].isna().all()


def test_the_summary_is_on_screen(passed: Run) -> None:
    assert " kernel " in passed.said and "vs eager" in passed.said
    assert "Speed-ups are geometric means over passed cases." in passed.said
    assert "as the file says" in passed.said
    assert str(passed.folder) in passed.said
    assert passed.error == ""


@pytest.mark.parametrize(
    "kernels, code",
    [
        (["control_exact"], 0),
        (["control_exact", "scaled"], 1),
        (["nan_lost"], 1),
        (["known_defect"], 0),
        (["known_defect_untrue"], 1),
        (["control_exact", "other_size"], 0),
        (["other_size", "other_dtype"], 2),
    ],
)
def test_check_judges_without_timing(
    kernels: list[str], code: int, run_bench: Callable[..., Run]
) -> None:
    run = run_bench(*kernels, command="check")
    assert run.code == code
    assert run.rows["kernel"].to_list() == kernels
    assert run.rows[["latency_us", "eager_us"]].isna().all(axis=None)


@pytest.mark.parametrize(
    "kernels, options, code",
    [
        (["nan_lost", "huge_lost"], (), 0),
        (["nan_lost"], ("--strict",), 1),
        (["huge_lost"], ("--strict",), 1),
        (["known_defect"], (), 0),
        (["known_defect"], ("--strict",), 0),
        (["control_exact"], ("--strict",), 0),
    ],
)
def test_stress_is_a_failure_only_if_it_is_asked_for(
    kernels: list[str],
    options: tuple[str, ...],
    code: int,
    tmp_path: Path,
    run_bench: Callable[..., Run],
) -> None:
    options = ("--problem", public(tmp_path), *options)
    assert run_bench(*kernels, options=options, command="check").code == code


REFUSING = """
        if {condition}:
            {does}
        return"""


@pytest.mark.parametrize("does", ["raise ValueError", "import os; os.abort()"])
@pytest.mark.parametrize("condition", ["x[x.isfinite()].abs().max() > 50", "x.isnan().any()"])
def test_stress_that_the_reference_cannot_run_is_nobodys_failure(
    condition: str, does: str, tmp_path: Path, run_bench: Callable[..., Run]
) -> None:
    problem = public(tmp_path)
    refusing = REFUSING.format(condition=condition, does=does)
    problem.write_text(problem.read_text().replace("\n        return", refusing, 1))
    run = run_bench("nan_lost", options=("--problem", problem), command="check")
    assert (run.code, run.statuses) == (0, ["PASSED"])
    (row,) = run.rows.fillna({"stress": ""}).itertuples()
    assert row.non_finite == "differs"
    assert row.stress.startswith("infinite inputs: " if "nan" in condition else "NaN inputs: ")


def test_a_kernel_that_cures_its_known_defect_says_so_by_exit_code_1(
    tmp_path: Path, run_bench: Callable[..., Run]
) -> None:
    cured = tmp_path / "cured.py"
    cured.write_text('KNOWN_DEFECT = "NON_FINITE"\n' + bad_kernel("control_exact").read_text())
    run = run_bench(cured, command="check")
    assert (run.code, run.statuses) == (1, ["PASSED"])


def test_a_crash_on_one_case_leaves_the_next_case_and_kernel_alone(
    tmp_path: Path, run_bench: Callable[..., Run]
) -> None:
    sometimes = tmp_path / "sometimes.py"
    sometimes.write_text(WRONG_AT_BATCH_3)
    sweep = ("--sweep", "batch_size=3,7")
    run = run_bench(sometimes, "control_exact", options=sweep, command="check")
    assert run.statuses == ["CRASHED", "PASSED", "PASSED", "PASSED"]


def test_after_a_timeout_the_other_cases_are_not_tried(run_bench: Callable[..., Run]) -> None:
    options = ("--sweep", "batch_size=3,7", "--timeout", 2)
    run = run_bench("hangs_ignoring_signals", "control_exact", options=options, command="check")
    assert run.statuses == ["TIMED_OUT", "PASSED", "SKIPPED", "PASSED"]
    assert "batch_size=3" in run.rows.loc[2, "reason"]
    assert run.code == 1


def test_a_case_that_does_not_fit_in_memory_is_a_row(run_bench: Callable[..., Run]) -> None:
    options = ("--sweep", f"batch_size=3,{10**14},7")
    run = run_bench("control_exact", options=options, command="check")
    assert run.statuses == ["PASSED", "UNGRADABLE", "PASSED"]
    assert run.rows.loc[1, "reason"].startswith("reference: ")
    assert run.code == 0  # the kernel passed wherever it could run


def test_a_problem_that_never_runs_is_a_mistake(run_bench: Callable[..., Run]) -> None:
    options = ("--sweep", f"batch_size={10**14}")
    run = run_bench("control_exact", options=options, command="check")
    assert run.code == 2
    assert "No kernel could run: reference: " in run.error


def test_a_reference_that_fails_makes_its_case_ungradable(
    tmp_path: Path, call: Callable[..., Run]
) -> None:
    problem = tmp_path / "cracked.py"
    cracked = "assert len(x) != 3, 'no three rows'\n        return"
    problem.write_text(TINY.read_text().replace("return", cracked, 1))
    options = ("--sweep", "batch_size=3,7", "--device", "cpu", "--out", tmp_path / "out")
    kernel = ("--kernel", bad_kernel("control_exact"))
    run = call("check", "--problem", problem, *kernel, *options)
    assert run.statuses == ["UNGRADABLE", "PASSED"]
    assert "no three rows" in run.rows.loc[0, "reason"]
    assert run.code == 0


def test_float16_and_float64_are_judged_by_their_own_precision(
    run_bench: Callable[..., Run],
) -> None:
    kernels = ("control_exact", "control_split_k", "bfloat16_inside")
    options = ("--dtype", "float64,float16,bfloat16")
    run = run_bench(*kernels, options=options, command="check")
    found = run.rows.pivot(index="kernel", columns="dtype", values="status")
    assert set(found.loc["control_exact"]) == {"PASSED"}
    assert found.loc["control_split_k", "float64"] == "PASSED"
    assert found.loc["bfloat16_inside", "float64"] == "WRONG_VALUES"


def test_a_seed_brings_the_same_inputs_back(run_bench: Callable[..., Run]) -> None:
    errors = [
        run_bench("scaled", options=("--seed", seed), command="check").rows.loc[0, "reason"]
        for seed in (5, 5, 6)
    ]
    assert errors[0] == errors[1] != errors[2]


def test_check_has_no_baselines_and_says_so(run_bench: Callable[..., Run]) -> None:
    run = run_bench("control_exact", options=("--baseline", "eager"), command="check")
    assert (run.code, run.folder) == (2, None)
    assert "`check` times nothing" in run.error


# what cannot be begun


@pytest.mark.parametrize("out", ["file", "file/below"])
def test_a_folder_that_cannot_be_made(
    out: str, tmp_path: Path, run_bench: Callable[..., Run]
) -> None:
    (tmp_path / "file").write_text("kept")
    run = run_bench("control_exact", options=("--out", tmp_path / out))
    assert run.code == 2
    assert str(tmp_path / out) in run.error and run.error.count("\n") == 1
    assert (tmp_path / "file").read_text() == "kept"


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_cuda_without_a_gpu(run_bench: Callable[..., Run]) -> None:
    run = run_bench("control_exact", options=("--device", "cuda"))
    assert run.code == 2
    assert "run with --device cpu" in run.error


@pytest.mark.parametrize("missing", ["c++", "ninja"])
def test_a_missing_tool_is_named_with_its_remedy(
    missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_bench: Callable[..., Run]
) -> None:
    tools = {"c++", "ninja"} - {missing}
    for tool in tools:
        (tmp_path / tool).symlink_to("/bin/true")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))  # ninja lies beside it
    run = run_bench("control_exact")
    assert run.code == 2
    assert missing in run.error and "install" in run.error


def test_two_kernels_of_one_name(tmp_path: Path, run_bench: Callable[..., Run]) -> None:
    shutil.copy(bad_kernel("scaled"), tmp_path / "control_exact.py")
    run = run_bench("control_exact", tmp_path / "control_exact.py")
    assert run.code == 2
    assert "Two kernels are called 'control_exact'" in run.error


RESTATING = """
import torch
batch_size = 4
shape = (8,)
class Model(torch.nn.Module):
    def forward(self, x):
        return x * 2 + batch_size + shape[0]
def get_inputs(): return [torch.rand(batch_size, *shape)]
def get_init_inputs(): return []
"""


def test_globals_that_problem_and_kernel_state_alike_are_swept_in_both(
    tmp_path: Path, call: Callable[..., Run]
) -> None:
    problem, kernel = tmp_path / "restated.py", tmp_path / "restating.py"
    problem.write_text(RESTATING)
    kernel.write_text(RESTATING.replace("class Model(", "class ModelNew("))
    sweep = ("--sweep", "batch_size=2,4", "--sweep", "shape=(3,),(8,)")
    run = call(
        *("check", "--problem", problem, "--kernel", kernel, "--device", "cpu"),
        *("--out", tmp_path / "out", *sweep),
    )
    assert run.statuses == ["PASSED"] * 4, run.said
    assert list(run.rows["shape"]) == ["(3,)", "(8,)"] * 2
