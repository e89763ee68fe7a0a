"""Inputs of a family, drawn in the place of a problem's own."""

from __future__ import annotations

import math

import pytest
import torch

from harness.records import FAMILIES, Family
from harness.verdict.inputs import draw

NORMAL = Family(2.0, {})


def test_a_problems_own_inputs_stay_themselves() -> None:
    own = [torch.ones(3), 4]
    inputs = draw(own, FAMILIES["own"], (), seed=1)
    assert inputs[0] is own[0]
    assert inputs[1] == 4


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_floating_tensors_are_replaced_by_others_of_their_shape_and_dtype(
    dtype: torch.dtype,
) -> None:
    (values,) = draw([torch.zeros(50, 40, dtype=dtype)], NORMAL, (), seed=1)
    assert (values.shape, values.dtype) == ((50, 40), dtype)
    assert values.float().std().item() == pytest.approx(2, rel=0.1)


@pytest.mark.parametrize("value", [torch.arange(5), torch.tensor([True, False]), 3, "sum", None])
def test_what_is_no_floating_tensor_is_data_and_stays(value: object) -> None:
    assert draw([value], NORMAL, (math.nan,), seed=1)[0] is value


def test_the_seed_decides_and_two_inputs_of_one_shape_differ() -> None:
    own = [torch.zeros(20), torch.zeros(20)]
    first, again, other = (draw(own, NORMAL, (), seed) for seed in (1, 1, 2))
    assert all(map(torch.equal, first, again))
    assert not any(map(torch.equal, first, other))
    assert not torch.equal(*first)


def test_drawing_leaves_the_random_state_that_a_problem_draws_from() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    draw([torch.zeros(20)], NORMAL, (math.nan,), seed=1)
    assert torch.equal(torch.rand(3), expected)


def test_special_values_stand_in_a_few_places_of_every_floating_input() -> None:
    for values in draw([torch.zeros(1000)] * 2, NORMAL, (math.inf, -math.inf), seed=1):
        assert 1 <= values.isposinf().sum() <= 8
        assert 1 <= values.isneginf().sum() <= 8
        assert values.isfinite().sum() >= 984


def test_there_is_no_place_for_special_values_in_an_empty_tensor() -> None:
    (values,) = draw([torch.zeros(0, 4)], NORMAL, (math.nan,), seed=1)
    assert values.shape == (0, 4)
