"""What a figure depends on: device, clocks, driver, versions, revision, command line, date."""

from __future__ import annotations

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
class Software:
    """What is known without the device."""

    python: str
    packages: Mapping[str, str | None]
    """But for torch, which says its version itself."""
    nvcc: str | None
    host_compiler: str | None
    tool: Tool


@dataclass(frozen=True)
class Environment:
    """The record that a run leaves."""

    date: str
    """When the run began, with the offset from UTC."""
    machine: Machine
    gpu: Gpu | None
    host: Host
    software: Software
    argv: tuple[str, ...]
    """Without where results went: a place on one machine, and no matter here."""
    handover_us: float | None = None
    """What a call that does nothing takes by the run's timer: every time has it in it. None until
    the end, and where nothing was timed."""
    seed: int | None = None
    """Of the run's inputs. None until the run is over or was killed: until then, no kernel is to
    know it."""

    def as_json(self) -> dict[str, Any]:
        """As environment.json has it: machine and software stand among the rest."""
        fields = asdict(self)
        machine: dict[str, Any] = fields.pop("machine")
        software: dict[str, Any] = fields.pop("software")
        software["packages"] = {"torch": machine["torch"]} | software["packages"]
        return {"date": fields.pop("date")} | machine | software | fields


def software(root: Path) -> Software:
    """root: the folder of this tool's checkout."""
    nvcc = find_nvcc()
    return Software(
        python=platform.python_version(),
        packages={name: _package(name) for name in _PACKAGES},
        nvcc=_printed([str(nvcc), "--version"], line=-1) if nvcc else None,
        host_compiler=_printed([*host_compiler(), "--version"]),
        tool=Tool(__version__, _revision(root)),
    )


def describe(machine: Machine, software: Software) -> Environment:
    """The environment record of a run that starts now."""
    return Environment(
        date=datetime.now().astimezone().isoformat(timespec="seconds"),
        machine=machine,
        gpu=_nvml(machine.device_uuid) if machine.device_uuid else None,
        host=Host(platform.platform(), cpu_name(), os.cpu_count(), os.getloadavg()),
        software=software,
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
    import importlib.metadata  # not before: whoever waits for PyTorch to be started waits for it

    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def cpu_name() -> str:
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
