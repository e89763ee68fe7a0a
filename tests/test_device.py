"""What every call of a model has in common."""

from __future__ import annotations

import torch

from harness.device import forward, pin_precision


def test_forward_starts_from_the_seed_it_is_given() -> None:
    dropout = torch.nn.Dropout(0.5)
    x = torch.ones(100)
    first, again, other = (forward(dropout, [x], seed) for seed in (3, 3, 4))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert not forward(torch.nn.Linear(2, 2), [torch.ones(2)], 0).requires_grad


def test_float32_means_float32() -> None:
    torch.set_float32_matmul_precision("medium")
    pin_precision()
    assert torch.get_float32_matmul_precision() == "highest"
    assert not torch.backends.cuda.matmul.allow_tf32
    assert not torch.backends.cudnn.allow_tf32
