"""What a run leaves on disk: every column, every awkward cell, and torn files."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import pytest
from disk import room

from harness import results
from harness.records import Build, Case, HarnessError, Result, Speedup, Status, Timing, Verdict

AXES = ("batch_size", "in_features")


def timing(median_us: float, blocks_us=((1.0, 1.25), (1.5,))) -> Timing:
    return Timing(median_us, median_us * 0.9, median_us * 1.1, blocks_us)


def result(kernel="fused", case_index=0, axes=None, **changes) -> Result:
    """A PASSED row with both baselines, unless told otherwise."""
    fields = {
        "verdict": Verdict(Status.PASSED, error_rel=1e-7, eager_error_rel=2e-7),
        "build": Build(12.5, route="lean"),
        "timing": timing(1 / 3),
        "baselines": {"eager": timing(0.5), "compile": timing(0.4)},
        "speedups": {"eager": Speedup(1.5, 1.4, 1.6), "compile": Speedup(1.2, 1.1, 1.3)},
    }
    case = Case(axes or {"batch_size": 16, "in_features": 1024}, "float32", "cuda")
    return Result("matmul", kernel, case, case_index, **(fields | changes))


def failed(reason: str, status=Status.WRONG_VALUES, **changes) -> Result:
    return result(
        verdict=Verdict(status, reason), timing=None, baselines={}, speedups={}, **changes
    )


def raw_rows(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


@pytest.fixture
def writer(tmp_path) -> results.Writer:
    return results.Writer(tmp_path, AXES, ["eager", "compile", "max-autotune"])


# folders


def test_a_folder_is_named_after_its_run_and_never_shared(tmp_path):
    made = [results.create_folder(tmp_path / "new", "matmul", "cuda") for _ in range(3)]
    assert len(set(made)) == 3
    assert all(folder.is_dir() and "-matmul-cuda" in folder.name for folder in made)


def test_a_second_run_in_the_same_second_gets_a_number(tmp_path, monkeypatch):
    class Noon(results.datetime):
        @classmethod
        def now(cls, tz=None):
            return cls(2025, 1, 2, 12, 0, 0)

    monkeypatch.setattr(results, "datetime", Noon)
    names = [results.create_folder(tmp_path, "matmul", "cuda:0").name for _ in range(3)]
    assert names == [f"20250102-120000-matmul-cuda-0{suffix}" for suffix in ("", "-2", "-3")]


def test_a_root_that_is_a_file_is_explained(tmp_path):
    root = tmp_path / "results"
    root.touch()
    with pytest.raises(HarnessError, match="name"):
        results.create_folder(root, "matmul", "cpu")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_an_unwritable_root_is_explained(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(HarnessError, match=r"Permission denied.*name a folder"):
        results.create_folder(tmp_path, "matmul", "cpu")


# columns


def test_columns_are_the_documented_ones_in_order(writer, tmp_path):
    header = raw_rows(tmp_path / "results.csv")[0]
    assert " ".join(header) == (
        "problem kernel device dtype batch_size in_features case status known_defect reason "
        "non_finite stress fallback build_s build_route build_why_full registers shared_bytes "
        "spill_bytes local_bytes error_rel eager_error_rel latency_us latency_ci_low_us "
        "latency_ci_high_us samples timer uncertain bound_us bound_kind "
        "eager_us eager_ci_low_us eager_ci_high_us "
        "compile_us compile_ci_low_us compile_ci_high_us "
        "max_autotune_us max_autotune_ci_low_us max_autotune_ci_high_us "
        "speedup_vs_eager speedup_vs_eager_ci_low speedup_vs_eager_ci_high "
        "speedup_vs_compile speedup_vs_compile_ci_low speedup_vs_compile_ci_high "
        "speedup_vs_max_autotune speedup_vs_max_autotune_ci_low speedup_vs_max_autotune_ci_high"
    )


def test_eager_and_compile_have_columns_even_when_not_run(tmp_path):
    results.Writer(tmp_path, AXES, [])
    header = raw_rows(tmp_path / "results.csv")[0]
    assert {"eager_us", "compile_us", "speedup_vs_eager", "speedup_vs_compile"} <= set(header)


@pytest.mark.parametrize("axis", ["case", "kernel", "eager_us", "speedup_vs_compile_max_autotune"])
def test_an_axis_with_the_name_of_a_column_is_refused(tmp_path, axis):
    with pytest.raises(HarnessError, match=f"axis '{axis}' has the name of a column"):
        results.Writer(tmp_path, ["batch_size", axis], [])


def test_a_csv_of_something_else_is_refused(tmp_path):
    (tmp_path / "results.csv").write_text("a,b\n1,2\n")
    with pytest.raises(HarnessError, match="is no results file of this tool"):
        results.read(tmp_path)


def test_a_result_the_header_does_not_fit_is_refused_whole(writer, tmp_path):
    with pytest.raises(ValueError, match="axes"):
        writer.append(result(axes={"batch_size": 1}))
    with pytest.raises(ValueError, match="reduce_overhead"):
        writer.append(result(baselines={"reduce-overhead": timing(1.0)}))
    assert len(raw_rows(tmp_path / "results.csv")) == 1
    assert len(raw_rows(tmp_path / "samples.csv")) == 1


# rows


def test_numbers_survive_the_journey_in_full_precision(writer, tmp_path):
    writer.append(result(timing=timing(1 / 3), build=Build(2 / 7)))
    row = results.read(tmp_path).iloc[0]
    assert row["latency_us"] == 1 / 3
    assert row["build_s"] == 2 / 7
    assert row["samples"] == 3
    assert (row["batch_size"], row["in_features"]) == (16, 1024)
    assert (row["speedup_vs_eager"], row["speedup_vs_compile_ci_high"]) == (1.5, 1.3)


def test_what_was_not_measured_is_an_empty_cell(writer, tmp_path):
    writer.append(failed("too far from truth", build=None))
    header, row = raw_rows(tmp_path / "results.csv")
    cells = dict(zip(header, row, strict=True))
    assert {cells[c] for c in ("build_s", "latency_us", "samples", "eager_us", "known_defect")} == {
        ""
    }
    assert results.read(tmp_path)["latency_us"].isna().all()


def test_a_measured_nan_or_infinity_is_a_number(writer, tmp_path):
    verdict = Verdict(Status.PASSED, error_rel=float("inf"), eager_error_rel=float("nan"))
    writer.append(result(verdict=verdict))
    frame = results.read(tmp_path)
    assert frame["error_rel"].dtype == frame["eager_error_rel"].dtype == float
    assert frame["error_rel"][0] == float("inf")


@pytest.mark.parametrize(
    "reason",
    [
        'says "no", then\nstops, twice',
        "naïve ∞ kernel",
        "",
        "a\n",
        "NA",
        "'quoted'",
        "NUL \0",
        "error: " * 30_000,
    ],
)
def test_awkward_reasons_come_back_unchanged(writer, tmp_path, reason):
    verdict = Verdict(Status.PASSED, reason, error_rel=0.0)
    writer.append(result(verdict=verdict))
    writer.append(result(kernel="next"))
    frame = results.read(tmp_path)
    assert frame["reason"].tolist() == [reason, ""]
    assert frame["kernel"].tolist() == ["fused", "next"]


@pytest.mark.parametrize("reason", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1"])
def test_no_cell_can_be_run_as_a_spreadsheet_formula(writer, tmp_path, reason):
    writer.append(failed(reason))
    assert results.read(tmp_path)["reason"].tolist() == ["'" + reason]


def test_carriage_returns_and_broken_unicode_do_not_cost_the_row(writer, tmp_path):
    writer.append(failed("50%\r100%\r\ndone \udcff"))
    assert results.read(tmp_path)["reason"].tolist() == ["50%\n100%\ndone \\udcff"]


def test_negative_numbers_are_not_mistaken_for_formulas(writer, tmp_path):
    writer.append(result(axes={"batch_size": -1, "in_features": 2}))
    assert results.read(tmp_path)["batch_size"].tolist() == [-1]


@pytest.mark.parametrize("name", ["null", "nan", "NA", "007", "1e3"])
def test_a_kernel_may_have_any_name(writer, tmp_path, name):
    writer.append(result(kernel=name))
    assert results.read(tmp_path)["kernel"].tolist() == [name]


def test_samples_name_their_case_kernel_subject_and_block(writer, tmp_path):
    writer.append(
        result(case_index=4, timing=timing(1.3), baselines={"max-autotune": timing(2.0, ((2.0,),))})
    )
    assert raw_rows(tmp_path / "samples.csv") == [
        ["case", "kernel", "subject", "block", "latency_us"],
        ["4", "fused", "kernel", "0", "1.0"],
        ["4", "fused", "kernel", "0", "1.25"],
        ["4", "fused", "kernel", "1", "1.5"],
        ["4", "fused", "max-autotune", "0", "2.0"],
    ]


# durability


def test_a_row_is_synced_after_its_samples_and_before_append_returns(writer, tmp_path, monkeypatch):
    names = {path.stat().st_ino: path.name for path in tmp_path.iterdir()}
    synced: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(names[os.fstat(fd).st_ino]))
    writer.append(result())
    assert synced == ["samples.csv", "results.csv"]


def test_a_full_disk_is_explained(writer, monkeypatch):
    def full(fd):
        raise OSError(28, "No space left on device")

    writer.append(result())
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(
        HarnessError, match=r"samples\.csv \(No space left.*; 1 row is safe in .*/results\.csv"
    ):
        writer.append(result(kernel="next"))


@pytest.mark.parametrize("name", ["results.csv", "samples.csv"])
@pytest.mark.parametrize("more", [0, 1, 60])
def test_a_disk_that_fills_up_within_a_record_leaves_no_part_of_it(writer, tmp_path, name, more):
    long = timing(1.0, ((1.0,) * 200,)) if name == "samples.csv" else None
    reason = "too far from truth " * (1 if long else 200)
    writer.append(failed(reason))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    says = r"1 row is safe in .*/results\.csv. Make room"
    with room(len(before[name]) + more), pytest.raises(HarnessError, match=says):
        writer.append(result(timing=long) if long else failed(reason))
    assert (tmp_path / name).read_bytes() == before[name]
    writer.append(failed("again"))
    assert results.read(tmp_path)["reason"].tolist() == [reason, "again"]


def test_a_file_written_whole_is_as_it_was_where_the_disk_is_full(tmp_path):
    path = tmp_path / "picture.png"
    results.write_whole(path, b"old")
    with room(100), pytest.raises(OSError):
        results.write_whole(path, b"new" * 100)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_torn_at_any_byte_still_yields_its_whole_rows(writer, tmp_path):
    path = tmp_path / "results.csv"
    writer.append(failed('first "reason",\nover two lines'))
    whole = len(path.read_bytes())
    writer.append(failed('second "reason" é\nover\nthree lines', kernel="other"))
    content = path.read_bytes()
    for end in range(whole, len(content)):
        path.write_bytes(content[:end])
        assert results.read(tmp_path)["kernel"].tolist() == ["fused"], content[whole:end]
    path.write_bytes(content)
    assert results.read(tmp_path)["kernel"].tolist() == ["fused", "other"]


# reading


def test_a_folder_without_results_is_explained(tmp_path):
    with pytest.raises(HarnessError, match=r"does not exist; name the folder"):
        results.read(tmp_path / "nowhere")
    (tmp_path / "results.csv").touch()
    with pytest.raises(HarnessError, match="no results"):
        results.read(tmp_path)


def test_a_run_killed_before_its_first_row_is_explained(writer, tmp_path):
    with pytest.raises(HarnessError, match="no results"):
        results.read(tmp_path)


def test_an_axis_may_hold_an_empty_text(writer, tmp_path):
    writer.append(result(axes={"batch_size": 1, "in_features": ""}))
    assert results.read(tmp_path)["in_features"].tolist() == [""]


def test_a_run_of_an_older_version_is_read(writer, tmp_path):
    """It lacks the columns that came later; which times are uncertain follows from intervals."""
    shaky = Timing(1.0, 0.8, 1.1, ((1.0,),))
    steady = Timing(1.0, 0.95, 1.05, ((1.0,),))
    writer.append(result(timing=shaky, baselines={"eager": steady, "compile": shaky}))
    writer.append(result(timing=steady, baselines={"eager": shaky}))
    writer.append(result(timing=steady, baselines={"eager": steady}))
    header, *rows = raw_rows(tmp_path / "results.csv")
    kept = [i for i, name in enumerate(header) if name not in ("fallback", "timer", "uncertain")]
    with (tmp_path / "results.csv").open("w", newline="") as file:
        csv.writer(file).writerows([row[i] for i in kept] for row in [header, *rows])
    frame = results.read(tmp_path)
    assert frame["uncertain"].tolist() == ["kernel compile", "eager", ""]
    assert frame[["fallback", "timer"]].isna().all(axis=None)


# environment


def test_environment_keeps_order_and_tolerates_any_value(tmp_path):
    facts = {"device_name": "NVIDIA H100", "argv": ["a"], "folder": Path("x"), "none": None}
    results.write_environment(tmp_path, facts)
    text = (tmp_path / "environment.json").read_text(encoding="utf-8")
    assert list(json.loads(text)) == list(facts)
    assert results.read_environment(tmp_path) == facts | {"folder": "x"}
    assert [path.name for path in tmp_path.iterdir()] == ["environment.json"]


@pytest.mark.parametrize("content", [None, b"", b'{"torn": ', b"\xff\xfe", b"[1]"])
def test_a_missing_or_broken_environment_is_no_facts(tmp_path, content):
    if content is not None:
        (tmp_path / "environment.json").write_bytes(content)
    assert results.read_environment(tmp_path) == {}
