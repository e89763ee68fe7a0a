"""PARENT: times a kernel and its baselines block by block, in alternation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from harness.records import KERNEL, Case, Timing
from harness.run.ask_judge import JudgeClient, Prepared
from harness.run.ask_worker import WorkerClient
from harness.run.plan import Effort
from harness.timing import stats


def measure(
    judge: JudgeClient, worker: WorkerClient, case: Case, ready: Prepared, effort: Effort
) -> dict[str, Timing]:
    """Timings by subject: KERNEL, and every baseline that works on the case.

    Where a median comes out uncertain, all is measured once more, and what is less uncertain
    stands: a machine that was busy for a moment is not the kernel's fault.
    """
    own_us = worker.warm_up(ready.timed, effort.warm_up_s)
    rough_us = {**ready.rough_us, KERNEL: own_us}

    def once() -> dict[str, Timing]:
        timings = _alternate(judge, worker, case, rough_us, effort)
        return {s: _widened(t, ready.medians_us.get(s, ())) for s, t in timings.items()}

    timings = once()
    if _uncertain(timings):
        timings = min(once(), timings, key=_uncertain)
    for subject in ready.rough_us:
        ready.medians_us.setdefault(subject, []).append(timings[subject].median_us)
    return timings


def _widened(timing: Timing, medians_us: Sequence[float]) -> Timing:
    """A baseline's timing whose interval holds what it took beside other kernels on this case,
    where that is far from it: blocks of one minute say nothing of what the next one brings."""
    wide = replace(
        timing,
        ci_low_us=min(timing.ci_low_us, *medians_us, timing.median_us),
        ci_high_us=max(timing.ci_high_us, *medians_us, timing.median_us),
    )
    return wide if wide.uncertain else timing


def _alternate(
    judge: JudgeClient,
    worker: WorkerClient,
    case: Case,
    rough_us: Mapping[str, float],
    effort: Effort,
) -> dict[str, Timing]:
    """Block by block: A B C, C B A, A B C, ... cancels drift."""
    fitting = int(effort.block_us / max(rough_us.values()))
    samples = max(effort.min_samples, min(fitting, effort.max_samples))
    blocks_us: dict[str, list[Sequence[float]]] = {subject: [] for subject in rough_us}
    order = list(rough_us)
    for _ in range(effort.blocks):
        for subject in order:
            blocks_us[subject].append(
                worker.block(effort.timer, samples, rough_us[KERNEL])
                if subject == KERNEL
                else judge.block(subject, case, effort.timer, samples)
            )
        order.reverse()
    return {subject: stats.summarise(blocks, effort.timer) for subject, blocks in blocks_us.items()}


def _uncertain(timings: Mapping[str, Timing]) -> int:
    return sum(timing.uncertain for timing in timings.values())
