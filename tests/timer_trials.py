"""Is the timer to be believed? Two that are the same are to be called so, and 2% is to be found.

    python tests/timer_trials.py [--device cuda] [--same 8] [--slower 2] [--sizes 15] [--out DIR]

The problem is fifty operations, one after another. `same` does these, as eager does; `slower` does
one more, whose result nobody uses. So many copies of each are timed beside eager on each size, in
one run. Of a pair that is the same, the speed-up's interval has 1 in it but for 5%; of a slower one
it lies below 1. Prints a table; exit code 0 if both are so.
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
FALSE_ALARMS = 0.05
CALLED, MEDIAN = "called different", "median of eager / kernel"


def main() -> int:
    options = parsed()
    with tempfile.TemporaryDirectory() as folder:
        rows = timed(options, Path(folder))
    different = (
        rows[["speedup_vs_eager_ci_low", "speedup_vs_eager_ci_high"]].sub(1.0).prod(axis=1) > 0
    )
    faster = rows["speedup_vs_eager"] > 1
    same = rows["kernel"].str.startswith("same")
    right = rows["status"] == "PASSED"
    alarms, found = different & same, different & ~same & ~faster
    table = Table("", "pairs", "passed", CALLED, MEDIAN)
    for name, group, hits in (("the same", same, alarms), ("2% slower", ~same, found)):
        share = rows.loc[group, "speedup_vs_eager"].median()
        counts = (group.sum(), (group & right).sum(), hits.sum())
        table.add_row(name, *map(str, counts), f"{share:.4f}")
    Console().print(table)
    missed = (~same).sum() - found.sum()
    return int(not right.all() or alarms.sum() > FALSE_ALARMS * same.sum() or missed > 0)


def timed(options: argparse.Namespace, folder: Path) -> pd.DataFrame:
    problem = folder / "fifty.py"
    problem.write_text(PROBLEM)
    kernels: list[object] = []
    for name, count, text in (("same", options.same, SAME), ("slower", options.slower, SLOWER)):
        for number in range(count):
            path = folder / f"{name}_{number}.py"
            path.write_text(text)
            kernels += ["--kernel", path]
    sizes = ",".join(str(int(2 ** (10 + at))) for at in range(options.sizes))
    run = call(
        ["run", "--problem", problem, *kernels, "--device", options.device, "--dtype", "float32",
         "--baseline", "eager", "--sweep", f"size={sizes}", "--out", options.out],
        options.out,
    )  # fmt: skip
    print(run.error, file=sys.stderr, end="")
    return run.rows


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--same", type=int, default=8, help="kernels that are eager's equals")
    parser.add_argument("--slower", type=int, default=2, help="kernels that do 2%% more")
    parser.add_argument("--sizes", type=int, default=15, help="numbers of elements, from 2^10 up")
    parser.add_argument("--out", type=Path, default=Path("results/timer_trials"))
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
