"""CHILD: builds what a kernel file asks for."""

from __future__ import annotations

import ast
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any

from harness.build import store
from harness.build.compile import BuildFailed
from harness.build.load_inline import Use, fallback, install
from harness.catalog import syntax
from harness.catalog.load import load_module
from harness.records import Build, HarnessError, Status
from harness.serve import Handler, RequestFailed, failure, note


def build(
    kernel: str,
    problem: str,
    sizes: Sequence[Mapping[str, Any]],
    restated: Sequence[str],
    arch: str | None,
    rebuild: bool,
    patience_s: float,
) -> dict[str, Any]:
    """CHILD: build every extension that a kernel file asks for.

    Importing the file builds what it makes at import; if a function of it builds something,
    ModelNew is constructed as well, once for each of the sizes: its sources may hold them.
    restated: the axes that the kernel's file states too, and that each size replaces there.
    patience_s: what importing the file and each construction may take, compilers not counted.
    Returns a Build as a dict, without its log. Raises RequestFailed where no compiler is to blame.
    """
    start = time.monotonic()
    file = Path(kernel)
    try:
        store.sweep()
        uses = install(file, arch, compile_missing=True, rebuild=rebuild, timeout_s=patience_s)
        _run_for_each(file, Path(problem), sizes, restated, uses, patience_s)
    except HarnessError as error:
        raise RequestFailed(Status.BUILD_FAILED, str(error)) from error
    except Exception as error:
        if (failed := _build_failure(error)) is None:
            raise failure(error, Status.LOAD_FAILED, kernel) from error
        return asdict(
            Build(
                time.monotonic() - start,
                Status.BUILD_FAILED,
                str(failed.diagnostic),
                failed.diagnostic,
            )
        )
    return asdict(_record(uses, time.monotonic() - start))


def _record(uses: Sequence[Use], seconds: float) -> Build:
    """How a file's extensions came to be, each counted once."""
    first_uses: dict[Path, Use] = {}
    for use in uses:
        if use.artifact:
            first_uses.setdefault(use.artifact.folder, use)
    built = [(use, use.artifact.manifest) for use in first_uses.values() if use.artifact]
    routes = [manifest.route if use.fresh else "cached" for use, manifest in built]
    missing = fallback(uses)
    diagnostics = [use.diagnostic for use in uses if use.diagnostic] if missing else []
    return Build(
        seconds=seconds,
        diagnostic=diagnostics[-1] if diagnostics else None,
        route=next((route for route in ("full", "lean", "cached") if route in routes), None),
        why_full="; ".join(manifest.why_full for _, manifest in built if manifest.why_full),
        fallback=missing,
        resources=tuple(resource for _, manifest in built for resource in manifest.resources),
    )


def _build_failure(error: BaseException | None) -> BuildFailed | None:
    """The failed build behind an error, which the file may have raised anew as one of its own."""
    while error is not None and not isinstance(error, BuildFailed):
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return error


def _run_for_each(
    file: Path,
    problem: Path,
    sizes: Sequence[Mapping[str, Any]],
    restated: Sequence[str],
    uses: list[Use],
    patience_s: float,
) -> None:
    """Import the file, and make ModelNew where that builds something, for every size.

    Raises the first error if that can be done for none. What fails for some sizes fails again in
    the worker, and costs those cases alone.
    """
    module: ModuleType | None = None
    overrides: dict[str, Any] | None = None
    constructs = True
    errors = []
    for axes in sizes:
        before = len(uses)
        try:
            own = {axis: axes[axis] for axis in restated if axis in axes}
            if module is None or own != overrides:
                note(f"running {file.name}", patience_s)
                module, overrides = load_module(file, own), own
                constructs = len(uses) == before or _builds_in_functions(file)
            if constructs:
                note("constructing ModelNew", patience_s)
                module.ModelNew(*load_module(problem, axes).get_init_inputs())
        except Exception as error:
            if module is None and not restated:
                raise  # and so it would for every size
            errors.append(error)
            # The file did not go on without these.
            uses[before:] = [use for use in uses[before:] if not use.failure]
    if errors and len(errors) == len(sizes):
        raise errors[0]


def _builds_in_functions(file: Path) -> bool:
    return any(
        syntax.load_inline_calls(function) or _calls_load(function)
        for function in ast.walk(syntax.parse(file))
        if isinstance(function, ast.FunctionDef | ast.Lambda)
    )


def _calls_load(tree: ast.AST) -> bool:
    """Is there a call of something named as torch's `load` of extensions may be?"""
    names = ("load", "cpp_extension.load")
    called = [ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return any(name == names[0] or name.endswith(names[1]) for name in called)


def make_handlers() -> Mapping[str, Handler]:
    return {"build": build}
