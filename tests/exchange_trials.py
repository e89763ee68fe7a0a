"""What does a call cost beside what it takes?

    python tests/exchange_trials.py [--device cuda] [--calls 200] [--sizes 16x1024,1024x1024]

A worker has eager's model of the headline problem and is called as timed calls are, on inputs that
are new each time. Prints medians in microseconds for each size: what the call takes by the run's
timer, what passes from one call to the next, and where that goes.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any
from unittest import mock

from judging import PATIENCE_S, Court
from rich.console import Console
from rich.table import Table

from harness.exchange.judge_end import JudgeEnd
from harness.exchange.page import Page
from harness.verdict.oracle import Oracle

HEADLINE = Path(__file__).parents[1] / "reference" / "gemm_swish_divide_clamp_tanh_clamp.py"
PARTS = ("fresh", "put", "wait for ready", "wait for done")


@contextmanager
def watched() -> Iterator[dict[str, list[float]]]:
    """How long each part of the judge's work took, in microseconds, call after call."""
    took: dict[str, list[float]] = defaultdict(list)
    waits = itertools.cycle(PARTS[2:])

    def timed(work: Callable[..., Any], name: Callable[[], str]) -> Callable[..., Any]:
        def run(*arguments: Any, **named: Any) -> Any:
            start = time.perf_counter()
            try:
                return work(*arguments, **named)
            finally:
                took[name()].append((time.perf_counter() - start) * 1e6)

        return run

    with (
        mock.patch.object(Oracle, "fresh", timed(Oracle.fresh, lambda: "fresh")),
        mock.patch.object(JudgeEnd, "_put", timed(JudgeEnd._put, lambda: "put")),
        mock.patch.object(Page, "wait", timed(Page.wait, lambda: next(waits))),
    ):
        yield took


def main() -> int:
    options = parsed()
    table = Table("size", "dtype", "the call", "one to the next", *PARTS, "1.5 × call + 1 ms")
    for size in options.sizes.split(","):
        batch, features = map(int, size.split("x"))
        axes = {"batch_size": batch, "in_features": features, "out_features": features}
        with tempfile.TemporaryDirectory() as folder:
            court = Court(Path(folder), options.device)
            try:
                call_us, each_us, parts = measured(court, axes, options)
            finally:
                court.close()
        fits = "kept" if each_us <= 1.5 * call_us + 1000 else "broken"
        cells = [f"{value:.1f}" for value in (call_us, each_us, *(parts[p] for p in PARTS))]
        table.add_row(size, options.dtype, *cells, fits)
    Console(width=140).print(table)
    return 0


def measured(
    court: Court, axes: dict[str, int], options: argparse.Namespace
) -> tuple[float, float, dict[str, float]]:
    court.prepare(HEADLINE, axes=axes, dtype=options.dtype, families=None)
    court.hire_baseline(HEADLINE, axes=axes)
    court.construct("eager")
    court.judge.warm_up("eager", 0.5, PATIENCE_S)
    with watched() as took:
        start = time.perf_counter()
        block = court.block(samples=options.calls, name="eager", judged=False)
        each_us = (time.perf_counter() - start) * 1e6 / (options.calls + 2)
    return median(block["times_us"]), each_us, {part: median(took[part]) for part in PARTS}


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--sizes", default="16x1024,128x1024,1024x1024", help="batch x features")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
