"""The selfcheck's bookkeeping; its figures are for the machine at hand."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from command_line import ROOT, bad_kernel
from rich.console import Console

from harness.machine import Machine
from harness.records import HarnessError
from harness.selfcheck import build as selfcheck

CPU = Machine({"device": "cpu"})


def test_both_ways_are_measured_cold_and_warm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str]] = []

    def ask(request: str, file: Path, arch: str | None, cache: Path) -> dict[str, object]:
        warm = (request, str(cache)) in asked
        asked.append((request, str(cache)))
        cold_s = 30.0 if request == "plain" else 2.0
        return {"seconds": 0.5 if warm else cold_s, "route": "lean"}

    monkeypatch.setattr(selfcheck, "_ask", ask)
    rows = selfcheck.build(ROOT, CPU, tmp_path, lambda text: None)
    for row in rows[:-1]:
        assert (row["plain_cold_s"], row["plain_warm_s"]) == (30.0, 0.5)
        assert (row["ours_cold_s"], row["ours_warm_s"]) == (2.0, 0.5)
        assert row["cold_ratio"] == 15.0
    with (tmp_path / "builds.csv").open() as file:
        assert [row["source"] for row in csv.DictReader(file)] == [r["source"] for r in rows]
    shown = io.StringIO()
    selfcheck.print_table(Console(file=shown, width=120), rows)
    assert "15.0×" in shown.getvalue()


def test_a_header_free_source_builds_and_is_warm_the_second_time(tmp_path: Path) -> None:
    file = selfcheck.HEADER_FREE / "header_free_cpu.py"
    cold, warm = (selfcheck._ask("ours", file, None, tmp_path / "cache") for _ in range(2))
    assert cold["route"] == warm["route"] == "lean"
    assert warm["seconds"] < cold["seconds"]


def test_a_build_that_fails_keeps_the_rows_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(request: str, file: Path, arch: str | None, cache: Path) -> dict[str, object]:
        if file.stem == "cpu_fused":
            raise HarnessError("no")
        return {"seconds": 1.0, "route": "lean"}

    monkeypatch.setattr(selfcheck, "_ask", ask)
    with pytest.raises(HarnessError):
        selfcheck.build(ROOT, CPU, tmp_path, lambda text: None)
    with (tmp_path / "builds.csv").open() as file:
        assert [row["source"] for row in csv.DictReader(file)] == ["cpu_naive"]


def test_a_source_that_does_not_build_is_a_mistake_that_is_named(tmp_path: Path) -> None:
    file = bad_kernel("syntax_error")
    with pytest.raises(HarnessError, match=r"syntax_error.py does not build \(ours\): .*error"):
        selfcheck._ask("ours", file, None, tmp_path / "cache")
