"""The user's cache folder."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from harness.records import HarnessError

_VARIABLE = "KERNEL_BENCH_CACHE"


def root() -> Path:
    """The store's folder: $KERNEL_BENCH_CACHE, or one in the user's cache directory.

    Raises HarnessError if it would be in a home directory, and there is none.
    """
    named, caches = os.environ.get(_VARIABLE), os.environ.get("XDG_CACHE_HOME")
    try:
        if named:
            return Path(named).expanduser().absolute()
        return Path(caches or "~/.cache").expanduser().absolute() / "kernel-bench"
    except RuntimeError as error:
        raise HarnessError(
            "The store of builds has no place, since this user has no home directory: "
            f"set {_VARIABLE} to a folder that can be written to."
        ) from error


def prepare() -> str:
    """Settle where the store lies, before the first child starts: children inherit it.

    Returns a sentence for the user where that is not the usual place, and an empty string
    otherwise, as at every later call. Raises HarnessError if no folder can be written to.
    """
    try:
        usual = root()
        why_not = _why_unwritable(usual)
        complaint = f"The store of builds, {usual}, cannot be written to ({why_not})"
    except HarnessError:
        why_not = complaint = "The store of builds has no place, since there is no home directory"
    if not why_not:
        return ""
    remedy = f"Set {_VARIABLE} to a folder that can be written to"
    try:
        spare = Path(tempfile.gettempdir()) / f"kernel-bench-{os.getuid()}"
        # What lies there is executed, so it must be this user's and nobody else's to write to.
        spare.mkdir(mode=0o700, exist_ok=True)
        status = spare.lstat()
        foreign = spare.is_symlink() or status.st_uid != os.getuid() or status.st_mode & 0o022
        obstacle = "it belongs to another user" if foreign else _why_unwritable(spare)
    except OSError as error:
        raise HarnessError(f"{complaint}, and no temporary folder can: {remedy}.") from error
    if obstacle:
        raise HarnessError(f"{complaint}, nor can {spare} ({obstacle}): {remedy}.")
    os.environ[_VARIABLE] = str(spare)
    return f"{complaint}: {spare} serves instead. {remedy}, and builds are kept there."


def make_folder(name: str) -> Path:
    """A folder of the store, made if need be. Raises HarnessError if it cannot be."""
    folder = root() / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HarnessError(
            f"The store of builds, {root()}, cannot be written to ({error.strerror}): "
            f"set {_VARIABLE} to a folder that can."
        ) from error
    return folder


def _why_unwritable(folder: Path) -> str:
    """The system's reason, or an empty string if files can be made in it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return ""
    except OSError as error:
        return error.strerror or str(error)
