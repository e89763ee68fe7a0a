"""Kernel output + eager output + truth -> verdict.

The truth is the reference in float64 on the same weights and inputs. Eager is a contestant,
not the oracle: its own distance from the truth is the yardstick. A kernel may be

    factor x eager's error + the rounding of the output to its dtype
                           + ACCUMULATION_ULPS ulps of the accumulation's dtype

away, by relative Frobenius norm and by the worst element relative to the largest one. Rounding is
at most half an ulp, and 1/sqrt(12) of an ulp in the mean square. The factor and the ulps of
accumulation (float32 for 16-bit dtypes) leave room for other orders of summation: on an H100, two
float32 GEMMs of cuBLAS itself were 3.3 times apart in norm and 5.8 times in the worst element
(1024 features, inputs of scale 100), and at 8192 features its matrix-vector product is 7 times
nearer the truth than its matrix product. TF32 is 170 times further away than eager there. In 16
bits the order of summation hardly matters, since sums are float32, and the factor is smaller.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy
import torch
from torch import Tensor

from harness.records import Comparison, Status
from harness.verdict.budget import frobenius_budget, worst_budget


@dataclass(frozen=True)
class _Errors:
    """Distance from the truth over the elements where all of truth, eager and kernel are finite."""

    frobenius: float
    worst: float
    worst_at: int


@dataclass(frozen=True)
class _Tally:
    """What came of comparing two outputs with the truth."""

    misplaced: int
    """Elements that are NaN or infinite on one side only."""
    first_misplaced: int
    kernel: _Errors
    eager: _Errors


_EQUAL = Comparison(None, "", 0.0, 0.0)


def compare(output: Any, eager: Any, truth: Any) -> Comparison:
    """Judge one output, tensor or nested tuple, list or dict of tensors, against the truth.

    Output and eager's live on one device, the truth there or on the host. Structure comes first,
    then each leaf; the leaf furthest from its budget decides. A list and a tuple are the same
    structure: a C++ extension that returns a std::vector gives Python a list.
    """
    outputs, eagers, truths = (dict(_leaves(value)) for value in (output, eager, truth))
    if list(outputs) != list(eagers):
        return Comparison(
            Status.WRONG_STRUCTURE,
            f"the kernel returns {_describe(outputs)}, eager {_describe(eagers)}",
        )
    compared = [
        _compare_leaf(place, outputs[place], eagers[place], truths[place]) for place in outputs
    ]
    failed = [c for c in compared if c.status]
    if failed:
        return failed[0]
    measured = [c for c in compared if c.error_rel is not None]
    return max(measured or compared, key=lambda c: c.error_rel or 0.0)


def _leaves(value: Any, place: str = "output") -> Iterator[tuple[str, Any]]:
    """Every value that is no container, with its place."""
    if isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _leaves(item, f"{place}[{index}]")
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, f"{place}[{key!r}]")
    else:
        yield place, value


def _describe(leaves: dict[str, Any]) -> str:
    if list(leaves) == ["output"]:
        return f"one {type(leaves['output']).__name__}"
    return (
        f"{len(leaves)} values ({', '.join(list(leaves)[:4])}{', ...' if len(leaves) > 4 else ''})"
    )


def _compare_leaf(place: str, output: Any, eager: Any, truth: Any) -> Comparison:
    if type(output) is not type(eager):
        return Comparison(
            Status.WRONG_STRUCTURE,
            f"{place} is a {type(output).__name__}, eager's a {type(eager).__name__}",
        )
    if not isinstance(eager, Tensor):
        if output == eager:
            return _EQUAL
        return Comparison(Status.WRONG_VALUES, f"{place} is {output!r}, eager's {eager!r}")
    if output.layout != eager.layout:
        return Comparison(
            Status.WRONG_STRUCTURE,
            f"{place} has layout {output.layout}, eager's {eager.layout}",
        )
    if output.shape != eager.shape:
        return Comparison(
            Status.WRONG_SHAPE,
            f"{place} has shape {tuple(output.shape)}, eager's {tuple(eager.shape)}",
        )
    if output.dtype != eager.dtype:
        return Comparison(Status.WRONG_DTYPE, f"{place} is {output.dtype}, eager's {eager.dtype}")
    if output.numel() == 0:
        return _EQUAL
    if not (eager.is_floating_point() or eager.is_complex()):
        return _compare_exact(place, output, eager)
    if eager.is_complex():
        output, eager, truth = map(torch.view_as_real, (output, eager, truth))
    return _compare_float(place, output, eager, truth)


def _compare_exact(place: str, output: Tensor, eager: Tensor) -> Comparison:
    wrong = (output != eager).flatten()
    if not wrong.any():
        return _EQUAL
    first = int(wrong.nonzero()[0])
    return Comparison(
        Status.WRONG_VALUES,
        f"{int(wrong.sum()):,} of {wrong.numel():,} elements of {place} differ; first at "
        f"{_index(first, eager)}: kernel {output.flatten()[first].item()}, "
        f"eager {eager.flatten()[first].item()}",
    )


def _compare_float(place: str, output: Tensor, eager: Tensor, truth: Tensor) -> Comparison:
    found = _tally(*(x.reshape(-1) for x in (output, eager, truth)))
    if found.misplaced:
        at = found.first_misplaced
        return Comparison(
            Status.WRONG_VALUES,
            f"{found.misplaced:,} of {output.numel():,} elements of {place} are NaN or "
            f"infinite on one side only; first at {_index(at, eager)}: "
            f"kernel {_element(output, at):.6g}, eager {_element(eager, at):.6g}",
        )
    # Two norms, each with a budget of its own.
    for name, error, budget, eager_error in (
        (
            "relative Frobenius error",
            found.kernel.frobenius,
            frobenius_budget(found.eager.frobenius, eager.dtype),
            found.eager.frobenius,
        ),
        (
            "worst element's error relative to the largest",
            found.kernel.worst,
            worst_budget(found.eager.worst, eager.dtype),
            found.eager.worst,
        ),
    ):
        if not error <= budget:
            at = found.kernel.worst_at
            return Comparison(
                Status.WRONG_VALUES,
                f"{name} of {place} is {error:.3g}, budget {budget:.3g} (eager {eager_error:.3g}); "
                f"worst at {_index(at, eager)}: kernel {_element(output, at):.9g}, "
                f"truth {_element(truth, at):.9g}",
                found.kernel.frobenius,
                found.eager.frobenius,
            )
    return Comparison(None, "", found.kernel.frobenius, found.eager.frobenius)


def _tally(output: Tensor, eager: Tensor, truth: Tensor) -> _Tally:
    """Compare flat tensors of one length piece by piece, in float64.

    A piece is as many elements as caches hold on a CPU, and as keep a GPU busy.
    """
    piece = 1 << (22 if output.is_cuda else 18)
    misplaced, first = 0, 0
    kernel, own, size = _Sum(), _Sum(), _Sum()
    for start in range(0, output.numel(), piece):
        part = slice(start, start + piece)
        k, e, t = output[part].double(), eager[part].double(), truth[part].to(eager.device)
        norms = _norms(k, e, t)
        if not all(math.isfinite(squares) for squares, _, _ in norms):
            # Truth as the dtype holds it: a float16 result may overflow where float64 does not.
            rounded = t.to(eager.dtype).double()
            wrong = ~(_same_class(k, e) | _same_class(k, rounded))
            if wrong.any():
                first = first if misplaced else start + int(wrong.nonzero()[0])
                misplaced += int(wrong.sum())
            finite = k.isfinite() & e.isfinite() & t.isfinite()
            norms = _norms(*(torch.where(finite, x, 0.0) for x in (k, e, t)))
        for total, norm in zip((kernel, own, size), norms, strict=True):
            total.add(norm, start)
    return _Tally(misplaced, first, kernel.relative_to(size), own.relative_to(size))


_Norm = tuple[float, float, int]
"""The sum of squares, the largest element's size, and where it is."""


def _norms(kernel: Tensor, eager: Tensor, truth: Tensor) -> list[_Norm]:
    """Of both errors, and of the truth: one is not finite where any of the three is not."""
    return [_norm(kernel - truth), _norm(eager - truth), _norm(truth)]


def _norm(values: Tensor) -> _Norm:
    sizes = values.abs()
    most, at = sizes.max(0)
    squares, largest, place = torch.stack([sizes.dot(sizes), most, at.double()]).tolist()
    return squares, largest, int(place)


def _same_class(a: Tensor, b: Tensor) -> Tensor:
    """Both finite, both NaN, or the same infinity."""
    return (a.isfinite() & b.isfinite()) | (a.isnan() & b.isnan()) | (a == b)


@dataclass
class _Sum:
    """Norms of a tensor that is seen piece by piece."""

    squares: float = 0.0
    most: float = 0.0
    most_at: int = 0

    def add(self, norm: _Norm, start: int) -> None:
        squares, largest, at = norm
        self.squares += squares
        if largest > self.most:
            self.most, self.most_at = largest, start + at

    def relative_to(self, size: _Sum) -> _Errors:
        return _Errors(
            _ratio(self.squares**0.5, size.squares**0.5), _ratio(self.most, size.most), self.most_at
        )


def _ratio(error: float, size: float) -> float:
    """error / size; an error where the truth is exactly zero has no finite ratio."""
    if size > 0:
        return error / size
    return 0.0 if error == 0 else float("inf")


def _element(tensor: Tensor, flat: int) -> float:
    return float(tensor.reshape(-1)[flat])


def _index(flat: int, like: Tensor) -> list[int]:
    return [int(i) for i in numpy.unravel_index(flat, tuple(like.shape))]
