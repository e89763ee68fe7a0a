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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from harness.catalog import FAMILIES, load_module

Draw = Callable[[Tensor, torch.Generator], Tensor]


def _normal(scale: float) -> Draw:
    def draw(like: Tensor, generator: torch.Generator) -> Tensor:
        values = torch.empty(like.shape, dtype=torch.float32, device=like.device)
        return (values.normal_(generator=generator) * scale).to(like.dtype)

    return draw


def _planted(*specials: float) -> Draw:
    """Normal values, each special value put in up to eight random places."""

    def draw(like: Tensor, generator: torch.Generator) -> Tensor:
        values = _normal(1.0)(like, generator)
        if values.numel():
            for special in specials:
                places = torch.randint(
                    values.numel(), (8,), generator=generator, device=like.device
                )
                values.view(-1)[places] = special
        return values

    return draw


_INF = float("inf")
_DRAWS: Mapping[str, Sequence[tuple[str, Draw | None]]] = {
    "own": (("own", None), ("own again", None)),
    "normal": (("normal", _normal(1.0)),),
    "small": (("small normal", _normal(1e-3)),),
    "large": (("large normal", _normal(4.0)),),
    "huge": (("huge normal", _normal(100.0)),),
    "non_finite": (("NaN", _planted(float("nan"))), ("infinite", _planted(_INF, -_INF, 0.0))),
}


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
        draws = [(family, *draw) for family in ordered for draw in _DRAWS[family]]
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


def forward(model: nn.Module, inputs: Sequence[Any], seed: int) -> Any:
    """One call as the harness makes all of them: no gradients, a known random state."""
    torch.manual_seed(seed)
    with torch.no_grad():
        return model(*inputs)


def use_device(device: torch.device) -> None:
    """Make a device the current one: events, streams and many kernels take what is current."""
    if device.type == "cuda" and device.index is not None:
        torch.cuda.set_device(device)


def pin_precision() -> None:
    """Make a dtype mean itself, in every process: TF32 for float32 is another contract."""
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.set_float32_matmul_precision("highest")
    # Nor are sums over a split K in 16 bits, which cuBLAS takes at some sizes and not at others.
    torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = False
    torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction = False
