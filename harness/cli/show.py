"""Commands that show what there is: `list`, `plot`, `cache`."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from harness import cache as cache_folder
from harness import machine
from harness.catalog import facts, find
from harness.cli.options import ClearOption, FolderArgument, OnlyProblemOption
from harness.records import Kernel
from harness.report.terminal import console, say_error

if TYPE_CHECKING:
    from harness.build.store import Entry


def list_(problem: OnlyProblemOption = None) -> int:
    """Show problems with their axes, and the kernels there are for each.

    Dim ones would not run on this machine.
    """
    root = find.ROOT
    problems = [find.find_problem(root, problem)] if problem else find.list_problems(root)
    capability = machine.gpu_capability()
    for each in problems:
        axes = " ".join(f"{axis}={value}" for axis, value in each.axes.items())
        console.print(f"\n[bold]{escape(each.name)}[/]  {escape(axes)}", soft_wrap=True)
        table = Table(box=None, padding=(0, 2), show_header=False)
        for path in sorted((root / "kernels" / each.name).glob("*.py")):
            kernel = facts.read_kernel(path)
            why_not = _why_not_here(kernel, capability)
            remarks = [", ".join(kernel.dtypes)] if kernel.dtypes else []
            remarks += [f"kept for {kernel.known_defect}"] if kernel.known_defect else []
            remarks += [why_not] if why_not else []
            cells = ("", kernel.name, "/".join(kernel.devices), "; ".join(remarks))
            table.add_row(*map(escape, cells), style="dim" if why_not else None)
        console.print(table)
    return 0


def _why_not_here(kernel: Kernel, capability: tuple[int, int] | None) -> str:
    """Why a kernel would not run on this machine; empty if it would. capability: of its GPU."""
    if "cpu" in kernel.devices:
        return ""
    if capability is None:
        return "no GPU here"
    if kernel.min_capability and capability < kernel.min_capability:
        return f"needs compute capability {'.'.join(map(str, kernel.min_capability))}"
    return ""


def plot(folder: FolderArgument) -> int:
    """Draw a run's plots again from its CSV files."""
    from harness.report import pictures  # not before: it brings pandas and matplotlib

    files = pictures.plot_all(folder, say_error)
    for path in files:
        console.print(str(path), markup=False, soft_wrap=True)
    if not files:
        console.print(
            f"Nothing was timed in {folder}, so there is nothing to draw.",
            markup=False,
            soft_wrap=True,
        )
    return 0


def cache(clear: ClearOption = False) -> int:
    """Show what the store of built extensions holds, or clear it.

    It lies in the user's cache directory, or where $KERNEL_BENCH_CACHE says.
    """
    from harness.build import store  # not before: no other command needs it

    root = escape(str(cache_folder.root()))
    if clear:
        console.print(f"Removed {store.clear() / 1e6:.1f} MB from {root}", soft_wrap=True)
        return 0
    entries = store.entries()
    console.print(_table(entries))
    total_bytes = sum(entry.size_bytes for entry in entries)
    failed = sum(bool(entry.manifest.failed) for entry in entries)
    console.print(
        f"{len(entries) - failed} extensions, {failed} remembered failures, "
        f"{total_bytes / 1e6:.1f} of at most {store.LIMIT_BYTES / 1e6:.0f} MB in {root}",
        soft_wrap=True,
    )
    return 0


def _table(entries: list[Entry]) -> Table:
    """One line per entry, however long a name or an error is."""
    # Where there is no room, the name and the error give way, and no number does.
    widths = {"key": 8, "extension": None, "built": None, "seconds": 7, "MB": 6, "last used": 16}
    table = Table(header_style="bold", box=None, padding=(0, 1), expand=True)
    for column, width in widths.items():
        right = column in ("seconds", "MB")
        table.add_column(
            column,
            justify="right" if right else "left",
            no_wrap=True,
            overflow="ellipsis",
            min_width=width,
            ratio={"extension": 2, "built": 3}.get(column),
        )
    for entry in entries:
        manifest = entry.manifest
        error = manifest.failed.message.partition("\n")[0] if manifest.failed else ""
        table.add_row(
            entry.key[:8],
            escape(manifest.name),
            f"[red]failed[/]: {escape(error)}" if manifest.failed else manifest.route,
            f"{manifest.seconds:.1f}",
            f"{entry.size_bytes / 1e6:.2f}",
            f"{datetime.fromtimestamp(entry.used):%F %H:%M}",
        )
    return table
