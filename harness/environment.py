"""What a figure depends on: device, clocks, driver, versions, revision, command line, date."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from harness import __version__
from harness.build.toolchain import find_nvcc, host_compiler
from harness.records import Machine
from harness.serve import Handler

_PACKAGES = ("triton", "ninja", "numpy", "pandas", "matplotlib")


@dataclass(frozen=True)
class Gpu:
    """What NVML says of a GPU. None: not every GPU or container reports everything."""

    driver: str | None = None
    power_limit_w: float | None = None
    sm_clock_max_mhz: int | None = None
    memory_clock_max_mhz: int | None = None
    ecc: bool | None = None
    persistence: bool | None = None
    temperature_c: int | None = None
    unavailable: str | None = None
    """Why nothing is known."""


@dataclass(frozen=True)
class Host:
    system: str
    cpu: str
    cores: int | None
    load_average: tuple[float, float, float]


@dataclass(frozen=True)
class Tool:
    """This tool."""

    version: str
    revision: str | None
    """The commit that it runs from, marked when files differ from it; None outside a checkout."""


@dataclass(frozen=True)
class Environment:
    """The record that a run leaves."""

    date: str
    """When the run began, with the offset from UTC."""
    machine: Machine
    gpu: Gpu | None
    host: Host
    python: str
    packages: Mapping[str, str | None]
    nvcc: str | None
    host_compiler: str | None
    tool: Tool
    argv: tuple[str, ...]
    """Without where results went: a place on one machine, and no matter here."""
    handover_us: float | None = None
    """What a call that does nothing takes by the run's timer: every time has it in it. None until
    the end, and where nothing was timed."""
    seed: int | None = None
    """Of the run's inputs. None until the run is over or was killed: until then, no kernel is to
    know it."""

    def as_json(self) -> dict[str, Any]:
        """As environment.json has it: what the machine is stands among the rest."""
        fields = asdict(self)
        machine: dict[str, Any] = fields.pop("machine")
        return {"date": fields.pop("date")} | machine | fields


def device_facts(device: str) -> dict[str, Any]:
    """What torch knows of a device: the fields of Machine, or how many GPUs there are instead.

    CHILD: it may touch the GPU. `device` may be "auto": CUDA where there is a GPU, else the CPU.
    """
    import torch

    from harness.device import kernel_threads

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device == "auto":
        device = "cuda" if count else "cpu"
    versions = {"torch": torch.__version__, "cuda": torch.version.cuda}
    kind, _, number = device.partition(":")
    if kind == "cpu":
        here = {"device": device, "device_name": _cpu_name(), "threads": kernel_threads()}
        return here | versions
    index = int(number or 0)
    if index >= count:
        return {"device_count": count}
    properties = torch.cuda.get_device_properties(index)
    return versions | {
        "device": f"cuda:{index}" if number else "cuda",
        "device_name": properties.name,
        "device_uuid": str(properties.uuid),
        "capability": [properties.major, properties.minor],
        "multiprocessors": properties.multi_processor_count,
        "memory_bytes": properties.total_memory,
        "l2_bytes": properties.L2_cache_size,
    }


def describe(machine: Machine, root: Path) -> Environment:
    """The environment record of a run that starts now. root: the folder of this tool's checkout."""
    nvcc = find_nvcc()
    return Environment(
        date=datetime.now().astimezone().isoformat(timespec="seconds"),
        machine=machine,
        gpu=_nvml(machine.device_uuid) if machine.device_uuid else None,
        host=Host(platform.platform(), _cpu_name(), os.cpu_count(), os.getloadavg()),
        python=platform.python_version(),
        packages={"torch": machine.torch} | {name: _package(name) for name in _PACKAGES},
        nvcc=_printed([str(nvcc), "--version"], line=-1) if nvcc else None,
        host_compiler=_printed([*host_compiler(), "--version"]),
        tool=Tool(__version__, _revision(root)),
        argv=_argv(),
    )


def _argv() -> tuple[str, ...]:
    arguments = sys.argv[1:]
    while "--out" in arguments:
        at = arguments.index("--out")
        del arguments[at : at + 2]
    return tuple(argument for argument in arguments if not argument.startswith("--out="))


def _nvml(uuid: str) -> Gpu:
    """As far as this GPU reports it."""
    import pynvml

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
        facts = {}
        for name, read in readings.items():
            try:
                facts[name] = read()
            except pynvml.NVMLError:
                facts[name] = None
        pynvml.nvmlShutdown()
        return Gpu(**facts)
    except pynvml.NVMLError as error:
        return Gpu(unavailable=str(error))


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


def _printed(command: list[str], line: int = 0) -> str | None:
    """One line of what a command prints; None if it fails."""
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
        return run.stdout.strip().splitlines()[line]
    except (OSError, subprocess.SubprocessError, IndexError):
        return None


def _revision(root: Path) -> str | None:
    # An installed package may well lie inside a repository that is none of its own.
    if not (root / ".git").exists():
        return None
    return _printed(["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12"])


def make_handlers() -> Mapping[str, Handler]:
    return {"device_facts": device_facts}
