"""What a run shows while it goes on: a live line with the time left, a line per build and row."""

from __future__ import annotations

import math
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from rich import progress as bars
from rich.console import Console
from rich.markup import escape
from rich.table import Column
from rich.text import Text

from harness.records import ASTRAY, Build, Case, Diagnostic, Kernel, Result, Status
from harness.report.numbers import MARK, format_ratio, format_us

console = Console(highlight=False)

QUIET_S = 30.0
"""The longest that a log stays without a line while something goes on."""

_COLOURS = {Status.PASSED: "green", ASTRAY: "yellow", Status.SKIPPED: "dim"}


def say(console: Console, *parts: str | Path, lead: str = "") -> None:
    """Print parts of markup, and paths, as one line that begins with `lead`.

    On a terminal, what is too long for its width goes on below, four columns in: a part goes
    there whole, or word by word if it is longer than a line. Words, numbers with their units
    and paths never break inside. A log has lines of any length.
    """
    width = console.width if console.is_terminal else math.inf
    lines = [Text(lead)]
    start = True
    for part in parts:
        text = Text(str(part)) if isinstance(part, Path) else Text.from_markup(part)
        gap = "  "
        for word in _words(text, whole=isinstance(part, Path), room=width - 4):
            wide = lines[-1].cell_len + len(gap) + word.cell_len > width
            if word.plain == "\n" or (wide and not start):
                lines.append(Text("    "))
                start = True
            if word.plain != "\n":
                lines[-1].append("" if start else gap).append_text(word)
                start, gap = False, " "
    for line in lines:
        console.print(line, soft_wrap=True)


def _words(text: Text, whole: bool, room: float) -> Iterator[Text]:
    """What must not break, and a bare line break for each in the text; whole: a line is a word."""
    for i, line in enumerate(text.split("\n")):
        if i:
            yield Text("\n")
        yield from [line] if whole or line.cell_len <= room else line.split(" ")


def say_error(sentence: str) -> None:
    """Say on standard error what went wrong and what to do."""
    say(Console(stderr=True, highlight=False), f"[bold red]error:[/] {escape(sentence)}")


def say_note(sentence: str) -> None:
    """Say on standard error what is not as usual, where all goes on."""
    say(Console(stderr=True, highlight=False), f"[yellow]note:[/] {escape(sentence)}")


class Heartbeat:
    """Says now and then what goes on, where no live line can: in a log."""

    def __init__(self, console: Console, quiet_s: float = QUIET_S) -> None:
        self._console = console
        self._quiet_s = quiet_s
        self._doing = "starting"
        self._since = time.monotonic()
        self._quiet = True
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> Heartbeat:
        if not self._console.is_terminal:
            self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def step(self, text: str) -> None:
        """Something else goes on from now; text as it is, no markup."""
        self._doing, self._since = text, time.monotonic()

    def spoke(self) -> None:
        """Something was printed: no need to speak for a while."""
        self._quiet = False

    def _beat(self) -> None:
        while not self._ended.wait(self._quiet_s):
            waited_s = time.monotonic() - self._since
            if self._quiet and waited_s > self._quiet_s / 3:  # what just began has no news
                say(
                    self._console,
                    f"[dim]... {escape(self._doing)}[/]",
                    f"[dim]{waited_s:.0f} s[/]",
                    lead="  ",
                )
            self._quiet = True


@contextmanager
def working(console: Console, text: str) -> Iterator[Callable[[str], None]]:
    """Show what goes on, and by the function returned what goes on next.

    A spinner on a terminal; in a log a line for each, and one now and then.
    """
    if console.is_terminal:
        with console.status(escape(text)) as status:
            yield lambda text: status.update(escape(text))
        return
    with Heartbeat(console) as heartbeat:

        def step(text: str) -> None:
            heartbeat.step(text)
            heartbeat.spoke()
            say(console, f"[dim]{escape(text)}[/]", lead="  ")

        step(text)
        yield step


class Progress:
    """Shows a run while it goes on; implements plan.Report."""

    def __init__(
        self,
        console: Console,
        kernels: Sequence[Kernel],
        cases: Sequence[Case],
        quiet_s: float = QUIET_S,
        builds_only: bool = False,
    ) -> None:
        """builds_only: there will be no rows, and the live line counts builds instead."""
        self.rows: list[Result] = []
        self._builds_only = builds_only
        self._cases = cases
        self._name_width = max(len(kernel.name) for kernel in kernels)
        self._console = console
        self._shown = ExitStack()
        self._heartbeat = Heartbeat(console, quiet_s)
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
        total = len(kernels) * (1 if builds_only else len(cases))
        self._task = self._bars.add_task("starting", total=total)
        self._skipped: set[tuple[str, str]] = set()
        self._ungradable: set[str] = set()
        self._stressed: set[str] = set()

    def __enter__(self) -> Progress:
        self._shown.enter_context(self._bars)
        self._shown.enter_context(self._heartbeat)
        return self

    def __exit__(self, *error: object) -> None:
        self._shown.close()

    def step(self, text: str) -> None:
        self._bars.update(self._task, description=escape(text))
        self._heartbeat.step(text)

    def built(self, kernel: Kernel, build: Build) -> None:
        name = escape(kernel.name)
        if self._builds_only:
            self._bars.advance(self._task)
        if build.status:
            first, *more = _why_not(build)
            self._say(f"[red]{build.status}[/] {name}: {first}")
            for line in more:
                self._console.print(f"    {line}", soft_wrap=True)  # source, as it stands
            if build.log:
                self._say("[dim]commands and whole output:[/]", build.log, lead="    ")
            return
        how = {"lean": "", "full": " with PyTorch's headers", "cached": " (cached)"}
        text = f"built {name} in {build.seconds:.1f} s{how.get(build.route or '', '')}"
        if build.route is None:
            text = f"{name} built nothing" if build.fallback else f"{name} has nothing to build"
        if build.fallback:
            text += f", [yellow]but the file goes on without {escape(_near(build.fallback))}[/]"
        spilled, local = build.most("spill_bytes"), build.most("local_bytes")
        if spilled:
            text += f", [yellow]spills {spilled} bytes of registers[/]"
        elif local:
            text += f", [yellow]keeps {local} bytes per thread in local memory[/]"
        self._say(text)
        if build.route == "full":
            lack = re.sub(r"^.*?\berror: ", "", build.why_full)
            self._say(f"[dim]the lean headers cannot: {escape(lack)}[/]", lead="    ")

    def baseline(self, case: Case, name: str, rough_us: float) -> None:
        self._say(f"[dim]{self._short(case)}[/]", f"[dim]{name} about {format_us(rough_us)}[/]")

    def note(self, text: str) -> None:
        self._say(f"[yellow]note:[/] {escape(text)}")

    def row(self, result: Result) -> None:
        """Count a row and show it. A reason to skip is said once, as is a kernel's stress."""
        self.rows.append(result)
        self._bars.advance(self._task)
        verdict = result.verdict
        if verdict.status is Status.SKIPPED:
            if (result.kernel, verdict.reason) not in self._skipped:
                self._skipped.add((result.kernel, verdict.reason))
                self._say(f"[dim]SKIPPED {escape(result.kernel)}: {escape(verdict.reason)}[/]")
            return
        colour = "yellow" if result.fallback else _COLOURS.get(verdict.fate, "red")
        name = escape(f"{result.kernel:<{self._name_width}}")
        parts = [f"[{colour}]{verdict.status:<13}[/] {name}", self._short(result.case)]
        if result.timing:
            parts.append(f"[bold]{format_us(result.timing.median_us)}[/]")
        parts += [f"{format_ratio(s.ratio)} {name}" for name, s in result.speedups.items()]
        if result.fallback:
            parts.append("[yellow]fallback[/]")
        if result.uncertain:
            parts.append(f"[yellow]uncertain: {', '.join(result.uncertain)}[/]")
        if verdict.fate == ASTRAY:
            parts.append(f"[yellow]{ASTRAY}[/]")
        if result.marked:
            parts.append(f"[yellow]{MARK} under stress[/]")
        if result.shows_defect:
            parts.append("[dim](as the file says)[/]")
        self._say(*parts)
        if result.marked and not result.shows_defect and result.kernel not in self._stressed:
            self._stressed.add(result.kernel)
            self._say(f"[dim]{MARK} {escape(verdict.stress)}[/]", lead="    ")
        if result.fallback and not (result.build and result.build.fallback):
            self._say(escape(result.fallback), lead="    ")
        if verdict.status is Status.UNGRADABLE:  # nothing of the kernel: the same for all of them
            if verdict.reason in self._ungradable:
                return
            self._ungradable.add(verdict.reason)
        as_promised = verdict.status is Status.PASSED or result.shows_defect
        if not as_promised and not (result.build and result.build.status):  # `built` has said why
            self._say(escape(verdict.reason), lead="    ")

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
        return escape(" ".join(parts) or str(case))

    def _say(self, *parts: str | Path, lead: str = "  ") -> None:
        self._heartbeat.spoke()
        say(self._console, *parts, lead=lead)


def _near(text: str) -> str:
    """Paths in a text as seen from here."""
    return text.replace(f"{Path.cwd()}/", "")


def _why_not(build: Build) -> list[str]:
    """Why a build failed, in lines of markup; a compiler's error as compilers colour it."""
    if build.diagnostic is None:
        return [escape(_near(build.reason))]
    return _coloured(build.diagnostic)


def _coloured(error: Diagnostic) -> list[str]:
    place = ":".join(str(p) for p in (_near(error.place), error.line, error.column) if p)
    word, colon, message = error.message.partition(":")
    head = f"[bold]{escape(place)}: [/]" if place else ""
    lines = [f"{head}[bold red]{escape(word + colon)}[/]{escape(message)}"]
    for line in map(escape, error.shown.splitlines()):
        lines.append(f"[green]{line}[/]" if "^" in line else line)
    return [*lines, f"[bold]remedy:[/] {escape(error.remedy)}"] if error.remedy else lines
