"""Outputs as they are told, without a process at either end. Hostile ones: test_judge_end.py."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from harness.exchange import page as pages
from harness.exchange.output import absent, found_in, found_on, in_words, places_for, tell
from harness.exchange.page import Page
from harness.exchange.values import NotPlain

X = torch.arange(12.0).view(3, 4)


@pytest.fixture
def page() -> Iterator[Page]:
    descriptor = pages.make()
    page = Page(descriptor)
    os.close(descriptor)
    yield page
    page.close()


@pytest.mark.parametrize("value", [X, X.t()[::2], [X, {"a": (X[0], 2.5)}], torch.ones((1,) * 40)])
def test_what_is_told_is_found(value: Any, page: Page) -> None:
    leaves = tell(page, value)
    tree, found = found_on(page)
    assert tree == in_words(value)[0]["tree"]
    assert [(x.dtype, x.shape, x.stride, x.address, x.device) for x in found] == [
        (x.dtype, tuple(x.shape), x.stride(), x.data_ptr(), "cpu") for x in leaves
    ]


def test_one_after_another_may_be_told_in_either_way(page: Page) -> None:
    for value, kind in ((X, "tensor"), ([X], "list"), (X, "tensor")):
        tell(page, value)
        assert found_on(page)[0][0] == kind


def test_what_is_not_plain_is_told_by_name(page: Page) -> None:
    assert tell(page, [X, object()]) == []
    with pytest.raises(NotPlain, match="it holds a object"):
        found_on(page)


def test_places_lie_apart_and_are_dense() -> None:
    room = torch.zeros(600, dtype=torch.uint8)
    first, second = places_for(room, [X.t(), X[0]]) or []
    first.copy_(X.t())
    second.copy_(X[0])
    assert room[:48].view(torch.float32).tolist() == X.t().flatten().tolist()
    assert room[256:272].view(torch.float32).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("leaves", [[torch.zeros(200)], [X] * 4, [torch.empty(1, device="meta")]])
def test_what_does_not_fit_has_no_place(leaves: list[torch.Tensor]) -> None:
    assert places_for(torch.zeros(600, dtype=torch.uint8), leaves) is None


def test_what_is_not_to_be_had_has_the_form_that_it_is_said_to_have() -> None:
    (found,) = found_in(in_words(X)[0])[1]
    assert (absent(found).shape, absent(found).device.type) == (X.shape, "meta")
