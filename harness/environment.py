"""What a figure depends on: GPU, clocks, driver, versions, flags, revision."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness import __version__
from harness.build.toolchain import find_nvcc, host_compiler
from harness.serve import Handler

_PACKAGES = ("triton", "ninja", "numpy", "pandas", "matplotlib")


def device_facts(device: str) -> dict[str, Any]:
    """What torch knows of the device a child runs on. Call in a child: it may touch the GPU.

    `device` may be "auto": CUDA where there is a GPU, else the CPU. Raises nothing for a
    device that is not there; `available` says so.
    """
    import torch

    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    chosen = torch.device(device)
    if chosen.type == "cpu":
        return {
            "device": device,
            "available": True,
            "device_name": _cpu_name(),
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
            "cuda": torch.version.cuda,
        }
    count = torch.cuda.device_count()
    if (chosen.index or 0) >= count:
        return {"device": device, "available": False, "device_count": count}
    properties = torch.cuda.get_device_properties(chosen)
    return {
        "device": device,
        "available": True,
        "device_name": properties.name,
        "device_uuid": str(properties.uuid),
        "capability": [properties.major, properties.minor],
        "multiprocessors": properties.multi_processor_count,
        "memory_bytes": properties.total_memory,
        "l2_bytes": properties.L2_cache_size,
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
    }


def describe(facts: Mapping[str, Any], root: Path) -> dict[str, Any]:
    """The environment record of a run: device facts, host, toolchain, versions, revision."""
    record: dict[str, Any] = dict(facts)
    if "device_uuid" in facts:
        record["gpu"] = _nvml(facts["device_uuid"])
    record |= {
        "host": {
            "system": platform.platform(),
            "cpu": _cpu_name(),
            "cores": os.cpu_count(),
            "load_average": list(os.getloadavg()),
        },
        "python": platform.python_version(),
        "packages": {"torch": facts.get("torch")} | {name: _package(name) for name in _PACKAGES},
        "nvcc": _said([str(find_nvcc()), "--version"], line=-1) if find_nvcc() else None,
        "host_compiler": _said([*host_compiler(), "--version"]),
        "tool": {"version": __version__, "revision": _revision(root)},
        "argv": _argv(),
    }
    return record


def _argv() -> list[str]:
    """The command line without where results went: a place on one machine, and no matter here."""
    given = sys.argv[1:]
    while "--out" in given:
        at = given.index("--out")
        del given[at : at + 2]
    return [argument for argument in given if not argument.startswith("--out=")]


def _nvml(uuid: str) -> dict[str, Any]:
    """Driver, power and clocks by NVML, as far as this GPU reports them."""
    import pynvml

    facts: dict[str, Any] = {}
    try:
        pynvml.nvmlInit()
        gpu = pynvml.nvmlDeviceGetHandleByUUID(uuid if uuid.startswith("GPU-") else f"GPU-{uuid}")
        readings = {
            "driver": pynvml.nvmlSystemGetDriverVersion,
            "power_limit_w": lambda: pynvml.nvmlDeviceGetEnforcedPowerLimit(gpu) / 1e3,
            "sm_clock_max_mhz": lambda: pynvml.nvmlDeviceGetMaxClockInfo(gpu, pynvml.NVML_CLOCK_SM),
            "memory_clock_max_mhz": lambda: pynvml.nvmlDeviceGetMaxClockInfo(
                gpu, pynvml.NVML_CLOCK_MEM
            ),
            "ecc": lambda: bool(pynvml.nvmlDeviceGetEccMode(gpu)[0]),
            "persistence": lambda: bool(pynvml.nvmlDeviceGetPersistenceMode(gpu)),
            "temperature_c": lambda: pynvml.nvmlDeviceGetTemperature(
                gpu, pynvml.NVML_TEMPERATURE_GPU
            ),
        }
        for name, read in readings.items():
            try:
                facts[name] = read()
            except pynvml.NVMLError:
                facts[name] = None  # not every GPU or container reports everything
        pynvml.nvmlShutdown()
    except pynvml.NVMLError as error:
        facts["unavailable"] = str(error)
    return facts


def _package(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _cpu_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _said(command: list[str], line: int = 0) -> str | None:
    """One line of what a command prints; None if it fails."""
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
        return said.stdout.strip().splitlines()[line]
    except (OSError, subprocess.SubprocessError, IndexError):
        return None


def _revision(root: Path) -> str | None:
    """The commit this tool runs from, marked when files differ from it."""
    return _said(["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12"])


def make_handlers() -> Mapping[str, Handler]:
    return {"device_facts": device_facts}
