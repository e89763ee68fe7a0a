"""Everything the judge knows of a case: inputs of every family, truth, eager's output."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from harness.catalog.load import load_module
from harness.device import forward
from harness.records import FAMILIES
from harness.verdict.inputs import draw


@dataclass(frozen=True)
class Trial:
    """One set of inputs with what the reference makes of it."""

    name: str
    finite: bool
    seed: int
    """The random state is reset to this right before every forward."""
    inputs: list[Any]
    eager: Any
    truth: Any


class Oracle:
    """The reference on one case. All tensors live on the case's device.

    `init_inputs` and the seed let a kernel's constructor see the same arguments and the same
    random state as Model's, so that its weights come out equal.
    """

    def __init__(
        self,
        path: Path,
        axes: Mapping[str, Any],
        dtype: torch.dtype,
        device: torch.device,
        seed: int,
        families: Sequence[str] | None,
        on_step: Callable[[str], None] = lambda text: None,
    ) -> None:
        """on_step: told before each step that a hanging reference could hang in."""
        self._on_step = on_step
        self._seed = seed
        self._device = device
        self._dtype = dtype
        on_step(f"importing {path.name}")
        self._module = load_module(path, axes)
        on_step("making Model")
        torch.manual_seed(seed)
        self.init_inputs = _listed("get_init_inputs", self._module.get_init_inputs())
        torch.manual_seed(seed)
        self.model: nn.Module = self._module.Model(*self.init_inputs).to(device, dtype)
        self.trials = self._make_trials(families or list(FAMILIES))

    def _make_trials(self, families: Sequence[str]) -> list[Trial]:
        truth_model = copy.deepcopy(self.model).double()
        legal = [family for name, family in FAMILIES.items() if name in families]
        draws = [(family, *named) for family in legal for named in family.draws.items()]
        trials = []
        for index, (family, name, planted) in enumerate(draws):
            seed = self._seed + 1 + index
            self._on_step(f"{name} inputs")
            inputs = draw(self._own_inputs(seed), family, planted, seed)
            # On copies: a reference that works in place must not spoil the inputs.
            eager = forward(self.model, [to_floating(x, self._dtype) for x in inputs], seed)
            self._on_step(f"truth of {name} inputs")
            truth = forward(truth_model, [to_floating(x, torch.float64) for x in inputs], seed)
            trials.append(Trial(name, family.finite, seed, inputs, eager, truth))
        return trials

    def _own_inputs(self, seed: int) -> list[Any]:
        torch.manual_seed(seed)
        return [
            to_floating(x.to(self._device), self._dtype) if isinstance(x, Tensor) else x
            for x in _listed("get_inputs", self._module.get_inputs())
        ]


def _listed(function: str, values: Any) -> list[Any]:
    """What a problem's function returns. Raises TypeError if that is no list or tuple."""
    if not isinstance(values, list | tuple):
        raise TypeError(
            f"{function}() returns a {type(values).__name__}, and it is to return a list or tuple "
            "of the arguments, as in `return [x]`"
        )
    return list(values)


def to_floating(value: Any, dtype: torch.dtype) -> Any:
    """Cast floating tensors; leave integers, booleans and everything else alone.

    Always a new tensor for a floating one, so that no two trials share memory.
    """
    if isinstance(value, Tensor) and value.is_floating_point():
        return value.to(dtype, copy=True)
    return value
