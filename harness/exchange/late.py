"""Pieces of the inputs that a worker copies into place right before a call, on a GPU: what a kernel
has read on another stream before is then out of date.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from harness.exchange.values import Layout

PIECE_BYTES = 1024
_PIECES = 2
"""Of each span of memory that inputs take up."""
_MOST_SPANS = 16
"""Inputs beyond are whole before."""

Place = tuple[int, int, int]
"""Of a piece in the arena: where it belongs, where it is held back, bytes."""


def places(layout: Layout, begin: int) -> list[Place]:
    """Pieces at random; they are held back one after another, beginning with `begin`."""
    pieces: list[Place] = []
    secret = random.SystemRandom()
    for at, nbytes in list(zip(layout.places(), layout.spans, strict=False))[:_MOST_SPANS]:
        size = min(nbytes, PIECE_BYTES)
        for _ in range(_PIECES if nbytes > 2 * PIECE_BYTES else 1 if size else 0):
            # At their beginnings as well as in the midst, on 16 bytes.
            place = at + secret.randrange((nbytes - size) // 16 + 1) * 16
            pieces.append((place, begin + len(pieces) * PIECE_BYTES, size))
    return pieces


@dataclass(frozen=True)
class Late:
    """The judge's view of the pieces of one layout."""

    pieces: list[Tensor]
    """Where they belong."""
    held_back: list[Tensor]
    before: list[Tensor]
    """What each was in the call before, in memory of the judge's own."""

    @classmethod
    def of(cls, memory: Tensor, places: Sequence[Place]) -> Late:
        pieces = [memory[at : at + n] for at, _, n in places]
        held_back = [memory[of : of + n] for _, of, n in places]
        return cls(pieces, held_back, [torch.empty_like(piece) for piece in pieces])

    def remember(self) -> None:
        """Keep what the pieces are, before the next inputs are put in place."""
        torch._foreach_copy_(self.before, self.pieces)

    def hold_back(self) -> None:
        """Have the pieces wait elsewhere, and what was remembered in their place."""
        torch._foreach_copy_(self.held_back, self.pieces)
        torch._foreach_copy_(self.pieces, self.before)
