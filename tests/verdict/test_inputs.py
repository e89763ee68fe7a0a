"""Inputs as values: seeds, copies that keep their layout, draws of a family, small changes."""

from __future__ import annotations

import math
from collections import OrderedDict, namedtuple
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from harness.records import FAMILIES, Family
from harness.verdict.inputs import (
    cast,
    change,
    copied,
    draw,
    floating,
    form,
    rebuilt,
    secret_seed,
    tensors,
)

NORMAL = Family(2.0, {})

Pair = namedtuple("Pair", "first second")

LAYOUTS: dict[str, Callable[[], Tensor]] = {
    "every other column": lambda: torch.randn(4, 20)[:, ::2],
    "left columns": lambda: torch.randn(4, 20)[:, :10],
    "offset": lambda: torch.randn(41)[1:].view(4, 10),
    "expanded": lambda: torch.randn(4, 1).expand(4, 10),
    "expanded offset": lambda: torch.randn(3, 10)[1].expand(4, 10),
    "transposed": lambda: torch.randn(10, 4).t(),
    "channels last": lambda: torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last),
    "windows": lambda: torch.randn(12).unfold(0, 4, 2),
    "scalar": lambda: torch.randn(()),
    "empty": lambda: torch.randn(0, 4),
}


def changed(inputs: Any, seed: int) -> Any:
    new = copied(inputs)
    change(new, seed)
    return new


def layout(tensor: Tensor) -> tuple[Any, ...]:
    return tensor.shape, tensor.stride(), tensor.storage_offset()


def changes(value: Tensor, other: Tensor) -> int:
    return int((value != other).sum())


# Seeds


def test_seeds_are_known_by_their_purposes_alone() -> None:
    assert secret_seed("s", "inputs", 1) == secret_seed("s", "inputs", 1)
    different = [
        secret_seed(*purpose)
        for purpose in [
            *[("s",), ("s", "inputs", 1), ("s", "forward", 1), ("t", "inputs", 1)],
            *[("s", "inputs", "1"), ("s", "inputs1"), ("s", "in", "puts", 1), ("s", "inputs", 11)],
            *[("s", ("inputs", 1)), ("s", "inputs", 1, 1)],
        ]
    ]
    assert len(set(different)) == len(different)
    assert all(0 <= seed < 2**63 for seed in different)
    assert max(different) > 2**59  # all bits are used


# The tree


def test_rebuilding_keeps_every_kind_of_nesting() -> None:
    x = torch.ones(2)
    value = [x, (x, 3), Pair(x, "sum"), {"a": [x], "b": None}, OrderedDict(a=x), torch.Size([2])]
    new = rebuilt(value, lambda tensor: tensor + 1)
    assert all(torch.equal(tensor, x + 1) for tensor in tensors(new))
    assert len(tensors(new)) == 5
    assert [type(item) for item in new] == [type(item) for item in value]
    assert new[1][1] == 3 and new[2].second == "sum" and new[3]["b"] is None and new[5] == (2,)
    assert torch.equal(value[3]["a"][0], x)  # the old ones are left alone


# Copies


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("name", LAYOUTS)
def test_a_cast_keeps_the_layout(name: str, dtype: torch.dtype) -> None:
    x = LAYOUTS[name]()
    new = cast([x], dtype)[0]
    assert layout(new) == layout(x)
    assert new.dtype == dtype and torch.equal(new, x.to(dtype))
    spanned = x.untyped_storage().nbytes() // x.element_size()
    assert new.untyped_storage().nbytes() <= spanned * dtype.itemsize
    if x.numel():
        assert new.data_ptr() != x.data_ptr()


def test_a_view_of_little_costs_little() -> None:
    x = torch.randn(1_000_003)[1_000_001:]
    new = cast(x, torch.float64)
    assert torch.equal(new, x.double())
    assert new.untyped_storage().nbytes() < 1000
    assert new.storage_offset() % 64 == x.storage_offset() % 64


def test_gaps_hold_what_they_held() -> None:
    buffer = torch.arange(20.0).view(2, 10)
    new = cast(buffer[:, ::2], torch.float64)
    assert new.as_strided((9,), (2,), 1).tolist() == [1, 3, 5, 7, 9, 11, 13, 15, 17]


def test_tensors_of_one_storage_stay_so_wherever_they_are() -> None:
    x = torch.randn(4, 6)
    a, b, c = tensors(cast([x[1:], {"t": (x.t(),)}, torch.randn(3)], torch.float64))
    a[0, 0] = 7
    assert b[0, 1] == 7
    assert a.untyped_storage()._cdata == b.untyped_storage()._cdata
    assert a.untyped_storage()._cdata != c.untyped_storage()._cdata


def test_a_cast_leaves_what_is_not_floating() -> None:
    index, mask = torch.arange(3), torch.tensor([True])
    new = cast([index, mask, 2.0, "sum", None], torch.bfloat16)
    assert new[0] is index and new[1] is mask and new[2:] == [2.0, "sum", None]


@pytest.mark.parametrize(
    "dtype, expected",
    [(torch.float64, torch.complex128), (torch.bfloat16, torch.complex64)],
)
def test_complex_tensors_keep_their_imaginary_parts(
    dtype: torch.dtype, expected: torch.dtype
) -> None:
    x = torch.randn(5, dtype=torch.complex64)
    assert torch.equal(cast(x, dtype), x.to(expected))
    assert torch.equal(cast(x.conj(), dtype), x.conj().to(expected))


def test_a_copy_has_all_its_tensors_in_its_own_memory() -> None:
    x, index = torch.randn(4, 6)[:, ::2], torch.arange(3)
    new = copied([x, index])
    new[0].zero_()
    new[1].zero_()
    assert x.any() and index.any() and layout(new[0]) == layout(x)
    assert [t.dtype for t in copied([x, index], torch.float64)] == [torch.float64, torch.int64]


def test_a_copy_knows_no_gradients() -> None:
    x = torch.randn(3, requires_grad=True)
    assert not cast(x, torch.float64).requires_grad and not copied(x).requires_grad


# Draws


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


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_draw_keeps_the_layout(name: str) -> None:
    x = LAYOUTS[name]()
    new = draw([{"x": x}], NORMAL, (math.nan,), seed=1)[0]["x"]
    assert layout(new) == layout(x)
    if x.numel():
        assert new.isnan().any()
        assert not (new == x).any()


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_draw_needs_no_more_than_the_form(name: str) -> None:
    own = [{"x": LAYOUTS[name]()}, 3]
    kept = form(own)
    if not own[0]["x"].numel():
        assert kept is None
        return
    assert kept[0]["x"].is_meta
    expected = draw(own, NORMAL, (math.inf,), seed=1)
    found = draw(kept, NORMAL, (math.inf,), seed=1, device=torch.device("cpu"))
    assert found[1] == 3 and layout(found[0]["x"]) == layout(expected[0]["x"])
    assert torch.equal(found[0]["x"], expected[0]["x"])


def test_a_form_knows_which_tensors_are_views_of_one_memory_and_shows_nothing_else() -> None:
    x = torch.full((100,), 7.0)
    kept = form([x[:10], x[50:], x[5:8]])
    a, b, c = draw(kept, NORMAL, (), seed=1, device=torch.device("cpu"))
    assert torch.equal(a[5:8], c) and a.data_ptr() + 5 * 4 == c.data_ptr()
    between = a.as_strided((40,), (1,), a.storage_offset() + 10)
    assert b.data_ptr() == a.data_ptr() + 50 * 4 and not between.any()


@pytest.mark.parametrize("value", [torch.arange(5), torch.eye(2).to_sparse(), torch.ones(0)])
def test_what_is_not_drawn_has_no_form(value: torch.Tensor) -> None:
    assert form([torch.ones(3), value]) is None


def test_what_covers_one_memory_is_drawn_as_one() -> None:
    x = torch.zeros(40, 50)
    a, b = draw([x, x.t()], NORMAL, (), seed=1)
    assert torch.equal(a.t(), b) and a.std().item() == pytest.approx(2, rel=0.1)
    x = torch.zeros(20)
    part, whole = draw([x[:10], x], NORMAL, (math.nan,), seed=1)
    assert part.isnan().any() and torch.equal(part.isnan(), whole[:10].isnan())


@pytest.mark.parametrize("value", [torch.arange(5), torch.tensor([True, False]), 3, "sum", None])
def test_what_is_no_floating_tensor_is_data_and_stays(value: object) -> None:
    assert draw([value], NORMAL, (math.nan,), seed=1)[0] is value
    assert draw([value, torch.ones(3)], NORMAL, (math.nan,), seed=1)[0] is value


def test_the_seed_decides_and_two_inputs_of_one_shape_differ() -> None:
    own = [torch.zeros(20), [torch.zeros(20)]]
    first, again, other = (tensors(draw(own, NORMAL, (), seed)) for seed in (1, 1, 2))
    assert all(map(torch.equal, first, again))
    assert not any(map(torch.equal, first, other))
    assert not torch.equal(*first)


def test_drawing_leaves_the_random_state_that_a_problem_draws_from() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    draw([torch.zeros(20)], NORMAL, (math.nan,), seed=1)
    changed([torch.rand(20, generator=torch.Generator())], seed=1)
    assert torch.equal(torch.rand(3), expected)


def test_special_values_stand_in_a_few_places_of_every_floating_input() -> None:
    for values in draw([torch.zeros(1000)] * 2, NORMAL, (math.inf, -math.inf), seed=1):
        assert 1 <= values.isposinf().sum() <= 16  # one tensor, given twice
        assert 1 <= values.isneginf().sum() <= 16
        assert values.isfinite().sum() >= 968
    for values in draw([torch.zeros(1000), torch.zeros(1000)], NORMAL, (math.inf,), seed=1):
        assert 1 <= values.isposinf().sum() <= 8


def test_there_is_no_place_for_special_values_in_an_empty_tensor() -> None:
    (values,) = draw([torch.zeros(0, 4)], NORMAL, (math.nan,), seed=1)
    assert values.shape == (0, 4)


# Changes


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64])
def test_one_element_becomes_another_ones_value(dtype: torch.dtype) -> None:
    x = torch.rand(1000).to(dtype)
    places = set()
    for seed in range(20):
        (new,) = changed([x], seed)
        assert changes(new, x) == 1
        place = int((new != x).nonzero())
        assert (new[place] - x[place]).abs() > 0.3
        assert (x == new[place]).any()
        places.add(place)
    assert len(places) > 15


@pytest.mark.parametrize("value", [0.0, 1.0, -2.0, 1e30])
def test_among_equal_elements_one_is_made_smaller(value: float) -> None:
    x = torch.full((10,), value)
    (new,) = changed([x], 1)
    assert changes(new, x) == 1
    assert 0 < new[new != x].item() / (value or 1) < 1


def test_a_tensor_of_more_than_one_value_is_changed_first() -> None:
    ones, x = torch.ones(10), torch.rand(10)
    for seed in range(10):
        new = changed([ones, [x], ones], seed)
        assert torch.equal(new[0], ones) and torch.equal(new[2], ones)
        assert changes(new[1][0], x) == 1


@pytest.mark.parametrize("special", [math.nan, math.inf, -math.inf])
def test_a_change_brings_no_value_that_is_not_finite(special: float) -> None:
    x = torch.rand(200)
    x[::2] = special
    for seed in range(20):
        (new,) = changed([x], seed)
        assert new[1::2].isfinite().all()
        assert ((new == x) | (new.isnan() & x.isnan())).sum() == 199


@pytest.mark.parametrize("name", [name for name in LAYOUTS if name != "empty"])
def test_a_change_is_seen_in_any_layout(name: str) -> None:
    x = LAYOUTS[name]()
    for seed in range(5):
        (new,) = changed([x], seed)
        assert layout(new) == layout(x) and not torch.equal(new, x)
        was = x.as_strided((1,), (1,), x.storage_offset())
        assert was.data_ptr() == x.data_ptr()


def test_nothing_but_floating_elements_is_changed() -> None:
    own = [torch.arange(3), torch.zeros(0), 2.0]
    new = changed(own, 1)
    assert torch.equal(new[0], own[0]) and new[2] == 2.0 and not floating(own)


def test_what_has_no_strides_is_copied_and_not_varied() -> None:
    sparse = torch.eye(3).to_sparse()
    new = cast([sparse], torch.float64)[0]
    assert new.dtype == torch.float64 and torch.equal(new.to_dense(), torch.eye(3).double())
    assert not floating([sparse])
    assert draw([sparse], NORMAL, (), seed=1)[0] is sparse
