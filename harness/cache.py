"""The user's cache folder."""

from __future__ import annotations

import os
from pathlib import Path

from harness.records import HarnessError


def root() -> Path:
    """The store's folder: $KERNEL_BENCH_CACHE, or one in the user's cache directory."""
    if given := os.environ.get("KERNEL_BENCH_CACHE"):
        return Path(given)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "kernel-bench"


def make_folder(name: str) -> Path:
    """A folder of the store, made if need be. Raises HarnessError if it cannot be."""
    folder = root() / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HarnessError(
            f"The store of builds, {root()}, cannot be written to ({error.strerror}): "
            "set KERNEL_BENCH_CACHE to a folder that can."
        ) from error
    return folder
