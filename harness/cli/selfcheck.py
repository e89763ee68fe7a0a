"""The command that measures the tool itself."""

from __future__ import annotations

from pathlib import Path

from harness import environment, machine, results
from harness.build import toolchain
from harness.catalog.find import ROOT
from harness.cli.options import OutOption, SelfcheckArgument
from harness.records import HarnessError
from harness.report.terminal import console, working
from harness.selfcheck import build


def selfcheck(what: SelfcheckArgument, out: OutOption = Path("results")) -> int:
    """Measure the tool itself. `build`: load_inline against ours, same sources, same machine."""
    if what != "build":
        raise HarnessError(f"There is no selfcheck {what!r}. There is: build.")
    here = machine.probe("auto")
    toolchain.check(here.kind)
    folder = results.create_folder(out, "selfcheck-build", here.kind)
    results.write_environment(
        folder, environment.describe(here, environment.software(ROOT)).as_json()
    )
    with working(console, "building") as step:
        rows = build.measure(ROOT, here, folder, step)
    build.print_table(console, rows)
    console.print(str(folder), style="dim", markup=False, soft_wrap=True)
    return 0
