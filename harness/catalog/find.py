"""Finds problem and kernel files by name or path."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.catalog.facts import read_kernel, read_problem
from harness.catalog.nearest import suggest
from harness.records import BASELINES, KERNEL, HarnessError, Kernel, Problem

_PACKAGE = Path(__file__).resolve().parent.parent

ROOT = next(folder for folder in (_PACKAGE, _PACKAGE.parent) if (folder / "reference").is_dir())
"""Where reference/ and kernels/ are: in the checkout, or inside an installed package."""


def list_problems(root: Path) -> list[Problem]:
    """Every problem under `root/reference`, by name."""
    return [read_problem(path) for path in sorted((root / "reference").glob("*.py"))]


def find_problem(root: Path, name_or_path: str) -> Problem:
    """The problem with that name or path; HarnessError names the nearest match otherwise."""
    if path := _named_file(name_or_path, "problem"):
        return read_problem(path)
    paths = {p.stem: p for p in (root / "reference").glob("*.py")}
    if name_or_path not in paths:
        raise HarnessError(f"There is no problem {name_or_path!r}. {suggest(name_or_path, paths)}")
    return read_problem(paths[name_or_path])


def find_kernels(root: Path, problem: Problem, names_or_paths: Sequence[str]) -> list[Kernel]:
    """The kernels named, or all of the problem's when none is named."""
    paths = {p.stem: p for p in sorted((root / "kernels" / problem.name).glob("*.py"))}
    if not names_or_paths:
        if not paths:
            raise HarnessError(
                f"Problem {problem.name!r} has no kernels yet: name one with --kernel PATH, or "
                f"add a file to kernels/{problem.name}/."
            )
        return [_kernel(path) for path in paths.values()]
    kernels: list[Kernel] = []
    for name_or_path in names_or_paths:
        path = _named_file(name_or_path, "kernel") or paths.get(name_or_path)
        if path is None:
            raise HarnessError(
                f"Problem {problem.name!r} has no kernel {name_or_path!r}. "
                + suggest(name_or_path, paths)
            )
        kernel = _kernel(path)
        if kernel in kernels:
            continue
        if any(kernel.name == other.name for other in kernels):
            raise HarnessError(
                f"Two kernels are called {kernel.name!r}: rename one file, "
                "since results are told apart by the file's stem."
            )
        kernels.append(kernel)
    return kernels


def _kernel(path: Path) -> Kernel:
    """Raises HarnessError too for a name that something else has in a run's files."""
    if path.stem in (KERNEL, *BASELINES):
        what = "every kernel's time" if path.stem == KERNEL else "a baseline"
        raise HarnessError(
            f"{path} cannot be told from {what} in the results, where it is called "
            f"{path.stem!r}: rename the file."
        )
    return read_kernel(path)


def _named_file(name_or_path: str, what: str) -> Path | None:
    """The file that is meant, None if it is a name. Raises HarnessError for what is neither."""
    path = Path(name_or_path)
    if path.suffix == ".py":
        return path
    if "/" in name_or_path or path.is_file():
        raise HarnessError(f"{name_or_path} is no {what}: a {what} file ends in .py.")
    return None
