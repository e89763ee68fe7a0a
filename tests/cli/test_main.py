"""The command line from end to end: exit codes, files, and what it says when it cannot go on."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from command_line import ROOT, TINY, Run, bad_kernel, call_tiny
from processes import processes_with, wait_until

from harness.cli.options import DEFAULT_PROBLEM

PROMISED_COLUMNS = {
    "problem", "kernel", "device", "dtype", "batch_size", "in_features", "out_features",
    "status", "reason", "build_s", "error_rel", "eager_error_rel",
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
        "known_defect": "NON_FINITE",
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
    assert "control_exact is the fastest right kernel" in passed.said
    assert "as the file says" in passed.said
    assert str(passed.folder) in passed.said
    assert passed.error == ""


def test_plot_draws_a_run_again(passed: Run, call: Callable[..., Run]) -> None:
    assert passed.folder is not None
    pictures = sorted(passed.folder.glob("*.png"))
    for picture in pictures:
        picture.unlink()
    again = call("plot", passed.folder)
    assert again.code == 0
    assert sorted(passed.folder.glob("*.png")) == pictures
    assert [Path(line) for line in sorted(again.said.split())] == pictures


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


# a kernel file is any file, and run is the default command


def test_run_bench_py_runs_a_file_from_anywhere(
    tmp_path: Path, start_bench: Callable[..., subprocess.Popen[str]]
) -> None:
    shutil.copy(bad_kernel("control_exact"), tmp_path / "mine.py")
    process = start_bench(
        "--problem", TINY, "--kernel", "mine.py", "--quick", "--baseline", "eager"
    )
    said, error = process.communicate(timeout=120)
    assert process.returncode == 0, said + error
    (folder,) = (tmp_path / "results").iterdir()
    (row,) = csv.DictReader((folder / "results.csv").open())
    assert (row["kernel"], row["status"]) == ("mine", "PASSED")


# listing


def test_list_shows_problems_axes_and_kernels(call: Callable[..., Run]) -> None:
    run = call("list")
    assert run.code == 0
    assert DEFAULT_PROBLEM in run.said
    assert "in_features=8192" in run.said
    assert "kept for NON_FINITE" in run.said


def test_list_shows_a_problem_without_kernels(call: Callable[..., Run]) -> None:
    run = call("list", "--problem", TINY)
    assert run.code == 0
    assert "tiny  batch_size=7 in_features=12 out_features=10" in run.said


@pytest.mark.parametrize("command", ["run", "check", "list", "plot"])
def test_help_has_examples(command: str, call: Callable[..., Run]) -> None:
    run = call(command, "--help")
    assert run.code == 0
    assert f"python run_bench.py{'' if command == 'run' else ' ' + command}" in run.said


# mistakes: exit code 2, one sentence that helps, no traceback, nothing left behind


def assert_mistake(run: Run, says: str) -> None:
    assert run.code == 2, run.said
    assert says in run.error
    assert run.error.startswith("error: ") and run.error.count("\n") == 1
    assert run.folder is None


@pytest.mark.parametrize(
    "options, says",
    [
        (["--sweep", "batchsize=3"], "Did you mean 'batch_size'?"),
        (["--sweep", "batch_size="], "names no values"),
        (["--sweep", "batch_size=,"], "names no values"),
        (["--sweep", "batch_size"], "has no '='"),
        (["--sweep", "batch_size=many"], "'many'"),
        (["--sweep", "batch_size=0"], "sizes are 1 or more"),
        (["--sweep", "batch_size=1", "--sweep", "batch_size=2"], "swept twice"),
        (["--dtype", "float31"], "Did you mean 'float32'?"),
        (["--device", "tpu"], "There is no device 'tpu'"),
        (["--device", "cuda:x"], "There is no device 'cuda:x'"),
        (["--baseline", "egaer"], "Did you mean 'eager'?"),
        (["--timeout", "0"], "--timeout"),
        (["--timeout", "soon"], "--timeout"),
        (["--no-such-option"], "--no-such-option"),
        (["--kernel", "no/such.py"], "no/such.py cannot be read: No such file"),
        (["--kernel", TINY], "defines no 'ModelNew'"),
        (["--kernel", "cpu_fussed"], "'tiny' has no kernel 'cpu_fussed'"),
        (["--problem", "no/such.py"], "no/such.py cannot be read: No such file"),
        (["--problem", bad_kernel("scaled")], "defines no 'Model'"),
    ],
)
def test_a_mistake_in_an_option(
    options: list[object], says: str, run_bench: Callable[..., Run]
) -> None:
    assert_mistake(run_bench("control_exact", options=options), says)


@pytest.mark.parametrize(
    "arguments, says",
    [
        (["--problem", "gemm_swish_divide_clamp_tahn_clamp"], f"mean '{DEFAULT_PROBLEM}'?"),
        (["--kernel", "cpu_fussed"], "Did you mean 'cpu_fused'?"),
        (["--problem", TINY], "'tiny' has no kernels yet"),
        (["list", "--problem", "gemm_swish"], f"mean '{DEFAULT_PROBLEM}'?"),
        (["plot", "no/such/folder"], "no/such/folder"),
        (["plot"], "DIR"),
        (["lst"], "lst"),
    ],
)
def test_a_mistake_in_a_name(arguments: list[object], says: str, call: Callable[..., Run]) -> None:
    assert_mistake(call(*arguments), says)


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


# stopping half-way


def test_ctrl_c_leaves_what_was_measured_and_no_process(
    tmp_path: Path, start_bench: Callable[..., subprocess.Popen[str]]
) -> None:
    kernels = ("--kernel", bad_kernel("control_exact"), "--kernel", bad_kernel("hangs"))
    process = start_bench("check", "--problem", TINY, *kernels, "--device", "cpu")
    assert process.stdout is not None
    seen = next(line for line in process.stdout if "PASSED" in line)
    process.send_signal(signal.SIGINT)
    said, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Stopped. 1 of 2 rows" in said
    assert "Traceback" not in seen + said + error
    (folder,) = (tmp_path / "results").iterdir()
    (row,) = csv.DictReader((folder / "results.csv").open())
    assert (row["kernel"], row["status"]) == ("control_exact", "PASSED")
    assert wait_until(lambda: not processes_with("KERNEL_BENCH_TEST", str(tmp_path)))


@pytest.fixture
def start_bench(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start the tool as a user does: in a process of its own, in a folder of its own."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: object) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, ROOT / "run_bench.py", *map(str, arguments)],
            cwd=tmp_path,
            env=os.environ | {"KERNEL_BENCH_TEST": str(tmp_path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # A shell's background job, such as a test run, ignores Ctrl-C and hands that on.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
