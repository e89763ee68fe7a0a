"""Reads what compilers print: the first error and its remedy, and ptxas's account of resources."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

_ERROR = re.compile(
    r"(?i)\b(?:fatal )?error\b ?[:#]|undefined reference|undefined symbol|ptxas fatal"
)

_PASSING = (
    "No space left on device", "Killed", "Terminated", "out of memory", "cannot allocate memory",
    "internal compiler error", "Segmentation fault",
)  # fmt: skip
"""Signs that the machine, not the source, is why a build failed."""

_HEADERS: Mapping[str, str] = {
    "C10_CUDA_KERNEL_LAUNCH_CHECK": "c10/cuda/CUDAException.h",
    "C10_CUDA_CHECK": "c10/cuda/CUDAException.h",
    "AT_CUDA_CHECK": "ATen/cuda/Exceptions.h",
    "getCurrentCUDAStream": "ATen/cuda/CUDAContext.h",
    "getStreamFromPool": "c10/cuda/CUDAStream.h",
    "getCurrentDeviceProperties": "ATen/cuda/CUDAContext.h",
    "CUDAGuard": "c10/cuda/CUDAGuard.h",
    "OptionalCUDAGuard": "c10/cuda/CUDAGuard.h",
    "CUDAStreamGuard": "c10/cuda/CUDAGuard.h",
    "CUDAStream": "c10/cuda/CUDAStream.h",
    "__half": "cuda_fp16.h",
    "half2": "cuda_fp16.h",
    "__nv_bfloat16": "cuda_bf16.h",
    "cublasHandle_t": "cublas_v2.h",
    "curand_init": "curand_kernel.h",
    "cooperative_groups": "cooperative_groups.h",
    "wmma": "mma.h",
    "cub": "cub/cub.cuh",
}
"""Names that sources use without the header that defines them -> that header."""


def first_error(log: str) -> str:
    """The first error in a build's output, with the missing include named where that is all."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    line = next((line for line in lines if _ERROR.search(line)), None)
    if line is None:
        return lines[-1] if lines else "the build failed without a word"
    for name in re.findall(r"\w+", line.partition("error")[2]):
        if name in _HEADERS:
            return f"{line} (remedy: add #include <{_HEADERS[name]}> to that source)"
    return line


def is_final(log: str) -> bool:
    """Would the same build fail again? Not if the machine ran out of something."""
    return bool(_ERROR.search(log)) and not any(sign in log for sign in _PASSING)


def resources(log: str) -> list[dict[str, Any]]:
    """What ptxas -v says of every kernel: registers, and shared, spill and local bytes."""
    found: list[dict[str, Any]] = []
    for line in log.splitlines():
        if match := re.search(r"Compiling entry function '(\w+)' for '(\w+)'", line):
            found.append({"kernel": match[1], "arch": match[2]})
        elif not found:
            continue
        elif match := re.search(r"(\d+) bytes stack frame, (\d+) bytes spill stores", line):
            found[-1] |= {"local_bytes": int(match[1]), "spill_bytes": int(match[2])}
        elif match := re.search(r"Used (\d+) registers", line):
            shared = re.search(r"(\d+) bytes smem", line)
            found[-1] |= {
                "registers": int(match[1]),
                "shared_bytes": int(shared[1]) if shared else 0,
            }
    names = _demangled([entry["kernel"] for entry in found])
    return [entry | {"kernel": name} for entry, name in zip(found, names, strict=True)]


def summary(resource: Mapping[str, Any]) -> str:
    """One kernel's resources in a line."""
    parts = [f"{resource.get('registers', '?')} registers"]
    for name, word in (("shared", "shared"), ("local", "local"), ("spill", "spilled")):
        if resource.get(f"{name}_bytes"):
            parts.append(f"{resource[f'{name}_bytes']} bytes {word}")
    return f"{resource['kernel'].partition('(')[0]} ({resource['arch']}): {', '.join(parts)}"


def _demangled(names: Sequence[str]) -> list[str]:
    if not names:
        return []
    try:
        said = subprocess.run(
            ["c++filt"], input="\n".join(names), capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return list(names)
    return said.stdout.splitlines()
