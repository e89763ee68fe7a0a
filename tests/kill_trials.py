"""Kill a run's processes at random moments, and see what is lost and what is left.

    python tests/kill_trials.py [--kills 5] [--interrupts 12] [--seed 1]

So many `kill -9` over each of parent, judge, worker, builder and fork server, and so many Ctrl-C,
every second one pressed twice. After each: is every row there that was said to be, does a kernel
other than the one whose process was killed have all its rows, is the seed of a run whose parent
was killed there, does any process live on; and, once
the next run has started, is there anything left in shared memory, in the temporary folder or in
the store's place for builds? Prints a table; exit code 0 if nothing was lost or left.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock, Timeout
from processes import processes_with, wait_until
from rich.console import Console
from rich.table import Table

from harness import results

ROOT = Path(__file__).parents[1]
KERNELS = ("cpu_naive", "cpu_fused")
CASES = 3
DISTURBED = (
    *(
        "run",
        "--rebuild",
        "--sweep",
        "batch_size=4,8,16",
        "--sweep",
        "in_features=out_features=256",
    ),
    *("--baseline", "eager", *(part for name in KERNELS for part in ("--kernel", name))),
)
NEXT = ("check", "--kernel", "cpu_naive", "--quick", "--sweep", "in_features=out_features=64")
ROLES = ("parent", "judge", "worker", "builder", "server")
MARK = "KERNEL_BENCH_TRIAL"
OVER = "the run was over, or had no such process"
SHARED_MEMORY = Path("/dev/shm")


@dataclass
class Trial:
    """One run that was disturbed, and what was wrong afterwards."""

    what: str
    delay_s: float
    code: int | None = None
    rows: int = 0
    faults: list[str] = field(default_factory=list)


class Place:
    """Where trials run: a temporary folder, a store and results of their own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.out = root / "out"
        self.environment = os.environ | {
            "TMPDIR": str(root / "tmp"),
            "KERNEL_BENCH_CACHE": str(root / "store"),
            MARK: str(root),
        }
        for name in ("tmp", "store"):
            (root / name).mkdir()

    def start(self, arguments: tuple[str, ...]) -> subprocess.Popen[str]:
        """Run the command line."""
        common = ("--device", "cpu", "--out", str(self.out))
        return subprocess.Popen(
            [sys.executable, str(ROOT / "run_bench.py"), *arguments, *common],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            process_group=0,  # as a terminal starts it
        )

    def processes(self, parent: int, role: str) -> list[int]:
        """Ids of the run's processes in a role."""
        if role == "parent":
            return [parent]
        return [pid for pid in processes_with(MARK, str(self.root)) if role_of(pid, parent) == role]

    def left(self) -> Iterator[str]:
        """What lies about that no living run needs."""
        for folder in (self.root / "tmp", self.root / "store" / "building"):
            if folder.is_dir():
                yield from (f"{folder.name}/{path.name}" for path in folder.iterdir())
        yield from (
            f"shm/{path.name}"
            for path in SHARED_MEMORY.glob("kernel-bench-run-*.lock")
            if abandoned(path)
        )


def abandoned(lock_file: Path) -> bool:
    """Has its owner died? Other runs may be going on beside the trials."""
    with suppress(Timeout, OSError), FileLock(lock_file, timeout=0):
        return True
    return False


def role_of(pid: int, parent: int) -> str:
    with suppress(OSError):
        name = Path(f"/proc/{pid}/comm").read_text().strip()
        if name.startswith("bench-"):
            return name.removeprefix("bench-")
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
        if b"multiprocessing.forkserver" in command and pid != parent:
            return "server"
    return ""


def disturb(place: Place, what: str, delay_s: float, do: Callable[[int], bool]) -> Trial:
    """Run, disturb, and look. `do(parent's pid)` disturbs; False if there was nothing to."""
    trial = Trial(what, delay_s)
    earlier = set(place.out.glob("*/"))
    with place.start(DISTURBED) as run:
        time.sleep(delay_s)
        hit = do(run.pid)
        output, _ = run.communicate(timeout=300)
    trial.code = run.returncode
    if not hit:
        trial.faults.append(OVER)
        return trial
    folders = set(place.out.glob("*/")) - earlier
    check_rows(trial, output, folders)
    if what == "parent" and not wait_until(lambda: all(map(has_seed, folders))):
        trial.faults.append("environment.json has no seed")
    if not wait_until(lambda: not processes_with(MARK, str(place.root))):
        trial.faults.append(f"processes live on: {processes_with(MARK, str(place.root))}")
    with place.start(NEXT) as after:
        after.communicate(timeout=300)
    if left := sorted(place.left()):
        trial.faults.append(f"left: {', '.join(left[:4])}")
    return trial


def has_seed(folder: Path) -> bool:
    return results.read_environment(folder).get("seed") is not None


def check_rows(trial: Trial, output: str, folders: set[Path]) -> None:
    """folders: what the run made, or none if it had not come so far."""
    folder = next(iter(folders), None)
    shown = sum(line.startswith("  PASSED") for line in output.splitlines())
    frame = None
    if folder is not None:
        with suppress(results.HarnessError):  # stopped before its first row
            frame = results.read(folder)
    trial.rows = 0 if frame is None else len(frame)
    if trial.rows < shown:
        trial.faults.append(f"{shown} rows were shown, {trial.rows} are there")
    if "Traceback" in output:
        trial.faults.append("a traceback: " + output[output.index("Traceback") :][:3000])
    if trial.what == "parent" or trial.what.startswith("Ctrl-C"):
        return
    if trial.rows != len(KERNELS) * CASES:
        trial.faults.append(f"{trial.rows} rows of {len(KERNELS) * CASES}: {output[-300:]}")
    elif frame is not None:
        others = {name: list(of) for name, of in frame.groupby("kernel")["status"]}
        whole = [name for name, of in others.items() if of == ["PASSED"] * CASES]
        # What is killed may cost the kernel that it was killed for, and nobody else.
        wanted = len(KERNELS) - (trial.what in ("worker", "builder"))
        if len(whole) < wanted:
            trial.faults.append(f"rows were lost to {others}")


def kill(place: Place, role: str) -> Callable[[int], bool]:
    def do(parent: int) -> bool:
        if not wait_until(lambda: bool(place.processes(parent, role)), 60):
            return False
        time.sleep(random.uniform(0, 0.3))
        for pid in place.processes(parent, role)[:1]:
            os.kill(pid, signal.SIGKILL)
            return True
        return do(parent)  # it ended by itself just now

    return do


def hit(place: Place, role: str, whole_s: float) -> Trial:
    """A trial that kills a process in that role: an earlier moment if the run was over."""
    # Builders are there only at the start, and nobody but the parent until the end.
    latest_s = {"builder": 1.0, "parent": 0.95 * whole_s}.get(role, 0.6 * whole_s)
    for _ in range(4):
        delay_s = random.uniform(0.1, latest_s)
        trial = disturb(place, role, delay_s, kill(place, role))
        if trial.faults != [OVER]:
            break
        latest_s = delay_s
    return trial


def interrupt(times: int) -> Callable[[int], bool]:
    def do(parent: int) -> bool:
        for _ in range(times):
            with suppress(ProcessLookupError):
                os.killpg(parent, signal.SIGINT)
            time.sleep(0.15)
        return True

    return do


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kills", type=int, default=5, help="of each kind of process")
    parser.add_argument("--interrupts", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    random.seed(given.seed)
    console = Console(width=110)
    trials: list[Trial] = []
    with tempfile.TemporaryDirectory(prefix="trials-") as root:
        place = Place(Path(root))
        start = time.monotonic()
        with place.start(DISTURBED) as whole:  # an undisturbed one, for how long it takes
            whole.communicate()
        whole_s = time.monotonic() - start
        console.print(f"an undisturbed run takes {whole_s:.1f} s")
        for role in ROLES:
            for _ in range(given.kills):
                trials.append(hit(place, role, whole_s))
                show(console, trials[-1])
        for number in range(given.interrupts):
            times = 1 + number % 2
            delay_s = random.uniform(0.1, whole_s)
            what = "Ctrl-C" if times == 1 else "Ctrl-C twice"
            trials.append(disturb(place, what, delay_s, interrupt(times)))
            show(console, trials[-1])
    summary(console, trials)
    return int(any(trial.faults for trial in trials))


def show(console: Console, trial: Trial) -> None:
    fate = "; ".join(trial.faults) or "nothing lost, nothing left"
    text = f"{trial.what} after {trial.delay_s:.1f} s: exit {trial.code}, {trial.rows} rows, {fate}"
    console.print(text, markup=False)


def summary(console: Console, trials: list[Trial]) -> None:
    table = Table(box=None, header_style="bold")
    for column in ("what", "trials", "clean", "exit codes", "rows"):
        table.add_column(column)
    for what in dict.fromkeys(trial.what for trial in trials):
        of = [trial for trial in trials if trial.what == what]
        clean = sum(not trial.faults for trial in of)
        codes = " ".join(str(trial.code) for trial in of)
        rows = " ".join(str(trial.rows) for trial in of)
        table.add_row(what, str(len(of)), str(clean), codes, rows)
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
