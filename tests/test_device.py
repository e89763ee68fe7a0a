"""What every call of a model has in common, and where it runs."""

from __future__ import annotations

import os
import random
from collections.abc import Callable

import numpy
import pytest
import torch
from torch import nn

from harness import device as devices


def test_forward_starts_from_the_seed_it_is_given() -> None:
    dropout = torch.nn.Dropout(0.5)
    x = torch.ones(100)
    first, again, other = (devices.forward(dropout, [x], seed) for seed in (3, 3, 4))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert not devices.forward(torch.nn.Linear(2, 2), [torch.ones(2)], 0).requires_grad


@pytest.mark.parametrize(
    "drawn", [lambda: torch.rand(1).item(), random.random, lambda: numpy.random.rand()]
)
def test_a_seed_is_that_of_everything_that_may_be_drawn_from(drawn: Callable[[], float]) -> None:
    def after(seed: int) -> float:
        devices.reseed(seed)
        return drawn()

    assert after(3) == after(3) != after(4)
    assert after(2**64 - 1) == after(2**64 - 1) != after(0)


def test_torch_draws_after_a_seed_as_after_manual_seed() -> None:
    devices.reseed(7)
    drawn = torch.rand(5)
    torch.manual_seed(7)
    assert torch.equal(drawn, torch.rand(5))


def test_float32_means_float32() -> None:
    torch.set_float32_matmul_precision("medium")
    devices.pin_precision()
    assert torch.get_float32_matmul_precision() == "highest"
    assert not torch.backends.cuda.matmul.allow_tf32
    assert not torch.backends.cudnn.allow_tf32


# dtypes


@pytest.mark.parametrize(
    "own, dtype, becomes",
    [
        (torch.float32, torch.bfloat16, torch.bfloat16),
        (torch.float16, torch.float64, torch.float64),
        (torch.complex64, torch.float32, torch.complex64),
        (torch.complex64, torch.float64, torch.complex128),
        (torch.complex128, torch.float16, torch.complex64),
        (torch.int32, torch.float16, torch.int32),
        (torch.bool, torch.float64, torch.bool),
    ],
)
def test_what_a_dtype_becomes(own: torch.dtype, dtype: torch.dtype, becomes: torch.dtype) -> None:
    assert devices.like(own, dtype) is becomes


def test_a_model_in_a_dtype_keeps_its_imaginary_parts_and_its_integers() -> None:
    model = nn.Linear(2, 2)
    model.register_buffer("phase", torch.tensor([1 + 2j]))
    model.register_buffer("steps", torch.tensor(3))
    assert devices.in_dtype(model, torch.float64) is model
    assert model.weight.dtype is torch.float64 and isinstance(model.weight, nn.Parameter)
    assert model.phase.dtype is torch.complex128 and model.phase.item() == 1 + 2j
    assert model.steps.dtype is torch.int64


# cores


@pytest.fixture
def affinity(monkeypatch: pytest.MonkeyPatch) -> list[set[int]]:
    """Stands in for the system's: one entry for each time that it was set, the latest last."""
    asked = [{2, 3, 5}]
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: asked[-1])
    monkeypatch.setattr(os, "sched_setaffinity", lambda pid, cores: asked.append(set(cores)))
    return asked


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Of torch, likewise."""
    asked = [3]
    monkeypatch.setattr(torch, "get_num_threads", lambda: asked[-1])
    monkeypatch.setattr(torch, "set_num_threads", asked.append)
    return asked


def test_the_clock_has_a_core_that_no_one_else_has(affinity: list[set[int]]) -> None:
    assert devices.cores() == ([2], [3, 5])


def test_one_core_is_shared(affinity: list[set[int]]) -> None:
    affinity.append({4})
    assert devices.cores() == ([4], [4])


def test_cores_and_threads_are_given_back(affinity: list[set[int]], threads: list[int]) -> None:
    with devices.on_cores([5, 3]):
        assert (affinity[-1], threads[-1]) == ({3, 5}, 2)
    assert (affinity[-1], threads[-1]) == ({2, 3, 5}, 3)


def test_cores_and_threads_are_given_back_after_an_error(
    affinity: list[set[int]], threads: list[int]
) -> None:
    with pytest.raises(ZeroDivisionError), devices.on_cores([5]):
        1 / 0  # noqa: B018
    assert (affinity[-1], threads[-1]) == ({2, 3, 5}, 3)
