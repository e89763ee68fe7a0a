"""Is the timer to be believed? Two that are the same are to be called so, and 2% is to be found.

    python tests/timer_trials.py [--device cuda] [--same 8] [--slower 15] [--sizes 15] [--out DIR]

The problem is fifty operations, one after another. `same` does these, as eager does; `slower` does
one more, whose result nobody uses. So many copies of the first are timed beside eager on each size
from 2^10 elements up, most of them so small that launching is all that takes time; so many of the
second on two large ones. Of a pair that is the same, the speed-up's interval has 1 in it but for
5%; of a slower one it lies below 1. Prints a table; exit code 0 if both are so.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import pandas as pd
from command_line import call
from rich.console import Console
from rich.table import Table

OPERATIONS = 50
PROBLEM = f"""
import torch, torch.nn as nn
size = 1024
class Model(nn.Module):
    def forward(self, x):
        for _ in range({OPERATIONS}):
            x = torch.add(x, 1.0)
        return x
def get_inputs(): return [torch.rand(size)]
def get_init_inputs(): return []
"""
SAME = PROBLEM[: PROBLEM.index("def get_inputs")].replace("Model", "ModelNew")
SLOWER = SAME.replace("return x", "torch.add(x, 1.0)\n        return x")
LARGE = [1 << 25, 1 << 26]
FALSE_ALARMS = 0.05
CALLED, MEDIAN = "called different", "median of eager / kernel"


def main() -> int:
    options = parsed()
    small = [1 << (10 + at) for at in range(options.sizes)]
    groups = {
        "the same": ("same", SAME, options.same, small),
        "2% slower": ("slower", SLOWER, options.slower, LARGE),
    }
    table = Table("", "pairs", "passed", CALLED, MEDIAN)
    good = True
    for title, (name, text, copies, sizes) in groups.items():
        if not copies:
            continue
        with tempfile.TemporaryDirectory() as folder:
            rows = timed(Path(folder), options, name, text, copies, sizes)
        different, share = rows[CALLED], rows["speedup_vs_eager"].median()
        counts = (len(rows), (rows["status"] == "PASSED").sum(), different.sum())
        table.add_row(title, *map(str, counts), f"{share:.4f}")
        if name == "same":
            good &= different.sum() <= FALSE_ALARMS * len(rows)
        else:
            good &= (different & (rows["speedup_vs_eager"] < 1)).all()
    Console().print(table)
    return int(not good)


def timed(
    folder: Path, options: argparse.Namespace, name: str, text: str, copies: int, sizes: list[int]
) -> pd.DataFrame:
    """The rows of so many copies of a kernel on each size; were they called different?"""
    problem = folder / "fifty.py"
    problem.write_text(PROBLEM)
    kernels: list[object] = []
    for number in range(copies):
        path = folder / f"{name}_{number}.py"
        path.write_text(text)
        kernels += ["--kernel", path]
    out = options.out / name
    run = call(
        ["run", "--problem", problem, *kernels, "--device", options.device, "--dtype", "float32",
         "--baseline", "eager", "--sweep", f"size={','.join(map(str, sizes))}", "--out", out],
        out,
    )  # fmt: skip
    print(run.error, file=sys.stderr, end="")
    ends = run.rows[["speedup_vs_eager_ci_low", "speedup_vs_eager_ci_high"]]
    return run.rows.assign(**{CALLED: ends.sub(1.0).prod(axis=1) > 0})


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--same", type=int, default=8, help="kernels that are eager's equals")
    parser.add_argument("--slower", type=int, default=15, help="kernels that do 2%% more")
    parser.add_argument("--sizes", type=int, default=15, help="how many, each twice the last")
    parser.add_argument("--out", type=Path, default=Path("results/timer_trials"))
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
