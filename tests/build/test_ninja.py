"""Torch's machinery in our hands: what its scripts become, and what stays torch's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from torch.utils import cpp_extension

from harness.build import ninja
from harness.records import HarnessError

SCRIPT = """\
cxx = {program}
nvcc = {program}
cflags = -DPRICE=$$1
cuda_cflags = -O3
ldflags = -shared -L{libraries}

rule compile
  command = $cxx -MMD -MF $out.d $cflags -c $in -o $out $post_cflags
  depfile = $out.d
  deps = gcc

rule cuda_compile
  depfile = $out.d
  deps = gcc
  command = $nvcc {lists} $cuda_cflags -c $in -o $out $cuda_post_cflags

rule link
  command = $cxx $in $ldflags -o $out

build main.o: compile {main}
build cuda.cuda.o: cuda_compile {cuda}
build m.so: link main.o cuda.cuda.o

default m.so
"""

# Notes its words, one in a line, and makes the file after -o.
PROGRAM = """#!/bin/sh
for word; do echo "$word" >> words; [ "$before" = -o ] && touch "$word"; before=$word; done
exit {status}
"""

Function = Callable[..., object]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "it's a $place: here" / "lean"
    folder.mkdir(parents=True)
    return folder


def writes(folder: Path, lists: str = "-MD -MF $out.d", status: int = 0) -> Function:
    """A function of torch's that writes a script with these flags of nvcc's, and has it run."""
    program = folder.parents[1] / "program"
    program.write_text(PROGRAM.format(status=status))
    program.chmod(0o755)
    escaped = str(folder).replace(" ", "$ ")

    def load_inline(name: str, build_directory: str, verbose: bool) -> object:
        for source in ("main.cpp", "cuda.cu"):
            (folder / source).touch()
        (folder / "build.ninja").write_text(
            SCRIPT.format(
                program=program,
                libraries=folder.parent / "libraries",
                lists=lists,
                main=f"{escaped}/main.cpp",
                cuda=f"{escaped}/cuda.cu",
            )
        )
        cpp_extension._run_ninja_build(build_directory, verbose, "no")
        return cpp_extension._import_module_from_library(name, build_directory, True)

    return load_inline


@pytest.mark.parametrize(
    "lists",
    ["", "-MD -MF $out.d", "--generate-dependencies-with-compile --dependency-output $out.d"],
)
def test_scripts_list_what_is_read_wherever_they_lie(lists: str, folder: Path) -> None:
    output = ninja.build(writes(folder, lists), {"name": "m", "unknown": 1}, folder)
    words = (folder / "words").read_text().splitlines()
    assert sorted(w for w in words if w.endswith(".d")) == ["cuda.cuda.o.d", "main.o.d"]
    assert (words.count("-MD"), words.count("-MF"), words.count("-MMD")) == (2, 2, 0)
    assert {"main.cpp", "cuda.cu", "-L../libraries", "-Wl,--trace"} <= set(words)
    assert (folder / "m.so.trace").exists()
    assert "-c main.cpp -o main.o" in output


def test_a_failing_program_fails_the_build(folder: Path) -> None:
    with pytest.raises(ninja.CompilersFailed, match=r"-c main\.cpp"):
        ninja.build(writes(folder, status=1), {"name": "m"}, folder)


def test_torchs_parts_are_given_back(folder: Path) -> None:
    names = ("_run_ninja_build", "_import_module_from_library", "JIT_EXTENSION_VERSIONER")
    before = [getattr(cpp_extension, name) for name in names]
    for status in (0, 1):
        for path in folder.iterdir():
            path.rmdir() if path.is_dir() else path.unlink()
        try:
            ninja.build(writes(folder, status=status), {"name": "m"}, folder)
        except ninja.CompilersFailed:
            assert status == 1
    assert [getattr(cpp_extension, name) for name in names] == before


def test_a_torch_that_builds_otherwise_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(cpp_extension, "_run_ninja_build")
    with pytest.raises(HarnessError, match=r"_run_ninja_build is gone.*constraints\.txt"):
        ninja.build(writes(folder), {"name": "m"}, folder)
    assert not hasattr(cpp_extension, "_run_ninja_build")


def test_commands_are_made_to_say_where_they_search(folder: Path) -> None:
    ninja.build(writes(folder), {"name": "m"}, folder)
    cxx, nvcc = ninja.searching_commands(folder, cuda=True)
    assert cxx.endswith("program -DPRICE=$1 -E -v -x c++")
    assert nvcc.endswith("program -O3 -E -Xcompiler -v -x cu")
    assert ninja.searching_commands(folder, cuda=False) == [cxx]
    assert ninja.searching_commands(folder / "elsewhere", cuda=True) == []
