"""Lets forward run in float64 and draw the same random numbers as it draws in a case's dtype.

A draw depends on the dtype it is made in: `torch.randn(3)` and `torch.randn(3, dtype=float64)` are
unrelated from one random state, and so are draws in float32 and bfloat16. So the truth's draws are
made in the dtype that eager makes them in, and widened.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from harness.device import like
from harness.verdict.inputs import copied, rebuilt

DRAWS = frozenset(
    {
        *("rand", "randn", "rand_like", "randn_like", "randint", "randint_like", "randperm"),
        *("bernoulli", "cauchy", "exponential", "geometric", "log_normal", "normal", "uniform"),
        *("random", "poisson", "binomial", "multinomial", "_standard_gamma", "_sample_dirichlet"),
        *("rrelu_with_noise", "rrelu_with_noise_functional"),
    }
)
"""Operators that are a draw and little else. What computes on data as well, as a recurrent layer
or attention with dropout does, is left in float64: its draws in float32 would cost the truth."""


@contextmanager
def widened(dtype: torch.dtype, drawing: torch.device | None = None) -> Iterator[None]:
    """Within, forward on float64 inputs and weights sees what it would draw in `dtype`.

    New tensors of no stated dtype are float64, so that constants fit the inputs, and what forward
    casts to `dtype` or a finer one, as by `x.float()`, is float64 as well: a cast to gain precision
    is to lose none. One thing is not seen: that eager draws in float32 what follows such a cast in
    a case of 16 bits.

    drawing: the device to draw on, if forward is run on the host in the place of that device; what
    forward wants there is made on the host. What cannot be drawn alike so raises OutOfMemoryError:
    on a GPU, dropout's numbers, and those of which nothing tells where eager draws them.
    """
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with _Draws(dtype, before, drawing):
            yield
    finally:
        torch.set_default_dtype(before)


class _Draws(TorchDispatchMode):  # type: ignore[no-untyped-call]
    def __init__(
        self, dtype: torch.dtype, default: torch.dtype, drawing: torch.device | None
    ) -> None:
        """default: what eager's draws of no stated dtype are in."""
        super().__init__()  # type: ignore[no-untyped-call]
        self._dtype = dtype
        self._default = default
        self._drawing = drawing

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # else torch imports its compiler, for seconds, at the first call

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        name = func._schema.name.removeprefix("aten::")
        if name == "native_dropout":
            return self._dropout(func, *args, **kwargs)
        if name.removesuffix("_") in DRAWS:
            return self._draw(func, name, args, kwargs)
        if kwargs.get("dtype") is not None:
            kwargs = {**kwargs, "dtype": self._widen(kwargs["dtype"])}
        if self._drawing is not None and kwargs.get("device") is not None:
            kwargs = {**kwargs, "device": torch.device("cpu")}
        return func(*args, **kwargs)

    def _draw(self, func: Any, name: str, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        narrow: dict[int, tuple[Tensor, Tensor]] = {}

        def narrowed(tensor: Tensor) -> Any:
            wanted = self._narrow(tensor.dtype)
            if wanted is tensor.dtype and self._drawing is None:
                return tensor
            # Of the same strides: a draw in place follows them.
            dtype = self._dtype if wanted is not tensor.dtype else None
            new = copied(tensor, dtype, self._drawing)
            narrow[id(new)] = (tensor, new)
            return new

        stated = kwargs.get("dtype")
        made = any(argument.name == "dtype" for argument in func._schema.arguments)
        like_a_tensor = any(isinstance(argument, Tensor) for argument in args)
        self._check(name, kwargs.get("device") if made and not like_a_tensor else self._drawing)
        args, kwargs = rebuilt(tuple(args), narrowed), rebuilt(kwargs, narrowed)
        if stated is not None:
            kwargs["dtype"] = self._narrow(stated)
        elif made and not like_a_tensor and not name.startswith(("randint", "randperm")):
            kwargs["dtype"] = self._default
        if made and self._drawing is not None:
            kwargs["device"] = self._drawing
        result = func(*args, **kwargs)
        if func._schema.is_mutable:
            for original, new in narrow.values():
                original.copy_(new)
        narrower = any(new.dtype is not original.dtype for original, new in narrow.values())
        widen = narrower or (made and not like_a_tensor) or kwargs.get("dtype") is not stated

        def widened(tensor: Tensor) -> Any:
            if id(tensor) in narrow:  # it was drawn in place
                return narrow[id(tensor)][0]
            host = torch.device("cpu") if self._drawing is not None else tensor.device
            return tensor.to(host, like(tensor.dtype, torch.float64) if widen else tensor.dtype)

        return rebuilt(result, widened)

    def _check(self, name: str, device: torch.device | None) -> None:
        """Raise OutOfMemoryError for a draw that is another on the host than where eager makes it.

        device: of a new tensor. Is it the host since eager has it there, or since inputs are here?
        On the host, dropout is `bernoulli_`; on a GPU it is an operator of its own.
        """
        if self._drawing is None or self._drawing.type != "cuda":
            return
        if name == "bernoulli_" or device is None or device.type != "cuda":
            raise torch.OutOfMemoryError(
                f"the device has no room for the truth, and `{name}` draws otherwise on the host"
            )

    def _dropout(self, func: Any, x: Tensor, p: float, train: bool | None) -> Any:
        """On CUDA the mask, too, depends on the dtype. What stays is scaled in float64."""
        if x.dtype is not torch.float64 or train is False:
            return func(x, p, train)
        _, mask = func(x.to(self._dtype), p, train)
        return x * mask * (1 / (1 - p) if p < 1 else 0.0), mask

    def _widen(self, dtype: torch.dtype) -> torch.dtype:
        """What a stated dtype is within."""
        if not (dtype.is_floating_point or dtype.is_complex):
            return dtype
        coarser = torch.finfo(dtype).eps > torch.finfo(self._dtype).eps
        return dtype if coarser else like(dtype, torch.float64)

    def _narrow(self, dtype: torch.dtype) -> torch.dtype:
        """What eager has where the truth has `dtype`."""
        wide = dtype in (torch.float64, torch.complex128)
        return like(dtype, self._dtype) if wide else dtype
