"""Runs in which every child only pretends."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pretended import PLAN, FakeChild, Go, Notes, Stage

from harness.run import ask_builder, ask_judge, ask_worker, runner


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    stage = Stage()
    for module in (ask_builder, ask_judge, ask_worker):
        monkeypatch.setattr(module, "Child", partial(FakeChild, stage))
    return stage


@pytest.fixture
def go(stage: Stage, tmp_path: Path) -> Go:
    """Run PLAN with changes; every child must be gone afterwards."""

    def go(notes: Notes | None = None, **changes: Any) -> Notes:
        notes = notes or Notes()
        try:
            notes.handover_us = runner.run(replace(PLAN, **changes), tmp_path, notes, notes)
        finally:
            assert all(child.killed for child in stage.children)
        return notes

    return go
