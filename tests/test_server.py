"""The server that children are forked from. Its death: test_children.py."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import ROOT


@pytest.mark.parametrize("given", [None, "mine"])
def test_the_server_can_import_this_package_wherever_it_is_started(
    given: str | None, tmp_path: Path
) -> None:
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from harness.children import Child; from pathlib import Path\n"
        "if __name__ == '__main__':\n"
        "    child = Child('harness.judge', log=Path('log'), timeout_s=60)\n"
        "    print(child.ask('facts', device='cpu')['device'])\n"
        "    import os; print(os.environ.get('PYTHONPATH'))\n"
    )
    (tmp_path / "anywhere.py").write_text(script)
    elsewhere = tmp_path / "elsewhere"  # a folder with other packages of the same names
    (elsewhere / "harness").mkdir(parents=True)
    for file in ("torch.py", "harness/__init__.py", "harness/serve.py"):
        (elsewhere / file).write_text("raise SystemError('the wrong one')")
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    environment |= {} if given is None else {"PYTHONPATH": given}
    run = subprocess.run(
        [sys.executable, tmp_path / "anywhere.py", ROOT],
        cwd=elsewhere,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.stdout.split() == ["cpu", str(given)], run.stderr
