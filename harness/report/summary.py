"""What a run says at its end: a line per kernel, and the conclusion in one sentence."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from harness.records import BASELINES, KERNEL, NOT_RUN, UNCERTAIN, Result, Status
from harness.report.numbers import FOOTNOTE, MARK, format_ratio
from harness.report.terminal import say
from harness.timing.stats import geometric_mean

_REMARKS_WIDTH = 24
"""Room for any single remark, such as "10 INPUT_MUTATED"."""


def print_summary(console: Console, rows: Sequence[Result], folder: Path) -> None:
    """A table with a line per kernel, the conclusion, and where all files are.

    Kernels that passed every case they ran come first, whatever the others' speed-ups.
    """
    unsorted: dict[str, list[Result]] = defaultdict(list)
    for row in rows:
        unsorted[row.kernel].append(row)
    by_kernel = dict(sorted(unsorted.items(), key=lambda item: not _is_right(item[1])))
    names = [name for name in BASELINES if any(name in row.baselines for row in rows)]
    means = {kernel: _means(own, names) for kernel, own in by_kernel.items()}
    console.print()
    _print_kernels(console, by_kernel, means, names)
    console.print()
    say(console, _conclusion(by_kernel, means))
    if warning := _unsteady(rows):
        say(console, f"[yellow]note:[/] {warning}")
    if any(row.marked for row in rows):
        say(console, f"[dim]{FOOTNOTE}: `stress` in results.csv has what happened.[/]")
    how = ["[dim]Speed-ups are geometric means over passed cases.[/]"] if names else []
    say(console, *how, "[dim]All files:[/]", folder)


def _print_kernels(
    console: Console,
    by_kernel: Mapping[str, Sequence[Result]],
    means: Mapping[str, Mapping[str, float]],
    names: Sequence[str],
) -> None:
    """A table; if need be, its headers break at hyphens and the best is left out.

    On a terminal that is too narrow for it, a few lines for every kernel.
    """
    columns = {"kernel": [escape(kernel) for kernel in by_kernel]}
    columns["passed"] = [_passed(own) for own in by_kernel.values()]
    for name in names:
        ratios = [means[kernel].get(name) for kernel in by_kernel]
        columns[f"vs {name}"] = ["" if r is None else format_ratio(r) for r in ratios]
    if "eager" in names:
        columns["best"] = [_best(own) for own in by_kernel.values()]
    columns["remarks"] = [_remarks(own) for own in by_kernel.values()]
    if _width(columns) > console.width:
        columns = {head.replace("-", "-\n"): cells for head, cells in columns.items()}
    if _width(columns) > console.width:
        columns.pop("best", None)
    if _width(columns) > console.width:
        for kernel, *figures, remarks in zip(*columns.values(), strict=True):
            heads = (head.replace("\n", "") for head in list(columns)[1:-1])
            parts = [f"{text} {head}" for head, text in zip(heads, figures, strict=True) if text]
            say(console, f"[bold]{kernel}[/]")
            say(console, *parts, *filter(None, [remarks]), lead="    ")
        return
    table = Table(header_style="bold", box=None, padding=(0, 1))
    for head in columns:
        words = head in ("kernel", "remarks")
        table.add_column(head, justify="left" if words else "right", no_wrap=head != "remarks")
    for cells in zip(*columns.values(), strict=True):
        table.add_row(*cells)
    console.print(table)


def _width(columns: Mapping[str, Sequence[str]]) -> int:
    """What columns need, with a blank on either side of each; remarks may break between words."""
    total = 0
    for head, column in columns.items():
        widths = [Text.from_markup(cell).cell_len for cell in [*head.split("\n"), *column]]
        total += min(max(widths), _REMARKS_WIDTH if head == "remarks" else max(widths)) + 2
    return total


# A kernel's rows in a line


def _ranked(rows: Sequence[Result], baseline: str) -> dict[int, float]:
    """Case -> speed-up, where the kernel's time and the baseline's are certain."""
    return {
        row.case_index: row.speedups[baseline].ratio
        for row in rows
        if baseline in row.speedups
        and not {KERNEL, baseline} & set(row.uncertain)
        and not row.fallback
    }


def _means(rows: Sequence[Result], baselines: Sequence[str]) -> Mapping[str, float]:
    ratios = {name: _ranked(rows, name).values() for name in baselines}
    return {name: geometric_mean(values) for name, values in ratios.items() if values}


def _passed_of(rows: Sequence[Result]) -> tuple[int, int]:
    """How many cases passed, of how many that ran."""
    ran = [row for row in rows if row.verdict.status not in NOT_RUN]
    return sum(row.verdict.status is Status.PASSED and not row.fallback for row in ran), len(ran)


def _is_right(rows: Sequence[Result]) -> bool:
    passed, ran = _passed_of(rows)
    return 0 < passed == ran


def _passed(rows: Sequence[Result]) -> str:
    passed, ran = _passed_of(rows)
    return f"{passed}/{ran}" if ran else "-"


def _best(rows: Sequence[Result]) -> str:
    ratios = _ranked(rows, "eager").values()
    return format_ratio(max(ratios)) if ratios else ""


def _remarks(rows: Sequence[Result]) -> str:
    counts: dict[tuple[str, bool], int] = defaultdict(int)
    for row in rows:
        if row.verdict.status is not Status.PASSED:
            counts[row.verdict.fate, row.as_expected] += 1
    parts = []
    for (fate, expected), count in counts.items():
        if fate in NOT_RUN:
            parts.append(f"[dim]{count} {fate}[/]")
        elif expected:
            parts.append(f"[yellow]{count} {fate}, as the file says[/]")
        else:
            parts.append(f"[bold red]{count} {fate}[/]")
    if marked := sum(row.marked for row in rows):
        parts.append(f"[yellow]{marked} {MARK}[/]")
    if instead := sum(bool(row.fallback) for row in rows):
        parts.append(f"[bold red]{instead} fallback[/]")
    if shaky := sum(bool(row.uncertain) for row in rows):
        parts.append(f"[yellow]{shaky} uncertain[/]")
    return ", ".join(parts)


# All rows in a sentence


def _unsteady(rows: Sequence[Result]) -> str:
    """A warning if times are uncertain, as on a machine that does other work."""
    timed = sum(len(row.timings) for row in rows)
    shaky = sum(len(row.uncertain) for row in rows)
    if not shaky:
        return ""
    return (
        f"{shaky} of {timed} times (of kernels and baselines) are uncertain by more than "
        f"{UNCERTAIN:.0%}, as where the machine has something else to do: no speed-up that rests "
        "on them is in a mean. "
        "Run again when it is idle."
    )


def _conclusion(
    by_kernel: Mapping[str, Sequence[Result]], means: Mapping[str, Mapping[str, float]]
) -> str:
    rows = [row for own in by_kernel.values() for row in own]
    fell_back = {row.kernel for row in rows if row.fallback}
    failed = {
        row.kernel
        for row in rows
        if not (row.as_expected or row.fallback or row.verdict.status is Status.PASSED)
    }
    right = {name for name, own in by_kernel.items() if _is_right(own)}
    marked = {row.kernel for row in rows if row.marked}
    shown = {name: escape(name) + f" {MARK}" * (name in marked) for name in by_kernel}
    best, unsure = _fastest([row for row in rows if row.kernel in right])
    if best:
        alone = len({row.kernel for row in rows if row.verdict.status not in NOT_RUN}) == 1
        praise = "is right" if alone else "is the fastest right kernel"
        slower = [name for name, ratio in means[best].items() if round(ratio, 2) < 1]
        but = f", but slower than {' and '.join(slower)}" if slower else ""
        ratios = ", ".join(f"{format_ratio(ratio)} {name}" for name, ratio in means[best].items())
        text = f"[bold]{shown[best]}[/] {praise}{but}: {ratios}"
        if unsure:
            text += f"; too uncertain to rank: {escape(', '.join(unsure))}"
    elif right:
        text = f"Right on every case: [bold]{', '.join(shown[name] for name in sorted(right))}[/]"
        if any(row.speedups for row in rows if row.kernel in right):
            text += "; no speed-up is certain enough to rank by"
    else:
        ran = any(row.verdict.status not in NOT_RUN for row in rows)
        text = "No kernel is right on every case it ran" if ran else "No kernel ran"
    if failed:
        text += f"; [bold red]wrong or failed: {escape(', '.join(sorted(failed)))}[/]"
    if fell_back:
        text += f"; [bold red]not its own kernel: {escape(', '.join(sorted(fell_back)))}[/]"
    mended = (_mended(name, own) for name, own in by_kernel.items())
    return "; ".join([text, *filter(None, mended)]) + "."


def _mended(kernel: str, rows: Sequence[Result]) -> str:
    """Why a kernel that passed spoils the exit code: its file says that it does not."""
    defects = {
        row.known_defect
        for row in rows
        if row.known_defect
        and row.verdict.status is Status.PASSED
        and not (row.shows_defect or row.fallback)
    }
    if not defects:
        return ""
    passed, ran = _passed_of(rows)
    often, remedy = f" {passed} of {ran} cases", ""
    if passed == ran:
        often, remedy = "", ": take KNOWN_DEFECT out"
    says = f"passed{often}, though its file says {', '.join(sorted(defects))}{remedy}"
    return f"[bold red]{escape(kernel)} {says}[/]"


def _fastest(rows: Sequence[Result]) -> tuple[str | None, list[str]]:
    """The kernel that is fastest over eager, if speed-ups tell; and kernels without a certain one.

    Means over different cases do not compare. Only kernels that passed the most cases are
    meant, and of these the cases on which the times of all of them are certain.
    """
    passed: dict[str, list[Result]] = defaultdict(list)
    for row in rows:
        if "eager" in row.speedups:
            passed[row.kernel].append(row)
    most = max(map(len, passed.values()), default=0)
    ratios = {name: _ranked(own, "eager") for name, own in passed.items() if len(own) == most}
    unsure = [name for name, of_case in ratios.items() if not of_case]
    certain = {name: of_case for name, of_case in ratios.items() if of_case}
    shared = set.intersection(*map(set, certain.values())) if certain else set()
    if not shared:
        return None, unsure
    best = max(certain, key=lambda name: geometric_mean(certain[name][c] for c in shared))
    return best, unsure
