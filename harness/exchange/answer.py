"""What comes of a call, or of another request to a worker."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from harness.exchange.output import NONSENSE


class WorkerFailed(Exception):
    """The worker says that it failed: a status, a reason, and whether its process is spoilt."""

    def __init__(self, status: str, reason: str, poisoned: bool):
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.poisoned = poisoned


class WorkerGone(Exception):
    """The worker's process ended."""


class WorkerLate(Exception):
    """The worker did not answer in the time it had."""


@dataclass(frozen=True)
class Output:
    """What one call returned. Its tensors are the judge's own; one that was not to be had, since it
    has the wrong size, lies on the device "meta"."""

    value: Any
    devices: frozenset[str]
    """Where the output's tensors lay."""
    mutated: bool
    """Were the inputs others after the call, or does the worker say that they were laid out
    otherwise? False where nobody asked."""
    late: bool
    """Was it another output after the worker had said that it was there? False where nobody asked,
    and on a GPU, where nothing is waited for."""


@dataclass(frozen=True)
class Answer(Output):
    """What one call came to."""

    time_us: float


@contextmanager
def of_a_worker() -> Iterator[None]:
    """What goes wrong in here is the worker's doing."""
    try:
        yield
    except TimeoutError:
        raise WorkerLate from None
    except (OSError, EOFError, *NONSENSE):
        raise WorkerGone from None


def failure(data: Any) -> WorkerFailed:
    """What a worker says of its failure. Raises one of NONSENSE."""
    return WorkerFailed(str(data["status"]), str(data["reason"]), bool(data["poisoned"]))
