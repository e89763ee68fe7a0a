"""What judge and worker share: how a case, its inputs and a kernel's outputs pass between them.

By files in a folder of shared memory, which nobody else knows of. They are read back without
unpickling anything but tensors and plain values, so neither side can run code in the other.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor


class NotPlain(Exception):
    """An output that is not made of plain tensors and values; the message says so."""


@dataclass(frozen=True)
class Setup:
    """What a kernel's constructor is to see, and the weights it is to have."""

    init_inputs: list[Any]
    seed: int
    dtype: torch.dtype
    state: dict[str, Any]


@dataclass(frozen=True)
class Inputs:
    """Inputs of one call, and the random state right before it."""

    values: list[Any]
    seed: int


@dataclass(frozen=True)
class Output:
    """What one call returned, its inputs as they were after it, and where all of these lay."""

    value: Any
    inputs: list[Any]
    devices: frozenset[str]


class Exchange:
    """One side's view of the folder. `put_*` raise OSError or RuntimeError for want of room."""

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder)

    # The judge's side

    def put_setup(self, setup: Setup) -> None:
        torch.save(vars(setup), self._folder / "setup.pt")

    def put_inputs(self, trial: int, inputs: Inputs) -> None:
        torch.save(vars(inputs), self._folder / f"{trial}.pt")

    def take_output(self, kernel: str, device: torch.device) -> Output:
        """The kernel's last output, its tensors on `device`; raises NotPlain.

        An output is there once: what a worker has not written since is not taken again.
        """
        devices: set[str] = set()

        def locate(storage: Any, location: str) -> Any:
            devices.add(location.partition(":")[0])
            return storage

        path = self._output(kernel)
        try:
            saved = torch.load(path, map_location=locate, weights_only=True)
            value, inputs = (_on(saved[name], device) for name in ("value", "inputs"))
        except Exception as error:
            what = re.search(r"GLOBAL ([\w.]+)", str(error))
            holds = f": it holds a {what[1]}" if what else ""
            raise NotPlain(f"the output is not made of plain tensors{holds}") from error
        finally:
            path.unlink(missing_ok=True)
        return Output(value, inputs, frozenset(devices))

    # The worker's side

    def setup(self) -> Setup:
        return Setup(**torch.load(self._folder / "setup.pt", "cpu", weights_only=True))

    def inputs(self, trial: int, device: torch.device) -> Inputs:
        return Inputs(**torch.load(self._folder / f"{trial}.pt", device, weights_only=True))

    def put_output(self, kernel: str, value: Any, inputs: Sequence[Any]) -> None:
        """Also raises whatever an output raises that cannot be written."""
        torch.save({"value": _compact(value), "inputs": inputs}, self._output(kernel))

    def _output(self, kernel: str) -> Path:
        return self._folder / f"{kernel}.out"


def _on(value: Any, device: torch.device) -> Any:
    if isinstance(value, Tensor):
        return value.to(device)
    if isinstance(value, list | tuple):
        return [_on(item, device) for item in value]
    if isinstance(value, dict):
        return {key: _on(item, device) for key, item in value.items()}
    return value


def _compact(value: Any) -> Any:
    """Tensors without the rest of the storage they are a view of; named tuples as plain ones."""
    if type(value) is Tensor and value.layout is torch.strided:
        spare = value.untyped_storage().nbytes() > value.numel() * value.element_size()
        return value.clone() if spare else value
    if isinstance(value, list | tuple):
        return [_compact(item) for item in value]
    if isinstance(value, dict):
        return {key: _compact(item) for key, item in value.items()}
    return value
