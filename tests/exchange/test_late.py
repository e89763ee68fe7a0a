"""Pieces of inputs that come right before a call: where they are, and how they are held back."""

from __future__ import annotations

import pytest
import torch

from harness.exchange.late import PIECE_BYTES, Late, places
from harness.exchange.values import Layout, lay_out

BEGIN = 1 << 20


def laid_out(*sizes: int) -> Layout:
    layout, _ = lay_out([torch.zeros(size, dtype=torch.uint8) for size in sizes])
    return layout


@pytest.mark.parametrize(
    "size, count", [(0, 0), (1, 1), (1000, 1), (2048, 1), (2049, 2), (99999, 2)]
)
def test_a_span_has_pieces_inside_it(size: int, count: int) -> None:
    for _ in range(20):
        chosen = places(laid_out(size), BEGIN)
        assert len(chosen) == count
        for at, _, nbytes in chosen:
            assert at % 16 == 0 and 0 < nbytes == min(size, PIECE_BYTES) and at + nbytes <= size


def test_where_they_are_is_chosen_at_random() -> None:
    chosen = {at for _ in range(20) for at, *_ in places(laid_out(1 << 20), BEGIN)}
    assert len(chosen) > 20


def test_they_are_held_back_beside_each_other_and_of_so_many_spans() -> None:
    chosen = places(laid_out(*[5000] * 40), BEGIN)
    assert len(chosen) == 32
    assert [of for _, of, _ in chosen] == [BEGIN + n * PIECE_BYTES for n in range(32)]


def test_until_they_come_the_last_ones_are_in_place() -> None:
    layout = laid_out(10_000)
    *_, end = layout.places()
    chosen = places(layout, end)
    memory = torch.zeros(end + len(chosen) * PIECE_BYTES, dtype=torch.uint8)
    late = Late.of(memory, chosen)
    for call in (1, 2, 3):
        late.remember()
        memory[:10_000] = call
        late.hold_back()
        for at, of, nbytes in chosen:
            assert (memory[at : at + nbytes] == call - 1).all()
            assert (memory[of : of + nbytes] == call).all()
        assert (memory[:10_000] == call).sum() >= 10_000 - 2 * PIECE_BYTES
        torch._foreach_copy_(late.pieces, late.held_back)  # as a worker does
        assert (memory[:10_000] == call).all()
