"""Everything the judge knows of a case: inputs, truth, eager's output.

Input families, each drawn from the case's seed:

    own         the problem's get_inputs(), twice with different seeds
    normal      standard normal values; also small (x 1e-3), large (x 4), huge (x 100)
    non_finite  normal values with NaN planted, and in a second draw +inf and -inf

Families other than `own` replace floating inputs only; integers and booleans are data that
must stay legal, so they always come from get_inputs().
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from harness.catalog.facts import FAMILIES
from harness.catalog.load import load_module
from harness.device import forward
from harness.verdict.inputs import DRAWS, Draw


@dataclass
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
    ) -> None:
        self._seed = seed
        self._device = device
        self._dtype = dtype
        self._module = load_module(path, axes)
        torch.manual_seed(seed)
        self.init_inputs = list(self._module.get_init_inputs())
        torch.manual_seed(seed)
        self.model: nn.Module = self._module.Model(*self.init_inputs).to(device, dtype)
        self.trials = self._make_trials(families or FAMILIES)

    def _make_trials(self, families: Sequence[str]) -> list[Trial]:
        truth_model = copy.deepcopy(self.model).double()
        # In FAMILIES' order, non-finite inputs last: a kernel wrong on finite ones is WRONG_VALUES.
        ordered = sorted(families, key=FAMILIES.index)
        draws = [(family, *draw) for family in ordered for draw in DRAWS[family]]
        trials = []
        for index, (family, name, draw) in enumerate(draws):
            seed = self._seed + 1 + index
            inputs = self._draw_inputs(draw, seed)
            truth_inputs = [to_floating(x, torch.float64) for x in inputs]
            trials.append(
                Trial(
                    name,
                    family != "non_finite",
                    seed,
                    inputs,
                    # On a copy: a reference that works in place must not spoil the inputs.
                    eager=forward(self.model, [to_floating(x, self._dtype) for x in inputs], seed),
                    truth=forward(truth_model, truth_inputs, seed),
                )
            )
        return trials

    def _draw_inputs(self, draw: Draw | None, seed: int) -> list[Any]:
        torch.manual_seed(seed)
        own = [
            to_floating(x.to(self._device), self._dtype) if isinstance(x, Tensor) else x
            for x in self._module.get_inputs()
        ]
        if draw is None:
            return own
        generator = torch.Generator(self._device).manual_seed(seed)
        return [
            draw(x, generator) if isinstance(x, Tensor) and x.is_floating_point() else x
            for x in own
        ]


def to_floating(value: Any, dtype: torch.dtype) -> Any:
    """Cast floating tensors; leave integers, booleans and everything else alone.

    Always a new tensor for a floating one, so that no two trials share memory.
    """
    if isinstance(value, Tensor) and value.is_floating_point():
        return value.to(dtype, copy=True)
    return value
