"""Compiling: in awkward places, without CUDA, and where the machine is at fault."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from building import CPP
from torch.utils import cpp_extension

from harness import cache
from harness.build import store, toolchain
from harness.build.compile import BuildFailed, normalised
from harness.build.load_inline import Use, install

nvcc = pytest.mark.skipif(toolchain.find_nvcc() is None, reason="needs nvcc")
without_cuda = pytest.mark.skipif(torch.version.cuda is not None, reason="torch has CUDA here")

Install = Callable[..., list[Use]]


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """`load_inline` of ours in this process, over an empty store."""
    monkeypatch.setenv("KERNEL_BENCH_CACHE", str(tmp_path / "store"))
    for name in ("CUDA_HOME", "LIBRARY_PATH", "PATH", "TORCH_CUDA_ARCH_LIST"):
        monkeypatch.setenv(name, os.environ.get(name, ""))  # so that all changes are undone
        if not os.environ[name]:
            monkeypatch.delenv(name)
    toolchain.prepare_environment()
    file = tmp_path / "kernel.py"
    file.write_text("")

    def fresh(arch: str | None = None, **changes: Any) -> list[Use]:
        for name in ("load", "load_inline"):
            monkeypatch.setattr(cpp_extension, name, getattr(cpp_extension, name))
        return install(file, arch, **({"compile_missing": True} | changes))

    return fresh


def quick(value: int = 1, name: str = "quick") -> Any:
    source = CPP.replace("VALUE", str(value))
    return cpp_extension.load_inline(name, source, no_implicit_headers=True)


@pytest.mark.parametrize(
    "name", ["a b", "it's", 'say "so"', "$HOME", "a $b", "a:b", "(a)&;b", "ünï"]
)
def test_a_store_may_lie_anywhere(
    name: str, fresh: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERNEL_BENCH_CACHE", str(tmp_path / name / "store"))
    uses = fresh()
    assert quick(7).value() == 7
    assert uses[0].route == "lean"
    assert str(tmp_path) in str(uses[0].artifact and uses[0].artifact.folder)


@nvcc
@pytest.mark.parametrize("name", ["store", "a $b: 'c'"])
def test_lean_cuda_needs_no_cuda_in_torch(
    name: str, fresh: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERNEL_BENCH_CACHE", str(tmp_path / name))
    uses = fresh("9.0a")
    cpp_extension.load_inline(
        "scaling",
        "torch::Tensor scale(torch::Tensor x);",
        "__global__ void k(float* x) { x[threadIdx.x] *= 2; }\n"
        "torch::Tensor scale(torch::Tensor x) { k<<<1, 32>>>(x.data_ptr<float>()); return x; }",
        functions=["scale"],
    )
    (use,) = uses
    assert (use.failure, use.route) == ("", "lean")
    assert use.artifact is not None
    assert [r.arch for r in use.artifact.manifest.resources] == ["sm_90a"]


@nvcc
@pytest.mark.parametrize(
    "flags", [{}, {"extra_include_paths": 1}, {"extra_cuda_cflags": 1}], ids=" ".join
)
def test_headers_of_cuda_sources_count(
    flags: dict[str, Any], fresh: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    header = tmp_path / "include" / "scale.h"
    header.parent.mkdir()
    options: dict[str, Any] = {flag: [f"-isystem={header.parent}"] for flag in flags}
    if "extra_include_paths" in flags:
        options["extra_include_paths"] = [str(header.parent)]
    if not flags:
        monkeypatch.setenv("CPATH", str(header.parent))
    uses = fresh("9.0a")
    cuda = "#include <scale.h>\n__global__ void k(float* x) { *x *= SCALE; }\nvoid f() {}"
    for content in ("#define SCALE 2\n", "#define SCALE 3\n", "#define SCALE 2\n"):
        header.write_text(content)
        cpp_extension.load_inline("scaling", "void f();", cuda, functions=["f"], **options)
    assert [use.fresh for use in uses] == [True, True, False]


@nvcc
@without_cuda
def test_what_was_built_for_cuda_is_not_run_without_it(fresh: Install) -> None:
    fresh("9.0a")
    cuda = "void f() {}"
    module = cpp_extension.load_inline("idle", "void f();", cuda, functions=["f"])
    with pytest.raises(RuntimeError, match=r"idle\.f cannot be called: .* without CUDA"):
        module.f()


@nvcc
@without_cuda
def test_cuda_that_needs_the_real_headers_says_so(fresh: Install) -> None:
    uses = fresh("9.0a")
    cuda = "#if defined(C10_MOBILE)\n#endif\nvoid f() {}"  # no lean header defines it
    with pytest.raises(BuildFailed, match=r"C10_MOBILE.*without CUDA.*it needs no GPU"):
        cpp_extension.load_inline("heavy", "void f();", cuda, functions=["f"])
    assert "C10_MOBILE" in uses[0].failure
    assert store.entries() == []


@pytest.mark.parametrize("program", ["ninja", "compiler"])
def test_a_machines_fault_is_not_remembered(
    program: str, fresh: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh()
    if program == "ninja":
        monkeypatch.setenv("PATH", str(tmp_path))
    else:
        full = tmp_path / "full"
        full.write_text('#!/bin/sh\ncase "$*" in *" -c "*) ;; *) exec c++ "$@";; esac\n'
                        "echo 'main.cpp:1: error: No space left on device'; exit 1\n")  # fmt: skip
        full.chmod(0o755)
        monkeypatch.setenv("CXX", str(full))
    with pytest.raises(BuildFailed):
        quick()
    assert store.entries() == []
    monkeypatch.undo()


def test_a_store_that_fails_meanwhile_fails_the_build(
    fresh: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh()

    def put(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store, "put", put)
    with pytest.raises(BuildFailed, match="No space left on device"):
        quick()
    assert not list((cache.root() / "building").iterdir())


def spy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str) -> None:
    """Have the compiler do this as well when it compiles, its output to `seen`."""
    script = tmp_path / "spy"
    when = f'[ "$1" = -MD ] && {{ {says}; }} >> {tmp_path}/seen'
    script.write_text(f'#!/bin/sh\n{when}\nexec c++ "$@"\n')
    script.chmod(0o755)
    monkeypatch.setenv("CXX", str(script))


def test_compilers_leave_nothing_elsewhere(
    fresh: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A killed one could not remove its temporary files: they must lie in the build's folder."""
    fresh()
    spy(tmp_path, monkeypatch, 'echo "$PWD"; echo "$TMPDIR"')
    quick()
    folder, temporary = (tmp_path / "seen").read_text().splitlines()
    assert Path(folder).is_relative_to(cache.root() / "building")
    assert temporary and not Path(temporary).is_absolute()


def test_messages_are_in_english(
    fresh: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh()
    spy(tmp_path, monkeypatch, 'echo "$LC_ALL"')
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    quick()
    assert (tmp_path / "seen").read_text().startswith("C")


def test_two_extensions_of_one_name_keep_it(fresh: Install) -> None:
    fresh()
    modules = [quick(value, "same") for value in (1, 2, 1, 2)]
    assert [module.value() for module in modules] == [1, 2, 1, 2]
    assert {module.__spec__.name for module in modules} == {"same"}


def test_a_librarys_name_stays_the_librarys(fresh: Install) -> None:
    import colorsys

    fresh()
    assert quick(6, "colorsys").value() == 6
    assert sys.modules["colorsys"] is colorsys


def test_a_library_registers_under_the_callers_name(fresh: Install) -> None:
    fresh()
    source = "#include <torch/library.h>\nint64_t f(int64_t x) { return x + 1; }\n"
    source += 'TORCH_LIBRARY(TORCH_EXTENSION_NAME, l) { l.def("f(int x) -> int", &f); }\n'
    cpp_extension.load_inline("named_ops", source, no_implicit_headers=True, is_python_module=False)
    assert torch.ops.named_ops.f(1) == 2


def test_arguments_stay_as_they_were() -> None:
    given = {"cpp_sources": ["a"], "cuda_sources": "b", "extra_cflags": ("-O2",)}
    plain = normalised(given)
    plain["cpp_sources"].append("c")
    assert given["cpp_sources"] == ["a"]
    assert plain["cuda_sources"] == ["b"] and plain["extra_cflags"] == ["-O2"]


def test_relative_folders_are_the_callers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    plain = normalised({"cpp_sources": "", "extra_include_paths": ["inc "]})
    assert plain["extra_include_paths"] == [str(tmp_path / "inc")]
