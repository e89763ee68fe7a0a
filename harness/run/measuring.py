"""PARENT: times a kernel and its baselines block by block, in alternation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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
    timings = _alternate(judge, worker, case, rough_us, effort)
    if not _uncertain(timings):
        return timings
    again = _alternate(judge, worker, case, rough_us, effort)
    return min(again, timings, key=_uncertain)


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
