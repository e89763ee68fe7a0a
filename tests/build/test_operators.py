"""ATen's functions as torch's own headers declare them."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from torch.utils import cpp_extension

from harness.build import toolchain
from harness.build.lean import INCLUDE as LEAN
from harness.build.operators import declarations

INCLUDE = Path(cpp_extension.include_paths()[0])


def symbols(text: str) -> list[str]:
    return re.findall(r'LEAN_SYMBOL\("(\w+)"\)', text)


def test_a_source_without_calls_brings_nothing() -> None:
    found = declarations("int f; // max", INCLUDE)
    assert (found.entries, found.methods, found.definitions) == ("", "", "")


def test_a_method_brings_every_overload_that_torch_has() -> None:
    found = declarations("auto y = x.sum(1);", INCLUDE)
    body = (INCLUDE / "ATen" / "core" / "TensorBody.h").read_text()
    declared = re.findall(r"^  at::Tensor sum\(.*\) const;", body, re.MULTILINE)
    assert found.methods.count(" sum(") == len(declared) >= 2
    assert {name.split("4call")[0] for name in symbols(found.entries)} == {
        "_ZN2at4_ops3sum",
        "_ZN2at4_ops15sum_dim_IntList",
    }


def test_a_function_is_declared_where_the_real_one_is_found() -> None:
    found = declarations("auto y = torch::relu(x) + at::arange(3);", INCLUDE)
    assert found.methods == ""
    # With a tensor among its arguments, by argument-dependent lookup too; without, by name alone.
    assert "namespace lean { inline Tensor relu(const Tensor& self)" in found.definitions
    assert "namespace at { using lean::relu; }" in found.definitions
    assert "namespace lean::factories { inline Tensor arange(" in found.definitions


def test_what_the_lean_headers_do_not_know_is_deleted() -> None:
    found = declarations("auto y = at::_unsafe_index(x, list);", INCLUDE)
    deleted = r"_unsafe_index\(const Tensor& self, Unknown indices\) = delete"
    assert re.search(deleted, found.definitions)
    assert "_unsafe_index_Tensor" not in found.entries


@pytest.mark.parametrize(
    "code, headers",
    [
        ("auto [v, i] = x.max(1);", ("TUPLE",)),
        ("auto parts = x.chunk(2);", ("VECTOR",)),
        ("float y = max(a, b);", ()),  # a bare call is most likely a kernel's own
        ("y = x.exp();", ()),
    ],
)
def test_headers_for_results_are_brought_as_they_are_meant(
    code: str, headers: tuple[str, ...]
) -> None:
    assert declarations(code, INCLUDE).headers == headers


def test_out_variants_and_functions_in_place_belong_to_their_operator() -> None:
    found = declarations("at::mm_out(y, a, b); torch::relu_(y);", INCLUDE)
    assert "_ZN2at4_ops6mm_out" in found.entries
    assert "_ZN2at4_ops5relu_4call" in found.entries


def test_what_is_declared_by_hand_is_not_declared_twice() -> None:
    found = declarations("x.contiguous(); torch::zeros({2}); x.to(y); x.size(0);", INCLUDE)
    assert (found.methods, found.definitions) == ("", "")


def test_headers_without_the_function_bring_nothing(tmp_path: Path) -> None:
    assert declarations("x.sum(1); at::relu(x);", tmp_path).definitions == ""


def test_every_operator_of_this_torch_can_be_declared(tmp_path: Path) -> None:
    names = {path.name.removesuffix("_ops.h") for path in INCLUDE.glob("ATen/ops/*_ops.h")}
    found = declarations(" ".join(f"x.{name}(); at::{name}();" for name in names), INCLUDE)
    declared = len(symbols(found.entries))
    assert len(names) > 1000 and declared > len(names)
    assert found.definitions.count("= delete") < declared / 10
    lines = [f"#define LEAN_{name}" for name in (*found.headers, "OPTIONAL", "HALF")]
    lines += [f"#define LEAN_ENTRIES {found.entries}", f"#define LEAN_METHODS {found.methods}"]
    lines += [f"#define LEAN_DEFINITIONS {found.definitions}", "#include <torch/torch.h>"]
    source = tmp_path / "all.cpp"
    source.write_text("\n".join(lines))
    folders = [f"-I{LEAN}", "-isystem", INCLUDE]
    subprocess.run(
        [*toolchain.host_compiler(), "-fsyntax-only", "-std=c++17", *folders, source], check=True
    )
