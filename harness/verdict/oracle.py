"""Everything the judge knows of a case: inputs of every family, truth, eager's output."""

from __future__ import annotations

import copy
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from harness.catalog.load import load_module
from harness.device import forward, release
from harness.records import FAMILIES, Draw, Family
from harness.verdict import ruling
from harness.verdict.inputs import draw


@dataclass(frozen=True)
class Trial(Draw):
    """One set of inputs with what the reference makes of it."""

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
        """families: those that the problem's file states, if it does.
        on_step: told before each step that a hanging reference could hang in.
        """
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
        self.trials = self._make_trials(families)

    def _make_trials(self, families: Sequence[str] | None) -> list[Trial]:
        """All that is legal; of stress, what the reference can run."""
        truth_model = copy.deepcopy(self.model).double()
        legal = [name for name in FAMILIES if not families or name in families]
        draws = [(family, name) for family in legal for name in FAMILIES[family].draws]
        trials = []
        for seed, (family, name) in enumerate(draws, start=self._seed + 1):
            stress = ruling.is_stress(family, families)
            known = Draw(name, FAMILIES[family].finite, stress)
            try:
                trials.append(self._trial(known, FAMILIES[family], seed, truth_model))
            except Exception:
                if not stress:
                    raise
                traceback.print_exc()
                release(self._device)
        return trials

    def _trial(self, known: Draw, family: Family, seed: int, truth_model: nn.Module) -> Trial:
        self._on_step(f"{known.name} inputs")
        inputs = draw(self._own_inputs(seed), family, family.draws[known.name], seed)
        # On copies: a reference that works in place must not spoil the inputs.
        eager = forward(self.model, [to_floating(x, self._dtype) for x in inputs], seed)
        self._on_step(f"truth of {known.name} inputs")
        truth = forward(truth_model, [to_floating(x, torch.float64) for x in inputs], seed)
        return Trial(known.name, known.finite, known.stress, seed, inputs, eager, truth)

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
