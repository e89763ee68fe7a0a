"""What a disk refuses: said in one sentence, and held against no kernel."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

from harness import cache
from harness.records import HarnessError, Result, Status
from harness.results import Writer

_MAY_CAUSE = (
    Status.BUILD_FAILED,
    Status.LOAD_FAILED,
    Status.RUNTIME_ERROR,
    Status.OUT_OF_MEMORY,
    Status.CRASHED,
)
_ROOM_BYTES = 16 << 10
"""A disk that does not take this much is full."""


def refusal(error: OSError) -> str:
    """What the system refuses, such as room on a disk, in one sentence."""
    what = f"{error.filename}: {error.strerror}" if error.filename else error.strerror or str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES):
        remedy = "make room, or name another folder by --out, $KERNEL_BENCH_CACHE or $TMPDIR"
        return f"{what}: {remedy}."
    return f"{what}."


class CarefulWriter(Writer):
    """Writes rows, but none that charges a kernel with what a full disk may have done to it."""

    def append(self, result: Result) -> None:
        """As `Writer.append`. Raises HarnessError too where the row is not to be believed."""
        if result.verdict.status in _MAY_CAUSE and (full := self._full()):
            raise HarnessError(
                f"{full} has no room left, so it is not known what became of {result.kernel!r} "
                f"({result.verdict.status}: {result.verdict.reason.splitlines()[0]}): make room, "
                "then run again."
            )
        super().append(result)

    def _full(self) -> Path | None:
        """A folder that builds, logs or rows are written to and that takes no more."""
        for folder in (self.folder, cache.root(), Path(tempfile.gettempdir())):
            if folder.is_dir() and os.access(folder, os.W_OK):
                try:
                    with tempfile.TemporaryFile(dir=folder) as file:
                        file.write(os.urandom(_ROOM_BYTES))
                except OSError:
                    return folder
        return None
