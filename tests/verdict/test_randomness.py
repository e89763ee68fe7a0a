"""What forward draws in float64 is what it draws in the case's dtype."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from harness.verdict.randomness import widened

DRAWS: dict[str, Callable[[Tensor], Tensor]] = {
    "randn": lambda x: x + torch.randn(x.shape, dtype=x.dtype, device=x.device),
    "rand": lambda x: x * torch.rand(x.shape, dtype=x.dtype, device=x.device),
    "rand_like": lambda x: x + torch.rand_like(x),
    "randn_like": lambda x: x + torch.randn_like(x),
    "randn_like expanded": lambda x: x + torch.randn_like(x[:1].expand_as(x)),
    "rand_like transposed": lambda x: x.t() + torch.rand_like(x.t()),
    "dropout": lambda x: functional.dropout(x, 0.3),
    "dropout twice": lambda x: functional.dropout(functional.dropout(x, 0.3), 0.3),
    "dropout1d": lambda x: functional.dropout1d(x, 0.5),
    "alpha dropout": lambda x: functional.alpha_dropout(x, 0.3, training=True),
    "bernoulli": lambda x: torch.bernoulli(torch.full_like(x, 0.4)) + x,
    "bernoulli in place": lambda x: x * torch.empty_like(x).bernoulli_(0.4),
    "normal in place": lambda x: x + x.clone().normal_(),
    "normal strided in place": lambda x: x[:, ::2].normal_() + x[:, 1::2],
    "uniform": lambda x: x + torch.empty_like(x).uniform_(-1, 1),
    "exponential": lambda x: x + torch.empty_like(x).exponential_(),
    "normal of means": lambda x: torch.normal(x, 2.0),
    "gumbel": lambda x: functional.gumbel_softmax(x, dim=-1),
    "rrelu": lambda x: functional.rrelu(x - 0.5, training=True),
    "new_empty": lambda x: x.new_empty(x.shape).normal_() + x,
    "poisson": lambda x: torch.poisson(x.abs() * 10) + x,
    "multinomial": lambda x: x.gather(1, torch.multinomial(torch.ones_like(x), 4)),
    "randint": lambda x: x[:, torch.randint(x.shape[1], (5,))],
    "randperm": lambda x: x[torch.randperm(len(x))],
    "randint_like": lambda x: x + torch.randint_like(x, 100),
    "out": lambda x: x + torch.randn(x.shape, out=torch.empty_like(x)),
}

BEYOND_REACH = {
    *("dropout", "dropout twice", "dropout1d", "alpha dropout", "bernoulli in place"),
    *("randn", "rand", "randint", "randperm"),
}
"""On a GPU, whose truth is computed on the host."""


def answers(
    forward: Callable[[Tensor], Tensor], dtype: torch.dtype, device: str = "cpu",
    on_host: bool = False,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    x = torch.rand(40, 30, generator=torch.Generator().manual_seed(1)).to(device, dtype)
    torch.manual_seed(2)
    eager = forward(x.clone())
    torch.manual_seed(2)
    with widened(dtype, torch.device(device) if on_host else None):
        truth = forward(x.double().cpu() if on_host else x.double())
    return eager, truth


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("name", DRAWS)
@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def test_draws_are_the_same(name: str, dtype: torch.dtype, device: str) -> None:
    eager, truth = answers(DRAWS[name], dtype, device)
    assert eager.dtype == dtype and truth.dtype == torch.float64
    if "multinomial" not in name:
        assert not torch.equal(eager, answers(lambda x: x, dtype, device)[0])  # it does draw
    close = 8 * torch.finfo(dtype).eps
    torch.testing.assert_close(eager.double(), truth, rtol=close, atol=close)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", DRAWS)
@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def test_on_the_host_draws_are_those_of_the_device_or_none(
    name: str, dtype: torch.dtype, device: str
) -> None:
    try:
        eager, truth = answers(DRAWS[name], dtype, device, on_host=True)
    except torch.OutOfMemoryError:
        assert device == "cuda" and name in BEYOND_REACH
        return
    assert truth.dtype == torch.float64 and truth.device.type == "cpu"
    close = 8 * torch.finfo(dtype).eps
    torch.testing.assert_close(eager.double().cpu(), truth, rtol=close, atol=close)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(
    "forward",
    [
        lambda x: x + torch.randn(x.shape),
        lambda x: x + torch.rand(x.shape, dtype=torch.float32),
        lambda x: x + torch.normal(0, 1, x.shape),
        lambda x: x.float() @ torch.randn(30, 3),
    ],
)
def test_draws_of_no_stated_dtype_are_eagers_float32(
    forward: Callable[[Tensor], Tensor], dtype: torch.dtype
) -> None:
    eager, truth = answers(forward, dtype)
    assert eager.dtype == torch.float32 and truth.dtype == torch.float64
    torch.testing.assert_close(eager.double(), truth, rtol=1e-5, atol=1e-5)


def test_new_tensors_are_wide_within_and_no_longer() -> None:
    with pytest.raises(KeyError), widened(torch.float32):
        assert torch.zeros(2).dtype == torch.float64
        raise KeyError
    assert torch.zeros(2).dtype == torch.float32
    torch.manual_seed(1)
    expected = torch.randn(3)
    torch.manual_seed(1)
    assert torch.equal(torch.randn(3), expected)


def test_a_cast_to_gain_precision_loses_none() -> None:
    for cast in (lambda x: x.float(), lambda x: x.to(torch.float32), lambda x: x.float().half()):
        _, truth = answers(lambda x, cast=cast: cast(x / 3), torch.bfloat16)
        x = answers(lambda x: x, torch.bfloat16)[1]
        assert truth.dtype == torch.float64 and torch.equal(truth, x / 3)
    _, truth = answers(lambda x: torch.ones(40, dtype=torch.float32) @ x, torch.float32)
    assert truth.dtype == torch.float64


def test_a_cast_to_less_precision_loses_it() -> None:
    eager, truth = answers(lambda x: (x / 3).bfloat16(), torch.float32)
    assert eager.dtype == truth.dtype == torch.bfloat16
    eager, truth = answers(lambda x: (x / 3).float(), torch.float64)
    assert torch.equal(eager, truth)
    assert answers(lambda x: x.long(), torch.float32)[1].dtype == torch.int64


def test_dropout_keeps_the_precision_of_what_it_leaves() -> None:
    # As CUDA has it: one operator with a mask.
    def forward(x: Tensor) -> Tensor:
        return torch.native_dropout(x, 0.25, True)[0]

    eager, truth = answers(forward, torch.bfloat16)
    x = answers(lambda x: x, torch.bfloat16)[1]
    assert torch.equal(eager == 0, truth == 0) and 200 < (truth == 0).sum() < 400
    torch.testing.assert_close(truth[truth != 0], (x / 0.75)[truth != 0], rtol=1e-14, atol=0)


def test_a_layer_that_computes_stays_in_float64() -> None:
    lstm = torch.nn.LSTM(30, 4, num_layers=2, dropout=0.5).double()
    x = torch.rand(5, 2, 30, dtype=torch.float64)
    with torch.no_grad(), widened(torch.float32):
        torch.manual_seed(1)
        wide = lstm(x)[0]
    assert not torch.equal(wide, wide.float().double())
