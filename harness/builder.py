"""CHILD: builds what a kernel file asks for."""

from __future__ import annotations

import ast
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any

from harness.build.compile import BuildFailed
from harness.build.load_inline import install
from harness.catalog import syntax
from harness.catalog.load import load_module
from harness.records import HarnessError, Status
from harness.serve import Handler, RequestFailed, failure


def build(
    kernel: str, problem: str, sizes: Sequence[Mapping[str, Any]], arch: str | None, rebuild: bool
) -> dict[str, Any]:
    """CHILD: build every extension that a kernel file asks for.

    Importing the file builds what it makes at import; if a function of it calls load_inline,
    ModelNew is constructed as well, once for each of the sizes: its sources may hold them.
    Returns the wall seconds and, per extension, its manifest and whether it is fresh; or the
    diagnostic of what failed.
    """
    start = time.monotonic()
    try:
        uses = install(Path(kernel), arch, compile_missing=True, rebuild=rebuild)
        module = load_module(Path(kernel))
        if not uses or _loads_in_functions(Path(kernel)):
            _construct_for_each(module, Path(problem), sizes)
    except BuildFailed as error:
        return {"failed": asdict(error.diagnostic)}
    except HarnessError as error:
        raise RequestFailed(Status.BUILD_FAILED, str(error)) from error
    except Exception as error:
        raise failure(error, Status.LOAD_FAILED, kernel) from error
    first_uses = {use.manifest.module: use for use in reversed(uses)}
    return {
        "seconds": time.monotonic() - start,
        "extensions": [{"fresh": u.fresh} | asdict(u.manifest) for u in first_uses.values()],
    }


def _construct_for_each(
    module: ModuleType, problem: Path, sizes: Sequence[Mapping[str, Any]]
) -> None:
    """Make ModelNew for every size. Raises the first error if it cannot be made for any.

    One that fails for some sizes fails again in the worker, and costs those cases alone.
    """
    errors = []
    for axes in sizes:
        try:
            module.ModelNew(*load_module(problem, axes).get_init_inputs())
        except Exception as error:
            errors.append(error)
    if errors and len(errors) == len(sizes):
        raise errors[0]


def _loads_in_functions(file: Path) -> bool:
    return any(
        syntax.load_inline_calls(function)
        for function in ast.walk(syntax.parse(file))
        if isinstance(function, ast.FunctionDef | ast.Lambda)
    )


def make_handlers() -> Mapping[str, Handler]:
    return {"build": build}
