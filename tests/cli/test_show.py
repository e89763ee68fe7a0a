"""`list`, `plot` and `cache`."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import TINY, Run, bad_kernel, call_tiny
from rich.console import Console

from harness import machine
from harness.build import store
from harness.build.store import Entry, Manifest
from harness.catalog import find
from harness.cli import show
from harness.cli.options import DEFAULT_PROBLEM
from harness.records import Diagnostic


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


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tree of its own, with a CUDA and a CPU kernel of strange names."""
    (tmp_path / "reference").mkdir()
    (tmp_path / "kernels" / "a[bold]b").mkdir(parents=True)
    (tmp_path / "reference" / "a[bold]b.py").write_text('mode = "[blue]"\n' + TINY.read_text())
    for name, facts in {
        "on[red]gpu": 'DEVICES = ("cuda",)\nMIN_CAPABILITY = (9, 0)\n',
        "$on_cpu": 'DEVICES = ("cpu",)\n',
    }.items():
        (tmp_path / "kernels" / "a[bold]b" / f"{name}.py").write_text(
            facts + "class ModelNew: ...\n"
        )
    monkeypatch.setattr(find, "ROOT", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "capability, says",
    [(None, "no GPU here"), ((8, 0), "needs compute capability 9.0"), ((9, 0), "")],
)
def test_list_says_which_kernels_would_not_run_here(
    capability: tuple[int, int] | None,
    says: str,
    tree: Path,
    call: Callable[..., Run],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(machine, "gpu_capability", lambda: capability)
    run = call("list")
    lines = {line.split()[0]: line for line in run.said.splitlines() if line.strip()}
    assert lines["on[red]gpu"].split(maxsplit=1)[1].strip() == f"cuda    {says}".strip()
    assert lines["$on_cpu"].split() == ["$on_cpu", "cpu"]


def test_names_are_shown_as_they_are(tree: Path, call: Callable[..., Run]) -> None:
    run = call("list")
    assert all(name in run.said for name in ("a[bold]b", "on[red]gpu", "$on_cpu", "[blue]"))


def test_plot_draws_a_run_again(tmp_path: Path, call: Callable[..., Run]) -> None:
    folder = call_tiny([bad_kernel("control_exact")], out=tmp_path / "runs").folder
    assert folder is not None
    pictures = sorted(folder.glob("*.png"))
    assert pictures
    for picture in pictures:
        picture.unlink()
    again = call("plot", folder)
    assert again.code == 0
    assert sorted(folder.glob("*.png")) == pictures
    assert set(map(str, pictures)) <= set(again.said.splitlines())


def entry(**changes: object) -> Entry:
    manifest = {"name": "mine", "seconds": 1.25, "route": "lean"}
    return Entry("f" * 64, Manifest(**(manifest | changes)), 40_000, time.time())


def test_cache_keeps_one_line_per_entry_at_80_columns(
    call: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    error = Diagnostic("error: expected a ';' before [the] next\nstatement", "kernels/mine.py", 7)
    entries = [
        entry(),
        entry(name="a_name_that_is_longer_than_any_column_has_room_for" * 2),
        entry(name="broken[bold]", failed=error),
    ]
    monkeypatch.setattr(store, "entries", lambda: entries)
    monkeypatch.setattr(show, "console", Console(width=80, highlight=False))
    run = call("cache")
    head, *lines, total = run.said.splitlines()
    assert run.code == 0
    assert len(lines) == len(entries)
    assert all(len(line.rstrip()) <= 80 for line in lines)
    assert all("1.2" in line and "0.04" in line for line in lines)  # no number gave way
    assert head.split()[:2] == ["key", "extension"]
    assert "broken[bold]" in lines[2] and "failed: error: ex" in lines[2]
    assert total.startswith("2 extensions, 1 remembered failures, 0.1 of at most")


def test_cache_is_cleared_only_when_asked(
    call: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    cleared: list[int] = []
    monkeypatch.setattr(store, "clear", lambda: cleared.append(1) or 2_500_000)
    assert call("cache").code == 0 and not cleared
    run = call("cache", "--clear")
    assert run.said.startswith("Removed 2.5 MB from ") and cleared
