"""Compiles one call of load_inline or load into the store: leanly, else with PyTorch's headers."""

from __future__ import annotations

import os
import re
import time
import tokenize
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.build import dependencies, diagnostics, lean, limits, ninja, store, toolchain
from harness.build.fingerprint import Arguments
from harness.records import Diagnostic
from harness.serve import note

COMPILE_TIMEOUT_S = 900.0
"""What one compilation may take, lean or with PyTorch's headers."""


class BuildFailed(RuntimeError):
    """The compiler or the linker said no. Torch raises a RuntimeError then, and files catch it."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(str(diagnostic))
        self.diagnostic = diagnostic


def normalised(arguments: Mapping[str, Any]) -> Arguments:
    """The arguments of either function with their sources' text, in fresh lists.

    load_inline takes strings too, and changes its lists. For `load`, whose sources are files, what
    load_inline is told besides is as `load` does it. Raises OSError if one cannot be read.
    """
    plain = dict(arguments)
    if "sources" in plain:
        files = [plain["sources"]] if isinstance(plain["sources"], str) else plain["sources"]
        plain["sources"] = [str(Path(file).absolute()) for file in files]
        texts = {file: Path(file).read_text(errors="replace") for file in plain["sources"]}
        plain["cuda_sources"] = [t for f, t in texts.items() if f.endswith((".cu", ".cuh"))]
        plain["cpp_sources"] = [t for f, t in texts.items() if not f.endswith((".cu", ".cuh"))]
        plain |= {"functions": None, "no_implicit_headers": True}
        plain["with_pytorch_error_handling"] = True
    for name in ("cpp_sources", "cuda_sources"):
        value = plain.get(name)
        plain[name] = [value] if isinstance(value, str) else list(value or [])
    for name, value in plain.items():
        if isinstance(value, list | tuple):
            plain[name] = list(value)
    folders = plain.get("extra_include_paths") or []
    plain["extra_include_paths"] = [str(Path(str(f).strip()).absolute()) for f in folders]
    return plain


def uses_cuda(arguments: Arguments) -> bool:
    """Does torch link this call's extension with its CUDA libraries?"""
    with_cuda = arguments.get("with_cuda")
    return bool(arguments["cuda_sources"]) if with_cuda is None else bool(with_cuda)


@dataclass
class _Attempts:
    """What has been tried so far, and what came of it."""

    why_full: str
    """What the lean headers lack, as far as is known."""
    route: str = ""
    """Of the last one, like `output` and `error`."""
    output: str = ""
    error: Diagnostic | None = None
    """None if it built."""
    log: str = ""
    dependencies: dict[str, str | None] = field(default_factory=dict)


def build(
    function: Callable[..., Any],
    arguments: Arguments,
    key: str,
    file: Path,
    *,
    rebuild: bool,
    lean_lacks: str = "",
) -> store.Artifact:
    """Compile leanly, else with the real headers, and put the outcome into the store.

    function: torch's own, load_inline or load.
    lean_lacks: why the lean build that there is will not do.
    A failure is an outcome too, unless the machine was at fault: then BuildFailed is raised.
    """
    start = time.monotonic()
    name = arguments["name"]

    def on_wait() -> None:
        note(f"waiting for another build of {name}", 2 * COMPILE_TIMEOUT_S)

    try:
        with store.building(key, on_wait) as folder:
            if not rebuild and (artifact := store.find(key)):
                return artifact  # another process built it while we waited
            attempts = _Attempts(lean_lacks or limits.unsupported(arguments))
            try:
                _compile(function, arguments, file, folder, attempts)
                if attempts.error and not diagnostics.is_final(attempts.output):
                    raise BuildFailed(attempts.error)
            except BuildFailed:
                print(attempts.log)
                raise
            manifest = store.Manifest(
                name=name,
                seconds=time.monotonic() - start,
                route=attempts.route,
                why_full=attempts.why_full,
                failed=attempts.error,
                places=places(arguments, file),
                resources=diagnostics.resources(attempts.output),
                arch=os.environ.get("TORCH_CUDA_ARCH_LIST") if uses_cuda(arguments) else None,
                dependencies=attempts.dependencies,
            )
            library = None if attempts.error else folder / attempts.route / f"{name}.so"
            return store.put(folder, key, manifest, library, attempts.log)
    except OSError as error:  # the machine's fault: to be tried again another time
        raise BuildFailed(Diagnostic(f"error: the build cannot be carried out: {error}")) from error


def _compile(
    function: Callable[..., Any],
    arguments: Arguments,
    file: Path,
    folder: Path,
    attempts: _Attempts,
) -> None:
    """Try the routes in turn, until one builds or the source is certain to be at fault."""
    name, located = arguments["name"], _located(arguments, file)
    if not attempts.why_full:
        note(f"compiling {name}", COMPILE_TIMEOUT_S)
        _attempt(function, arguments, _leanly(located, folder), folder / "lean", attempts)
        if not attempts.error:
            return
        if certain := limits.rejection(attempts.output, located):
            attempts.error = certain
            return
        attempts.why_full = str(attempts.error)
    _refuse_without_cuda(arguments, attempts.why_full)
    note(f"compiling {name} with PyTorch's headers", COMPILE_TIMEOUT_S)
    _attempt(function, arguments, located, folder / "full", attempts)


def remember_unresolved(artifact: store.Artifact, key: str, error: Diagnostic) -> None:
    """Keep that what was built has a symbol that nobody defines, which loading it has shown."""
    with store.building(key) as folder:
        manifest = replace(artifact.manifest, failed=error, library_sha256=None)
        store.put(folder, key, manifest, None, f"{artifact.log()}\nerror: {error}\n")


def _refuse_without_cuda(arguments: Arguments, why_full: str) -> None:
    import torch

    if uses_cuda(arguments) and torch.version.cuda is None:
        raise BuildFailed(
            Diagnostic(
                f"error: this needs PyTorch's own headers ({why_full}), and this torch is built "
                "without CUDA",
                remedy="install a CUDA build of torch; it needs no GPU",
            )
        )


def _leanly(located: Arguments, folder: Path) -> Arguments:
    """The same call with the lean headers in the place of torch's."""
    prepared = lean.prepare(located, folder / "libraries")
    if "sources" in located:
        # Files stay as they are: what stands before a text is included before a file.
        for kind, flags in (("cpp_sources", "extra_cflags"), ("cuda_sources", "extra_cuda_cflags")):
            if located[kind]:
                (folder / f"{kind}.h").write_text(f"{prepared[kind][0]}\n")
                prepared[flags] = ["-include", f"../{kind}.h", *prepared[flags]]
    return prepared


def _attempt(
    function: Callable[..., Any],
    asked: Arguments,
    prepared: Arguments,
    folder: Path,
    attempts: _Attempts,
) -> None:
    """Build what was asked for, as it was prepared, in a folder of its own."""
    folder.mkdir()
    since = time.time()
    fresh = {k: list(v) if isinstance(v, list) else v for k, v in prepared.items()}
    if uses_cuda(asked):
        fresh["extra_cuda_cflags"] = [*(fresh.get("extra_cuda_cflags") or []), "-Xptxas", "-v"]
        runtime = toolchain.link_cuda_runtime(folder.parent / "runtime")
        fresh["extra_ldflags"] = [*runtime, *(fresh.get("extra_ldflags") or [])]
    try:
        attempts.output = ninja.build(function, fresh, folder)
        attempts.error = None
    except ninja.CompilersFailed as failed:
        attempts.output = str(failed)
        attempts.error = diagnostics.first_error(attempts.output)
    except OSError:
        raise
    except Exception as raised:  # torch's own complaint, before any compiler has run
        raise BuildFailed(diagnostics.first_error(str(raised) or type(raised).__name__)) from raised
    attempts.route = folder.name
    attempts.log += f"== {folder.name} headers ==\n{attempts.output}\n"
    attempts.dependencies |= _dependencies(asked, folder, since)


_ADDS_FOLDERS = re.compile(r"-I|-i|@|include|-Xcompiler|options-file|-optf|-B|sysroot")


def _dependencies(arguments: Arguments, folder: Path, since: float) -> dict[str, str | None]:
    flags = [
        str(flag)
        for kind in ("extra_cflags", "extra_cuda_cflags", "extra_ldflags")
        for flag in arguments.get(kind) or []
    ]
    # What nvcc adds to the folders of the other compiler takes a tenth of a second to ask for.
    cuda = any(_ADDS_FOLDERS.search(str(f)) for f in arguments.get("extra_cuda_cflags") or [])
    searched = [
        place
        for command in ninja.searching_commands(folder, cuda=cuda)
        for place in dependencies.search_folders(command, folder)
    ]
    sources: dict[str, Path | None] = {}
    for source in arguments.get("sources") or []:
        sources[Path(source).read_text(errors="replace")] = Path(source).parent
    if not sources:
        sources = dict.fromkeys([*arguments["cpp_sources"], *arguments["cuda_sources"]])
    return dependencies.collect(folder, sources, flags, list(dict.fromkeys(searched)), since)


def places(arguments: Arguments, file: Path) -> list[str]:
    """For every source, the `#line` that says where in the kernel's own file it stands.

    A source that does not stand there as it is, put together at run time or written with escapes,
    goes by its place in the call. One that is a file has a place of its own.
    """
    if "sources" in arguments:
        return []
    with tokenize.open(file) as lines:
        text = lines.read()

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
    if "sources" in arguments:
        return arguments
    lines = iter(places(arguments, file))
    located = {
        kind: [f"{next(lines)}\n{source}" for source in arguments[kind]]
        for kind in ("cpp_sources", "cuda_sources")
    }
    if arguments["functions"]:  # load_inline's own code follows, which names them
        located["cpp_sources"].append(f'#line 1 "{limits.FUNCTIONS}"')
    return arguments | located
