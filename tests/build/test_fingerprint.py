"""What makes two calls the same extension."""

from __future__ import annotations

from typing import Any

import pytest

from harness.build import lean
from harness.build.fingerprint import artifact_key

CALL: dict[str, Any] = {
    "name": "n",
    "cpp_sources": ["int a;"],
    "cuda_sources": [],
    "functions": ["f"],
    "extra_cflags": ["-O2"],
    "extra_ldflags": None,
    "verbose": False,
    "build_directory": None,
    "use_pch": False,
}


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "m"},
        {"cpp_sources": ["int b;"]},
        {"cpp_sources": ["int", " a;"]},
        {"cuda_sources": ["int a;"]},
        {"functions": None},
        {"extra_cflags": ["-O3"]},
        {"extra_ldflags": ["-lm"]},
        {"sources": ["/one.cpp"]},
    ],
)
def test_what_changes_the_binary_changes_the_key(changes: dict[str, Any]) -> None:
    assert artifact_key(CALL | changes) != artifact_key(CALL)


def test_what_leaves_the_binary_alone_leaves_the_key_alone() -> None:
    other = {"verbose": True, "build_directory": "/elsewhere", "use_pch": True}
    assert artifact_key(CALL | other) == artifact_key(CALL)


@pytest.mark.parametrize("variable", ["CPATH", "TORCH_CUDA_ARCH_LIST", "NVCC_APPEND_FLAGS"])
def test_variables_that_compilers_read_count(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = artifact_key(CALL)
    monkeypatch.setenv(variable, "9.0")
    assert artifact_key(CALL) != before


def test_the_lean_headers_count(monkeypatch: pytest.MonkeyPatch) -> None:
    before = artifact_key(CALL)
    monkeypatch.setattr(lean, "digest", lambda: "others")
    assert artifact_key(CALL) != before
