"""Who may import whom, read from the imports themselves: the rules that keep the house in order.

Imports inside functions count as well, where a rule speaks of modules of ours. Those of other
packages count at the top of a file only: what a function imports is paid for when it is called.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import ROOT

HARNESS = ROOT / "harness"
CRAFTS = ("build", "catalog", "exchange", "report", "run", "timing", "verdict")
ALLOWED = {
    ("report", "harness.timing.stats"),
    ("verdict", "harness.catalog.load"),
    ("verdict", "harness.catalog.syntax"),
    ("run", "harness.catalog.facts"),
    ("run", "harness.verdict.ruling"),
    ("run", "harness.timing.bound"),
    ("run", "harness.timing.stats"),
}
"""(craft, module of another craft that it may import)."""


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {
    name_of(path): path
    for path in sorted(HARNESS.rglob("*.py"))
    if not path.name.startswith("header_free_")  # kernel files
}


def imported(tree: ast.AST) -> Iterator[str]:
    """Every module that a tree's import statements name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            submodules = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from ([s for s in submodules if s in MODULES] or [node.module])


def ours(module: str) -> set[str]:
    tree = ast.parse(MODULES[module].read_text())
    return {name for name in imported(tree) if name.startswith("harness")}


def others(module: str) -> set[str]:
    """Packages of others, at the top of the file."""
    tree = ast.parse(MODULES[module].read_text())
    top = ast.Module([s for s in tree.body if isinstance(s, ast.Import | ast.ImportFrom)], [])
    return {name.partition(".")[0] for name in imported(top)} - {"harness"}


def reached(module: str) -> set[str]:
    """Every module of ours that importing this one brings, itself included."""
    seen: set[str] = set()
    todo = [module]
    while todo:
        at = todo.pop()
        if at not in seen and at in MODULES:
            seen.add(at)
            todo += ours(at)
    return seen


def craft(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 2 else ""


@pytest.mark.parametrize("noun", ["records", "device", "channel"])
def test_nouns_import_nothing_of_ours(noun: str) -> None:
    assert ours(f"harness.{noun}") <= {"harness.records"}


@pytest.mark.parametrize("module", [m for m in MODULES if craft(m) == "exchange"])
def test_the_exchange_imports_nothing_of_ours_but_nouns(module: str) -> None:
    beside = {name for name in ours(module) if craft(name) != "exchange"}
    assert beside <= {"harness.records", "harness.channel", "harness.exchange"}


def test_the_command_line_brings_neither_torch_nor_pandas_nor_matplotlib() -> None:
    code = (
        "import sys, harness.cli.main; "
        "print(*sorted({'torch', 'pandas', 'matplotlib'} & set(sys.modules)))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == []


@pytest.mark.parametrize(
    "child, craft_",
    [("judge", "build"), ("worker", "verdict"), ("builder", "verdict"), ("builder", "timing")],
)
def test_a_child_stays_out_of_crafts_that_are_not_its_own(child: str, craft_: str) -> None:
    assert {m for m in reached(f"harness.{child}") if craft(m) == craft_} == set()


@pytest.mark.parametrize("craft_", CRAFTS)
def test_crafts_do_not_import_crafts(craft_: str) -> None:
    crossing = {
        (module, other)
        for module in MODULES
        for other in ours(module)
        if craft(module) == craft_
        and craft(other) in {*CRAFTS, "cli", "selfcheck"} - {craft_}
        and (craft_, other) not in ALLOWED
    }
    assert crossing == set()


@pytest.mark.parametrize("module", [m for m in MODULES if craft(m) == "run"])
def test_the_parent_reaches_no_child_no_screen_and_no_torch(module: str) -> None:
    brings = reached(module)
    assert not brings & {"harness.builder", "harness.judge", "harness.worker"}
    assert not {m for m in brings if craft(m) in ("report", "cli")}
    assert not {m for m in brings if "torch" in others(m)}


def test_no_circles() -> None:
    done: set[str] = set()

    def visit(module: str, above: tuple[str, ...]) -> None:
        assert module not in above, " -> ".join((*above, module))
        if module not in done:
            for other in ours(module) & MODULES.keys():
                visit(other, (*above, module))
            done.add(module)

    for module in MODULES:
        visit(module, ())


def test_packages_re_export_nothing() -> None:
    for module, path in MODULES.items():
        if path.name == "__init__.py" and module != "harness":
            assert len(ast.parse(path.read_text()).body) == 1, module
