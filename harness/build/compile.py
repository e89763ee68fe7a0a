"""Compiles one load_inline call into the store: leanly, else with PyTorch's own headers."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from harness.build import diagnostics, lean, limits, store
from harness.build.fingerprint import Arguments
from harness.records import Diagnostic


class BuildFailed(Exception):
    """The compiler or the linker said no."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(str(diagnostic))
        self.diagnostic = diagnostic


def normalised(arguments: Mapping[str, Any]) -> Arguments:
    """Fresh lists of sources and flags: load_inline takes strings too, and changes its lists."""
    plain = dict(arguments)
    for name in ("cpp_sources", "cuda_sources"):
        value = plain.get(name)
        plain[name] = [value] if isinstance(value, str) else list(value or [])
    for name, value in plain.items():
        if isinstance(value, list | tuple):
            plain[name] = list(value)
    return plain


def build(
    load_inline: Callable[..., ModuleType],
    arguments: Arguments,
    key: str,
    file: Path,
    rebuild: bool,
) -> store.Manifest:
    """Compile leanly, else with the real headers, and put the outcome into the store.

    A failure is an outcome too, unless the machine was at fault: then BuildFailed is raised.
    """
    start = time.monotonic()
    with store.building(key) as folder:
        if not rebuild and (found := store.find(key)):
            return found  # another process built it while we waited
        located = _located(arguments, file)
        attempts = {"full": located}
        why_full = limits.unsupported(arguments)
        if not why_full:
            attempts = {"lean": lean.prepare(located, folder / "libraries"), "full": located}
        log = ""
        error: Diagnostic | None = None
        for route, prepared in attempts.items():
            module = f"ext_{key[:16]}_{route}"
            library, said, error = _attempt(load_inline, prepared, module, folder / route)
            log += f"== {route} headers ==\n{said}\n"
            if not error:
                break
            if route == "lean" and (certain := limits.rejection(said, located)):
                error = certain
                break
            if route == "lean":
                why_full = str(error)
        if error and not diagnostics.is_final(said):
            print(log)
            raise BuildFailed(error)
        manifest = store.Manifest(
            name=arguments["name"],
            module=module,
            seconds=time.monotonic() - start,
            route=route,
            why_full="" if route == "lean" else why_full,
            failed=error,
            places=places(arguments, file),
            resources=diagnostics.resources(said),
            arch=os.environ.get("TORCH_CUDA_ARCH_LIST") if arguments["cuda_sources"] else None,
        )
        store.put(key, manifest, None if error else library, log)
        return manifest


def _attempt(
    load_inline: Callable[..., ModuleType], arguments: Arguments, module: str, folder: Path
) -> tuple[Path, str, Diagnostic | None]:
    """One build in a folder of its own: the library, the compilers' output, the error if any."""
    folder.mkdir()
    fresh = normalised(arguments)
    fresh.update(name=module, build_directory=str(folder), verbose=True, use_pch=False)
    if fresh["cuda_sources"]:
        fresh["extra_cuda_cflags"] = [*(fresh.get("extra_cuda_cflags") or []), "-Xptxas", "-v"]
    raised_text = ""
    output = folder / "output"
    with _output_to(output):
        try:
            load_inline(**fresh)
        except OSError as raised:  # the machine's fault: to be tried again another time
            raise BuildFailed(Diagnostic(str(raised))) from raised
        except Exception as raised:
            raised_text = str(raised) or type(raised).__name__
    said = output.read_text(errors="replace")
    error = None
    if raised_text:
        # torch wraps the compiler's failure; an error of its own says more than the output.
        if "Error building extension" in raised_text:
            error = diagnostics.first_error(said)
        else:
            error = diagnostics.first_error(raised_text)
            said += f"\nerror: {error}\n"
    return folder / f"{module}.so", said, error


def places(arguments: Arguments, file: Path) -> list[str]:
    """For every source, the `#line` that says where in the kernel's own file it stands.

    A source that does not stand there as it is, put together at run time or written with escapes,
    goes by its place in the call.
    """
    text = file.read_text(encoding="utf-8")

    def place(source: str, otherwise: str) -> str:
        at = text.find(source) if source.strip() else -1
        line, name = (text.count("\n", 0, at) + 1, file) if at >= 0 else (1, otherwise)
        return f'#line {line} "{name}"'

    return [
        place(source, f"{kind}[{index}]")
        for kind in ("cpp_sources", "cuda_sources")
        for index, source in enumerate(arguments[kind])
    ]


def _located(arguments: Arguments, file: Path) -> Arguments:
    """Sources that tell the compiler where in the kernel's own file they stand."""
    lines = iter(places(arguments, file))
    located = {
        kind: [f"{next(lines)}\n{source}" for source in arguments[kind]]
        for kind in ("cpp_sources", "cuda_sources")
    }
    if arguments["functions"]:  # load_inline's own code follows, which names them
        located["cpp_sources"].append(f'#line 1 "{limits.FUNCTIONS}"')
    return arguments | located


@contextlib.contextmanager
def _output_to(path: Path) -> Iterator[None]:
    """Everything this process and its children print goes to a file."""
    sys.stdout.flush()
    sys.stderr.flush()
    saved = [os.dup(1), os.dup(2)]
    target = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        os.dup2(target, 1)
        os.dup2(target, 2)
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for descriptor, old in zip((1, 2), saved, strict=True):
            os.dup2(old, descriptor)
            os.close(old)
        os.close(target)
