"""Finds the compilers and says what they are, so that a build can name what it depends on."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from harness import scratch
from harness.records import HarnessError

INCLUDE_PATHS = ("CPATH", "CPLUS_INCLUDE_PATH", "CUDA_INC_PATH")
ENVIRONMENT = (
    *INCLUDE_PATHS, "TORCH_CUDA_ARCH_LIST", "CXX", "CC", "LIBRARY_PATH",
    "NVCC_PREPEND_FLAGS", "NVCC_APPEND_FLAGS", "NVCC_CCBIN",
)  # fmt: skip
"""Variables that change what a compiler makes of the same command line."""


def prepare_environment() -> None:
    """Let every child find ninja and nvcc, and torch the CUDA toolkit that nvcc belongs to.

    Call before the first child starts: children inherit the environment of that moment.
    """
    # ninja installs beside the interpreter, whose folder need not be on PATH.
    beside = str(Path(sys.executable).parent)
    if beside not in os.environ.get("PATH", "").split(os.pathsep):
        os.environ["PATH"] = beside + os.pathsep + os.environ.get("PATH", "")
    nvcc = find_nvcc()
    if nvcc and "CUDA_HOME" not in os.environ:
        os.environ["CUDA_HOME"] = str(_cuda_home(nvcc))
    home = Path(os.environ.get("CUDA_HOME", ""))
    if nvcc and not (home / "lib64").exists():
        # A toolkit from PyPI has its libraries in `lib`, where nvcc's own profile does not look.
        ours, theirs = str(home / "lib"), os.environ.get("LIBRARY_PATH", "").split(os.pathsep)
        paths = [ours, *(path for path in theirs if path and path != ours)]
        os.environ["LIBRARY_PATH"] = os.pathsep.join(paths)


def link_cuda_runtime(folder: Path) -> list[str]:
    """What makes the linker find the CUDA runtime of a toolkit from PyPI, made in `folder`.

    It has no name there but the one with its version: a link has the name that is asked for.
    """
    lib = Path(os.environ.get("CUDA_HOME", "")) / "lib"
    versions = sorted(lib.glob("libcudart.so.*"))
    if not versions or (lib / "libcudart.so").exists():
        return []
    folder.mkdir(exist_ok=True)
    with contextlib.suppress(FileExistsError):
        (folder / "libcudart.so").symlink_to(versions[-1])
    return [f"-L{folder}"]


def find_nvcc() -> Path | None:
    """nvcc from CUDA_HOME, else from PATH, else from the PyPI wheels of the `nvcc` extra."""
    for home in (os.environ.get("CUDA_HOME"), os.environ.get("CUDA_PATH")):
        if home and (Path(home) / "bin" / "nvcc").exists():
            return Path(home) / "bin" / "nvcc"
    if on_path := shutil.which("nvcc"):
        return Path(on_path)
    spec = importlib.util.find_spec("nvidia")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for nvcc in sorted(Path(folder).glob("cu*/bin/nvcc"), reverse=True):
            return nvcc
    return None


def _cuda_home(nvcc: Path) -> Path:
    """The toolkit's folder, asked of nvcc itself: the file on PATH may be a wrapper script."""
    # Even a dry run makes a temporary file, which an interrupted nvcc leaves behind.
    dryrun = subprocess.run(
        [nvcc, "--dryrun", "x.cu"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"TMPDIR": str(scratch.folder())},
    )
    for line in dryrun.stderr.splitlines():
        name, _, value = line.removeprefix("#$ ").partition("=")
        if name.strip() == "TOP":
            return (nvcc.parent / value.strip()).resolve()
    return nvcc.resolve().parent.parent


def host_compiler() -> tuple[str, ...]:
    """The C++ compiler that torch's build machinery calls: a program, perhaps after a launcher."""
    return tuple(shlex.split(os.environ.get("CXX", ""))) or ("c++",)


def check(device: str) -> None:
    """Raise HarnessError, with the remedy, if what builds kernels for `device` is missing."""
    if shutil.which("ninja") is None:
        raise HarnessError("ninja is not installed: run `pip install ninja`.")
    compiler = host_compiler()[0]
    if shutil.which(compiler) is None:
        raise HarnessError(
            f"The C++ compiler {compiler!r} is not installed: "
            "install one (Debian and Ubuntu: `apt-get install g++`), or set CXX."
        )
    if device == "cuda" and find_nvcc() is None:
        raise HarnessError(
            "nvcc is not installed: run `pip install -e '.[nvcc]'`, or install the CUDA toolkit "
            "of the version that torch was built with and set CUDA_HOME to where it is."
        )


def architecture(capability: tuple[int, int]) -> str:
    """The one architecture to build for: the GPU's own, with its own instructions (9.0a)."""
    major, minor = capability
    return f"{major}.{minor}" + ("a" if major >= 9 else "")


def parse_architecture(arch: str) -> tuple[int, int]:
    """The compute capability in `9.0a`. Raises HarnessError for anything else."""
    match = re.fullmatch(r"(\d+)\.(\d)[af]?", arch)
    if match is None:
        raise HarnessError(f"--arch {arch!r} is no architecture: write it as 8.0 or 9.0a.")
    return int(match[1]), int(match[2])


def check_architecture(arch: str) -> None:
    """Raise HarnessError if nvcc builds no code for an architecture such as 9.0a."""
    capability = parse_architecture(arch)
    least = {"a": (9, 0), "f": (10, 0)}.get(arch[-1], (0, 0))
    if capability < least:
        raise HarnessError(
            f"--arch {arch!r}: there is no {arch[-1]!r} before {least[0]}.{least[1]}: leave it out."
        )
    nvcc = find_nvcc()
    if nvcc is None:
        return  # `check` says so
    listing = re.findall(r"compute_(\d+)(\d)\b", version(str(nvcc), option="--list-gpu-arch"))
    capabilities = sorted((int(major), int(minor)) for major, minor in listing)
    if capabilities and capability not in capabilities:
        raise HarnessError(
            f"--arch {arch!r}: this nvcc builds for "
            f"{', '.join(f'{major}.{minor}' for major, minor in capabilities)}."
        )


def describe(uses_cuda: bool, native: bool) -> dict[str, object]:
    """Everything of this machine that changes a binary.

    uses_cuda: nvcc takes part. native: code is made for the present CPU (-march=native).
    """
    return {
        "environment": {name: os.environ.get(name) for name in ENVIRONMENT},
        "python": sys.implementation.cache_tag,
        "machine": platform.machine(),
        "host compiler": version(*host_compiler()),
        "nvcc": version(str(find_nvcc())) if uses_cuda else None,
        "cpu": _cpu_flags() if native else None,
    }


@functools.cache
def version(*compiler: str, option: str = "--version") -> str:
    """What the compiler prints of itself. Raises HarnessError if it cannot be run."""
    try:
        return subprocess.run(
            [*compiler, option], capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise HarnessError(f"The compiler {compiler[0]!r} cannot be run: {error}.") from error


def _cpu_flags() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith(("flags", "Features")):
                return line
    return platform.processor()
