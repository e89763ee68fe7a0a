"""Every file in bad_kernels/ gets the status that its docstring begins with."""

from __future__ import annotations

import ast
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from command_line import BAD_KERNELS, Run, bad_kernel, call_tiny, public

from harness.records import Status

KERNELS = sorted(path.stem for path in BAD_KERNELS.glob("*.py"))
ASTRAY = {"nan_lost", "known_defect"}
"""Right on every finite input."""
LATER = {
    *("remembers_identity", "lazy_when_timed", "generator_runs_dry", "honest_ten_calls"),
    *(
        "honest_fifty_calls",
        "remembers_samples",
        "wrong_now_and_then",
        "wrong_one_in_seven",
        "watches_pauses",
        "watches_flags",
        "remembers_half",
        "input_mutated_when_timed",
        "static_output_when_timed",
        "drops_bounds_when_timed",
        "page_served_natively",
        "says_done_early",
    ),
}
"""Right at first, or late by a hair: whether they are found out while they are judged or timed is
left to chance."""
GAIN_NOTHING = (
    *("clock_patched", "clock_patched_where_held", "clock_patched_in_frames", "clock_detoured"),
    *("clock_patched_in_code", "clock_patched_through_c", "statistics_patched"),
    *("remembers_contents", "address_that_computes", "class_that_computes", "mode_that_computes"),
    "finaliser_computes",
)
"""Right, and no faster for what they do; most of them read 5 times as fast by their own clock."""


def promised(kernel: Path) -> str:
    docstring = ast.get_docstring(ast.parse(kernel.read_text())) or ""
    return docstring.partition(":")[0]


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """One run of them all."""
    left = Path(tempfile.gettempdir(), "replays_from_file.pt")  # by one of them, for the next run
    left.unlink(missing_ok=True)
    kernels = [bad_kernel(name) for name in KERNELS]
    yield call_tiny(kernels, "--timeout", 5, out=tmp_path_factory.mktemp("together"))
    left.unlink(missing_ok=True)


@pytest.fixture(scope="module")
def rows(together: Run) -> pd.DataFrame:
    return together.rows.set_index("kernel")


@pytest.mark.parametrize("kernel", KERNELS)
def test_gets_the_status_that_its_docstring_names(
    kernel: str, rows: pd.DataFrame, tmp_path: Path
) -> None:
    row, tries = rows.loc[kernel], 6
    # On a busy machine no time is too short to be true, and fewer calls are looked at: whoever is
    # promised to be found out by its time or by chance is alone in a run then.
    expected = promised(bad_kernel(kernel))
    by_chance = expected != Status.PASSED and (kernel in LATER or expected == Status.SUSPECT)
    while by_chance and row["status"] == Status.PASSED and tries:
        row = call_tiny([bad_kernel(kernel)], out=tmp_path / str(tries)).rows.loc[0]
        tries -= 1
    assert row["status"] == expected, row["reason"]
    assert (row["reason"] == "") == (row["status"] == Status.PASSED)


def test_every_status_but_one_has_its_file() -> None:
    # UNGRADABLE is a problem's fault: see test_cli.py.
    assert {promised(bad_kernel(kernel)) for kernel in KERNELS} == set(Status) - {Status.UNGRADABLE}


def test_one_row_each_whatever_the_others_do(together: Run) -> None:
    assert list(together.rows["kernel"]) == KERNELS


def test_only_believed_outputs_have_a_time(together: Run) -> None:
    for row in together.rows.itertuples():
        timed = row.status == Status.PASSED or row.kernel in ASTRAY
        assert pd.notna(row.latency_us) == timed, row.kernel
        assert pd.notna(row.speedup_vs_eager) == (row.status == Status.PASSED), row.kernel


def test_who_deceives_gains_nothing(rows: pd.DataFrame, tmp_path: Path) -> None:
    # Eager does the same work and took turns with each. What else a machine does may hit one of the
    # two alone, but hardly twice.
    gained = gains(rows)
    if gained:
        again = call_tiny([bad_kernel(name) for name in gained], out=tmp_path)
        gained = gains(again.rows.set_index("kernel"))
    assert not gained


def gains(rows: pd.DataFrame) -> list[str]:
    deceiving = rows.loc[rows.index.intersection(GAIN_NOTHING), "speedup_vs_eager"]
    assert len(deceiving) and deceiving.notna().all()
    return list(deceiving.index[deceiving > 2])


def test_the_exit_code_is_1(together: Run) -> None:
    assert together.code == 1


@pytest.mark.parametrize(
    "kernel, says",
    [
        ("scaled", "own inputs: "),
        ("no_upper_bound", "large normal inputs: "),
        ("stale", "own again inputs: "),
        ("nan_lost", "NaN inputs: "),
        ("huge_lost", "huge normal inputs: "),
        ("input_mutated", "own inputs: the call changed them"),
        ("one_element", "worst at [6, 3]"),
        ("one_row", "(1, 10), eager's (7, 10)"),
        ("float64_output", "torch.float64, eager's torch.float32"),
        ("no_output", "NoneType"),
        ("syntax_error", "syntax_error.py:8:"),
        ("missing_header", "no_such_header.h"),
        ("undefined_symbol", "undefined symbol"),
        ("import_raises", "RuntimeError (import_raises.py:6): not on this machine"),
        ("import_exits", "not on this machine"),
        ("import_hangs", "'build' within 5 s of running"),
        ("constructor_differs", "tile_size"),
        ("built_in_forward", "was not built ahead of time"),
        ("forward_raises", 'ValueError (forward_raises.py:12): tile "3", [bold]row[/] 7;'),
        ("recursion", "RecursionError (recursion.py:"),
        ("null_write", "SIGSEGV"),
        ("exits_with_zero", "exited with code 0"),
        ("sys_exit", "exited with code 3"),
        ("hangs", "'call' within 5 s"),
        ("petabyte", "allocate 1125899906842624 bytes"),
        ("other_size", "in_features % 5 == 0"),
        ("other_dtype", "float16"),
        ("other_device", "cuda"),
    ],
)
def test_the_reason_says_what_happened(kernel: str, says: str, rows: pd.DataFrame) -> None:
    assert says in rows.loc[kernel, "reason"]


def test_where_nan_goes_is_told_of_whatever_was_judged(rows: pd.DataFrame) -> None:
    usual = {"PASSED": "same", "BUILD_FAILED": "", "LOAD_FAILED": "", "SKIPPED": ""}
    others = dict.fromkeys([*ASTRAY, "dies_of_nan", "hangs_on_nan"], "differs")
    others |= {"import_exits": "", "import_hangs": "", "built_in_forward": "untested"}
    found = rows["non_finite"].fillna("").to_dict()
    assert {kernel: found[kernel] for kernel in found.keys() - LATER} == {
        kernel: others.get(kernel, usual.get(status, "untested"))
        for kernel, status in rows["status"].items()
        if kernel not in LATER
    }
    assert rows["stress"].isna().all()  # all is contract


# on a problem that states no families


STRESSED = {
    "control_exact": ("same", []),
    "nan_lost": ("differs", ["NaN", "infinite"]),
    "known_defect": ("differs", ["NaN", "infinite"]),
    "huge_lost": ("same", ["huge normal"]),
    "raises_on_huge": ("same", ["huge normal"]),
    "dies_of_nan": ("differs", ["NaN"]),
    "hangs_on_nan": ("differs", ["NaN"]),
}
"""Kernels that are right on the contract: where NaN goes, and the trials of stress that fail."""


def run_public(folder: Path, *options: str) -> Run:
    """A run of them, and of one that is wrong on the contract."""
    kernels = [bad_kernel(name) for name in [*STRESSED, "no_upper_bound"]]
    problem = ("--problem", public(folder), "--timeout", 3)
    return call_tiny(kernels, *problem, *options, out=folder / "out")


@pytest.fixture(scope="module")
def lenient(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run_public(tmp_path_factory.mktemp("lenient"))


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run_public(tmp_path_factory.mktemp("strict"), "--strict")


@pytest.mark.parametrize("which", ["lenient", "strict"])
def test_stress_is_told(which: str, request: pytest.FixtureRequest) -> None:
    rows = request.getfixturevalue(which).rows.set_index("kernel")
    stress = rows["stress"].fillna("")
    told = {kernel: re.findall(r"(?:^|; )([\w ]+) inputs: ", stress[kernel]) for kernel in STRESSED}
    assert told == {kernel: trials for kernel, (_, trials) in STRESSED.items()}
    for kernel, (non_finite, _) in STRESSED.items():
        assert rows.loc[kernel, "non_finite"] == non_finite, kernel
    assert rows.loc["no_upper_bound", "non_finite"] == "untested" and not stress["no_upper_bound"]
    assert "ValueError (raises_on_huge.py:14): too much" in stress["raises_on_huge"]
    assert "SIGABRT" in stress["dies_of_nan"] and "'call' within 3 s" in stress["hangs_on_nan"]


def test_stress_spoils_no_pass(lenient: Run) -> None:
    assert lenient.statuses == [Status.PASSED] * len(STRESSED) + [Status.WRONG_VALUES]
    right = lenient.rows.iloc[:-1]
    assert right[["latency_us", "speedup_vs_eager"]].notna().all(axis=None)
    assert "† right on the problem's contract" in lenient.said
    assert "wrong or failed: no_upper_bound." in lenient.said


def test_stress_is_a_failure_where_it_is_strict(strict: Run) -> None:
    for row in strict.rows.fillna({"stress": ""}).itertuples():
        assert row.status == promised(bad_kernel(row.kernel))
        assert pd.notna(row.latency_us) == (row.status == "PASSED" or row.kernel in ASTRAY)
        assert pd.notna(row.speedup_vs_eager) == (row.status == "PASSED")
        assert row.stress.startswith(row.reason) or row.kernel == "no_upper_bound"
    assert (strict.code, "†" in strict.said) == (1, False)


def test_a_kernels_output_goes_to_its_log_and_nowhere_else(together: Run) -> None:
    assert together.folder is not None
    log = (together.folder / "logs" / "control_prints.log").read_bytes()
    assert log.count(b"busy ") >= 20_000
    assert "busy busy" not in together.said + together.error


def test_compilers_have_their_whole_say_in_a_log(together: Run) -> None:
    assert together.folder is not None
    log: Path = together.folder / "logs" / "build-syntax_error.log"
    assert "return 1 }" in log.read_text()
