"""Finding compilers, and what a binary depends on."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from harness.build import toolchain
from harness.records import HarnessError


def tool(path: Path, says: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{says}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A machine without CUDA."""
    for name in ("CUDA_HOME", "CUDA_PATH", "CXX", "LIBRARY_PATH"):
        monkeypatch.setenv(name, "")  # so that whatever a test sets is undone
        monkeypatch.delenv(name)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(toolchain.importlib.util, "find_spec", lambda name: None)
    return monkeypatch


def test_nvcc_comes_from_cuda_home_then_path_then_the_wheels(
    bare: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert toolchain.find_nvcc() is None
    wheel = tool(tmp_path / "nvidia" / "cu13" / "bin" / "nvcc")
    spec = type("Spec", (), {"submodule_search_locations": [str(tmp_path / "nvidia")]})
    bare.setattr(toolchain.importlib.util, "find_spec", lambda name: spec)
    assert toolchain.find_nvcc() == wheel
    on_path = tool(tmp_path / "bin" / "nvcc")
    assert toolchain.find_nvcc() == on_path
    home = tool(tmp_path / "cuda" / "bin" / "nvcc")
    bare.setenv("CUDA_HOME", str(tmp_path / "cuda"))
    assert toolchain.find_nvcc() == home


def test_a_wrapper_on_path_is_asked_for_its_toolkit(
    bare: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "toolkit" / "lib64").mkdir(parents=True)
    tool(tmp_path / "bin" / "nvcc", f"echo '#$ TOP={tmp_path}/toolkit' >&2")
    toolchain.prepare_environment()
    assert toolchain.os.environ["CUDA_HOME"] == str(tmp_path / "toolkit")


def test_the_wheels_cuda_runtime_gets_the_name_that_the_linker_asks_for(
    bare: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bare.setenv("CUDA_HOME", str(tmp_path / "cu13"))
    tool(tmp_path / "cu13" / "bin" / "nvcc")
    runtime = tmp_path / "cu13" / "lib" / "libcudart.so.13"
    runtime.parent.mkdir()
    runtime.write_text("")
    for _ in range(2):
        toolchain.prepare_environment()
        assert toolchain.link_cuda_runtime(tmp_path / "links") == [f"-L{tmp_path / 'links'}"]
    assert toolchain.os.environ["LIBRARY_PATH"] == str(runtime.parent)
    assert (tmp_path / "links" / "libcudart.so").resolve() == runtime
    (runtime.parent / "libcudart.so").symlink_to(runtime)  # a toolkit that has the name
    assert toolchain.link_cuda_runtime(tmp_path / "others") == []


def test_ninja_beside_the_interpreter_is_found(bare: pytest.MonkeyPatch) -> None:
    toolchain.prepare_environment()
    assert str(Path(sys.executable).parent) in toolchain.os.environ["PATH"].split(":")


@pytest.mark.parametrize(
    "missing, remedy", [("ninja", "pip install"), ("c++", "CXX"), ("nvcc", "CUDA_HOME")]
)
def test_what_is_missing_is_named_with_its_remedy(
    missing: str, remedy: str, bare: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in {"ninja", "c++", "nvcc"} - {missing}:
        tool(tmp_path / "bin" / name)
    with pytest.raises(HarnessError, match=missing.replace("+", r"\+")) as raised:
        toolchain.check("cuda")
    assert remedy in str(raised.value)


@pytest.mark.parametrize(
    "capability, arch", [((8, 6), "8.6"), ((9, 0), "9.0a"), ((10, 0), "10.0a")]
)
def test_the_architecture_is_the_gpus_own(capability: tuple[int, int], arch: str) -> None:
    assert toolchain.architecture(capability) == arch
    assert toolchain.parse_architecture(arch) == capability


@pytest.mark.parametrize("arch", ["", "sm_90", "9", "9.0b", "9.0 "])
def test_another_spelling_is_refused(arch: str) -> None:
    with pytest.raises(HarnessError, match=r"9\.0a"):
        toolchain.parse_architecture(arch)


def test_the_cpu_matters_only_to_code_made_for_it() -> None:
    assert toolchain.describe(uses_cuda=False, native=True)["cpu"]
    assert toolchain.describe(uses_cuda=False, native=False)["cpu"] is None
