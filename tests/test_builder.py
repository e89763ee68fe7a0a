"""What a builder says of a file: what it went on without, and what it was busy with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from building import CPP, Builder

from harness.children import ChildFailed
from harness.records import Status

HEAD = """
from torch.utils.cpp_extension import load, load_inline
class ModelNew:
    def __init__(self, *arguments): ...
CPP = r\"\"\"// {unique}
{cpp}\"\"\"
def make(value, name="quick"):
    return load_inline(name, CPP.replace("VALUE", value), no_implicit_headers=True)
"""


@pytest.fixture
def build(tmp_path: Path) -> Iterator[Callable[[str], Builder]]:
    """Build a file that begins with HEAD and goes on with the text."""
    kernel = tmp_path / "kernel.py"
    builders: list[Builder] = []

    def build(text: str) -> Builder:
        kernel.write_text(HEAD.format(unique=tmp_path, cpp=CPP) + text)
        builders.append(Builder(kernel, tmp_path / f"log-{len(builders)}"))
        builders[-1].build()
        return builders[-1]

    yield build
    for builder in builders:
        builder.child.kill()


FAILS = """
try:
    ext = make("1 +")
except {error}:
    ext = None
"""


@pytest.mark.parametrize("error", ["Exception", "RuntimeError"])
def test_an_extension_that_a_file_goes_on_without_is_named(
    error: str, build: Callable[[str], Builder]
) -> None:
    for _ in range(2):  # the second time it is remembered
        answer = build(FAILS.format(error=error)).answer
        assert answer["status"] is None
        assert answer["fallback"].startswith("quick: ")
        assert "error: expected" in answer["fallback"] and "\n" not in answer["fallback"]
        assert "error: expected" in answer["diagnostic"]["message"]


def test_one_that_does_not_load_is_named_as_well(build: Callable[[str], Builder]) -> None:
    text = 'try:\n    load_inline("empty", "int nothing;", no_implicit_headers=True)\n'
    answer = build(text + "except ImportError: pass\n").answer
    assert "empty: dynamic module does not define" in answer["fallback"]
    assert answer["status"] is None


@pytest.mark.parametrize(
    "retry, missing",
    [('ext = make("2")', False), ('ext = make("2", "other")', True)],
    ids=["by the same name", "by another"],
)
def test_a_retry_that_succeeds_is_no_fallback(
    retry: str, missing: bool, build: Callable[[str], Builder]
) -> None:
    answer = build(FAILS.format(error="Exception") + retry).answer
    assert bool(answer["fallback"]) is missing
    assert answer["route"] == "lean"


def test_one_that_fails_after_another_of_its_name_is_missing(
    build: Callable[[str], Builder],
) -> None:
    assert build('make("3")' + FAILS.format(error="Exception")).answer["fallback"]


def test_a_failure_that_the_file_raises_anew_is_a_failed_build(
    build: Callable[[str], Builder],
) -> None:
    text = FAILS.format(error="Exception as error").replace(
        "ext = None", 'raise RuntimeError("no extension") from error'
    )
    with pytest.raises(ChildFailed, match="error: expected") as raised:
        build(text)
    assert raised.value.status is Status.BUILD_FAILED


def test_a_builder_removes_what_a_killed_one_left(build: Callable[[str], Builder]) -> None:
    from harness import cache

    (cache.root() / "building" / "0000.killed").mkdir(parents=True)
    build("")
    assert not list((cache.root() / "building").iterdir())


# load


@pytest.mark.parametrize("call", ["load('filed', {})", "load(name='filed', sources=[{}])"])
def test_load_goes_through_the_store_too(
    call: str, tmp_path: Path, build: Callable[[str], Builder]
) -> None:
    source = tmp_path / "filed.cpp"
    call = f"module = {call.format(repr(str(source)))}\nprint('value', module.value())\n"
    for value, route in ((1, "lean"), (1, "cached"), (2, "lean"), (1, "cached")):
        (tmp_path / "value.h").write_text(f"#define VALUE {value}\n")
        source.write_text('#include "value.h"\n' + CPP)
        built = build(call)
        assert built.printed == [f"value {value}"]
        assert built.answer["route"] == route
    source.write_text(CPP.replace("VALUE", "3"))
    assert build(call).printed == ["value 3"]


def test_load_with_torchs_types_is_lean(tmp_path: Path, build: Callable[[str], Builder]) -> None:
    source = tmp_path / "doubled.cpp"
    source.write_text(
        "#include <torch/extension.h>\n"
        "torch::Tensor doubled(torch::Tensor x) { auto y = x.clone();\n"
        "  for (int64_t i = 0; i < x.numel(); ++i) y.data_ptr<float>()[i] *= 2; return y; }\n"
        'PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) { m.def("doubled", &doubled); }\n'
    )
    built = build(
        f"import torch\nmodule = load('doubled', [{str(source)!r}])\n"
        "print('value', module.doubled(torch.ones(2)).tolist())\n"
    )
    assert (built.answer["route"], built.printed) == ("lean", ["value [2.0, 2.0]"])


def test_an_error_in_a_file_of_load_points_there(
    tmp_path: Path, build: Callable[[str], Builder]
) -> None:
    source = tmp_path / "wrong.cpp"
    source.write_text("// one\nint f() { return 1 }\n")
    with pytest.raises(ChildFailed, match=rf"{source}:2:\d+: error: expected"):
        build(f"load('wrong', [{str(source)!r}])")


def test_a_source_that_is_not_there_is_the_files_fault(build: Callable[[str], Builder]) -> None:
    with pytest.raises(ChildFailed, match="No such file") as raised:
        build("load('gone', ['/no/such/file.cpp'])")
    assert raised.value.status is Status.LOAD_FAILED


def test_a_file_that_restates_an_axis_is_built_for_each_of_its_values(
    build: Callable[[str], Builder], tmp_path: Path
) -> None:
    first = build("rows = 4\nprint('value', make(str(rows)).value())\n")
    builder = Builder(first.kernel, tmp_path / "log")
    sizes = [{"rows": 1, "cols": 2}, {"rows": 1, "cols": 3}, {"rows": 9, "cols": 2}]
    try:
        assert builder.build(sizes=sizes, restated=["rows"]) == ["quick", "quick"]
    finally:
        builder.child.kill()
    assert builder.printed == ["value 1", "value 9"]
