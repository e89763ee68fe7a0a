"""What every call of a model has in common."""

from __future__ import annotations

import random

import numpy
import pytest
import torch

from harness.device import forward, in_dtype, like, pin_precision, reseed


def test_forward_starts_from_the_seed_it_is_given() -> None:
    dropout = torch.nn.Dropout(0.5)
    x = torch.ones(100)
    first, again, other = (forward(dropout, [x], seed) for seed in (3, 3, 4))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert not forward(torch.nn.Linear(2, 2), [torch.ones(2)], 0).requires_grad


def test_every_random_state_starts_from_the_seed() -> None:
    def drawn(seed: int) -> list[float]:
        reseed(seed)
        return [torch.rand(()).item(), random.random(), numpy.random.rand()]

    big = 2**63 - 1
    first, again, other = drawn(big), drawn(big), drawn(4)
    assert first == again
    assert all(a != b for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize(
    "own, dtype, expected",
    [
        (torch.float32, torch.bfloat16, torch.bfloat16),
        (torch.complex64, torch.float64, torch.complex128),
        (torch.complex128, torch.bfloat16, torch.complex64),
        (torch.int32, torch.float64, torch.int32),
        (torch.bool, torch.float64, torch.bool),
    ],
)
def test_values_become_the_like_of_a_dtype(
    own: torch.dtype, dtype: torch.dtype, expected: torch.dtype
) -> None:
    assert like(own, dtype) is expected


def test_a_model_in_another_dtype_keeps_imaginary_parts_and_integers() -> None:
    model = torch.nn.BatchNorm1d(2)
    model.register_buffer("turns", torch.tensor([1 + 2j]))
    in_dtype(model, torch.float64)
    assert model.weight.dtype == model.running_mean.dtype == torch.float64
    assert model.num_batches_tracked.dtype == torch.int64
    assert torch.equal(model.turns, torch.tensor([1 + 2j], dtype=torch.complex128))


def test_float32_means_float32() -> None:
    torch.set_float32_matmul_precision("medium")
    pin_precision()
    assert torch.get_float32_matmul_precision() == "highest"
    assert not torch.backends.cuda.matmul.allow_tf32
    assert not torch.backends.cudnn.allow_tf32
