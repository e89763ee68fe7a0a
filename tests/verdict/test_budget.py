"""The budget as a number. What passes and what fails by it: test_compare.py."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from harness.verdict.budget import frobenius_budget, worst_budget

DTYPES = (torch.float32, torch.float16, torch.bfloat16, torch.float64)
Budget = Callable[[float, torch.dtype], float]


@pytest.mark.parametrize("budget", [frobenius_budget, worst_budget])
@pytest.mark.parametrize("dtype", DTYPES)
def test_it_grows_with_eagers_error_from_some_ulps(budget: Budget, dtype: torch.dtype) -> None:
    ulp = torch.finfo(dtype).eps
    floor = budget(0.0, dtype)
    assert 0.2 * ulp < floor
    factor = (budget(0.25, dtype) - floor) / 0.25
    assert factor > 1
    assert budget(1.0, dtype) - floor == pytest.approx(factor)


def test_16_bits_have_no_room_for_16_bit_accumulation() -> None:
    for dtype in (torch.float16, torch.bfloat16):
        assert frobenius_budget(0.0, dtype) < torch.finfo(dtype).eps


def test_float32_has_no_room_for_tf32() -> None:
    assert frobenius_budget(0.0, torch.float32) < 2**-11  # TF32 rounds its inputs to 11 bits


def test_the_worst_element_may_be_further_off_than_the_whole() -> None:
    for dtype in DTYPES:
        assert worst_budget(1e-3, dtype) > frobenius_budget(1e-3, dtype)
