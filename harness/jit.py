"""`load_inline` with a memory: every extension is built once, ahead of time, and then only loaded.

`install` puts a stand-in for `torch.utils.cpp_extension.load_inline` in place before a kernel
file is executed. In a builder process it compiles what the store lacks; in a worker it loads
what the store has and never runs a compiler. The store is a folder per artifact, named by a
hash of everything that changes the binary, filled aside and moved into place.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import importlib.machinery
import importlib.util
import inspect
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from harness.catalog import load_module
from harness.children import Handler, RequestFailed, failure
from harness.records import HarnessError, Status

_ENVIRONMENT = (
    "TORCH_CUDA_ARCH_LIST", "CXX", "CC", "CPATH", "CPLUS_INCLUDE_PATH",
    "NVCC_PREPEND_FLAGS", "NVCC_APPEND_FLAGS", "NVCC_CCBIN",
)  # fmt: skip
"""Variables that change what a compiler makes of the same command line."""

_UNIMPORTANT = ("name", "build_directory", "verbose", "keep_intermediates", "use_pch")
"""Arguments of load_inline that leave the binary's behaviour alone."""


class NotBuilt(Exception):
    """A worker met an extension that no builder saw."""


class BuildFailed(Exception):
    """The compiler or the linker said no. The message is its first error; stdout has it all."""


def cache_root() -> Path:
    """The store's folder: $KERNEL_BENCH_CACHE, or a folder in the user's cache directory."""
    if "KERNEL_BENCH_CACHE" in os.environ:
        return Path(os.environ["KERNEL_BENCH_CACHE"])
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "kernel-bench"


def find_nvcc() -> Path | None:
    """nvcc from CUDA_HOME, else from PATH."""
    home = os.environ.get("CUDA_HOME") or os.environ.get("CUDA_PATH")
    if home and (Path(home) / "bin" / "nvcc").exists():
        return Path(home) / "bin" / "nvcc"
    found = shutil.which("nvcc")
    return Path(found) if found else None


def add_tools_to_path() -> None:
    """Let children find ninja beside the interpreter, whose folder need not be on PATH.

    Call before the first child starts: they all inherit the environment of that moment.
    """
    beside = str(Path(sys.executable).parent)
    if beside not in os.environ.get("PATH", "").split(os.pathsep):
        os.environ["PATH"] = beside + os.pathsep + os.environ.get("PATH", "")


def check_toolchain(device: str) -> None:
    """Raise HarnessError, with the remedy, if what builds kernels for `device` is missing."""
    if shutil.which("ninja") is None:
        raise HarnessError("ninja is not installed: run `pip install ninja`.")
    compiler = os.environ.get("CXX", "g++")
    if shutil.which(compiler) is None:
        raise HarnessError(
            f"The C++ compiler {compiler!r} is not installed: "
            "install g++ (Debian and Ubuntu: `apt-get install g++`), or set CXX."
        )
    if device == "cuda" and find_nvcc() is None:
        raise HarnessError(
            "nvcc is not installed: install the CUDA toolkit of the version that "
            "torch was built with, or set CUDA_HOME to where it is."
        )


def architecture(capability: tuple[int, int]) -> str:
    """The one architecture to build for: the GPU's own, with its own instructions (9.0a)."""
    major, minor = capability
    return f"{major}.{minor}" + ("a" if major >= 9 else "")


def install(arch: str | None, compile_missing: bool) -> list[str]:
    """Make `load_inline` ours in this process, whichever way a file imports it.

    `arch` is what CUDA sources are built for; torch would ask the GPU otherwise, and fail
    without one. Returns a list that grows by the extension's name with every call.
    """
    if arch is not None:
        os.environ["TORCH_CUDA_ARCH_LIST"] = arch
    from torch.utils import cpp_extension

    original = cpp_extension.load_inline
    loaded: list[str] = []

    @functools.wraps(original)
    def load_inline(*args: Any, **kwargs: Any) -> ModuleType:
        bound = inspect.signature(original).bind(*args, **kwargs)
        bound.apply_defaults()
        arguments = dict(bound.arguments)
        key = artifact_key(arguments)
        # One module name per artifact: two files may use the same name for different sources.
        name = f"ext_{key[:16]}"
        if not (cache_root() / key).exists():
            if not compile_missing:
                raise NotBuilt(
                    f"the extension {arguments['name']!r} was not built ahead of time: call "
                    "load_inline at import or in ModelNew's constructor, with a source that "
                    "does not change from one process to the next"
                )
            _build(original, arguments, key, name)
        loaded.append(arguments["name"])
        return _import(name, cache_root() / key / f"{name}.so")

    cpp_extension.load_inline = load_inline
    return loaded


def artifact_key(arguments: Mapping[str, Any]) -> str:
    """SHA-256 over everything that changes the binary: sources, flags, compilers, torch, Python."""
    import torch

    said = {k: v for k, v in arguments.items() if k not in _UNIMPORTANT}
    facts = {
        "arguments": said,
        "environment": {name: os.environ.get(name) for name in _ENVIRONMENT},
        "torch": torch.__version__,
        "python": sys.implementation.cache_tag,
        "machine": platform.machine(),
        "host compiler": _version(os.environ.get("CXX", "g++")),
        "nvcc": _version(str(find_nvcc())) if arguments.get("cuda_sources") else None,
        "cpu": _cpu_flags() if "-march=native" in str(said) else None,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()


@functools.cache
def _version(compiler: str) -> str:
    try:
        return subprocess.run(
            [compiler, "--version"], capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise HarnessError(f"The compiler {compiler!r} cannot be run: {error}.") from error


def _cpu_flags() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith(("flags", "Features")):
                return line
    return platform.processor()


def _build(original: Any, arguments: dict[str, Any], key: str, name: str) -> None:
    """Compile into a private folder, then move the finished artifact to its place."""
    root = cache_root()
    root.mkdir(parents=True, exist_ok=True)
    with _locked(root / f"{key}.lock"):
        if (root / key).exists():
            return  # another process built it while we waited
        workdir = Path(tempfile.mkdtemp(prefix="build-", dir=root))
        try:
            start = time.monotonic()
            # load_inline changes the lists it is given.
            fresh = {k: list(v) if isinstance(v, list) else v for k, v in arguments.items()}
            fresh.update(name=name, build_directory=str(workdir), verbose=False)
            try:
                original(**fresh)
            except Exception as error:
                print(error)
                raise BuildFailed(first_error(str(error))) from error
            done = workdir / "done"
            done.mkdir()
            (workdir / f"{name}.so").rename(done / f"{name}.so")
            manifest = {"name": arguments["name"], "seconds": time.monotonic() - start}
            (done / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")
            done.rename(root / key)
        finally:
            shutil.rmtree(workdir, ignore_errors=True)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """An operating-system lock, gone with its holder however that ends."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _import(name: str, library: Path) -> ModuleType:
    loader = importlib.machinery.ExtensionFileLoader(name, str(library))
    spec = importlib.util.spec_from_file_location(name, library, loader=loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def first_error(output: str) -> str:
    """The line of a compiler's output that says what is wrong."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [x for x in lines if ": error" in x or "error:" in x or "undefined reference" in x]
    return (errors or lines or ["the build failed without a word"])[0]


def build(kernel: str, problem: str, axes: Mapping[str, Any], arch: str | None) -> float:
    """CHILD: build every extension that a kernel file asks for; return the wall seconds.

    Extensions made at import are built by importing the file; a file that makes none there
    has its ModelNew constructed, for those that call load_inline in the constructor.
    """
    start = time.monotonic()
    try:
        loaded = install(arch, compile_missing=True)
        module = load_module(Path(kernel))
        if not loaded:
            module.ModelNew(*load_module(Path(problem), axes).get_init_inputs())
    except BuildFailed as error:
        raise RequestFailed(Status.BUILD_FAILED, str(error)) from error
    except Exception as error:
        raise failure(error, Status.LOAD_FAILED, kernel) from error
    return time.monotonic() - start


def make_handlers() -> Mapping[str, Handler]:
    return {"build": build}
