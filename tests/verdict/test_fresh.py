"""Inputs of timed calls: never the same twice, sometimes nearly so, always legal."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from harness.verdict import fresh as fresh_inputs
from harness.verdict.fresh import SLIGHT, SMALL_BYTES, Fresh, Stream
from harness.verdict.inputs import copied, floating, tensors

COUNT = 200
LARGE = SMALL_BYTES // 4 + 64  # elements of float32

Make = Callable[[], list[Any]]


class Drawing:
    """Stands for a problem; notes the seeds that it is asked for."""

    def __init__(self, make: Make) -> None:
        self._make = make
        self.seeds: list[int] = []

    def __call__(self, seed: int) -> list[Any]:
        self.seeds.append(seed)
        torch.manual_seed(seed)
        return self._make()


def stream(make: Make, secret: str = "s") -> Stream:
    return Stream(Drawing(make), secret)


def calls(make: Make, count: int, secret: str = "s") -> list[Fresh]:
    fresh = stream(make, secret)
    made = (fresh.next(number) for number in range(count))
    return [Fresh(copied(call.inputs), call.seed) for call in made]


def contents(inputs: Any) -> tuple[bytes, ...]:
    return tuple(x.contiguous().numpy().tobytes() for x in tensors(inputs))


def rows(count: int) -> Tensor:
    return torch.rand(count // 64, 64)


SMALL: dict[str, Make] = {
    "normal": lambda: [torch.randn(20, 10)],
    "ones": lambda: [torch.ones(20, 10)],
    "zeros": lambda: [torch.zeros(20, 10), 3],
    "nested": lambda: [[torch.rand(5), {"a": torch.rand(5)}], torch.arange(3)],
    "one number": lambda: [torch.ones(())],
    "expanded": lambda: [torch.ones(4, 1).expand(4, 50)],
    "strided": lambda: [torch.rand(10, 10)[:, ::2]],
    "mask": lambda: [(torch.rand(50) > 0.5).float(), torch.rand(50) > 0.5],
}

BIG: dict[str, Make] = {
    "normal": lambda: [torch.randn(LARGE)],
    "two": lambda: [rows(LARGE), rows(LARGE).t()],
    "ones": lambda: [torch.ones(LARGE // 8, 8)],
    "zeros": lambda: [torch.zeros(LARGE)],
    "periodic": lambda: [torch.arange(8.0).repeat(LARGE // 8)],
    "expanded": lambda: [torch.rand(LARGE // 64, 1).expand(LARGE // 64, 64)],
    "strided": lambda: [torch.rand(LARGE // 64, 128)[:, ::2]],
    "one number and integers": lambda: [torch.ones(()), torch.arange(LARGE)],
    "one of them constant": lambda: [rows(LARGE), torch.ones(LARGE // 64, 64)],
    "views of one": lambda: [(x := rows(LARGE)), x.t()],
}


@pytest.mark.parametrize("name", SMALL)
def test_small_contents_never_repeat(name: str) -> None:
    seen = [contents(floating(call.inputs)) for call in calls(SMALL[name], 200)]
    assert len(set(seen)) == len(seen)


@pytest.mark.parametrize("name", BIG)
def test_large_contents_never_repeat(name: str) -> None:
    seen = [contents(floating(call.inputs)) for call in calls(BIG[name], 50)]
    assert len(set(seen)) == len(seen)


@pytest.mark.parametrize("make", [*SMALL.values(), *BIG.values()])
def test_layout_and_whatever_is_not_floating_stay(make: Make) -> None:
    own = make()
    for call in calls(make, 8):
        assert [(t.shape, t.stride(), t.dtype) for t in tensors(call.inputs)] == [
            (t.shape, t.stride(), t.dtype) for t in tensors(own)
        ]
        assert all(t.isfinite().all() for t in tensors(call.inputs))
    fixed = [t for t in tensors(own) if t.dtype == torch.int64]
    kept = [t for t in tensors(call.inputs) if t.dtype == torch.int64]
    assert all(map(torch.equal, fixed, kept))


@pytest.mark.parametrize("make", [SMALL["normal"], BIG["two"], BIG["ones"]])
def test_the_secret_and_the_numbers_decide(make: Make) -> None:
    first, again, other = calls(make, 6), calls(make, 6), calls(make, 6, "t")
    for one, same, different in zip(first, again, other, strict=True):
        assert contents(one.inputs) == contents(same.inputs) and one.seed == same.seed
        assert contents(one.inputs) != contents(different.inputs)
        assert one.seed != different.seed
    assert len({call.seed for call in first}) == 6


def test_a_number_that_comes_again_brings_other_contents() -> None:
    for make in (SMALL["normal"], BIG["normal"]):
        fresh = stream(make)
        assert contents(fresh.next(3).inputs) != contents(fresh.next(3).inputs)


def _differing(a: Fresh, b: Fresh) -> list[int]:
    """How many elements differ between two calls, by tensor."""
    pairs = zip(floating(a.inputs), floating(b.inputs), strict=True)
    return [int((x != y).sum()) for x, y in pairs]


@pytest.mark.parametrize(
    "make, count",
    [(lambda: [torch.rand(30, 10), torch.rand(40)], 300), (BIG["two"], 60)],
)
def test_some_calls_differ_slightly_from_the_one_before(make: Make, count: int) -> None:
    all_calls = calls(make, count)
    kinds = {"element": 0, "input": 0, "rows": 0, "all": 0}
    for before, after in itertools.pairwise(all_calls):
        differing = _differing(before, after)
        sizes = [x.numel() for x in floating(after.inputs)]
        part = [n / size for n, size in zip(differing, sizes, strict=True)]
        if sum(differing) <= 1:
            kinds["element"] += 1
        elif all(p > 0.9 for p in part):
            kinds["all"] += 1
        elif max(part) > 0.9 and min(part) == 0:
            kinds["input"] += 1
        else:
            assert min(part) == 0 and max(part) < 0.1
            kinds["rows"] += 1
    assert all(kinds.values())
    assert 1 - kinds["all"] / (count - 1) == pytest.approx(SLIGHT, abs=0.15)


@pytest.mark.parametrize("make", [lambda: [torch.rand(30, 10), torch.rand(40)], BIG["two"]])
def test_a_call_that_is_to_be_nearly_the_one_before_differs_in_one_element(make: Make) -> None:
    fresh = stream(make)
    assert fresh.next(0, nearly=True).inputs  # with none before
    for number in range(1, 20):
        before = Fresh(copied(fresh.next(number).inputs), 0)
        assert sum(_differing(before, fresh.next(number, nearly=True))) == 1


def test_large_inputs_are_drawn_once_and_small_ones_each_time() -> None:
    large, small = Drawing(BIG["normal"]), Drawing(SMALL["normal"])
    for drawing in (large, small):
        fresh = Stream(drawing, "s")
        for number in range(20):
            fresh.next(number)
    assert len(large.seeds) == 1
    assert 10 < len(small.seeds) == len(set(small.seeds))  # some are changed only slightly


def test_a_forgotten_draw_is_made_again_and_contents_never_repeat() -> None:
    drawing = Drawing(BIG["normal"])
    forgetful = Stream(drawing, "s")
    seen = set()
    for number in range(4):
        seen.add(contents(forgetful.next(number).inputs))
        forgetful.forget()
    assert len(seen) == 4


def test_integers_are_drawn_anew_but_where_the_call_before_is_changed_slightly() -> None:
    made = calls(lambda: [torch.rand(LARGE), torch.randint(1000, (50,))], COUNT)
    others = sum(not torch.equal(a.inputs[1], b.inputs[1]) for a, b in itertools.pairwise(made))
    assert abs(others / COUNT - (1 - SLIGHT)) < 0.15


def test_integers_that_take_long_to_draw_are_new_in_most_calls(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fresh_inputs, "KEPT_S", 0.0)
    made = calls(lambda: [torch.rand(LARGE), torch.randint(1000, (50,))], COUNT)
    distinct = len({contents(call.inputs[1:]) for call in made})
    assert COUNT / 2 * 0.8 < distinct < COUNT * 0.68


def test_no_element_of_a_large_draw_is_an_earlier_one() -> None:
    first, *others = calls(lambda: [torch.rand(LARGE) + 1], 8)
    for later in others:
        before, now = first.inputs[0].unique(), later.inputs[0].unique()
        if len(now) < 0.9 * LARGE or torch.isin(now, before).float().mean() > 0.9:
            continue  # the call before, changed slightly
        assert torch.isin(now, before).float().mean() < 0.05
        assert now.min() > 0.97 and now.max() < 2.0


def test_where_a_draw_may_not_be_varied_each_call_has_one() -> None:
    fresh = Stream(Drawing(lambda: [torch.rand(300, 300).triu()]), "s", may_vary=False)
    seen = set()
    for number in range(8):
        (x,) = fresh.next(number).inputs
        assert torch.equal(x, x.triu())
        seen.add(contents([x]))
    assert len(seen) == 8


def test_large_contents_are_about_those_of_the_draw_elsewhere() -> None:
    own = torch.rand(LARGE) - 0.3
    for call in calls(lambda: [own], 5):
        (x,) = call.inputs
        share = x.sort().values / own.sort().values
        assert share[share.isfinite()].median() == pytest.approx(0.99, abs=0.01)
        assert (x < 0).sum() == pytest.approx((own < 0).sum(), abs=20)
        assert (x == own).float().mean() < 0.01


def test_no_gap_comes_to_light() -> None:
    buffer = torch.rand(LARGE // 64, 128)
    buffer[:, 1::2] = torch.nan
    for call in calls(lambda: [buffer[:, ::2]], 10):
        assert call.inputs[0].isfinite().all()


def test_without_floating_inputs_each_call_is_a_draw() -> None:
    drawing = Drawing(lambda: [torch.randint(1000, (LARGE,)), torch.zeros(0)])
    fresh = Stream(drawing, "s")
    seen = [contents(fresh.next(number).inputs) for number in range(10)]
    assert len(set(seen)) == 10 and len(set(drawing.seeds)) == 11
