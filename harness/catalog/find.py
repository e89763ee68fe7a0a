"""Finds problem and kernel files by name or path."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.catalog.facts import read_kernel, read_problem
from harness.catalog.nearest import suggest
from harness.records import HarnessError, Kernel, Problem


def list_problems(root: Path) -> list[Problem]:
    """Every problem under `root/reference`, by name."""
    return [read_problem(path) for path in sorted((root / "reference").glob("*.py"))]


def find_problem(root: Path, name_or_path: str) -> Problem:
    """The problem with that name or path; HarnessError names the nearest match otherwise."""
    path = Path(name_or_path)
    if path.suffix == ".py":
        return read_problem(path)
    known = {p.stem: p for p in (root / "reference").glob("*.py")}
    if name_or_path not in known:
        raise HarnessError(f"There is no problem {name_or_path!r}. {suggest(name_or_path, known)}")
    return read_problem(known[name_or_path])


def find_kernels(root: Path, problem: Problem, names_or_paths: Sequence[str]) -> list[Kernel]:
    """The kernels named, or all of the problem's when none is named."""
    known = {p.stem: p for p in sorted((root / "kernels" / problem.name).glob("*.py"))}
    if not names_or_paths:
        if not known:
            raise HarnessError(
                f"Problem {problem.name!r} has no kernels yet: add a file to "
                f"kernels/{problem.name}/, or name one with --kernel PATH."
            )
        return [read_kernel(path) for path in known.values()]
    kernels: list[Kernel] = []
    for wanted in names_or_paths:
        path = Path(wanted)
        if path.suffix != ".py":
            if wanted not in known:
                raise HarnessError(
                    f"Problem {problem.name!r} has no kernel {wanted!r}. {suggest(wanted, known)}"
                )
            path = known[wanted]
        kernel = read_kernel(path)
        if kernel in kernels:
            continue
        if any(kernel.name == other.name for other in kernels):
            raise HarnessError(
                f"Two kernels are called {kernel.name!r}: rename one file, "
                "since results are told apart by the file's stem."
            )
        kernels.append(kernel)
    return kernels
