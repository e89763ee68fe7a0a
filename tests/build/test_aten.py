"""torch's generated headers, as they are read."""

from __future__ import annotations

import subprocess
from pathlib import Path

import torch
from torch.utils import cpp_extension

from harness.build import aten
from harness.build.aten import Parameter

INCLUDE = Path(cpp_extension.include_paths()[0])


def test_an_entry_point_is_named_as_libtorch_has_it() -> None:
    library = Path(torch.__file__).parent / "lib" / "libtorch_cpu.so"
    command = ["nm", "--dynamic", "--defined-only", library]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    exported = {line.split()[-1] for line in said.splitlines() if "4_ops" in line}
    for entry in ("relu", "sum_dim_IntList", "conv2d_padding", "cat", "add__Tensor"):
        assert aten.symbol(entry, INCLUDE) in exported, entry
    assert aten.symbol("no_such_entry", INCLUDE) == ""


def test_defaults_of_methods_come_from_the_class() -> None:
    wrappers = aten.methods({"flatten"}, INCLUDE)
    found = next(w for w in wrappers if w.entry == "flatten_using_ints")
    assert found.parameters == (
        Parameter("int64_t", "start_dim", "0"),
        Parameter("int64_t", "end_dim", "-1"),
    )
    assert (found.result, found.method) == ("at::Tensor", True)


def test_defaults_with_commas_in_brackets_are_one_parameter() -> None:
    found = next(w for w in aten.functions({"conv2d"}, INCLUDE) if w.entry == "conv2d")
    assert [p.name for p in found.parameters][:4] == ["input", "weight", "bias", "stride"]
    assert found.parameters[2] == Parameter("const ::std::optional<at::Tensor> &", "bias", "{}")
    entry = aten.entry_parameters("conv2d", INCLUDE)
    assert entry is not None and entry[-1] == Parameter("c10::SymInt", "groups")


def test_factories_are_torchs_own() -> None:
    arange = list(aten.factories({"arange"}, INCLUDE))
    assert {len(wrapper.parameters) for wrapper in arange} == {2, 3, 4}
    assert all(wrapper.parameters[-1].type == "at::TensorOptions" for wrapper in arange)


def test_what_is_not_there_is_not_found(tmp_path: Path) -> None:
    assert list(aten.functions({"relu"}, tmp_path)) == []
    assert list(aten.methods({"relu"}, tmp_path)) == []
    assert aten.entry_parameters("relu", tmp_path) is None
    assert aten.symbol("relu", tmp_path) == ""
    assert not aten.exists("relu", tmp_path)
