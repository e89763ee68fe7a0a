"""The sweep: what `--sweep` and a problem's own sweep say, expanded into cases."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.catalog import facts
from harness.catalog.nearest import choices, items
from harness.records import Case, HarnessError, Problem


@dataclass(frozen=True)
class Range:
    """One item of a sweep: the values that an axis, or several tied ones, go through."""

    axes: tuple[str, ...]
    values: tuple[Any, ...]


def read_sweep(
    problem: Problem, texts: Sequence[str], quick: bool = False
) -> Mapping[str, list[Range]]:
    """What a run sweeps, by the type of its device: cuda or cpu.

    texts: such as `batch_size=1,64` or `in_features=out_features=1024,4096`; each replaces what
    the problem's own sweep says of its axes. With `quick`, ranges of the problem's own shrink to
    their middle value. Raises HarnessError for an unknown axis, or a list of values that is empty
    or cannot be read, in the problem's own sweep too.
    """
    overrides = [_parse(problem, text, "--sweep") for text in texts]
    axes = [axis for item in overrides for axis in item.axes]
    for axis in axes:
        if axes.count(axis) > 1:
            raise HarnessError(f"Axis {axis!r} is swept twice: put all its values in one --sweep.")
    order = list(problem.axes)
    ranges = {}
    for device in facts.DEVICES:
        own = [_parse(problem, t, f"{problem.path}: SWEEP") for t in problem.sweep.get(device, ())]
        defaults = [
            _middle(item) if quick else item for item in own if not set(item.axes) & set(axes)
        ]
        # In the order of the file's axes, so that rows and plots read the same way.
        ranges[device] = sorted([*defaults, *overrides], key=lambda item: order.index(item.axes[0]))
    return ranges


def expand_cases(
    problem: Problem, ranges: Sequence[Range], device: str, dtypes: Sequence[str]
) -> list[Case]:
    """All cases of a run: the cross product of dtypes and ranges. Other axes keep their value."""
    cases = []
    for dtype in dtypes:
        for point in itertools.product(*(item.values for item in ranges)):
            axes = dict(problem.axes)
            for item, value in zip(ranges, point, strict=True):
                axes.update(dict.fromkeys(item.axes, value))
            cases.append(Case(axes, dtype, device))
    return cases


def _middle(item: Range) -> Range:
    return Range(item.axes, item.values[len(item.values) // 2 :][:1])


def _parse(problem: Problem, text: str, where: str) -> Range:
    """where: what the text was written in, for messages."""
    *names, tail = (part.strip() for part in text.split("="))
    where = f"{where} {text!r}"
    if not names or not all(names):
        what = "names no axis" if names else "has no '='"
        raise HarnessError(
            f"{where} {what}: write an axis and its values, such as batch_size=1,64,1024."
        )
    for name in names:
        if name not in problem.axes:
            raise HarnessError(
                f"Problem {problem.name!r} has no axis {name!r}. "
                + (facts.why_no_axis(problem.path, name) or choices(name, problem.axes))
            )
    own = problem.axes[names[0]]
    values = [_value(part, own, where) for part in items(tail, where)]
    return Range(tuple(names), tuple(dict.fromkeys(values)))


def _value(text: str, own: Any, where: str) -> Any:
    """A value of a sweep, of the same type as the problem file's own."""
    if isinstance(own, tuple):
        return _tuple(text, own, where)
    kind = type(own)
    if kind is bool:
        if text not in ("True", "False"):
            raise HarnessError(f"{where}: {text!r} is neither True nor False.")
        return text == "True"
    try:
        value = kind(text)
    except ValueError:
        noun = "a whole number" if kind is int else "a number"
        raise HarnessError(f"{where}: {text!r} is not {noun}.") from None
    # What is more than 1 in the file is a size. Others need not be, such as `dim = 1`.
    least = 1 if kind is int and own > 1 else -(1 << 63)
    if kind is int and not least <= value < 1 << 63:
        raise HarnessError(f"{where}: {value} is not a size; sizes are 1 or more, below 2^63.")
    if kind is float and not math.isfinite(value):
        raise HarnessError(f"{where}: {text!r} is not a finite number.")
    return value


def _tuple(text: str, own: tuple[Any, ...], where: str) -> tuple[Any, ...]:
    """A tuple of as many numbers as the problem file's own."""
    parts = [part.strip() for part in text.removeprefix("(").removesuffix(")").split(",")]
    parts = [part for part in parts if part]
    if not (text.startswith("(") and text.endswith(")") and len(parts) == len(own)):
        raise HarnessError(f"{where}: {text!r} is no tuple of {len(own)}, such as {own}.")
    return tuple(_value(part, each, where) for part, each in zip(parts, own, strict=True))
