"""`selfcheck build` as the command line calls it; what it measures is in tests/selfcheck."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import Run

from harness.build import toolchain
from harness.records import Machine
from harness.selfcheck import build
from harness.selfcheck.build import Row


def test_steps_and_figures_are_shown_where_there_is_no_terminal(
    tmp_path: Path, call: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    def measure(
        root: Path, machine: Machine, folder: Path, say: Callable[[str], None]
    ) -> list[Row]:
        say("seed: ours")
        say("seed: plain load_inline")
        return [Row(source="seed", device=machine.kind, ours_cold_s=2.0, cold_ratio=15.0)]

    monkeypatch.setattr(build, "measure", measure)
    monkeypatch.setattr(toolchain, "check", lambda device: None)
    run = call("selfcheck", "build", "--out", tmp_path / "out")
    assert run.code == 0
    steps = [line.strip() for line in run.said.splitlines()]
    assert steps[:3] == ["building", "seed: ours", "seed: plain load_inline"]
    assert "15.0×" in run.said and str(run.folder) in run.said
    assert run.folder is not None
    assert json.loads((run.folder / "environment.json").read_text())["host"]["cores"]
