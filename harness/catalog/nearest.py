"""What to say of a name that is not known."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable


def suggest(wanted: str, known: Iterable[str]) -> str:
    """A sentence that names the nearest known name, or says where to look."""
    return _nearest(wanted, known) or "`run_bench.py list` shows what there is."


def choices(wanted: str, known: Collection[str]) -> str:
    """Names the nearest of a few known names, if one is near, and all of them."""
    return f"{_nearest(wanted, known)} There are {', '.join(known)}.".strip()


def _nearest(wanted: str, known: Iterable[str]) -> str:
    by_lower = {name.lower(): name for name in known}
    near = difflib.get_close_matches(wanted.lower(), list(by_lower), n=1, cutoff=0.4)
    return f"Did you mean {by_lower[near[0]]!r}?" if near else ""
