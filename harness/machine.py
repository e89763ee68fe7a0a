"""The machine that a run is on: its device, and what is built for it."""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import cache
from harness.build import toolchain
from harness.children import Child, ChildFailed
from harness.records import HarnessError


@dataclass(frozen=True)
class Machine:
    """What torch says of a device, as `environment.device_facts` has it."""

    facts: Mapping[str, Any]

    @property
    def device(self) -> str:
        """Such as cpu, cuda or cuda:1."""
        return str(self.facts["device"])

    @property
    def kind(self) -> str:
        """cpu or cuda."""
        return self.device.partition(":")[0]

    @property
    def capability(self) -> tuple[int, int] | None:
        """Compute capability of the GPU; None on a CPU."""
        return tuple(self.facts["capability"]) if "capability" in self.facts else None

    @property
    def arch(self) -> str | None:
        """What CUDA kernels are built for, such as 9.0a; None on a CPU."""
        return toolchain.architecture(self.capability) if self.capability else None


def probe(device: str) -> Machine:
    """Ask torch of a device, in a child, so that this process stays without a GPU.

    device: auto, cpu, cuda or cuda:N. Raises HarnessError if there is no such device.
    """
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", device):
        raise HarnessError(f"There is no device {device!r}. Choose auto, cuda, cuda:N or cpu.")
    if complaint := cache.prepare():
        print(complaint, file=sys.stderr)
    toolchain.prepare_environment()
    with tempfile.TemporaryDirectory() as folder:
        child = Child("harness.environment", log=Path(folder) / "log")
        try:
            facts: dict[str, Any] = child.ask("device_facts", 120, device=device)
        except ChildFailed as failed:
            raise HarnessError(f"PyTorch does not start: {failed.reason}.") from failed
        finally:
            child.kill()
    if not facts["available"]:
        raise HarnessError(
            f"PyTorch finds no GPU for --device {device} (it sees {facts['device_count']}): "
            "run with --device cpu, or install a CUDA build of torch and the NVIDIA driver."
        )
    return Machine(facts)


def for_architecture(arch: str) -> Machine:
    """A machine with a GPU of that architecture, for what can be done without it.

    Lean builds need no CUDA build of torch either.
    """
    facts = probe("cpu").facts
    return Machine({**facts, "device": "cuda", "capability": toolchain.parse_architecture(arch)})
