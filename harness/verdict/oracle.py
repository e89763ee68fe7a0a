"""Everything the judge knows of a case: inputs of every family, truth, eager's output.

One trial at a time: a trial is computed when it is asked for, and nobody keeps it here.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from harness import device as devices
from harness.catalog.load import load_module
from harness.records import FAMILIES, OTHER_WEIGHTS, Draw, Family
from harness.verdict import ruling
from harness.verdict.fresh import Fresh, Stream
from harness.verdict.inputs import cast, change, draw, floating, form, secret_seed
from harness.verdict.reference import Reference

AS_BEFORE = {"own changed": "own again"}
"""Draws that are another draw with one element changed -> that draw."""


@dataclass(frozen=True)
class Trial(Draw):
    """One set of inputs with what the reference makes of it."""

    seed: int
    """The random state is reset to this right before every forward. Unrelated to the inputs'."""
    inputs: list[Any]
    eager: Any
    truth: Any
    weights: int | None = None
    """The seed of the weights that they are of, if not the model's own; see `Oracle.weights`."""


class Oracle:
    """The reference on one case. All tensors that it makes live on the case's device, but for the
    truth where there is no room for it: that is computed on the host, and stays there.

    `init_inputs` and `seed` let a kernel's constructor see the same arguments and the same random
    state as Model's, so that its weights come out equal.
    """

    def __init__(
        self,
        path: Path,
        axes: Mapping[str, Any],
        dtype: torch.dtype,
        device: torch.device,
        secret: str,
        families: Sequence[str] | None,
        on_step: Callable[[str], None] = lambda text: None,
    ) -> None:
        """secret: of this case; whoever has it can derive all inputs.
        families: those that the problem's file states, if it does.
        on_step: told before each step that a hanging reference could hang in.

        Raises whatever the file raises, and TypeError where its functions return no list.
        """
        self._on_step = on_step
        self._secret = secret
        self._device = device
        self._dtype = dtype
        self._stream: Stream | None = None
        self._form: list[Any] | None = None
        """Of inputs, where no draw of other values needs get_inputs(), which may take long."""
        self._fits = False
        """Is the truth computed where there is memory for it?"""
        on_step(f"importing {path.name}")
        self._module = load_module(path, axes)
        on_step("making Model")
        self.seed = secret_seed(secret, "constructor")
        devices.reseed(self.seed)
        self.init_inputs = _listed("get_init_inputs", self._module.get_init_inputs())
        devices.reseed(self.seed)
        model = self._module.Model(*self.init_inputs)
        self._reference = Reference(devices.in_dtype(model.to(device), dtype), dtype)
        self._legal = [name for name in FAMILIES if not families or name in families]
        # Where the file allows for no other values than its own, these may have a structure, as
        # a triangular matrix has.
        self._may_vary = any(FAMILIES[name].scale is not None for name in self._legal)
        self._sources = [
            (family, name)
            for family in self._legal
            for name in FAMILIES[family].draws
            if name != OTHER_WEIGHTS or self._reference.weights_vary
        ]
        self._is_stress = functools.partial(ruling.is_stress, stated=families)
        self.draws = [
            Draw(name, FAMILIES[family].finite, self._is_stress(family))
            for family, name in self._sources
        ]
        """All trials that may be tried, in order."""

    @property
    def model(self) -> nn.Module:
        """Model, in the state it was made with unless somebody calls it past `expected`."""
        return self._reference.model

    @property
    def changing(self) -> tuple[str, ...]:
        """Names of Model's tensors that forward changes; empty before the first forward."""
        return self._reference.changing

    @property
    def shares(self) -> bool:
        """Has an output of eager's lain in the memory of its inputs or of the model's state?"""
        return self._reference.shares

    def trial(self, index: int) -> Trial:
        """Make the inputs of draws[index] and the reference's answers to them.

        The same each time. Raises whatever get_inputs() and the reference's forward raise.
        """
        known = self.draws[index]
        self._on_step(f"{known.name} inputs")
        seed = secret_seed(self._secret, "forward", index)
        inputs = self._trial_inputs(index)
        weights = None
        if known.name == OTHER_WEIGHTS:
            weights = secret_seed(self._secret, "weights", index)
        with self._reference.other_weights(weights) if weights is not None else nullcontext():
            eager, truth = self._answers(inputs, seed, f"{known.name} inputs")
        return Trial(known.name, known.finite, known.stress, seed, inputs, eager, truth, weights)

    def weights(self, seed: int | None) -> dict[str, Tensor]:
        """Model's floating parameters by name, as a trial with this seed has them in a kernel's
        model; without one as all others have them."""
        return self._reference.weights(seed)

    def fresh(self, number: int, nearly: bool = False) -> Fresh:
        """Inputs for timed call `number`, with contents that no other call has had.

        nearly: are they to be those of the call before but for one element, where they can be?
        They depend on the secret and on the calls before, and lie in the memory of those of the
        next.
        """
        if self._stream is None:
            family = next((f for f in self._legal if FAMILIES[f].finite), self._legal[0])
            self._stream = Stream(
                lambda seed: self._inputs(FAMILIES[family], (), seed), self._secret, self._may_vary
            )
        return self._stream.next(number, nearly)

    def stranger(self, number: int, turn: int) -> Fresh:
        """As `fresh`, with values of another finite family of the contract, where there is one: a
        kernel that is right on the problem's own alone, once it has been judged, is wrong.

        turn: families take turns, so that a kernel sees all of them.
        """
        own = {name for name in self._legal if FAMILIES[name].scale is None}
        others = [
            name
            for name in self._legal
            if name not in own and FAMILIES[name].finite and not self._is_stress(name)
        ]
        if not others:
            return self.fresh(number)
        seed = secret_seed(self._secret, "stranger", number)
        first = secret_seed(self._secret, "first stranger")
        family = FAMILIES[others[(first + turn) % len(others)]]
        return Fresh(self._inputs(family, (), seed), secret_seed(self._secret, "forward", seed))

    def forget(self) -> None:
        """Give back the memory that `fresh` works from. What comes then is still never the same as
        what came before."""
        if self._stream is not None:
            self._stream.forget()
        devices.release(self._device)

    def expected(self, inputs: list[Any], seed: int) -> tuple[Any, Any]:
        """Eager's output and the truth on given inputs, which stay as they are.

        seed: of forward's random state. Raises whatever the reference raises.
        """
        return self._answers(inputs, seed, "the inputs of a call")

    def _answers(self, inputs: list[Any], seed: int, which: str) -> tuple[Any, Any]:
        if self._fits:
            return self._both(inputs, seed, which)
        with suppress(torch.OutOfMemoryError):
            answers = self._both(inputs, seed, which)
            self._fits = True
            return answers
        # Before a case's first answers no worker has memory for it, so that there is no more.
        self._reference.move_truth_to_host(self._device)
        devices.release(self._device)
        answers = self._both(inputs, seed, which)
        self._fits = True
        return answers

    def _both(self, inputs: list[Any], seed: int, which: str) -> tuple[Any, Any]:
        """On one device the truth comes first: its inputs in float64 are gone before eager's output
        takes memory. On the host it takes long, and is not begun in vain."""
        if self._reference.truth_on_host:
            eager = self._eager(inputs, seed, which)
            return eager, self._truth(inputs, seed, which)
        truth = self._truth(inputs, seed, which)
        return self._eager(inputs, seed, which), truth

    def _eager(self, inputs: list[Any], seed: int, which: str) -> Any:
        self._on_step(which)
        return self._reference.eager(inputs, seed)

    def _truth(self, inputs: list[Any], seed: int, which: str) -> Any:
        self._on_step(f"truth of {which}")
        return self._reference.truth(inputs, seed)

    def _trial_inputs(self, index: int) -> list[Any]:
        family, name = self._sources[index]
        seed = secret_seed(self._secret, "inputs", index)
        if name in AS_BEFORE and self._may_vary:
            before = self._sources.index((family, AS_BEFORE[name]))
            inputs = self._trial_inputs(before)
            if floating(inputs):
                change(inputs, seed)
                return inputs
        return self._inputs(FAMILIES[family], FAMILIES[family].draws[name], seed)

    def _inputs(self, family: Family, planted: Sequence[float], seed: int) -> list[Any]:
        own = self._form if family.scale is not None else None
        if own is None:
            own = self._own_inputs(seed)
            self._form = form(own)
        inputs: list[Any] = draw(own, family, planted, seed, self._device)
        return inputs

    def _own_inputs(self, seed: int) -> list[Any]:
        devices.reseed(seed)
        try:
            own = _listed("get_inputs", self._module.get_inputs())
        finally:
            # What is drawn next in this process must not tell where the inputs come from.
            devices.reseed(secret_seed(self._secret, "after inputs", seed))
        inputs: list[Any] = cast(own, self._dtype, self._device)
        return inputs


def _listed(function: str, values: Any) -> list[Any]:
    """What a problem's function returns. Raises TypeError if that is no list or tuple."""
    if not isinstance(values, list | tuple):
        raise TypeError(
            f"{function}() returns a {type(values).__name__}, and it is to return a list or tuple "
            "of the arguments, as in `return [x]`"
        )
    return list(values)
