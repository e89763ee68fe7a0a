"""The nouns of the harness: frozen records that every other module passes around.

Imports nothing of ours. Times are microseconds and carry `_us`; build times are
seconds and carry `_s`. A value nobody measured is None, never 0 or -1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any


class HarnessError(Exception):
    """A mistake the user can correct. The message is one sentence that says how."""


class Status(StrEnum):
    """What became of one kernel on one case."""

    PASSED = "PASSED"
    """Within the error budget on the problem's contract, and timed."""
    WRONG_VALUES = "WRONG_VALUES"
    """Further from the truth than the error budget allows."""
    WRONG_SHAPE = "WRONG_SHAPE"
    """The output's shape differs from eager's; broadcasting does not count."""
    WRONG_DTYPE = "WRONG_DTYPE"
    """The output's dtype differs from eager's."""
    WRONG_STRUCTURE = "WRONG_STRUCTURE"
    """Not a plain tensor where eager has one, or a differently nested result."""
    INPUT_MUTATED = "INPUT_MUTATED"
    """The call changed one of its inputs."""
    ALIASED = "ALIASED"
    """A later call changed an output: it lies in memory that is not its own."""
    SUSPECT = "SUSPECT"
    """Right, and its time cannot be: by the judge's clock, or by what its output's bytes take."""
    BUILD_FAILED = "BUILD_FAILED"
    """The compiler or linker rejected the kernel's source."""
    LOAD_FAILED = "LOAD_FAILED"
    """The file could not be imported, or its ModelNew could not be constructed."""
    RUNTIME_ERROR = "RUNTIME_ERROR"
    """forward() raised, or the device reported an error."""
    OUT_OF_MEMORY = "OUT_OF_MEMORY"
    """The kernel needs more memory than there is on this case."""
    TIMED_OUT = "TIMED_OUT"
    """No answer before the deadline; the worker was killed."""
    CRASHED = "CRASHED"
    """The worker process died: a segfault, an abort, an exit."""
    SKIPPED = "SKIPPED"
    """The kernel says that it does not support this case, or the machine cannot run it."""
    UNGRADABLE = "UNGRADABLE"
    """The reference itself cannot run this case, for want of memory or otherwise, so there is
    nothing to judge by and the kernel was not run."""


BASELINES: Mapping[str, str | None] = {
    "eager": None,
    "compile": "default",
    "compile-reduce-overhead": "reduce-overhead",
    "compile-max-autotune": "max-autotune",
    "compile-max-autotune-no-cudagraphs": "max-autotune-no-cudagraphs",
}
"""What kernels are compared with -> the mode of torch.compile, None for eager."""

NOT_RUN = frozenset({Status.SKIPPED, Status.UNGRADABLE})
"""Statuses that say nothing of the kernel: it was not run."""

NON_FINITE = "NON_FINITE"
"""What a file may say that it is kept to show beside a Status: NaN and infinity go astray."""


class NonFinite(StrEnum):
    """Where NaN and infinity go, by the trials that have them."""

    SAME = "same"
    """Where the reference has them."""
    DIFFERS = "differs"
    """Elsewhere, or nowhere: the kernel may not have answered."""
    UNTESTED = "untested"
    """Not tried: not legal, the reference cannot, or the kernel failed before."""


@dataclass(frozen=True)
class Family:
    """A way of drawing inputs: the problem's own, or normal values for its floating ones."""

    scale: float | None
    """Standard deviation of the normal values; None for the problem's own inputs."""
    draws: Mapping[str, tuple[float, ...]]
    """One trial for each: its name, and the values planted among the others."""

    @property
    def finite(self) -> bool:
        return all(math.isfinite(value) for planted in self.draws.values() for value in planted)


OTHER_WEIGHTS = "own, other weights"
"""A draw for which the model's parameters are changed in place; a model without any has none."""

FAMILIES: Mapping[str, Family] = {
    "own": Family(None, {"own": (), "own again": (), "own changed": (), OTHER_WEIGHTS: ()}),
    "normal": Family(1.0, {"normal": ()}),
    "small": Family(1e-3, {"small normal": ()}),
    "large": Family(4.0, {"large normal": ()}),
    "huge": Family(100.0, {"huge normal": ()}),
    "non_finite": Family(1.0, {"NaN": (math.nan,), "infinite": (math.inf, -math.inf, 0.0)}),
}
"""Input families by name, in the order tried: non-finite ones last, since a kernel that is wrong
on finite ones as well is not timed. "own changed" is "own again" with one element changed: a kernel
that knows its inputs by their shape, address or a part of their contents answers as before."""

CONTRACT = ("own", "normal", "small", "large")
"""What a kernel must get right on a problem whose file states no families; the others are stress.
A file that states some has these alone, all of them contract. Stress comes last in FAMILIES."""


@dataclass(frozen=True)
class Draw:
    """A trial as everyone may know it: neither inputs nor truth."""

    name: str
    finite: bool
    stress: bool
    """Is it beyond the problem's contract?"""


@dataclass(frozen=True)
class Problem:
    """A reference file: `Model`, `get_inputs()`, `get_init_inputs()`."""

    name: str
    path: Path
    axes: Mapping[str, Any]
    """Every module global that holds a literal number, string or tuple of numbers, with the
    file's own value."""
    sweep: Mapping[str, tuple[str, ...]]
    """Device type -> default sweep, in the grammar of `--sweep`."""
    families: tuple[str, ...] | None
    """The input families that the file states: its contract, and all that is legal. None where
    it states none: CONTRACT is, and the others are stress."""


@dataclass(frozen=True)
class Kernel:
    """A file with `ModelNew` and the facts it states about itself."""

    name: str
    path: Path
    devices: tuple[str, ...]
    dtypes: tuple[str, ...] | None
    min_capability: tuple[int, int] | None
    requires: str | None
    known_defect: str | None
    """What this file is kept in the tree to show: a Status, or NON_FINITE."""
    literals: Mapping[str, Any] = field(default_factory=dict)
    """Every module global that holds a literal: it may restate an axis of the problem."""


@dataclass(frozen=True)
class Machine:
    """The device that a run is on, as torch sees it, and what is built for it.

    What only a GPU has is None on a CPU, and `threads` on a GPU.
    """

    device: str
    """Such as cpu, cuda or cuda:1."""
    device_name: str
    torch: str
    """Its version."""
    cuda: str | None
    """The version of CUDA that torch is built with; None if it is built without."""
    threads: int | None = None
    """How many kernels and baselines have: one for each core but the judge's."""
    capability: tuple[int, int] | None = None
    """Compute capability."""
    arch: str | None = None
    """What CUDA kernels are built for, such as 9.0a."""
    device_uuid: str | None = None
    multiprocessors: int | None = None
    memory_bytes: int | None = None
    l2_bytes: int | None = None

    @property
    def kind(self) -> str:
        """cpu or cuda."""
        return self.device.partition(":")[0]


@dataclass(frozen=True)
class Case:
    """One point of the sweep."""

    axes: Mapping[str, Any]
    """Overridden module globals of the problem, every axis included."""
    dtype: str
    device: str

    def __str__(self) -> str:
        return " ".join([*(f"{k}={v}" for k, v in self.axes.items()), self.dtype, self.device])


@dataclass(frozen=True)
class Comparison:
    """One output against one truth."""

    status: Status | None
    """None if it is within budget."""
    reason: str = ""
    error_rel: float | None = None
    """||kernel - truth|| / ||truth||; None where there was nothing to compare."""
    eager_error_rel: float | None = None


@dataclass(frozen=True)
class Verdict:
    """Is the kernel right on this case, and how far from the truth is it?"""

    status: Status
    reason: str = ""
    error_rel: float | None = None
    """Largest ||kernel - truth|| / ||truth|| over the input families."""
    eager_error_rel: float | None = None
    """Eager's own error on the family where the kernel's error was largest."""
    judge_died: bool = False
    """There is none, since the judge's process died over the case, and again when it was tried
    once more: nobody's fault that is known, and no clean end of a run."""
    non_finite: NonFinite | None = None
    """None where nothing was judged."""
    stress: str = ""
    """What went wrong beyond the contract, a sentence for each trial; empty if nothing did."""
    finite_right: bool = False
    """Right on every finite input tried."""

    def __post_init__(self) -> None:
        if self.status is Status.PASSED and self.error_rel is None:
            raise ValueError("a PASSED verdict must carry the error it passed with")
        if self.status is not Status.PASSED and not self.reason:
            raise ValueError(f"a {self.status} verdict must say why")

    @property
    def astray(self) -> bool:
        """Right on every finite input tried, and not where NaN or infinity is among them."""
        answered = self.status in (Status.PASSED, Status.WRONG_VALUES)
        return answered and self.finite_right and self.non_finite is NonFinite.DIFFERS

    @property
    def timed(self) -> bool:
        """May its row carry a latency? Only what passed is ranked, too."""
        return self.status is Status.PASSED or self.astray

    @property
    def fate(self) -> str:
        """What became of the kernel, in a word or two."""
        return ASTRAY if self.astray and self.status is not Status.PASSED else self.status


ASTRAY = "NaN astray"
"""What reports call a row that is timed and not ranked, since it is right on finite inputs only."""

KERNEL = "kernel"
"""The kernel's name among the subjects that are timed; no baseline is called so."""

UNCERTAIN = 0.2
"""A median whose 95% interval is wider than this part of it is uncertain."""


@dataclass(frozen=True)
class Timing:
    """Samples of one subject on one case, and their summary."""

    median_us: float
    ci_low_us: float
    ci_high_us: float
    blocks_us: tuple[tuple[float, ...], ...]
    """Raw samples in the order taken, one tuple per block of the alternation."""
    timer: str = ""
    """The protocol that took them, a name in `timing.stopwatch.TIMERS`."""
    launching_us: float = 0.0
    """How much of a call on a GPU may be launching, at most; 0 on a CPU."""

    @property
    def samples(self) -> int:
        return sum(len(block) for block in self.blocks_us)

    @property
    def uncertain(self) -> bool:
        """Is the interval too wide for the median to mean much?"""
        return self.ci_high_us - self.ci_low_us > UNCERTAIN * self.median_us


CLOCK, HELD, LOOSE = "clock", "held", "loose"


@dataclass(frozen=True)
class Bound:
    """What a call takes by the judge's own clock: over a batch of calls, all outputs in its hands.

    No time of a kernel's process is believed below it. `kind` is HELD where no call began before
    all were queued; LOOSE where the host's part is in it, which bounds nothing on the device;
    CLOCK where the judge's clock took the time itself, and there is no other.
    """

    kind: str
    us: float | None = None
    """None where it is the time itself, or too little of a batch was the calls'."""
    calls: int | None = None
    """In one batch."""


@dataclass(frozen=True)
class Speedup:
    """Baseline time / kernel time from blocks that stood side by side."""

    ratio: float
    ci_low: float
    ci_high: float


@dataclass(frozen=True)
class Diagnostic:
    """The first error of a compiler, linker or loader."""

    message: str
    """What is wrong, with the compiler's own word for how bad it is: "error: expected a ';'"."""
    place: str = ""
    """The file it points at, as the compiler writes it; empty where it points nowhere."""
    line: int | None = None
    column: int | None = None
    remedy: str = ""
    """What to do, where that is certain."""
    shown: str = ""
    """The lines of source and the caret that the compiler shows below."""

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.place, self.line, self.column) if part)
        remedy = f" (remedy: {self.remedy})" if self.remedy else ""
        return f"{place}: {self.message}{remedy}" if place else f"{self.message}{remedy}"


@dataclass(frozen=True)
class Resources:
    """What one CUDA kernel takes, as ptxas says; None where it does not say."""

    kernel: str
    arch: str
    registers: int | None = None
    shared_bytes: int | None = None
    spill_bytes: int | None = None
    local_bytes: int | None = None


@dataclass(frozen=True)
class Build:
    """How a kernel file's extensions came to be."""

    seconds: float
    """Wall time from the file's source to its extensions, loaded ones included."""
    status: Status | None = None
    """None when it built; else BUILD_FAILED, LOAD_FAILED, TIMED_OUT or CRASHED."""
    reason: str = ""
    diagnostic: Diagnostic | None = None
    """The first error, where a compiler, a linker or the loader gave one."""
    log: Path | None = None
    """The file with the compilers' commands and output."""
    route: str | None = None
    """"cached", "lean" or "full" (the headers); the slowest of its extensions decides."""
    why_full: str = ""
    """What the lean headers lacked."""
    fallback: str = ""
    """The extension that did not build and why, where the file goes on without it."""
    resources: tuple[Resources, ...] = ()
    """Of every CUDA kernel."""

    def most(self, resource: str) -> int | None:
        """The largest value of a resource over all CUDA kernels, None without any."""
        values = (getattr(r, resource) for r in self.resources)
        return max((value for value in values if value is not None), default=None)


@dataclass(frozen=True)
class Result:
    """One row: what one kernel did on one case."""

    problem: str
    kernel: str
    case: Case
    case_index: int
    verdict: Verdict
    build: Build | None = None
    """None where nothing was built, as for a kernel that no case suits."""
    known_defect: str | None = None
    timing: Timing | None = None
    bound: Bound | None = None
    """None where it was not timed."""
    baselines: Mapping[str, Timing] = field(default_factory=dict)
    """Baseline name -> its timing; a baseline that could not run is absent."""
    speedups: Mapping[str, Speedup] = field(default_factory=dict)
    """Baseline name -> how many times faster the kernel is; only where it passed as itself."""
    fallback: str = ""
    """Why it is not the file's own kernel that ran here, where the file went on without it."""

    def __post_init__(self) -> None:
        if self.timing is not None and not self.verdict.timed:
            raise ValueError(f"a {self.verdict.status} row must not carry a latency")
        if self.speedups and self.fallback:
            raise ValueError("a fall-back is not ranked")

    @property
    def timings(self) -> Mapping[str, Timing]:
        """By subject: KERNEL if it was timed, then baselines by name."""
        own = {} if self.timing is None else {KERNEL: self.timing}
        return {**own, **self.baselines}

    @property
    def uncertain(self) -> tuple[str, ...]:
        """The subjects whose medians are uncertain."""
        return tuple(subject for subject, timing in self.timings.items() if timing.uncertain)

    @property
    def shows_defect(self) -> bool:
        """Did it go wrong as its file says that it does?"""
        if self.known_defect == NON_FINITE:
            return self.verdict.astray
        return self.verdict.status == self.known_defect

    @property
    def marked(self) -> bool:
        """Is it right on the problem's contract, and not on what lies beyond?"""
        return self.verdict.status is Status.PASSED and bool(self.verdict.stress)

    @property
    def as_expected(self) -> bool:
        """Does this row leave the exit code at 0?"""
        if self.verdict.status in NOT_RUN:
            return True
        right = self.shows_defect if self.known_defect else self.verdict.status is Status.PASSED
        return right and not self.fallback
