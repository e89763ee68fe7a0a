"""Stand-ins for PyTorch's heavy headers, which compile in a second or two.

`include/` holds small headers with the names of PyTorch's own, over the C functions and the
operator entry points that libtorch exports. `prepare` makes a load_inline call use them: that
folder first on the include path, and a prelude before the sources that says which parts are
needed. The sources themselves stay as they are. What the lean headers lack does not compile, and
`harness.build.load_inline` then builds the same sources with the real headers.

Linking has a stand-in too: reading the symbols of libtorch takes the linker a third of a second,
to write no more into the extension than libtorch's name. Empty libraries of that name do as well.
"""

from __future__ import annotations

import functools
import hashlib
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.build import toolchain
from harness.build.headers import with_own_headers
from harness.build.prelude import prelude

INCLUDE = Path(__file__).resolve().parent / "include"


# What makes libstdc++'s <cmath> leave out the special functions of C++17 (std::beta and the like):
# a third of nvcc's time over a source without headers. One that uses them does not compile.
_NO_SPECIAL_FUNCTIONS = "-D_GLIBCXX_BITS_SPECFUN_H=1"
# What load_inline links with.
_LIBTORCH = ("c10", "c10_cuda", "torch_cpu", "torch_cuda", "torch", "torch_python")


def prepare(arguments: Mapping[str, Any], libraries: Path) -> dict[str, Any]:
    """The same load_inline call with the lean headers in the place of torch's.

    arguments: load_inline's, both kinds of sources as lists. New lists are returned.
    libraries: where to put stand-ins for libtorch; they must last until the call is over.
    """
    from torch.utils import cpp_extension

    torch_include = Path(cpp_extension.include_paths()[0])
    implicit = not arguments["no_implicit_headers"]
    errors = bool(arguments["with_pytorch_error_handling"])
    prepared = dict(arguments)
    for kind in ("cpp_sources", "cuda_sources"):
        if not arguments[kind] and kind == "cuda_sources":
            continue
        needs = prelude(
            with_own_headers(arguments[kind], arguments),
            torch_include,
            cuda=kind == "cuda_sources",
            binding=kind == "cpp_sources" and bool(arguments["functions"]),
            implicit=implicit,
            torch_errors=errors,
        )
        prepared[kind] = [needs, *arguments[kind]]
    prepared["no_implicit_headers"] = True
    prepared["extra_include_paths"] = [str(INCLUDE), *(arguments.get("extra_include_paths") or [])]
    for flags in ("extra_cflags", "extra_cuda_cflags"):
        prepared[flags] = [_NO_SPECIAL_FUNCTIONS, *(arguments.get(flags) or [])]
    prepared["extra_ldflags"] = [*_empty_libraries(libraries), *(arguments["extra_ldflags"] or [])]
    return prepared


def _empty_libraries(folder: Path) -> list[str]:
    """Make libraries with libtorch's names and nothing in them; return the flags that use them.

    Each extension comes to need libtorch by name as ever, and finds its symbols when it is loaded.
    """
    compiler = toolchain.host_compiler()
    nothing = folder / "nothing.o"
    make: list[list[str | Path]] = [[*compiler, "-c", "-x", "c++", "/dev/null", "-o", nothing]]
    for name in (f"lib{library}.so" for library in _LIBTORCH):
        soname = f"-Wl,-soname,{name}"
        make.append([*compiler, "-shared", "-nostdlib", nothing, soname, "-o", folder / name])
    try:
        folder.mkdir(parents=True)
        for command in make:
            # What a killed linker leaves behind must lie in the build's folder.
            subprocess.run(
                command, capture_output=True, check=True, env=os.environ | {"TMPDIR": str(folder)}
            )
    except (OSError, subprocess.CalledProcessError):
        return []  # the real ones do, only later
    # Some linkers are set up to drop a library that resolves nothing.
    return ["-Wl,--no-as-needed", f"-L{folder}"]


@functools.cache
def digest() -> str:
    """A hash of the lean headers and of what `prepare` writes: part of every artifact's key."""
    # The prelude's words are part of what a library was built from, as the headers are.
    content = hashlib.sha256()
    writers = ("lean", "prelude", "operators", "operator_types", "aten", "headers", "limits")
    for name in writers:
        content.update((INCLUDE.parent / f"{name}.py").read_bytes())
    for path in sorted(path for path in INCLUDE.rglob("*") if path.is_file()):
        content.update(str(path.relative_to(INCLUDE)).encode() + path.read_bytes())
    return content.hexdigest()
