"""`load_inline` with a memory: every extension is built once, ahead of time, and then only loaded.

`install` puts a stand-in for `torch.utils.cpp_extension.load_inline` in place before a kernel
file is executed. In a builder process it compiles what the store lacks, first with the lean
headers of `harness.lean` and, if those lack something, with PyTorch's own; in a worker it loads
what the store has and never runs a compiler. torch's load_inline does the building either way.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import importlib.machinery
import importlib.util
import inspect
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from harness import diagnostics, lean, store
from harness.catalog import load_module
from harness.children import Handler, RequestFailed, failure
from harness.fingerprint import Arguments, artifact_key
from harness.records import HarnessError, Status


class NotBuilt(Exception):
    """A worker met an extension that no builder saw."""


class BuildFailed(Exception):
    """The compiler or the linker said no. The message is its first error and the lines it shows."""


@dataclass(frozen=True)
class Use:
    """One call of load_inline: the artifact it got, and whether that was built just now."""

    manifest: store.Manifest
    fresh: bool


def install(
    file: Path, arch: str | None, compile_missing: bool, rebuild: bool = False
) -> list[Use]:
    """Make `load_inline` ours in this process, whichever way a file imports it.

    file: the kernel file, to which compiler messages then point.
    arch: what CUDA sources are built for; torch would ask the GPU otherwise, and fail without.
    rebuild: build even what the store has, remembered failures included.
    Returns a list that grows with every call.
    """
    if arch is not None:
        os.environ["TORCH_CUDA_ARCH_LIST"] = arch
    import torch
    from torch.utils import cpp_extension

    original = cpp_extension.load_inline
    uses: list[Use] = []

    @functools.wraps(original)
    def load_inline(*args: Any, **kwargs: Any) -> ModuleType | str:
        bound = inspect.signature(original).bind(*args, **kwargs)
        bound.apply_defaults()
        arguments = _normalised(bound.arguments)
        key = artifact_key(arguments)
        manifest = None if rebuild else store.find(key)
        if manifest and manifest.failed and manifest.places != _places(arguments, file):
            manifest = None  # the message would point to where the source used to be
            store.forget(key)
        fresh = manifest is None
        if manifest is None:
            if not compile_missing:
                raise NotBuilt(
                    f"the extension {arguments['name']!r} was not built ahead of time: call "
                    "load_inline at import or in ModelNew's constructor, with a source that "
                    "does not change from one process to the next"
                )
            manifest = _build(original, arguments, key, file, rebuild)
        uses.append(Use(manifest, fresh))
        if compile_missing:
            print(store.log(key))
        if manifest.failed:
            raise BuildFailed(manifest.failed)
        library = store.library(key, manifest)
        if arguments["is_python_module"]:
            return import_library(manifest.module, library)
        torch.ops.load_library(library)  # type: ignore[no-untyped-call]
        return str(library)

    cpp_extension.load_inline = load_inline
    return uses


def _normalised(arguments: Mapping[str, Any]) -> Arguments:
    """Fresh lists of sources and flags: load_inline takes strings too, and changes its lists."""
    plain = dict(arguments)
    for name in ("cpp_sources", "cuda_sources"):
        value = plain.get(name)
        plain[name] = [value] if isinstance(value, str) else list(value or [])
    for name, value in plain.items():
        if isinstance(value, list | tuple):
            plain[name] = list(value)
    return plain


def _build(
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
        why_full = lean.unsupported(arguments)
        if not why_full:
            attempts = {"lean": lean.prepare(located, folder / "libraries"), "full": located}
        log = error = ""
        for path, prepared in attempts.items():
            module = f"ext_{key[:16]}_{path}"
            library, said, error = _attempt(load_inline, prepared, module, folder / path)
            log += f"== {path} headers ==\n{said}\n"
            if not error or (path == "lean" and lean.rejected_anyway(said, located)):
                break
            if path == "lean":
                why_full = error.partition("\n")[0]
        if error and not diagnostics.is_final(said):
            print(log)
            raise BuildFailed(error)
        manifest = store.Manifest(
            name=arguments["name"],
            module=module,
            seconds=time.monotonic() - start,
            path=path,
            why_full="" if path == "lean" else why_full,
            failed=error,
            places=_places(arguments, file),
            resources=diagnostics.resources(said),
            arch=os.environ.get("TORCH_CUDA_ARCH_LIST") if arguments["cuda_sources"] else None,
        )
        store.put(key, manifest, None if error else library, log)
        return manifest


def _attempt(
    load_inline: Callable[..., ModuleType], arguments: Arguments, module: str, folder: Path
) -> tuple[Path, str, str]:
    """One build in a folder of its own: the library, the compilers' output, the error if any."""
    folder.mkdir()
    fresh = _normalised(arguments)
    fresh.update(name=module, build_directory=str(folder), verbose=True, use_pch=False)
    if fresh["cuda_sources"]:
        fresh["extra_cuda_cflags"] = [*(fresh.get("extra_cuda_cflags") or []), "-Xptxas", "-v"]
    error = ""
    output = folder / "output"
    with _output_to(output):
        try:
            load_inline(**fresh)
        except OSError as raised:  # the machine's fault: to be tried again another time
            raise BuildFailed(str(raised)) from raised
        except Exception as raised:
            error = str(raised) or type(raised).__name__
    said = output.read_text(errors="replace")
    if error:
        # torch wraps the compiler's failure; an error of its own says more than the output.
        if "Error building extension" in error:
            error = diagnostics.first_error_shown(said)
        else:
            error = diagnostics.first_error(error)
            said += f"\nerror: {error}\n"
    return folder / f"{module}.so", said, error


def _places(arguments: Arguments, file: Path) -> list[str]:
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
    places = iter(_places(arguments, file))
    located = {
        kind: [f"{next(places)}\n{source}" for source in arguments[kind]]
        for kind in ("cpp_sources", "cuda_sources")
    }
    if arguments["functions"]:  # load_inline's own code follows, which names them
        located["cpp_sources"].append('#line 1 "functions= of load_inline"')
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


def import_library(name: str, library: Path) -> ModuleType:
    """Load a built extension under the name that it was built for."""
    loader = importlib.machinery.ExtensionFileLoader(name, str(library))
    spec = importlib.util.spec_from_file_location(name, library, loader=loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def build(
    kernel: str, problem: str, sizes: Sequence[Mapping[str, Any]], arch: str | None, rebuild: bool
) -> dict[str, Any]:
    """CHILD: build every extension that a kernel file asks for.

    Importing the file builds what it makes at import; if a function of it calls load_inline,
    ModelNew is constructed as well, once for each of the sizes: its sources may hold them.
    Returns the wall seconds and, per extension, its manifest and whether it is fresh.
    """
    start = time.monotonic()
    try:
        uses = install(Path(kernel), arch, compile_missing=True, rebuild=rebuild)
        module = load_module(Path(kernel))
        if not uses or _loads_in_functions(Path(kernel)):
            _construct_for_each(module, Path(problem), sizes)
    except (BuildFailed, HarnessError) as error:
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
        isinstance(node, ast.Call) and ast.unparse(node.func).endswith("load_inline")
        for function in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(function, ast.FunctionDef | ast.Lambda)
        for node in ast.walk(function)
    )


def make_handlers() -> Mapping[str, Handler]:
    return {"build": build}
