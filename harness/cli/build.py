"""The command that builds kernels without running them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rich.markup import escape

from harness import cache, machine
from harness.build import diagnostics
from harness.catalog import facts
from harness.cli.options import (
    DEFAULT_PROBLEM,
    ArchOption,
    KernelOption,
    ProblemOption,
    RebuildOption,
    SweepOption,
    VerboseOption,
)
from harness.planning import Options, find_names, plan_run
from harness.records import Build, HarnessError
from harness.report.terminal import Progress, console, say
from harness.run import ask_builder
from harness.run.plan import Plan


def build(
    problem: ProblemOption = DEFAULT_PROBLEM,
    kernel: KernelOption = None,
    arch: ArchOption = None,
    sweep: SweepOption = None,
    rebuild: RebuildOption = False,
    verbose: VerboseOption = False,
) -> int:
    """Build kernels into the store, for a later run here or on a machine that shares it.

    With --arch, CUDA kernels for that architecture: no GPU is needed. Kernels whose source
    depends on the sizes are built for every size of the sweep.
    """
    options = Options(
        problem=problem,
        kernels=kernel or (),
        dtypes=facts.DTYPES,
        sweeps=sweep or (),
        rebuild=rebuild,
    )
    asked = find_names(options)
    here = machine.probe("auto") if arch is None else machine.for_architecture(arch)
    plan = plan_run(asked, here)
    left_out = dict(_left_out(plan))
    if len(left_out) == len(plan.kernels):
        name, why = next(iter(left_out.items()))
        raise HarnessError(
            f"Nothing can be built: {name}: {why}. Name another --kernel or --sweep, or an "
            "architecture with --arch to build CUDA kernels without a GPU."
        )
    for name, why in left_out.items():
        console.print(f"  [dim]not built: {escape(name)}: {escape(why)}[/]", soft_wrap=True)
    logs = cache.make_folder("logs")
    to_build = [k for k in plan.kernels if k.name not in left_out]
    with Progress(console, to_build, plan.cases, builds_only=True) as progress:
        builds = ask_builder.build_all(plan, logs, progress)
    _show(builds, verbose)
    if not all(built.status for built in builds.values()):
        where = f"on a GPU of {arch} that shares this store" if arch else "here"
        say(console, f"A run {where} loads what was built from", cache.root())
    return 1 if any(built.status or built.fallback for built in builds.values()) else 0


def _left_out(plan: Plan) -> Iterable[tuple[str, str]]:
    """Kernels that no case suits, and why the first does not."""
    kind = plan.machine.kind
    for kernel in plan.kernels:
        if kind not in kernel.devices:
            yield kernel.name, f"for {' and '.join(kernel.devices)}, not for {kind}"
            continue
        reasons = [
            facts.unsupported(kernel, plan.problem, case, plan.capability) for case in plan.cases
        ]
        if all(reasons):
            yield kernel.name, str(reasons[0])


def _show(builds: Mapping[str, Build], verbose: bool) -> None:
    for name, built in builds.items():
        if verbose and built.log:
            console.rule(escape(name))
            console.print(built.log.read_text(errors="replace"), markup=False, soft_wrap=True)
        for resource in built.resources:
            line = f"  {name}: {diagnostics.summary(resource)}"
            console.print(line, markup=False, soft_wrap=True)
