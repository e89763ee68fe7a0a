"""Reads what compilers print: the first error and its remedy, and ptxas's account of resources."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from harness.records import Diagnostic, Resources

_ERROR = re.compile(
    r"(?i)\b(?:fatal )?error\b\s*[:#]|undefined reference|undefined symbol|ptxas fatal"
    r"|cannot find -l"
)

_PASSING = re.compile(
    r"(?i)no space left|quota exceeded|read-only file system|too many open files"
    r"|out of memory|cannot allocate memory|temporarily unavailable"
    r"|\b(?:killed|terminated)\b|died due to signal|internal compiler error|segmentation fault"
    r"|cannot find -l|command not found"
)
"""Signs that the machine, not the source, is why a build failed."""

# Names that sources use without the header that defines them, most of them because some other
# extension's headers happened to bring it.
_HOMES: Mapping[str, str] = {
    "c10/cuda/CUDAException.h": r"C10_CUDA_(?:CHECK|KERNEL_LAUNCH_CHECK|IGNORE_ERROR|CLEAR_ERROR)",
    "c10/cuda/CUDAGuard.h": r"(?:Optional)?CUDA(?:Stream)?Guard",
    "c10/cuda/CUDAStream.h": r"getCurrentCUDAStream|CUDAStream",
    "ATen/cuda/CUDAContext.h": r"getCurrentDeviceProperties|getDeviceProperties|warp_size"
    r"|getCurrentCUDABlasHandle",
    "ATen/cuda/Exceptions.h": r"AT_CUDA_CHECK|TORCH_CUDABLAS_CHECK",
    "ATen/Parallel.h": r"parallel_for|parallel_reduce|get_num_threads",
    "cublas_v2.h": r"cublas\w+|CUBLAS_\w+",
    "cudnn.h": r"cudnn\w+|CUDNN_\w+",
    "cooperative_groups.h": r"cooperative_groups|cg",
    "cub/cub.cuh": r"cub",
    "curand_kernel.h": r"curand\w+",
    "mma.h": r"wmma|nvcuda",
    "regex": "regex",
    "random": r"mt19937\w*|random_device|uniform_\w+_distribution|normal_distribution",
}


# g++ writes file:line:column: or file:line:, nvcc file(line):, linkers and others no line.
_PLACE = re.compile(
    r"(?P<place>[^\s:(][^:(]*)(?::(?P<line>\d+)(?::(?P<column>\d+))?|\((?P<nvcc>\d+)\)): (?=\S)"
)


def first_error(log: str) -> Diagnostic:
    """The first error in a build's output, with the missing include named where that is all."""
    lines = log.splitlines()
    at = next((i for i, line in enumerate(lines) if _ERROR.search(line)), None)
    if at is None:
        words = [line.strip() for line in lines if line.strip()]
        return Diagnostic(words[-1] if words else "the build failed without a word")
    error = lines[at].strip()
    header = missing_include(error)
    remedy = f"add #include <{header}> to that source" if header else ""
    shown = lines[at + 1 : at + 4]
    # g++ ends with "  |   ^~~~", nvcc with the caret alone.
    end = next((i for i, line in enumerate(shown) if re.fullmatch(r"[\s|]*\^[\s~^]*", line)), -1)
    below = "\n".join(shown[: end + 1])
    if place := _PLACE.match(error):
        line = int(place["line"] or place["nvcc"])
        column = int(place["column"]) if place["column"] else None
        return Diagnostic(error[place.end() :], place["place"], line, column, remedy, below)
    return Diagnostic(error, remedy=remedy, shown=below)


def unknown_name(error: str) -> str:
    """The name that a diagnostic of g++ or nvcc says it does not know, or an empty string."""
    match = re.search(
        r'identifier "(\w+)" is undefined|has no member "(\w+)"'
        r"|\W(\w+)\W (?:was not declared|is not a member|has not been declared|does not name)"
        r"|has no member named \W(\w+)",
        error,
    )
    return next((name for name in match.groups() if name), "") if match else ""


def is_punctuation(error: str) -> bool:
    """Does a diagnostic of g++ or nvcc only miss a semicolon, a bracket or a brace?"""
    quote = "[\"'‘’]"
    return bool(re.search(f"error: expected (?:a |{quote},{quote} or )?{quote}[;)}}\\]]", error))


def missing_include(error: str) -> str:
    """The header whose absence explains a diagnostic about an unknown name, or an empty string."""
    name = unknown_name(error)
    return next((h for h, names in _HOMES.items() if name and re.fullmatch(names, name)), "")


def unresolved(error: str, library: Path) -> Diagnostic | None:
    """What the loader says of a symbol that a library itself needs and nobody defines; None if its
    error is another, such as a symbol that some other library needs."""
    match = re.match(rf"{re.escape(str(library))}: undefined symbol: (\w+)", error)
    return Diagnostic(f"error: undefined symbol: {_demangled([match[1]])[0]}") if match else None


def is_final(log: str) -> bool:
    """Would the same build fail again? Not if the machine ran out of something."""
    return bool(_ERROR.search(log)) and not _PASSING.search(log)


def resources(log: str) -> list[Resources]:
    """What ptxas -v says of every kernel."""
    kernels: list[Resources] = []
    for line in log.splitlines():
        if match := re.search(r"Compiling entry function '(\w+)' for '(\w+)'", line):
            kernels.append(Resources(match[1], match[2]))
        elif not kernels:
            continue
        elif match := re.search(r"(\d+) bytes stack frame, (\d+) bytes spill stores", line):
            local, spill = int(match[1]), int(match[2])
            kernels[-1] = replace(kernels[-1], local_bytes=local, spill_bytes=spill)
        elif match := re.search(r"Used (\d+) registers", line):
            shared = re.search(r"(\d+) bytes smem", line)
            shared_bytes = int(shared[1]) if shared else 0
            kernels[-1] = replace(kernels[-1], registers=int(match[1]), shared_bytes=shared_bytes)
    names = _demangled([each.kernel for each in kernels])
    return [replace(each, kernel=name) for each, name in zip(kernels, names, strict=True)]


def summary(kernel: Resources) -> str:
    """One kernel's resources in a line."""
    parts = ["? registers" if kernel.registers is None else f"{kernel.registers} registers"]
    for count, word in (
        (kernel.shared_bytes, "shared"),
        (kernel.local_bytes, "local"),
        (kernel.spill_bytes, "spilled"),
    ):
        if count:
            parts.append(f"{count} bytes {word}")
    return f"{kernel.kernel.partition('(')[0]} ({kernel.arch}): {', '.join(parts)}"


def _demangled(names: Sequence[str]) -> list[str]:
    if not names:
        return []
    try:
        demangler = subprocess.run(
            ["c++filt"], input="\n".join(names), capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return list(names)
    return demangler.stdout.splitlines()
