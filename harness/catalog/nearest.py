"""Lists of names as the command line and files have them, and what to say of an unknown one."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable

from harness import PROGRAM
from harness.records import HarnessError


def items(text: str, where: str) -> list[str]:
    """What a list such as `a, b` holds, each once: blanks and a comma too many do not matter.

    where: what the list stands in, for the HarnessError that is raised if it holds nothing.
    """
    # Not at the commas of a tuple: (64, 64),(128, 128)
    parts = dict.fromkeys(part.strip() for part in re.split(r",(?![^()]*\))", text))
    parts.pop("", None)
    if not parts:
        raise HarnessError(f"{where} names no values: give at least one.")
    return list(parts)


def chosen(text: str, known: Collection[str], option: str) -> list[str]:
    """The known names in an option's list. Raises HarnessError for any other, or for none."""
    names = items(text, f"{option} {text!r}")
    for name in names:
        if name not in known:
            raise HarnessError(f"{option}: there is no {name!r}. {choices(name, known)}")
    return names


def suggest(wanted: str, known: Iterable[str]) -> str:
    """A sentence that names the nearest known name, or says where to look."""
    return _nearest(wanted, known) or f"`{PROGRAM} list` shows what there is."


def choices(wanted: str, known: Collection[str]) -> str:
    """Names the nearest of a few known names, if one is near, and all of them."""
    there_is = f"There are {', '.join(known)}." if known else "There is none."
    return f"{_nearest(wanted, known)} {there_is}".strip()


def _nearest(wanted: str, known: Iterable[str]) -> str:
    by_lower = {name.lower(): name for name in known}
    near = difflib.get_close_matches(wanted.lower(), list(by_lower), n=1, cutoff=0.4)
    return f"Did you mean {by_lower[near[0]]!r}?" if near else ""
