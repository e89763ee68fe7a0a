"""Every file in bad_kernels/ gets the status that its docstring begins with, all in one run."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from conftest import BAD_KERNELS, TINY, Run, run_in_process

from harness import runner
from harness.records import Status

FILES = sorted(BAD_KERNELS.glob("*.py"))
HANGS_IN_BUILD = "import_hangs"
TIMEOUT_S = 5


def promised(path: Path) -> str:
    docstring = ast.get_docstring(ast.parse(path.read_text())) or ""
    return docstring.partition(":")[0]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    """Everything at once; apart from it the one file that is only stopped by the build's deadline."""
    together = [path for path in FILES if path.stem != HANGS_IN_BUILD]
    runs = [_run(tmp_path_factory.mktemp("together"), together)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "BUILD_TIMEOUT_S", 5.0)
        runs.append(
            _run(tmp_path_factory.mktemp("apart"), [BAD_KERNELS / f"{HANGS_IN_BUILD}.py"])
        )
    return runs
