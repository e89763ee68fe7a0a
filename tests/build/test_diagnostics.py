"""Reading compilers' output."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.build import diagnostics
from harness.records import Diagnostic, Resources

PTXAS = """\
ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function '_Z5scalePfi' for 'sm_90a'
ptxas info    : Function properties for _Z5scalePfi
    16 bytes stack frame, 8 bytes spill stores, 4 bytes spill loads
ptxas info    : Used 40 registers, used 1 barriers, 4096 bytes smem
ptxas info    : Compiling entry function '_Z4copyPfi' for 'sm_90a'
ptxas info    : Function properties for _Z4copyPfi
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 12 registers, used 0 barriers
"""


def test_resources_of_every_kernel() -> None:
    scale, copy = diagnostics.resources(PTXAS)
    assert scale == Resources(
        "scale(float*, int)",
        "sm_90a",
        local_bytes=16,
        spill_bytes=8,
        registers=40,
        shared_bytes=4096,
    )
    assert (copy.registers, copy.shared_bytes, copy.spill_bytes) == (12, 0, 0)
    line = "scale (sm_90a): 40 registers, 4096 bytes shared, 16 bytes local, 8 bytes spilled"
    assert diagnostics.summary(scale) == line
    assert diagnostics.resources("nothing of the kind") == []


@pytest.mark.parametrize(
    "line",
    [
        "k.py:4:10: error: expected ';' before '}' token",
        "k.py(4): error: expected a ';'",
        "k.py:4:10: fatal error: gone.h: No such file or directory",
        "main.cpp:(.text+0x5): undefined reference to `gone'",
        "ptxas error   : Entry function uses too much shared data",
        "ImportError: ext.so: undefined symbol: gone",
    ],
)
def test_the_first_error_is_found_in_the_noise(line: str) -> None:
    log = f"[1/2] c++ -o main.o\nk.py:1: warning: unused\n  {line}\nk.py:9: error: another\n"
    assert str(diagnostics.first_error(log)) == line.replace("k.py(4)", "k.py:4")
    assert diagnostics.is_final(log)


@pytest.mark.parametrize(
    "sign",
    [
        "No space left on device",
        "c++: fatal error: Killed signal",
        "nvcc error   : 'cicc' died due to signal 9 (Kill signal)",
        "ld: final link failed: Cannot allocate memory",
        "c++: error: cannot write: Disk quota exceeded",
        "/usr/bin/ld: cannot find -lcudart: No such file or directory",
    ],
)
def test_a_machines_fault_is_not_remembered(sign: str) -> None:
    assert not diagnostics.is_final(f"k.py:1: error: x\n{sign}\n")


def test_output_without_an_error_gives_its_last_line() -> None:
    assert diagnostics.first_error("one\ntwo\n\n") == Diagnostic("two")
    assert diagnostics.first_error("").message


@pytest.mark.parametrize(
    "line, header",
    [
        ('k.py(4): error: identifier "C10_CUDA_CHECK" is undefined', "c10/cuda/CUDAException.h"),
        (
            'k.py(4): error: namespace "c10::cuda" has no member "CUDAGuard"',
            "c10/cuda/CUDAGuard.h",
        ),
        ("k.py:4:1: error: 'cublasHandle_t' does not name a type", "cublas_v2.h"),
    ],
)
def test_a_missing_include_is_the_remedy(line: str, header: str) -> None:
    assert f"#include <{header}>" in diagnostics.first_error(line).remedy


def test_an_unknown_name_of_the_users_has_no_remedy() -> None:
    line = 'k.py(4): error: identifier "indx" is undefined'
    assert diagnostics.unknown_name(line) == "indx"
    assert not diagnostics.first_error(line).remedy


@pytest.mark.parametrize(
    "error, is_one",
    [
        ("k.py:8:5: error: expected ‘,’ or ‘;’ before ‘return’", True),
        ("k.py:8:5: error: expected ';' before '}' token", True),
        ('k.py(8): error: expected a ")"', True),
        ("k.py:8:5: error: expected primary-expression before ‘)’ token", False),
        ("k.py:8:5: error: ‘x’ was not declared in this scope", False),
    ],
)
def test_what_is_mere_punctuation(error: str, is_one: bool) -> None:
    assert diagnostics.is_punctuation(error) is is_one


@pytest.mark.parametrize(
    "error, message",
    [
        ("/k/m.so: undefined symbol: _Z4gonei", "error: undefined symbol: gone(int)"),
        ("/k/m.so: undefined symbol: gone", "error: undefined symbol: gone"),
        ("/usr/lib/libother.so.1: undefined symbol: gone", None),
        ("libother.so: cannot open shared object file: No such file or directory", None),
        ("/k/m.so: failed to map segment from shared object", None),
    ],
)
def test_a_symbol_that_the_library_itself_lacks(error: str, message: str | None) -> None:
    diagnostic = diagnostics.unresolved(error, Path("/k/m.so"))
    assert (diagnostic and diagnostic.message) == message
