"""From the options of a call to a plan: first what needs no machine, where every typo is seen."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness import results
from harness.build import toolchain
from harness.catalog import facts, find, sweep
from harness.catalog.find import ROOT
from harness.children import Child
from harness.records import Kernel, Machine, Problem
from harness.run.plan import FULL, QUICK, Plan

DEFAULT_DTYPES = {"cuda": ("float32", "bfloat16"), "cpu": ("float32",)}


@dataclass(frozen=True)
class Options:
    """What a call asks for. What is left empty has a default that the device or problem decides."""

    problem: str
    """A name, or the path of a file."""
    kernels: Sequence[str] = ()
    """Names or paths; all of the problem's if empty."""
    dtypes: Sequence[str] = ()
    sweeps: Sequence[str] = ()
    """As `catalog.sweep.read_sweep` takes them."""
    baselines: Sequence[str] = ()
    quick: bool = False
    judge_only: bool = False
    strict: bool = False
    rebuild: bool = False
    timeout_s: float = 60.0
    seed: int | None = None


@dataclass(frozen=True)
class Asked:
    """What the options name, found."""

    options: Options
    problem: Problem
    kernels: Sequence[Kernel]
    ranges: Mapping[str, Sequence[sweep.Range]]
    """By kind of device."""


def find_names(options: Options) -> Asked:
    """Raises HarnessError for a name that there is not."""
    problem = find.find_problem(ROOT, options.problem)
    results.check_axes(problem.axes)
    kernels = find.find_kernels(ROOT, problem, options.kernels)
    return Asked(
        options, problem, kernels, sweep.read_sweep(problem, options.sweeps, options.quick)
    )


def plan_run(asked: Asked, here: Machine, judge: Child | None = None) -> Plan:
    """What is asked for, on this machine. Raises HarnessError for a mistake.

    judge: see `Plan.judge`.
    """
    options, problem, kernels = asked.options, asked.problem, asked.kernels
    if any(here.kind in kernel.devices for kernel in kernels):
        toolchain.check(here.kind)
    dtypes = options.dtypes or DEFAULT_DTYPES[here.kind]
    plan = Plan(
        problem=problem,
        kernels=kernels,
        cases=sweep.expand_cases(problem, asked.ranges[here.kind], here.device, dtypes),
        baselines=options.baselines,
        machine=here,
        effort=(QUICK if options.quick else FULL)[here.kind],
        seed=secrets.randbits(32) if options.seed is None else options.seed,
        timeout_s=options.timeout_s,
        judge_only=options.judge_only,
        strict=options.strict,
        rebuild=options.rebuild,
        judge=judge,
    )
    for kernel in kernels:
        for case in plan.cases:  # for what the facts of a file get wrong, before anything is run
            facts.unsupported(kernel, problem, case, here.capability)
    return plan
