"""`load_inline` with a memory: every extension is built once, ahead of time, and then only loaded.

`install` puts stand-ins for `load_inline` and `load` of `torch.utils.cpp_extension` in place before
a kernel file is executed. In a builder process they compile what the store lacks, first with the
lean headers of `lean.py` and, if those lack something, with PyTorch's own; in a worker they load
what the store has and never run a compiler. Torch's own functions write the commands either way.

Building and loading are two things. What cannot be loaded here and now, for want of a library or
on a file system that executes nothing, is a well-built extension; only a symbol of its own that
nobody defines is a fault of its source, which shows no earlier.
"""

from __future__ import annotations

import functools
import importlib.machinery
import importlib.util
import inspect
import os
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from harness.build import compile, diagnostics, store
from harness.build.compile import BuildFailed, normalised, places
from harness.build.fingerprint import Arguments, artifact_key
from harness.records import Diagnostic
from harness.serve import note


class NotBuilt(RuntimeError):
    """A worker met an extension that no builder saw."""


class Stale(RuntimeError):
    """A worker met an extension that is no longer what the builder left."""


@dataclass(frozen=True)
class Use:
    """One call of load_inline or load, and what came of it."""

    name: str
    """The extension's, as the caller has it."""
    artifact: store.Artifact | None = None
    """None where nothing was built."""
    fresh: bool = False
    """Was it built just now?"""
    failure: str = ""
    """Why the call raised an error, in one line."""
    diagnostic: Diagnostic | None = None
    """What a compiler or linker said, where it was their error."""

    @property
    def route(self) -> str | None:
        """ "lean" or "full": the headers it was built with."""
        return self.artifact.manifest.route if self.artifact else None


def install(
    file: Path,
    arch: str | None,
    compile_missing: bool,
    rebuild: bool = False,
    timeout_s: float = compile.COMPILE_TIMEOUT_S,
) -> list[Use]:
    """Make `load_inline` and `load` ours in this process, whichever way a file imports them.

    file: the kernel file, to which compiler messages then point.
    arch: what CUDA sources are built for; torch would ask the GPU otherwise, and fail without.
    rebuild: build even what the store has, remembered failures included.
    timeout_s: what the parent is told to wait when no compiler runs.
    Returns a list that grows with every call.
    """
    if arch is not None:
        os.environ["TORCH_CUDA_ARCH_LIST"] = arch
    from torch.utils import cpp_extension

    stand_in = _StandIn(file, compile_missing, rebuild, timeout_s)
    for name in ("load_inline", "load"):
        original = getattr(cpp_extension, name)
        ours = functools.partial(stand_in.call, original)
        setattr(cpp_extension, name, functools.wraps(original)(ours))
    return stand_in.uses


def fallback(uses: Sequence[Use]) -> str:
    """The extensions that a file went on without, and why, in one line; empty if there are none.

    uses: its calls, in order, that no error of the file's followed. A later call by the same name
    that succeeds, as with other flags, makes up for one that did not.
    """
    failures: dict[str, str] = {}
    for use in uses:
        failures.pop(use.name, None)
        if use.failure:
            failures[use.name] = use.failure
    return "; ".join(f"{name}: {failure}" for name, failure in failures.items())


_one_at_a_time = threading.RLock()


class _StandIn:
    def __init__(self, file: Path, compile_missing: bool, rebuild: bool, timeout_s: float) -> None:
        self.uses: list[Use] = []
        self._file = file
        self._compile_missing = compile_missing
        self._rebuild = rebuild
        self._timeout_s = timeout_s
        self._asked: set[str] = set()
        """Keys that need no other rebuild in this process."""

    def call(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> ModuleType | str:
        bound = inspect.signature(original).bind(*args, **kwargs)
        bound.apply_defaults()
        if bound.arguments.get("is_standalone") or bound.arguments.get("with_sycl"):
            result: str = original(*args, **kwargs)  # no library that Python loads, or not for CUDA
            return result
        name = str(bound.arguments["name"])
        try:
            arguments = normalised(bound.arguments)
            with _one_at_a_time:
                artifact, fresh, loaded = self._build_and_load(original, arguments)
        except Exception as error:
            lines = str(error).strip().splitlines() or [type(error).__name__]
            diagnostic = error.diagnostic if isinstance(error, BuildFailed) else None
            self.uses.append(Use(name, failure=lines[0], diagnostic=diagnostic))
            raise
        finally:
            if self._compile_missing:
                note(f"running {self._file.name}", self._timeout_s)
        self.uses.append(Use(name, artifact, fresh))
        return loaded

    def _build_and_load(
        self, original: Callable[..., Any], arguments: Arguments
    ) -> tuple[store.Artifact, bool, ModuleType | str]:
        key = artifact_key(arguments)
        if not self._compile_missing:
            artifact = self._built_before(key, arguments)
            return artifact, False, _load(artifact, arguments)
        rebuild = self._rebuild and key not in self._asked
        self._asked.add(key)
        stored = None if rebuild else self._find(key, arguments)
        build = functools.partial(compile.build, original, arguments, key, self._file)
        artifact = stored or build(rebuild=rebuild)
        try:
            return artifact, stored is None, self._loaded(artifact, arguments)
        except (ImportError, OSError) as error:
            unresolved = diagnostics.unresolved(str(error), artifact.library)
            lacks = str(unresolved) if unresolved else _lean_lacks(str(error), artifact)
            if not lacks or (stored and artifact.manifest.route == "full"):
                raise
        if artifact.manifest.route == "lean":
            # It lacks overloads, or a symbol that is declared there and not in this torch.
            artifact = build(rebuild=True, lean_lacks=lacks)
            try:
                return artifact, True, self._loaded(artifact, arguments)
            except (ImportError, OSError) as error:
                unresolved = diagnostics.unresolved(str(error), artifact.library)
                if unresolved is None:
                    raise
        assert unresolved is not None  # what the lean headers lack, they alone say
        compile.remember_unresolved(artifact, key, unresolved)
        raise BuildFailed(unresolved)

    def _find(self, key: str, arguments: Arguments) -> store.Artifact | None:
        artifact = store.find(key)
        failed = artifact and artifact.manifest.failed
        if artifact and failed and artifact.manifest.places != places(arguments, self._file):
            artifact.forget()  # the message would point to where the source used to be
            return None
        return artifact

    def _built_before(self, key: str, arguments: Arguments) -> store.Artifact:
        was_built = store.knows(key)
        if artifact := self._find(key, arguments):
            return artifact
        if was_built:
            raise Stale(
                f"the extension {arguments['name']!r} is no longer what was built: its library was "
                "damaged, or a file that it includes has changed; run again to build it anew"
            )
        raise NotBuilt(
            f"the extension {arguments['name']!r} was not built ahead of time: call "
            "load_inline at import or in ModelNew's constructor, with a source that "
            "does not change from one process to the next"
        )

    def _loaded(self, artifact: store.Artifact, arguments: Arguments) -> ModuleType | str:
        print(artifact.log())
        note(f"loading {artifact.manifest.name}", self._timeout_s)
        return _load(artifact, arguments)


def _lean_lacks(error: str, artifact: store.Artifact) -> str:
    """What a module says on loading that only the real headers can do; else an empty string."""
    lean = artifact.manifest.route == "lean"
    return error if lean and error.startswith("the lean headers have no ") else ""


def _load(artifact: store.Artifact, arguments: Arguments) -> ModuleType | str:
    """What a caller gets. Raises BuildFailed for a remembered failure, or what loading raises."""
    import torch

    if artifact.manifest.failed:
        raise BuildFailed(artifact.manifest.failed)
    loadable = torch.version.cuda is not None or not compile.uses_cuda(arguments)
    if arguments["is_python_module"]:
        name = artifact.manifest.name
        return import_library(name, artifact.library) if loadable else _NotLoaded(name)
    if loadable:
        torch.ops.load_library(artifact.library)  # type: ignore[no-untyped-call]
    return str(artifact.library)


class _NotLoaded(ModuleType):
    """An extension that was built for CUDA and that a torch without CUDA cannot load."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)

        def function(*args: Any, **kwargs: Any) -> None:
            raise RuntimeError(
                f"{self.__name__}.{name} cannot be called: this torch is built without CUDA"
            )

        return function


_imported: dict[tuple[str, Path], ModuleType] = {}


def import_library(name: str, library: Path) -> ModuleType:
    """Load a built extension under the name that it was built for, once in a process.

    Python would fill the second of two modules of one name with what is in the first, were that
    loaded again. Another module of that name, perhaps a library's, stays what `import` gives.
    """
    if (name, library) not in _imported:
        loader = importlib.machinery.ExtensionFileLoader(name, str(library))
        spec = importlib.util.spec_from_file_location(name, library, loader=loader)
        assert spec is not None
        other = sys.modules.get(name)
        module = importlib.util.module_from_spec(spec)
        loader.exec_module(module)
        if other is not None:
            sys.modules[name] = other
        _imported[name, library] = module
    return _imported[name, library]
