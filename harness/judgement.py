"""CHILD: what the judge makes of an output that it has in its hands."""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import Tensor

from harness.exchange.answer import Output
from harness.exchange.values import ALIGNMENT, NotPlain, flatten
from harness.records import Comparison, Status
from harness.serve import failure
from harness.verdict.compare import compare


def judged(output: Output, eager: Any, truth: Any, device: torch.device) -> Comparison:
    """An output against eager's and the truth. Raises RequestFailed for what the judge lacks."""
    if output.mutated:
        return Comparison(Status.INPUT_MUTATED, "the call changed them")
    if output.late:
        reason = "the output went on changing when the call was said to be done"
        return Comparison(Status.WRONG_VALUES, reason)
    if strays := output.devices - {device.type}:
        places = ", ".join(sorted(strays))
        reason = f"the output lies on {places}, not {device.type}"
        return Comparison(Status.WRONG_STRUCTURE, reason)
    try:
        return compare(output.value, eager, truth)
    except Exception as error:
        if any(leaf.device.type == "meta" for leaf in leaves_of(output.value)):
            reason = "the output cannot be read where it is said to lie"
            return Comparison(Status.WRONG_STRUCTURE, reason)
        raise failure(error, Status.UNGRADABLE) from error


def leaves_of(value: Any) -> list[Tensor]:
    leaves: list[Tensor] = []
    try:
        flatten(value, leaves.append)
    except NotPlain:  # eager's own: no kernel's can equal it
        return []
    return leaves


def bytes_of(value: Any) -> int:
    """How much room its tensors take one after another."""
    return sum(-(-x.nbytes // ALIGNMENT) * ALIGNMENT for x in leaves_of(value))


def sum_of(value: Any) -> int:
    """Of the bits of its tensors, each by a weight of its place's: another number if one of them is
    changed, and if more are changed or moved, but for a chance of one in 2^32."""
    # No more than 32 bits at once: of the highest of 64, times a weight, only its lowest are left.
    whole = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int32}
    total = 0
    for x in leaves_of(value):
        flat = torch.view_as_real(x) if x.is_complex() else x
        if flat.numel() and flat.device.type != "meta":
            bits = flat.contiguous().view(-1).view(whole[flat.itemsize])
            for piece in torch.split(bits, _WEIGHTS):
                weighted = piece * _weights(flat.device)[: len(piece)]
                total = total * 31 + int(weighted.sum())
    return total


_WEIGHTS = 1 << 20


@functools.cache
def _weights(device: torch.device) -> Tensor:
    generator = torch.Generator(device).manual_seed(1)
    lowest, highest = -(2**62), 2**62
    weights = torch.randint(lowest, highest, (_WEIGHTS,), generator=generator, device=device)
    return weights | 1
