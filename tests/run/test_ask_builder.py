"""How many builds at once, and what each is asked to build."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from pretended import PLAN, kernel

from harness.records import Case
from harness.run import ask_builder

GIB = 1 << 30


def test_only_sizes_that_a_kernel_runs_are_built_and_each_once() -> None:
    cases = [Case({"rows": n}, dtype, "cpu") for dtype in ("float32", "float16") for n in (1, 2, 3)]
    plan = replace(PLAN, cases=cases)
    assert ask_builder._sizes_to_run(plan, kernel("a")) == [{"rows": 1}, {"rows": 2}, {"rows": 3}]
    assert ask_builder._sizes_to_run(plan, kernel("a", requires="rows > 2")) == [{"rows": 3}]
    assert ask_builder._sizes_to_run(plan, kernel("a", requires="rows > 3")) == []


@pytest.mark.parametrize(
    "limit, used, tightest", [(5 * GIB, 2 * GIB, 3 * GIB), (2 * GIB, 3 * GIB, 0)]
)
def test_a_containers_memory_limit_counts(
    limit: int, used: int, tightest: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ask_builder, "_CGROUP", tmp_path)
    unlimited = ask_builder._available_bytes()
    (tmp_path / "memory.max").write_text(f"{limit}\n")
    (tmp_path / "memory.current").write_text(f"{used}\n")
    assert ask_builder._available_bytes() == min(tightest, unlimited) or unlimited < tightest
    (tmp_path / "memory.max").write_text("max\n")
    assert ask_builder._available_bytes() > tightest
