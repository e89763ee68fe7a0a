"""The sweep: what `--sweep` and a problem's own sweep say, expanded into cases."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from harness.catalog.facts import DTYPES
from harness.catalog.nearest import choices
from harness.records import Case, HarnessError, Problem


def expand_cases(
    problem: Problem, device: str, dtypes: Sequence[str], sweeps: Sequence[str], quick: bool = False
) -> list[Case]:
    """All cases of a run: the cross product of the axes' values and the dtypes.

    `sweeps` items look like `batch_size=1,64` or `in_features=out_features=1024,4096`; each
    replaces what the problem's own default sweep says of its axes. With `quick`, default axes
    shrink to their middle value, while given ones stay. Unswept axes keep the file's value.
    Raises HarnessError for an unknown axis, an empty or unreadable value list, a bad dtype.
    """
    for dtype in dtypes:
        if dtype not in DTYPES:
            raise HarnessError(f"There is no dtype {dtype!r}. {choices(dtype, DTYPES)}")
    given = [_parse_sweep(problem, item) for item in sweeps]
    named = [axis for axes, _ in given for axis in axes]
    for axis in named:
        if named.count(axis) > 1:
            raise HarnessError(f"Axis {axis!r} is swept twice: put all its values in one --sweep.")
    defaults = []
    for item in problem.sweep.get(device.partition(":")[0], ()):
        axes, values = _parse_sweep(problem, item)
        if not set(axes) & set(named):
            defaults.append((axes, values[len(values) // 2 :][:1] if quick else values))
    swept = [*defaults, *given]
    # Order the axes as the problem file has them, so that rows and plots read the same way.
    order = list(problem.axes)
    swept.sort(key=lambda item: order.index(item[0][0]))
    cases = []
    for dtype in dict.fromkeys(dtypes):
        for point in itertools.product(*(values for _, values in swept)):
            axes_at = dict(problem.axes)
            for (names, _), value in zip(swept, point, strict=True):
                axes_at.update(dict.fromkeys(names, value))
            cases.append(Case(axes_at, dtype, device))
    return cases


def _parse_sweep(problem: Problem, item: str) -> tuple[tuple[str, ...], tuple[Any, ...]]:
    *names, tail = (part.strip() for part in item.split("="))
    if not names or not all(names):
        what = "names no axis" if names else "has no '='"
        raise HarnessError(
            f"--sweep {item!r} {what}: write an axis and its values, such as batch_size=1,64,1024."
        )
    for name in names:
        if name not in problem.axes:
            raise HarnessError(
                f"Problem {problem.name!r} has no axis {name!r}. " + choices(name, problem.axes)
            )
    texts = [text.strip() for text in tail.split(",") if text.strip()]
    if not texts:
        raise HarnessError(
            f"--sweep {item!r} names no values: give at least one, as in {names[0]}=64."
        )
    values = [_value(text, type(problem.axes[names[0]]), item) for text in texts]
    # What is more than 1 in the file is a size. Others need not be, such as `dim = 1`.
    own = problem.axes[names[0]]
    least = 1 if isinstance(own, int) and own > 1 else -(1 << 63)
    for value in values:
        if type(value) is int and not least <= value < 1 << 63:
            raise HarnessError(
                f"--sweep {item!r}: {value} is not a size; sizes are 1 or more, below 2^63."
            )
    return tuple(names), tuple(dict.fromkeys(values))


def _value(text: str, kind: type, item: str) -> Any:
    """A value of a sweep, of the same type as the problem file's own."""
    if kind is bool and text not in ("True", "False"):
        raise HarnessError(f"--sweep {item!r}: {text!r} is neither True nor False.")
    try:
        return text == "True" if kind is bool else kind(text)
    except ValueError:
        wanted = "a whole number" if kind is int else "a number"
        raise HarnessError(f"--sweep {item!r}: {text!r} is not {wanted}.") from None
