"""How far from the truth a kernel may be."""

from __future__ import annotations

import torch

FROBENIUS_FACTOR = 4.0

FROBENIUS_FACTOR_16_BIT = 2.0

WORST_FACTOR = 16.0
"""An extreme of millions of elements varies more than their norm does."""

ACCUMULATION_ULPS = 64.0
"""Measured: summing 8192 normal products one after another in float32 is 14 ulps off in norm and
38 in the worst of 400 sums; what follows a sum may amplify that."""

FLOAT64_ULPS = 4096.0
"""A float64 case has no wider truth to measure eager's error by, and a steep function after a sum
amplifies its rounding (274 ulps were seen). Still far below the error of float32 arithmetic."""


def frobenius_budget(eager_error: float, dtype: torch.dtype) -> float:
    """How far a kernel may be from the truth in relative Frobenius norm."""
    info = torch.finfo(dtype)
    factor = FROBENIUS_FACTOR_16_BIT if info.bits == 16 else FROBENIUS_FACTOR
    return factor * eager_error + 12**-0.5 * info.eps + _accumulation(dtype)


def worst_budget(eager_error: float, dtype: torch.dtype) -> float:
    """How far a kernel's worst element may be from the truth, relative to the largest one."""
    return WORST_FACTOR * eager_error + 0.5 * torch.finfo(dtype).eps + _accumulation(dtype)


def _accumulation(dtype: torch.dtype) -> float:
    if torch.finfo(dtype).bits == 64:
        return FLOAT64_ULPS * torch.finfo(dtype).eps
    return ACCUMULATION_ULPS * torch.finfo(torch.float32).eps
