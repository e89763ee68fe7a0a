"""Commands that run kernels: `run` judges and times them, `check` judges them alone."""

from __future__ import annotations

from pathlib import Path

from harness import machine
from harness.catalog.facts import DTYPES
from harness.catalog.nearest import chosen
from harness.cli.options import (
    DEFAULT_PROBLEM,
    BaselineOption,
    DeviceOption,
    DtypeOption,
    KernelOption,
    NoBaselineOption,
    OutOption,
    ProblemOption,
    QuickOption,
    RebuildOption,
    SeedOption,
    StrictOption,
    SweepOption,
    TimeoutOption,
)
from harness.planning import Options, find_names
from harness.records import BASELINES, HarnessError


def run(
    problem: ProblemOption = DEFAULT_PROBLEM,
    kernel: KernelOption = None,
    device: DeviceOption = "auto",
    dtype: DtypeOption = None,
    sweep: SweepOption = None,
    baseline: BaselineOption = "eager,compile",
    out: OutOption = Path("results"),
    quick: QuickOption = False,
    strict: StrictOption = False,
    rebuild: RebuildOption = False,
    timeout: TimeoutOption = 60.0,
    seed: SeedOption = None,
) -> int:
    """Build, judge and time kernels; write CSV, plots and the environment. The default."""
    options = Options(
        problem=problem,
        kernels=kernel or (),
        dtypes=_dtypes(dtype),
        sweeps=sweep or (),
        baselines=chosen(baseline, BASELINES, "--baseline"),
        quick=quick,
        strict=strict,
        rebuild=rebuild,
        timeout_s=timeout,
        seed=seed,
    )
    return _carry_out(options, device, out)


def check(
    problem: ProblemOption = DEFAULT_PROBLEM,
    kernel: KernelOption = None,
    device: DeviceOption = "auto",
    dtype: DtypeOption = None,
    sweep: SweepOption = None,
    baseline: NoBaselineOption = None,
    out: OutOption = Path("results"),
    quick: QuickOption = False,
    strict: StrictOption = False,
    rebuild: RebuildOption = False,
    timeout: TimeoutOption = 60.0,
    seed: SeedOption = None,
) -> int:
    """Build and judge kernels without timing them."""
    if baseline is not None:
        raise HarnessError(
            "`check` times nothing, so there is no --baseline to compare with: leave it out, or "
            "call `run`."
        )
    options = Options(
        problem=problem,
        kernels=kernel or (),
        dtypes=_dtypes(dtype),
        sweeps=sweep or (),
        quick=quick,
        strict=strict,
        judge_only=True,
        rebuild=rebuild,
        timeout_s=timeout,
        seed=seed,
    )
    return _carry_out(options, device, out)


def _carry_out(options: Options, device: str, out: Path) -> int:
    asked = find_names(options)  # a typo is seen here, before anything is started
    machine.begin(device)
    from harness import session  # not before: PyTorch is imported meanwhile

    return session.run(asked, device, out)


def _dtypes(text: str | None) -> list[str]:
    return [] if text is None else chosen(text, DTYPES, "--dtype")
