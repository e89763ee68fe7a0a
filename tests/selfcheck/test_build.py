"""The selfcheck's bookkeeping; its figures are for the machine at hand."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from command_line import ROOT, bad_kernel
from pretended import CPU
from rich.console import Console

from harness.records import HarnessError
from harness.selfcheck import build as selfcheck
from harness.selfcheck.build import Once


def silent(text: str) -> None: ...


def test_both_ways_are_measured_cold_and_warm(tmp_path: Path) -> None:
    asked: list[tuple[str, str]] = []

    def build(way: str, file: Path, arch: str | None, cache: Path) -> Once:
        warm = (way, str(cache)) in asked
        asked.append((way, str(cache)))
        cold_s = 30.0 if way == "plain" else 2.0
        return Once(0.5 if warm else cold_s, "lean")

    steps: list[str] = []
    rows = selfcheck.measure(ROOT, CPU, tmp_path, steps.append, build)
    for row in rows[:-1]:
        assert (row.plain_cold_s, row.plain_warm_s) == (30.0, 0.5)
        assert (row.ours_cold_s, row.ours_warm_s) == (2.0, 0.5)
        assert row.cold_ratio == 15.0
        assert {f"{row.source}: ours", f"{row.source}: plain load_inline"} <= set(steps)
    with (tmp_path / "builds.csv").open() as file:
        written = list(csv.DictReader(file))
    assert [row["source"] for row in written] == [row.source for row in rows]
    assert written[-1]["plain_cold_s"] == ""  # nobody measured it
    shown = io.StringIO()
    selfcheck.print_table(Console(file=shown, width=120), rows)
    assert "15.0×" in shown.getvalue()


def test_a_header_free_source_builds_and_is_warm_the_second_time(tmp_path: Path) -> None:
    file = selfcheck.HEADER_FREE / "header_free_cpu.py"
    cold, warm = (selfcheck.build_once("ours", file, None, tmp_path / "cache") for _ in range(2))
    assert cold.route == warm.route == "lean"
    assert warm.seconds < cold.seconds


def test_a_build_that_fails_keeps_the_rows_before_it(tmp_path: Path) -> None:
    def build(way: str, file: Path, arch: str | None, cache: Path) -> Once:
        if file.stem == "cpu_fused":
            raise HarnessError("no")
        return Once(1.0, "lean")

    with pytest.raises(HarnessError):
        selfcheck.measure(ROOT, CPU, tmp_path, silent, build)
    with (tmp_path / "builds.csv").open() as file:
        assert [row["source"] for row in csv.DictReader(file)] == ["cpu_naive"]


def test_a_source_that_does_not_build_is_a_mistake_that_is_named(tmp_path: Path) -> None:
    file = bad_kernel("syntax_error")
    with pytest.raises(HarnessError, match=r"syntax_error.py does not build \(ours\): .*error"):
        selfcheck.build_once("ours", file, None, tmp_path / "cache")
