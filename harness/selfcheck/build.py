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
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from harness.catalog import facts
from harness.catalog.load import load_module
from harness.children import Child, ChildFailed, Handler, failure
from harness.machine import Machine
from harness.records import HarnessError, Status

TIMEOUT_S = 1800.0

HEADER_FREE = Path(__file__).resolve().parent
"""Kernel files that use no torch header, for the least that a build can take."""

Say = Callable[[str], None]
Row = dict[str, Any]


def build(root: Path, machine: Machine, folder: Path, say: Say) -> list[Row]:
    """Build the headline kernels and a header-free source both ways; write builds.csv.

    Returns one row per source: seconds plain and ours, cold and warm, their ratios, and the
    route ours took; the last row builds every CUDA or CPU kernel of the tree at once.
    Raises HarnessError when a build fails; rows before it are in builds.csv.
    """
    arch, device = machine.arch, machine.kind
    files = _sources(root, device)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as scratch_name:
        scratch = Path(scratch_name)
        for file in files:
            say(f"{file.stem}: ours")
            ours = [_ask("ours", file, arch, scratch / f"ours-{file.stem}") for _ in range(2)]
            say(f"{file.stem}: plain load_inline")
            plain = [_ask("plain", file, arch, scratch / f"plain-{file.stem}") for _ in range(2)]
            rows.append(
                {
                    "source": file.stem,
                    "device": device,
                    "route": ours[0]["route"],
                    "plain_cold_s": plain[0]["seconds"],
                    "ours_cold_s": ours[0]["seconds"],
                    "cold_ratio": plain[0]["seconds"] / ours[0]["seconds"],
                    "plain_warm_s": plain[1]["seconds"],
                    "ours_warm_s": ours[1]["seconds"],
                }
            )
            _write(folder, rows)
        say("all at once: ours")
        rows.append(_all_at_once(root, device, arch, scratch))
        _write(folder, rows)
    return rows


def _write(folder: Path, rows: Sequence[Row]) -> None:
    with (folder / "builds.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _sources(root: Path, device: str) -> list[Path]:
    problem = root / "kernels" / "gemm_swish_divide_clamp_tanh_clamp"
    stems = {"cuda": ["seed"], "cpu": ["cpu_naive", "cpu_fused"]}[device]
    return [*(problem / f"{stem}.py" for stem in stems), HEADER_FREE / f"header_free_{device}.py"]


def _all_at_once(root: Path, device: str, arch: str | None, scratch: Path) -> Row:
    """Cold builds of up to eight kernels together, against the slowest of them alone."""
    files = [
        path
        for path in sorted((root / "kernels").glob("*/*.py"))
        if device in facts.read_kernel(path).devices
    ][:8]
    alone = [
        _ask("ours", file, arch, scratch / f"alone-{i}")["seconds"] for i, file in enumerate(files)
    ]
    start = time.monotonic()
    with ThreadPoolExecutor(len(files)) as pool:
        list(pool.map(lambda file: _ask("ours", file, arch, scratch / "together"), files))
    together = time.monotonic() - start
    return {
        "source": f"slowest alone / {len(files)} at once",
        "device": device,
        "ours_cold_s": together,
        "cold_ratio": max(alone) / together,
    }


def _ask(request: str, file: Path, arch: str | None, cache: Path) -> Row:
    child = Child("harness.selfcheck.build", log=cache.with_suffix(".log"))
    try:
        answer: Row = child.ask(request, TIMEOUT_S, file=str(file), arch=arch, cache=str(cache))
        return answer
    except ChildFailed as failed:
        reason = failed.reason.partition("\n")[0]
        raise HarnessError(f"{file} does not build ({request}): {reason}.") from failed
    finally:
        child.kill()


def print_table(console: Console, rows: Sequence[Row]) -> None:
    """Show the rows; a ratio above 1 means that ours is faster."""
    table = Table(header_style="bold", box=None, padding=(0, 1))
    for name in ("source", "route", "plain s", "ours s", "ratio", "warm: plain s", "ours s"):
        left = name in ("source", "route")
        table.add_column(name, justify="left" if left else "right", no_wrap=True)

    def seconds(row: Row, name: str) -> str:
        return f"{row[name]:.3f}" if row.get(name) is not None else ""

    for row in rows:
        table.add_row(
            row["source"],
            row.get("route") or "",
            seconds(row, "plain_cold_s"),
            seconds(row, "ours_cold_s"),
            f"{row['cold_ratio']:.1f}×",
            seconds(row, "plain_warm_s"),
            seconds(row, "ours_warm_s"),
        )
    console.print(table)


def _plain(file: str, arch: str | None, cache: str) -> Row:
    """CHILD: execute a kernel file with torch's own load_inline."""
    return _timed(file, arch, lambda: _load_plain(Path(file), cache))


def _load_plain(file: Path, cache: str) -> str | None:
    os.environ["TORCH_EXTENSIONS_DIR"] = cache
    load_module(file)
    return None


def _ours(file: str, arch: str | None, cache: str) -> Row:
    """CHILD: execute a kernel file with ours."""
    return _timed(file, arch, lambda: _load_ours(Path(file), arch, cache))


def _load_ours(file: Path, arch: str | None, cache: str) -> str | None:
    from harness.build import load_inline

    os.environ["KERNEL_BENCH_CACHE"] = cache
    uses = load_inline.install(file, arch, compile_missing=True)
    load_module(file)
    return uses[0].route if uses else None


def _timed(file: str, arch: str | None, load: Callable[[], str | None]) -> Row:
    import torch.utils.cpp_extension  # noqa: F401  not part of what is timed

    if arch is not None:
        os.environ["TORCH_CUDA_ARCH_LIST"] = arch
    start = time.monotonic()
    try:
        route = load()
    except Exception as error:
        raise failure(error, Status.BUILD_FAILED, file) from error
    return {"seconds": time.monotonic() - start, "route": route}


def make_handlers() -> Mapping[str, Handler]:
    return {"plain": _plain, "ours": _ours}
