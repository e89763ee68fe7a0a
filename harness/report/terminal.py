"""What a run shows: a live line with the time left, a line per row, a table and a conclusion."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from rich import progress as bars
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from harness.records import BASELINES, NOT_RUN, Build, Case, Kernel, Result, Status, Timing
from harness.timing.stats import geometric_mean

_COLOURS = {Status.PASSED: "green", Status.NON_FINITE: "yellow", Status.SKIPPED: "dim"}


class Progress:
    """Shows a run while it goes on; implements plan.Report."""

    def __init__(self, console: Console, kernels: Sequence[Kernel], cases: Sequence[Case]) -> None:
        self.rows: list[Result] = []
        self._cases = cases
        self._name_width = max(len(kernel.name) for kernel in kernels)
        self._console = console
        self._bars = bars.Progress(
            bars.SpinnerColumn(),
            *([bars.BarColumn(bar_width=24)] if console.width >= 100 else []),
            bars.MofNCompleteColumn(),
            bars.TimeElapsedColumn(),
            bars.TextColumn("left"),
            bars.TimeRemainingColumn(compact=True),
            # What is too long for the line gives way to the times.
            bars.TextColumn(
                "[dim]{task.description}[/]", table_column=Column(ratio=1, no_wrap=True)
            ),
            console=console,
            transient=True,
            expand=True,
        )
        self._task = self._bars.add_task("starting", total=len(kernels) * len(cases))
        self._skipped: set[tuple[str, str]] = set()

    def __enter__(self) -> Progress:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def step(self, text: str) -> None:
        self._bars.update(self._task, description=escape(text))

    def built(self, kernel: Kernel, build: Build) -> None:
        if build.status:
            self._print(f"  [red]{build.status}[/] {kernel.name}: {_coloured(build)}")
            self._print(f"    [dim]commands and whole output: {escape(str(build.log))}[/]")
        else:
            how = {"lean": "", "full": " with PyTorch's headers", "cached": " (cached)"}
            text = f"  built {kernel.name} in {build.seconds:.1f} s{how.get(build.route or '', '')}"
            if build.route is None:
                text = f"  {kernel.name} has nothing to build"
            spilled, local = build.most("spill_bytes"), build.most("local_bytes")
            if spilled:
                text += f", [yellow]spills {spilled} bytes of registers[/]"
            elif local:
                text += f", [yellow]keeps {local} bytes per thread in local memory[/]"
            self._print(text)
            if build.route == "full":
                lack = re.sub(r"^.*?\berror: ", "", build.why_full)
                self._print(f"    [dim]the lean headers cannot: {escape(lack)}[/]")

    def baseline(self, case: Case, name: str, rough_us: float) -> None:
        self._print(f"  [dim]{self._short(case)}  {name} about {format_us(rough_us)}[/]")

    def note(self, text: str) -> None:
        self._print(f"  [yellow]note:[/] {escape(text)}")

    def row(self, result: Result) -> None:
        """Count a row and show it; a kernel skipped for the same reason again is not repeated."""
        self.rows.append(result)
        self._bars.advance(self._task)
        verdict = result.verdict
        if verdict.status is Status.SKIPPED:
            if (result.kernel, verdict.reason) in self._skipped:
                return
            self._skipped.add((result.kernel, verdict.reason))
            self._print(f"  [dim]SKIPPED {result.kernel}: {escape(verdict.reason)}[/]")
            return
        colour = _COLOURS.get(verdict.status, "red")
        name = f"{result.kernel:<{self._name_width}}"
        parts = [f"  [{colour}]{verdict.status:<13}[/] {name}  {self._short(result.case)}"]
        if result.timing:
            parts.append(f"[bold]{format_us(result.timing.median_us)}[/]")
        parts += [f"{s.ratio:.2f}× {name}" for name, s in result.speedups.items()]
        if any(_uncertain(t) for t in (result.timing, *result.baselines.values()) if t):
            parts.append("[yellow]uncertain[/]")
        if verdict.status is result.known_defect:
            parts.append("[dim](as the file says)[/]")
        elif verdict.status is not Status.PASSED and not (result.build and result.build.status):
            parts.append(f"\n    {escape(verdict.reason)}")  # of a build, `built` has said why
        self._print("  ".join(parts))

    def _short(self, case: Case) -> str:
        """What tells this case from the run's others."""
        first = self._cases[0]
        parts = [
            f"{axis}={value}"
            for axis, value in case.axes.items()
            if any(other.axes[axis] != first.axes[axis] for other in self._cases)
        ]
        if any(other.dtype != first.dtype for other in self._cases):
            parts.append(case.dtype)
        return " ".join(parts) or str(case)

    def _print(self, text: str) -> None:
        self._console.print(text, soft_wrap=True)


def _coloured(build: Build) -> str:
    """A compiler's error as compilers colour it, the place as seen from here."""
    error = build.diagnostic
    if error is None:
        return escape(build.reason.replace(f"{Path.cwd()}/", ""))
    place, _, rest = str(error).rpartition(error.message)
    place = place.replace(f"{Path.cwd()}/", "")
    word, colon, message = error.message.partition(":")
    lines = [f"[bold]{escape(place)}[/][bold red]{escape(word + colon)}[/]{escape(message + rest)}"]
    for line in map(escape, error.shown.splitlines()):
        lines.append(f"[green]{line}[/]" if "^" in line else line)
    return "\n    ".join(lines)


def format_us(us: float) -> str:
    """A time with three or four digits and its unit."""
    if us < 1_000:
        return f"{us:.1f} µs"
    if us < 1_000_000:
        return f"{us / 1e3:.{2 if us < 10_000 else 1 if us < 100_000 else 0}f} ms"
    return f"{us / 1e6:.2f} s"


def print_summary(console: Console, rows: Sequence[Result], folder: Path) -> None:
    """One line per kernel, and the conclusion in one sentence."""
    by_kernel: dict[str, list[Result]] = defaultdict(list)
    for row in rows:
        by_kernel[row.kernel].append(row)
    names = [name for name in BASELINES if any(name in row.baselines for row in rows)]
    table = Table(header_style="bold", box=None, padding=(0, 1))
    table.add_column("kernel", no_wrap=True)
    table.add_column("passed", justify="right", no_wrap=True)
    for name in names:
        table.add_column(f"vs {name}", justify="right", no_wrap=True)
    best_fits = "eager" in names and console.width >= 80
    if best_fits:
        table.add_column("best", justify="right", no_wrap=True)
    table.add_column("remarks", overflow="fold")
    means = {name: _means(of, names) for name, of in by_kernel.items()}
    for name, of in by_kernel.items():
        best = [_best(of)] if best_fits else []
        table.add_row(name, _passed(of), *_ratios(means[name], names), *best, _remarks(of))
    console.print()
    console.print(table)
    console.print(f"\n{_conclusion(rows, means)}", soft_wrap=True)
    if warning := _unsteady(rows):
        console.print(f"[yellow]note:[/] {warning}", soft_wrap=True)
    how = "Speed-ups are geometric means over passed cases. " if names else ""
    console.print(f"[dim]{how}All files: {folder}[/]", soft_wrap=True)


def _uncertain(timing: Timing) -> bool:
    return timing.ci_high_us - timing.ci_low_us > 0.2 * timing.median_us


def _unsteady(rows: Sequence[Result]) -> str:
    """A warning if medians are uncertain, as on a machine that does other work."""
    timings = [t for row in rows for t in (row.timing, *row.baselines.values()) if t]
    wide = sum(map(_uncertain, timings))
    if not wide:
        return ""
    return (
        f"{wide} of {len(timings)} times are uncertain by more than 20%, as where the machine has "
        "something else to do: do not trust the rows that say so. Run again when it is idle."
    )


def _means(rows: Sequence[Result], baselines: Sequence[str]) -> Mapping[str, float]:
    found = {}
    for name in baselines:
        ratios = [row.speedups[name].ratio for row in rows if name in row.speedups]
        if ratios:
            found[name] = geometric_mean(ratios)
    return found


def _ratios(means: Mapping[str, float], baselines: Sequence[str]) -> list[str]:
    return [f"{means[name]:.2f}×" if name in means else "" for name in baselines]


def _passed(rows: Sequence[Result]) -> str:
    ran = [row for row in rows if row.verdict.status not in NOT_RUN]
    return f"{sum(r.verdict.status is Status.PASSED for r in ran)}/{len(ran)}" if ran else "-"


def _best(rows: Sequence[Result]) -> str:
    ratios = [row.speedups["eager"].ratio for row in rows if "eager" in row.speedups]
    return f"{max(ratios):.2f}×" if ratios else ""


def _remarks(rows: Sequence[Result]) -> str:
    counts: dict[tuple[Status, bool], int] = defaultdict(int)
    for row in rows:
        if row.verdict.status is not Status.PASSED:
            counts[row.verdict.status, row.as_expected] += 1
    parts = []
    for (status, expected), count in counts.items():
        if status in NOT_RUN:
            parts.append(f"[dim]{count} {status}[/]")
        elif expected:
            parts.append(f"[yellow]{count} {status}, as the file says[/]")
        else:
            parts.append(f"[bold red]{count} {status}[/]")
    return ", ".join(parts)


def _conclusion(rows: Sequence[Result], means: Mapping[str, Mapping[str, float]]) -> str:
    failed = {row.kernel for row in rows if not row.as_expected}
    right = {row.kernel for row in rows if row.verdict.status is Status.PASSED} - failed
    cases = Counter(row.kernel for row in rows if "eager" in row.speedups and row.kernel in right)
    # Means over different cases do not compare: those over the most are meant.
    ranked = {name: means[name]["eager"] for name in cases if cases[name] == max(cases.values())}
    if ranked:
        best = max(ranked, key=lambda name: ranked[name])
        others = ", ".join(f"{ratio:.2f}× {name}" for name, ratio in means[best].items())
        alone = len({row.kernel for row in rows if row.verdict.status not in NOT_RUN}) == 1
        praise = "is right" if alone else "is the fastest right kernel"
        text = f"[bold]{best}[/] {praise}: {others}"
    elif right:
        text = f"Right on every case: [bold]{', '.join(sorted(right))}[/]"
    else:
        ran = any(row.verdict.status not in NOT_RUN for row in rows)
        text = "No kernel is right on every case it ran" if ran else "No kernel ran"
    if failed:
        text += f"; [bold red]wrong or failed: {', '.join(sorted(failed))}[/]"
    return text + "."
