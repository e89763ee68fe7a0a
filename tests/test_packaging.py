"""What an installed copy holds, and that it works from anywhere."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from command_line import ROOT, TINY, bad_kernel

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the wheel holds, made from a copy: building leaves files behind."""
    copy = tmp_path_factory.mktemp("copy")
    for name in ("harness", "kernels", "reference"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    site = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--quiet"]
    subprocess.run([*pip, "--wheel-dir", copy, copy], check=True)
    (wheel,) = copy.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(site)
    return site


def test_every_package_is_in_the_wheel() -> None:
    setuptools = PROJECT["tool"]["setuptools"]
    ours = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for path in (ROOT / "harness").rglob("__init__.py")
    }
    assert set(setuptools["packages"]) == ours | set(setuptools["package-dir"])


def test_the_wheel_has_the_trees_headers_problems_and_kernels(installed: Path) -> None:
    for folder, inside in {
        "reference": "harness/reference",
        "kernels": "harness/kernels",
        "harness/build/include": "harness/build/include",
        "harness/selfcheck": "harness/selfcheck",
    }.items():
        files = {
            path.relative_to(ROOT / folder)
            for path in (ROOT / folder).rglob("*")
            if path.suffix in (".py", ".h")
        }
        assert files and all((installed / inside / file).is_file() for file in files)


def test_an_installed_copy_runs_from_any_folder(installed: Path, tmp_path: Path) -> None:
    ((name, entry),) = PROJECT["project"]["scripts"].items()
    module, _, function = entry.partition(":")
    (tmp_path / name).write_text(  # as pip writes it
        f"import sys\nfrom {module} import {function}\n"
        f"if __name__ == '__main__':\n    sys.exit({function}())\n"
    )

    def call(*arguments: object) -> str:
        run = subprocess.run(
            [sys.executable, tmp_path / name, *map(str, arguments)],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(installed)},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert run.returncode == 0, run.stdout + run.stderr
        return run.stdout

    assert "gemm_swish_divide_clamp_tanh_clamp" in call("list")
    assert "kernel-bench check --kernel" in call("check", "--help")
    given = ("--problem", TINY, "--kernel", bad_kernel("control_exact"), "--device", "cpu")
    assert "Right on every case: control_exact" in call("check", *given)
    (folder,) = (tmp_path / "results").iterdir()
    assert (folder / "results.csv").is_file()
