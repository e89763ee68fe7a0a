"""The reference's answers: each from the same state, whatever forward does to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from harness.verdict.reference import Reference

X = torch.rand(4, 3, generator=torch.Generator().manual_seed(1))


class Stateful(nn.Module):
    """Changes all that a module can keep, in the ways that it can be changed."""

    def __init__(self) -> None:
        super().__init__()
        self.still = nn.Parameter(torch.rand(3))
        self.moved = nn.Parameter(torch.ones(3))
        self.register_buffer("n", torch.zeros(1))
        self.register_buffer("replaced", torch.zeros(1))
        self.register_buffer("grown", torch.zeros(1))
        self.register_buffer("hidden", torch.zeros(1), persistent=False)
        self.register_buffer("tied", self.n)
        self.plain = torch.zeros(1)
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.n += 1
        self.replaced = self.replaced + 1
        self.grown = torch.cat([self.grown, x[0]])
        self.hidden.add_(1)
        self.plain.add_(1)
        self.calls += 1
        self.last = x
        self.moved.data.mul_(2)
        state = self.n + self.replaced + self.grown.numel() + self.hidden + self.plain + self.calls
        return x * (self.still + self.moved + state)


def expected(model: Stateful, x: Tensor) -> Tensor:
    return x * (model.still.detach().to(x.dtype) + 2 + 9)


def test_every_answer_starts_from_the_state_the_model_was_made_with() -> None:
    model = Stateful()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    attributes = set(vars(model))
    reference = Reference(model, torch.float32)
    for seed in range(3):
        torch.testing.assert_close(reference.eager([X], seed), expected(model, X))
        torch.testing.assert_close(reference.truth([X], seed), expected(model, X.double()))
        after = model.state_dict()
        assert list(after) == list(before)
        assert all(torch.equal(after[name], value) for name, value in before.items())
        assert set(vars(model)) == attributes and model.calls == 0 and model.plain == 0


def test_what_forward_changes_is_named() -> None:
    reference = Reference(Stateful(), torch.float32)
    assert reference.changing == ()
    reference.eager([X], 1)
    assert set(reference.changing) == {
        *("moved", "n", "replaced", "grown", "hidden", "tied", "plain"),
    }
    still = Reference(nn.Linear(3, 2), torch.float32)
    still.eager([X], 1)
    assert still.changing == ()
    norm = Reference(nn.BatchNorm1d(3), torch.float32)
    norm.eager([X], 1)
    assert norm.changing == ("running_mean", "running_var", "num_batches_tracked")


def test_what_a_later_forward_changes_is_restored_and_named_as_well() -> None:
    class Sometimes(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("n", torch.zeros(1))

        def forward(self, x: Tensor) -> Tensor:
            if x.sum() > 100:
                self.n += 1
            return x + self.n

    reference = Reference(Sometimes(), torch.float32)
    for _ in range(2):
        assert torch.equal(reference.eager([X], 1), X)
        assert torch.equal(reference.eager([X + 100], 1), X + 100 + 1)
        assert torch.equal(reference.truth([X + 100], 1), (X + 100).double() + 1)
        assert reference.model.n == 0
    assert reference.changing == ("n",)


def test_a_forward_that_raises_leaves_the_state_alone() -> None:
    class Raising(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(1))
            self.register_buffer("wide", torch.ones(1).expand(5))  # nobody can write to it

        def forward(self, x: Tensor) -> Tensor:
            if x.isnan().any():
                self.weight.data.zero_()
                raise ValueError("no")
            return x * self.weight

    reference = Reference(Raising(), torch.float32)
    for answer in (reference.eager, reference.truth):
        with pytest.raises(ValueError, match="no"):
            answer([X * torch.nan], 1)
        assert reference.model.weight == 1
    for answer in (reference.eager, reference.truth):
        assert torch.equal(answer([X], 1).float(), X)
    assert reference.changing == ()  # what was put back counts for nothing


def test_calls_by_others_are_undone_before_an_answer() -> None:
    model = Stateful()
    reference = Reference(model, torch.float32)
    reference.eager([X], 1)
    with torch.no_grad():
        model(X)
    assert model.n == 1
    torch.testing.assert_close(reference.eager([X], 1), expected(model, X))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_the_state_comes_back_to_the_bit(dtype: torch.dtype) -> None:
    class Spoiling(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("b", torch.cat([torch.randn(1000), torch.tensor([torch.inf])]))
            self.b[3] = torch.nan
            self.register_buffer("i", torch.tensor([2**62 + 1]))

        def forward(self, x: Tensor) -> Tensor:
            self.b.zero_()
            self.i.zero_()
            return x

    model = Spoiling().to(dtype)
    before = model.b.clone(), model.i.clone()
    reference = Reference(model, dtype)
    reference.eager([X.to(dtype)], 1)
    reference.truth([X.to(dtype)], 1)
    assert torch.equal(model.b.nan_to_num(7), before[0].nan_to_num(7)) and model.b[3].isnan()
    assert torch.equal(model.i, before[1])


def test_an_output_that_is_a_part_of_the_state_outlives_it() -> None:
    class Counting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("n", torch.zeros(2))

        def forward(self, x: Tensor) -> dict[str, Any]:
            self.n += 1
            return {"n": [self.n[:1]], "x": x}

    reference = Reference(Counting(), torch.float32)
    for answer in (reference.eager, reference.truth):
        assert answer([X], 1)["n"][0].tolist() == [1]


def test_inputs_stay_as_they_are_wherever_they_lie() -> None:
    class InPlace(nn.Module):
        def forward(self, x: Tensor, more: dict[str, list[Tensor]]) -> Tensor:
            x.zero_()
            more["index"][0].zero_()
            return x + more["index"][0]

    index = torch.arange(3)
    reference = Reference(InPlace(), torch.float32)
    for answer in (reference.eager, reference.truth):
        assert not answer([X, {"index": [index]}], 1).any()
    assert X.all() and index.tolist() == [0, 1, 2]


LAYOUTS: dict[str, Callable[[Tensor], Tensor]] = {
    "strided": lambda x: x[:, ::2],
    "expanded": lambda x: x[:1].expand(5, 3),
    "offset": lambda x: x[1:],
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_eager_and_truth_see_the_layout(name: str) -> None:
    class Layout(nn.Module):
        def forward(self, x: Tensor) -> tuple[Any, ...]:
            return x.stride(), x.storage_offset(), x.dtype

    x = LAYOUTS[name](X)
    reference = Reference(Layout(), torch.float32)
    assert reference.eager([x], 1) == (x.stride(), x.storage_offset(), torch.float32)
    assert reference.truth([x], 1) == (x.stride(), x.storage_offset(), torch.float64)


def test_the_truth_is_float64_throughout() -> None:
    class Constants(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(3, 2)
            self.first = (torch.rand(1, 2), {"c": torch.rand(1, 2)})  # neither parameter nor buffer
            self.register_buffer("turn", torch.view_as_complex(torch.randn(2, 2)))

        def forward(self, x: Tensor) -> Tensor:
            hidden, more = self.first
            out, _ = self.lstm(x, (hidden, more["c"]))
            return torch.view_as_real(out * self.turn) @ torch.ones(2, 2)

    reference = Reference(Constants(), torch.float32)
    eager, truth = reference.eager([X], 1), reference.truth([X], 1)
    assert truth.dtype == torch.float64 and not torch.equal(truth, truth.float().double())
    torch.testing.assert_close(eager.double(), truth, rtol=1e-5, atol=1e-6)
    assert reference.model.first[0].dtype == torch.float32


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_random_numbers_are_the_same_for_eager_and_truth_and_from_the_seed(
    dtype: torch.dtype,
) -> None:
    class Random(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            noise = torch.randn(x.shape, dtype=x.dtype) + torch.rand_like(x)
            return nn.functional.dropout(x + noise) * torch.bernoulli(torch.full_like(x, 0.9))

    x = torch.rand(50, 50).to(dtype)
    reference = Reference(Random(), dtype)
    eager, truth = reference.eager([x], 5), reference.truth([x], 5)
    close = 8 * torch.finfo(dtype).eps
    torch.testing.assert_close(eager.double(), truth, rtol=close, atol=close)
    assert torch.equal(eager, reference.eager([x], 5))
    assert not torch.equal(eager, reference.eager([x], 6))
