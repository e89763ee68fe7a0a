"""Weights changed in place: where the constructor made nothing of them, and nowhere else."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from harness import weights


@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.Linear(3, 2),
        lambda: nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout(0.5)),
        lambda: nn.LSTM(3, 2, num_layers=2),
        lambda: nn.TransformerEncoderLayer(8, 2, batch_first=True),
    ],
)
def test_what_pytorch_s_own_modules_hold_is_nothing_but_weights(
    make: Callable[[], nn.Module],
) -> None:
    assert weights.has_only_weights(make())


@pytest.mark.parametrize(
    "held, only",
    [
        (None, True),
        ((3, "relu", 1e-5, [torch.int8]), True),
        (torch.arange(3), True),
        (torch.ones(3), False),
        ([(torch.ones(3),)], False),
        ({"packed": torch.ones(3)}, False),
        (functools.partial(torch.add, torch.ones(3)), False),
        (object(), False),
    ],
)
def test_what_else_a_model_may_hold(held: Any, only: bool) -> None:
    model = nn.Linear(3, 2)
    model.held = held
    assert weights.has_only_weights(nn.Sequential(model)) == only


def test_a_buffer_that_is_in_no_state_dict_is_made_of_something() -> None:
    model = nn.Linear(3, 2)
    model.register_buffer("kept", torch.ones(3))
    assert weights.has_only_weights(model)
    model.register_buffer("packed", torch.ones(3), persistent=False)
    assert not weights.has_only_weights(model)


def test_a_change_is_in_place_and_counts_as_one() -> None:
    model = nn.Sequential(nn.Linear(3, 2), nn.Linear(3, 2))
    model[1].weight = model[0].weight
    weight, new = model[0].weight, torch.rand(2, 3)
    address, version = weight.data_ptr(), weight._version
    weights.change(model, {"0.weight": new, "1.weight": new})
    assert model[1].weight is weight and torch.equal(weight, new)
    assert weight.data_ptr() == address and weight._version > version
