"""What every call of a model has in common, and where it runs."""

from __future__ import annotations

import os
import random
from types import SimpleNamespace

import numpy
import pytest
import torch

from harness.device import (
    cores,
    facts,
    forward,
    get_ready,
    in_dtype,
    like,
    on_cores,
    pin_precision,
    reseed,
)
from harness.records import Machine


def test_the_cpu_is_always_there() -> None:
    known = facts("cpu")
    assert known["device"] == "cpu"
    assert known["threads"] >= 1


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
@pytest.mark.parametrize("device", ["cuda", "cuda:3"])
def test_a_gpu_that_is_not_there_is_a_fact_too(device: str) -> None:
    assert facts(device) == {"device_count": 0}


@pytest.mark.parametrize(
    "device, meant",
    [("auto", "cuda"), ("cuda", "cuda"), ("cuda:1", "cuda:1"), ("cuda:01", "cuda:1")],
)
def test_what_torch_says_of_a_gpu_makes_a_machine(
    device: str, meant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    properties = SimpleNamespace(
        name="a pretended GPU", uuid="abc", major=9, minor=0, multi_processor_count=132,
        total_memory=1 << 36, L2_cache_size=1 << 25,
    )  # fmt: skip
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(
        torch.cuda, "get_device_properties", lambda index: asked.append(index) or properties
    )
    machine = Machine(**facts(device))
    assert (machine.device, machine.device_name) == (meant, "a pretended GPU")
    assert asked == [1 if "1" in meant else 0]
    assert facts("cuda:2") == {"device_count": 2}


def test_auto_is_the_gpu_where_there_is_one() -> None:
    expected = "cuda" if torch.cuda.is_available() else "cpu"
    assert facts("auto")["device"] == expected


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


def test_torch_draws_after_a_seed_as_after_manual_seed() -> None:
    reseed(7)
    drawn = torch.rand(5)
    torch.manual_seed(7)
    assert torch.equal(drawn, torch.rand(5))


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
    assert cores() == ([2], [3, 5])


def test_one_core_is_shared(affinity: list[set[int]]) -> None:
    affinity.append({4})
    assert cores() == ([4], [4])


def test_cores_and_threads_are_given_back(affinity: list[set[int]], threads: list[int]) -> None:
    with on_cores([5, 3]):
        assert (affinity[-1], threads[-1]) == ({3, 5}, 2)
    assert (affinity[-1], threads[-1]) == ({2, 3, 5}, 3)


def test_cores_and_threads_are_given_back_after_an_error(
    affinity: list[set[int]], threads: list[int]
) -> None:
    with pytest.raises(ZeroDivisionError), on_cores([5]):
        1 / 0  # noqa: B018
    assert (affinity[-1], threads[-1]) == ({2, 3, 5}, 3)


def test_a_device_gets_ready() -> None:
    get_ready("cuda" if torch.cuda.is_available() else "cpu")
