"""Measures the tool itself: builds by plain load_inline against builds by ours.

Every build runs in a process of its own that has torch and its build machinery imported, so that
the times are what a kernel file adds to them. Cold: nothing built yet. Warm: built before, by
another process.
"""

from __future__ import annotations

import csv
import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from harness.catalog import facts
from harness.catalog.load import load_module
from harness.children import Child, ChildFailed
from harness.records import HarnessError, Machine, Status
from harness.serve import Handler, failure

TIMEOUT_S = 1800.0

HEADER_FREE = Path(__file__).resolve().parent
"""Kernel files that use no torch header, for the least that a build can take."""

BUILDS = "builds.csv"


@dataclass(frozen=True)
class Once:
    """One build of a kernel file's extension by one of the two ways."""

    seconds: float
    route: str | None
    """The route ours took; None for plain load_inline, which has one."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One source built both ways, each cold and then warm; a line of builds.csv."""

    source: str
    device: str
    route: str | None = None
    plain_cold_s: float | None = None
    ours_cold_s: float
    cold_ratio: float
    """How many times as long as ours the other way takes."""
    plain_warm_s: float | None = None
    ours_warm_s: float | None = None


BuildOnce = Callable[[str, Path, str | None, Path], Once]
"""(way, file, architecture, cache) -> one build; see `build_once`."""


def build_once(way: str, file: Path, arch: str | None, cache: Path) -> Once:
    """Build a kernel file in a process of its own, by the "ours" or the "plain" way.

    arch: for CUDA kernels, such as 9.0a. cache: the folder that what is built is kept in.
    Raises HarnessError when it does not build.
    """
    child = Child("harness.selfcheck.build", log=cache.with_suffix(".log"), timeout_s=TIMEOUT_S)
    try:
        return Once(**child.ask(way, file=str(file), arch=arch, cache=str(cache)))
    except ChildFailed as failed:
        reason = failed.reason.partition("\n")[0]
        raise HarnessError(f"{file} does not build ({way}): {reason}.") from failed
    finally:
        child.kill()


def measure(
    root: Path,
    machine: Machine,
    folder: Path,
    say: Callable[[str], None],
    build: BuildOnce = build_once,
) -> list[Row]:
    """Build the headline kernels and a header-free source both ways; write builds.csv.

    Returns one row per source; the last row builds every CUDA or CPU kernel of the tree at once.
    Raises HarnessError when a build fails; rows before it are in builds.csv.
    """
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as scratch_name:
        scratch = Path(scratch_name)
        for file in _sources(root, machine.kind):
            rows.append(_both_ways(file, machine, scratch, say, build))
            _write(folder, rows)
        say("all at once: ours")
        rows.append(_all_at_once(root, machine, scratch, build))
        _write(folder, rows)
    return rows


def _both_ways(
    file: Path, machine: Machine, scratch: Path, say: Callable[[str], None], build: BuildOnce
) -> Row:
    say(f"{file.stem}: ours")
    ours = [build("ours", file, machine.arch, scratch / f"ours-{file.stem}") for _ in range(2)]
    say(f"{file.stem}: plain load_inline")
    plain = [build("plain", file, machine.arch, scratch / f"plain-{file.stem}") for _ in range(2)]
    return Row(
        source=file.stem,
        device=machine.kind,
        ours_cold_s=ours[0].seconds,
        cold_ratio=plain[0].seconds / ours[0].seconds,
        route=ours[0].route,
        plain_cold_s=plain[0].seconds,
        plain_warm_s=plain[1].seconds,
        ours_warm_s=ours[1].seconds,
    )


def _write(folder: Path, rows: Sequence[Row]) -> None:
    with (folder / BUILDS).open("w", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Row)])
        writer.writeheader()
        writer.writerows(map(asdict, rows))


def _sources(root: Path, device: str) -> list[Path]:
    problem = root / "kernels" / "gemm_swish_divide_clamp_tanh_clamp"
    stems = {"cuda": ["seed"], "cpu": ["cpu_naive", "cpu_fused"]}[device]
    return [*(problem / f"{stem}.py" for stem in stems), HEADER_FREE / f"header_free_{device}.py"]


def _all_at_once(root: Path, machine: Machine, scratch: Path, build: BuildOnce) -> Row:
    """Cold builds of up to eight kernels together, against the slowest of them alone."""
    files = [
        path
        for path in sorted((root / "kernels").glob("*/*.py"))
        if machine.kind in facts.read_kernel(path).devices
    ][:8]
    alone_s = [
        build("ours", file, machine.arch, scratch / f"alone-{i}").seconds
        for i, file in enumerate(files)
    ]
    start = time.monotonic()
    with ThreadPoolExecutor(len(files)) as pool:
        list(pool.map(lambda f: build("ours", f, machine.arch, scratch / "together"), files))
    together_s = time.monotonic() - start
    return Row(
        source=f"slowest alone / {len(files)} at once",
        device=machine.kind,
        ours_cold_s=together_s,
        cold_ratio=max(alone_s) / together_s,
    )


def print_table(console: Console, rows: Sequence[Row]) -> None:
    """Show the rows; a ratio above 1 means that ours is faster."""
    table = Table(header_style="bold", box=None, padding=(0, 1))
    for name in ("source", "route", "plain s", "ours s", "ratio", "warm: plain s", "ours s"):
        left = name in ("source", "route")
        table.add_column(name, justify="left" if left else "right", no_wrap=True)

    def shown(seconds: float | None) -> str:
        return "" if seconds is None else f"{seconds:.3f}"

    for row in rows:
        table.add_row(
            row.source,
            row.route or "",
            shown(row.plain_cold_s),
            shown(row.ours_cold_s),
            f"{row.cold_ratio:.1f}×",
            shown(row.plain_warm_s),
            shown(row.ours_warm_s),
        )
    console.print(table)


def _plain(file: str, arch: str | None, cache: str) -> dict[str, Any]:
    """CHILD: execute a kernel file with torch's own load_inline."""
    return _timed(file, arch, lambda: _load_plain(Path(file), cache))


def _load_plain(file: Path, cache: str) -> str | None:
    os.environ["TORCH_EXTENSIONS_DIR"] = cache
    load_module(file)
    return None


def _ours(file: str, arch: str | None, cache: str) -> dict[str, Any]:
    """CHILD: execute a kernel file with ours."""
    return _timed(file, arch, lambda: _load_ours(Path(file), arch, cache))


def _load_ours(file: Path, arch: str | None, cache: str) -> str | None:
    from harness.build import load_inline

    os.environ["KERNEL_BENCH_CACHE"] = cache
    uses = load_inline.install(file, arch, compile_missing=True)
    load_module(file)
    return uses[0].route if uses else None


def _timed(file: str, arch: str | None, load: Callable[[], str | None]) -> dict[str, Any]:
    import torch.utils.cpp_extension  # noqa: F401  not part of what is timed

    if arch is not None:
        os.environ["TORCH_CUDA_ARCH_LIST"] = arch
    start = time.monotonic()
    try:
        route = load()
    except Exception as error:
        raise failure(error, Status.BUILD_FAILED, file) from error
    return asdict(Once(time.monotonic() - start, route))


def make_handlers() -> Mapping[str, Handler]:
    return {"plain": _plain, "ours": _ours}
