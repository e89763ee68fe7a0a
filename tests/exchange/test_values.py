"""Nested values, taken apart and put together again."""

from __future__ import annotations

import gc
import json
import math
from collections import namedtuple
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from harness.exchange.values import (
    ALIGNMENT,
    DTYPES,
    NUMBER,
    Layout,
    NotPlain,
    built,
    copied,
    flatten,
    from_json,
    lay_out,
    resolved,
)


def through(value: Any) -> Any:
    """The value as the other side has it: of a layout sent as text, in memory copied together."""
    layout, spans = lay_out(value)
    layout = from_json(json.loads(json.dumps(layout.as_json())))
    places = layout.places()
    arena = torch.zeros(places[-1], dtype=torch.uint8)
    pieces = [arena[at : at + n] for at, n in zip(places, layout.spans, strict=False)]
    for piece, span in zip(pieces, spans, strict=True):
        piece.copy_(span)
    return layout.value(pieces)


def same(one: Any, other: Any) -> bool:
    """In bits, form and kind?"""
    if isinstance(one, Tensor):
        return (
            (one.dtype, one.shape, one.stride()) == (other.dtype, other.shape, other.stride())
            and bytes_of(one) == bytes_of(other)
        )  # fmt: skip
    if type(one) is not type(other):
        return False
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    return one == other or (one != one and other != other)


def bytes_of(x: Tensor) -> list[int]:
    return x.contiguous().flatten().view(torch.uint8).tolist() if x.numel() else []


NAN = float("nan")


@pytest.mark.parametrize(
    "value",
    [
        [],
        (),
        {},
        None,
        [None, True, False, 0, 1, -(10**30), "", "words\n\0é", torch.float16],
        {"a": [1, (2, {"b": (torch.ones(2),)})], 3: "c", (1, "x"): None, None: 2.5, True: 1},
        [torch.ones(2), [torch.zeros(1), {"x": torch.arange(3)}]],
        [1.5, -0.0, 1e-320, float("inf"), float("-inf"), NAN],
        [1 + 2j, complex(NAN, float("inf")), complex(-0.0, 0.0)],
    ],
    ids=repr,
)
def test_any_nesting_arrives_as_it_was(value: Any) -> None:
    assert same(through(value), value)


def test_signs_of_zeros_arrive() -> None:
    number, pair = through([-0.0, complex(-0.0, -0.0)])
    assert math.copysign(1, number) == math.copysign(1, pair.real) == -1
    assert math.copysign(1, pair.imag) == -1


def test_a_named_tuple_arrives_as_a_tuple_and_a_parameter_as_a_tensor() -> None:
    pair = namedtuple("pair", "a b")(torch.nn.Parameter(torch.ones(2)), 1)
    arrived = through([pair])[0]
    assert type(arrived) is tuple and type(arrived[0]) is Tensor
    assert not arrived[0].requires_grad


BASE = torch.arange(240.0)


@pytest.mark.parametrize(
    "make",
    [
        lambda: BASE.view(12, 20).t(),
        lambda: BASE.view(12, 20)[::3, 1::2],
        lambda: BASE[100:117],
        lambda: BASE[239:],
        lambda: BASE[:1].expand(5, 3),
        lambda: BASE[7:10].expand(4, 3),
        lambda: BASE.view(2, 3, 40).permute(2, 0, 1)[5:9],
        lambda: BASE.as_strided((4, 5), (2, 3), 11),
        lambda: torch.rand(2, 3, 4, 5).to(memory_format=torch.channels_last),
        lambda: torch.tensor(4.5),
        lambda: BASE[33],
        lambda: torch.empty(0),
        lambda: torch.empty(3, 0, 2),
        lambda: BASE[50:50],
        lambda: torch.empty(0)[0:],
        lambda: torch.ones((1,) * 40),
    ],
)
def test_strides_gaps_and_overlaps_arrive(make: Callable[[], Tensor]) -> None:
    x = make()
    assert same(through([x])[0], x)


def test_addresses_keep_their_place_within_the_alignment() -> None:
    for begin in (0, 1, 63, 64, 65, 130):
        x = BASE[begin:]
        arrived, _ = through([x, torch.ones(3)])
        base = arrived.untyped_storage().data_ptr()
        assert (arrived.data_ptr() - base) % ALIGNMENT == 4 * begin % ALIGNMENT


def test_a_view_passes_without_the_rest_of_its_buffer() -> None:
    _, spans = lay_out([torch.zeros(1 << 22)[1000:1005]])
    assert sum(map(len, spans)) < 2 * ALIGNMENT


def test_a_copy_has_just_what_its_tensors_span_and_shares_what_they_share() -> None:
    arena = torch.arange(1 << 20)
    part = arena[1000:1012]
    value = {"x": part.view(3, 4).t(), "more": (part[4:], [torch.empty(0), 2.5])}
    copy = copied(value)
    assert same(copy, value)
    x, (rest, _) = copy["x"], copy["more"]
    assert x.untyped_storage().nbytes() < 12 * 8 + ALIGNMENT
    arena.zero_()
    rest.fill_(7)
    assert x.t().flatten().tolist() == [1000, 1001, 1002, 1003] + [7] * 8


def test_spans_are_views_of_where_the_tensors_lie() -> None:
    x = torch.zeros(4)
    _, (span,) = lay_out([x])
    x.fill_(1)
    assert span.view(torch.float32).tolist() == [1] * 4


def test_what_shares_a_storage_shares_it_afterwards() -> None:
    x = torch.arange(6.0).view(2, 3)
    value = {"x": x, "t": x.t(), "last": x[1:], "bits": x.view(torch.int32), "y": x + 1}
    assert len(lay_out(value)[1]) == 2
    arrived = through(value)
    arrived["x"].fill_(2)
    assert arrived["t"].tolist() == [[2, 2]] * 3
    assert arrived["last"].tolist() == [[2, 2, 2]]
    assert arrived["bits"].view(torch.float32).tolist() == [[2, 2, 2]] * 2
    assert arrived["y"].tolist() == [[1, 2, 3], [4, 5, 6]]


def test_parts_of_one_storage_keep_their_distance() -> None:
    base = torch.zeros(1000)
    front, back = through([base[700:], base[100:200]])
    assert front.data_ptr() - back.data_ptr() == 600 * 4


def test_tensors_of_other_sizes_of_element_share_a_storage() -> None:
    base = torch.arange(64, dtype=torch.uint8)
    halves, odd = through([base[8:24].view(torch.float64), base[3:10]])
    assert same(halves, base[8:24].view(torch.float64)) and same(odd, base[3:10])


USUAL = [d for d in DTYPES if not str(d).removeprefix("torch.").startswith(("q", "bits"))]


def test_every_dtype_is_known() -> None:
    assert {
        torch.bool, torch.bfloat16, torch.complex64, torch.complex32, torch.float8_e4m3fn,
        torch.float8_e5m2, torch.uint16, torch.int64, torch.float64,
    } <= set(DTYPES)  # fmt: skip
    assert [NUMBER[dtype] for dtype in DTYPES] == list(range(len(DTYPES)))


@pytest.mark.parametrize("dtype", USUAL, ids=str)
def test_every_dtype_arrives(dtype: torch.dtype) -> None:
    size = dtype.itemsize
    bits = torch.arange(6 * size, dtype=torch.uint8)
    x = (bits % 2 if dtype is torch.bool else bits).view(dtype)[1:]
    arrived, kind = through([x, dtype])
    assert kind is dtype
    assert (arrived.dtype, arrived.shape) == (dtype, (5,))
    assert arrived.view(torch.uint8).tolist() == x.view(torch.uint8).tolist()


def test_what_a_view_puts_off_is_done() -> None:
    x = torch.tensor([1 + 2j, 3 - 4j])
    assert x.conj().is_conj() and x.conj().imag.is_neg()
    conjugate, imaginary = through([x.conj(), x.conj().imag])
    assert conjugate.tolist() == [1 - 2j, 3 + 4j] and imaginary.tolist() == [-2, 4]
    assert resolved(x).data_ptr() == x.data_ptr()


@pytest.mark.parametrize(
    "one, other",
    [
        ([torch.ones(2)], [torch.ones(3)]),
        ([torch.ones(2, 2)], [torch.ones(2, 2).t()]),
        ([torch.ones(2)], [torch.ones(2, dtype=torch.int32)]),
        ([torch.ones(8)[:2]], [torch.ones(8)[4:6]]),
        ([torch.ones(2), 1], [torch.ones(2), 2]),
        ([torch.ones(2), 1], [torch.ones(2), True]),
        ([torch.ones(2), 1], [torch.ones(2), 1.0]),
        ([torch.ones(2), 0.0], [torch.ones(2), -0.0]),
        ([torch.ones(2)], (torch.ones(2),)),
    ],
)
def test_layouts_that_differ_in_form_or_in_a_plain_value_differ(one: Any, other: Any) -> None:
    assert lay_out(one)[0] != lay_out(other)[0]


def test_contents_are_no_part_of_a_layout() -> None:
    assert lay_out([torch.ones(2), NAN])[0] == lay_out([torch.zeros(2), NAN])[0]


def test_a_layout_survives_being_text() -> None:
    value = {"x": BASE.view(12, 20).t(), "y": (torch.ones(2), [BASE[3:], NAN, True])}
    layout = lay_out(value)[0]
    assert from_json(json.loads(json.dumps(layout.as_json()))) == layout


def test_spans_lie_apart_and_aligned() -> None:
    layout = Layout(None, (), (1, 0, ALIGNMENT, ALIGNMENT + 1))
    assert layout.places() == [0, 256, 256, 512, 1024]
    assert layout.places(start=512)[-1] == 1536


class Sub(Tensor):
    @classmethod
    def __torch_function__(cls, *arguments: Any, **named: Any) -> Any:
        raise AssertionError("it was looked at")


class Int(int):
    pass


class Text(str):
    pass


def cyclic(kind: str) -> Any:
    value: Any = [] if kind != "dict" else {}
    if kind == "dict":
        value["again"] = value
    else:
        value += [value] * (1 if kind == "list" else 3)
    return value


def doubling() -> Any:
    value: Any = []
    for _ in range(60):
        value = [value, value]
    return value


@pytest.mark.parametrize(
    "make, named",
    [
        (lambda: torch.ones(2).as_subclass(Sub), "test_values.Sub"),
        (lambda: torch.eye(2).to_sparse(), "sparse_coo tensor"),
        (lambda: torch.eye(2).to_sparse_csr(), "sparse_csr tensor"),
        (lambda: cyclic("list"), "without end"),
        (lambda: cyclic("lists"), "without end"),
        (lambda: cyclic("dict"), "without end"),
        (doubling, "without end"),
        (object, "a object"),
        (lambda: {1, 2}, "a set"),
        (lambda: iter([]), "list_iterator"),
        (lambda: b"bytes", "a bytes"),
        (lambda: Int(3), "test_values.Int"),
        (lambda: Text("a"), "test_values.Text"),
        (lambda: torch.device("cpu"), "torch.device"),
        (lambda: int, "a type"),
    ],
)
def test_what_is_not_plain_is_refused_by_name_wherever_it_is(
    make: Callable[[], Any], named: str
) -> None:
    value = make()
    for nested in (value, [1, {"a": (value,)}]):
        with pytest.raises(NotPlain, match=named):
            flatten(nested, lambda x: None)


def test_a_subclass_counts_as_a_tensor_only_where_its_type_is_named() -> None:
    parameter = torch.nn.Parameter(torch.ones(2))
    flatten(parameter, lambda x: None)
    with pytest.raises(NotPlain, match="Parameter"):
        flatten(parameter, lambda x: None, (Tensor,))


def test_tensors_are_taken_in_order() -> None:
    taken: list[Tensor] = []
    tree = flatten({"b": torch.tensor(0), "a": [torch.tensor(1), (torch.tensor(2),)]}, taken.append)
    assert [int(x) for x in taken] == [0, 1, 2]
    assert same(built(tree, [10, 11, 12]), {"b": 10, "a": [11, (12,)]})


@pytest.mark.parametrize(
    "tree",
    [
        None, 3, True, "", "t", [], ["list"], {}, {"a": 1},
        ["tensor", 2], ["tensor", -3], ["tensor", 2**70], ["tensor", None], ["tensor", "0"],
        ["tensor", 0.0], ["tensor", []], ["tensor", {}],
        ["list", 3], ["list", None], ["list", [3]], ["list", [[]]], ["list", ["tensor", 0]],
        ["tuple", 3], ["tuple", [None]],
        ["dict", 3], ["dict", [3]], ["dict", [[["plain", 1]]]], ["dict", [[]]],
        ["dict", [[["list", []], ["plain", 1]]]], ["dict", [[["plain", 1]] * 3]],
        ["dict", [[["plain", {}], ["plain", 1]]]],
        ["float", 1.0], ["float", "no"], ["float", None], ["float", "0x1p99999"],
        ["complex", "0x1p0"], ["complex", "0x1p0", 3], ["complex", 1, 2],
        ["dtype", 10**6], ["dtype", -(10**6)], ["dtype", "float32"], ["dtype", None],
    ],
    ids=str,
)  # fmt: skip
def test_a_tree_without_sense_is_a_value_error(tree: Any) -> None:
    with pytest.raises(ValueError):
        built(tree, [torch.zeros(1), torch.zeros(1)])


def nested(kind: str, depth: int) -> Any:
    tree: Any = ["plain", 1]
    for _ in range(depth):
        tree = [kind, [tree]] if kind != "dict" else ["dict", [[["plain", "k"], tree]]]
    return tree


@pytest.mark.parametrize("kind", ["list", "tuple", "dict"])
@pytest.mark.parametrize("depth", [101, 5000, 100_000])
def test_a_tree_without_end_is_a_value_error(kind: str, depth: int) -> None:
    with pytest.raises(ValueError):
        built(nested(kind, depth), [])


def test_a_tree_as_deep_as_any_that_is_sent_is_built() -> None:
    value: Any = [1]
    for _ in range(99):
        value = [value]
    assert built(flatten(value, lambda x: None), []) == value


def test_nothing_is_kept_alive_until_garbage_is_collected() -> None:
    gc.collect()
    gc.disable()
    try:
        lay_out([torch.zeros(3), (torch.zeros(3),)])
        assert gc.collect() == 0
    finally:
        gc.enable()
