"""Options that cannot be meant: exit code 2, one sentence that helps, nothing left behind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import TINY, Run, bad_kernel

from harness.cli.options import DEFAULT_PROBLEM


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
        (["--sweep", ""], "has no '='"),
        (["--sweep", "batch_size=many"], "'many'"),
        (["--sweep", "batch_size=0"], "sizes are 1 or more"),
        (["--sweep", "batch_size=1e400"], "'1e400' is not a whole number"),
        (["--sweep", "batch_size=99999999999999999999999"], "below 2^63"),
        (["--sweep", "batch_size=1", "--sweep", "batch_size=2"], "swept twice"),
        (["--dtype", "float31"], "Did you mean 'float32'?"),
        (["--dtype", ""], "--dtype '' names no values"),
        (["--dtype", " , "], "names no values"),
        (["--device", "tpu"], "There is no device 'tpu'"),
        (["--device", ""], "There is no device ''"),
        (["--device", "cuda:x"], "There is no device 'cuda:x'"),
        (["--device", "cuda:99999999999999999999"], "There is no device 'cuda:9"),
        (["--baseline", "egaer"], "Did you mean 'eager'?"),
        (["--baseline", ""], "--baseline '' names no values"),
        (["--timeout", "0"], "--timeout 0: give it seconds, 0.1 to 86400"),
        (["--timeout", "-1"], "--timeout -1"),
        (["--timeout", "1e400"], "--timeout inf"),
        (["--timeout", "nan"], "--timeout nan"),
        (["--seed", "99999999999999999999999"], "below 2^63"),
        (["--seed", "-1"], "0 or more"),
        (["--kernel", "no/such.py"], "no/such.py cannot be read: No such file"),
        (["--kernel", TINY.parent], "a kernel file ends in .py"),
        (["--kernel", "./noext"], "./noext is no kernel: a kernel file ends in .py"),
        (["--kernel", TINY], "defines no 'ModelNew'"),
        (["--kernel", "cpu_fussed"], "'tiny' has no kernel 'cpu_fussed'"),
        (["--problem", "no/such.py"], "no/such.py cannot be read: No such file"),
        (["--problem", "./noext"], "a problem file ends in .py"),
        (["--problem", bad_kernel("scaled")], "defines no 'Model'"),
    ],
)
def test_a_mistake_in_an_option(
    options: list[object], says: str, run_bench: Callable[..., Run]
) -> None:
    assert_mistake(run_bench("control_exact", options=tuple(options)), says)


@pytest.mark.parametrize(
    "arguments, says",
    [
        (["--problem", "gemm_swish_divide_clamp_tahn_clamp"], f"mean '{DEFAULT_PROBLEM}'?"),
        (["--kernel", "cpu_fussed"], "Did you mean 'cpu_fused'?"),
        (["--problem", TINY], "'tiny' has no kernels yet"),
        (["list", "--problem", "gemm_swish"], f"mean '{DEFAULT_PROBLEM}'?"),
        (["plot", "no/such/folder"], "no/such/folder"),
        (["build", "--arch", ""], "--arch '' is no architecture"),
        (["build", "--arch", "hopper"], "--arch 'hopper' is no architecture"),
        (["selfcheck", "timing"], "There is no selfcheck 'timing'"),
    ],
)
def test_a_mistake_in_a_name(arguments: list[object], says: str, call: Callable[..., Run]) -> None:
    assert_mistake(call(*arguments), says)


@pytest.mark.parametrize(
    "source, says",
    [
        ("rows, cols = sizes()", "Line 1 of odd.py assigns several names at once"),
        ("cols, rows = 64, n()", "Line 1 of odd.py assigns several names at once"),
        ("*cols, rows = 1, 2", "Line 1 of odd.py assigns several names at once"),
        ("rows = 2 * batch_size", "Line 1 of odd.py computes rows"),
        ("rows = [3, 4]", "Line 1 of odd.py computes rows"),
        ("rows = 4\nrows *= 2", "Line 2 of odd.py computes rows"),
        ("\nif True:\n    rows = 4", "Line 2 of odd.py computes rows"),
        ("row = 4", "Did you mean 'row'?"),
    ],
)
def test_a_global_that_is_no_axis_is_named_with_its_line(
    source: str, says: str, tmp_path: Path, call: Callable[..., Run]
) -> None:
    problem = tmp_path / "odd.py"
    problem.write_text(f"{source}\n" + TINY.read_text())
    kernel = ("--kernel", bad_kernel("control_exact"))
    run = call("check", "--problem", problem, *kernel, "--sweep", "rows=4")
    assert_mistake(run, f"has no axis 'rows'. {says}")


def test_blanks_and_a_comma_too_many_do_not_matter(run_bench: Callable[..., Run]) -> None:
    options = ("--dtype", "float32, float64,", "--sweep", "batch_size = 3, 7,")
    run = run_bench("control_exact", options=options, command="check")
    assert run.code == 0
    assert run.rows[["dtype", "batch_size"]].to_numpy().tolist() == [
        ["float32", 3],
        ["float32", 7],
        ["float64", 3],
        ["float64", 7],
    ]
