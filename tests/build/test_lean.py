"""The lean headers against the real ones: same outcomes bit for bit, and no more lenient.

The corpus holds sources in the styles that people write. The real headers take about a minute a
build, so the cases that load_inline binds share one real module, each in a namespace of its own.
"""

from __future__ import annotations

import os
import re
import subprocess
import warnings
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from corpus.case import Case
from corpus.outcomes import CORPUS
from torch.utils import cpp_extension
from torch.utils.cpp_extension import load_inline

from harness.build import diagnostics, lean, limits, toolchain
from harness.build.prelude import prelude
from harness.children import Child, ChildFailed
from harness.records import Diagnostic, Status


def flags(device: str) -> list[str]:
    """One set for all, since they share a real module."""
    return list(dict.fromkeys(flag for case in CORPUS[device] for flag in case.cflags))


def arguments(case: Case, device: str) -> dict[str, Any]:
    return {
        "cpp_sources": [case.cpp],
        "cuda_sources": [case.cuda] if case.cuda else [],
        "functions": list(case.functions) if case.functions else None,
        "extra_cflags": flags(device),
        "extra_ldflags": None,
        "no_implicit_headers": False,
        "with_pytorch_error_handling": True,
    }


def build_lean(case: Case, device: str, folder: Path) -> Path | Diagnostic | str:
    """The library; what no headers would accept; or the reason that the real ones are needed."""
    said = arguments(case, device)
    if said["functions"]:
        said["cpp_sources"].append(f'#line 1 "{limits.FUNCTIONS}"')
    if reason := limits.unsupported(said):
        return reason
    prepared = lean.prepare(said, folder / "libraries")
    prepared["cuda_sources"] = prepared["cuda_sources"] or None
    try:
        load_inline(f"lean_{case.name}", build_directory=str(folder), **prepared)
    except (RuntimeError, ImportError) as error:
        log = str(error)
        return limits.rejection(log, said) or str(diagnostics.first_error(log))
    return folder / f"lean_{case.name}.so"


def build_real(device: str, folder: Path) -> Path:
    """The library of all cases, built with the real headers, which take most of the time."""
    cases = [case for case in CORPUS[device] if case.route == "lean"]
    cpp = [in_namespace(case.name, case.cpp) for case in cases]
    bindings = []
    for case in cases:
        bindings += [
            f'm.def("{case.name}__{f}", torch::wrap_pybind_function({case.name}::{f}));'
            for f in case.functions or ()
        ]
        if not case.functions:
            cpp.append(f"namespace {case.name} {{ void bind_all(pybind11::module_ m); }}")
            bindings.append(f'{case.name}::bind_all(m.def_submodule("{case.name}"));')
    cpp.append("PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) {\n" + "\n".join(bindings) + "\n}")
    cuda = [in_namespace(case.name, case.cuda) for case in cases if case.cuda]
    folder.mkdir(parents=True)
    load_inline(
        "corpus_real", cpp, cuda or None, extra_cflags=flags(device), build_directory=str(folder)
    )
    return folder / "corpus_real.so"


def in_namespace(name: str, source: str) -> str:
    """The source in a namespace, its includes before it; of a module it makes a function."""
    module = r"PYBIND11_MODULE\(TORCH_EXTENSION_NAME, m\)"
    lines = re.sub(module, "void bind_all(pybind11::module_ m)", source).splitlines()
    includes = [line for line in lines if line.startswith("#include")]
    rest = [line for line in lines if not line.startswith("#include")]
    return "\n".join([*includes, f"namespace {name} {{", *rest, "}"])


def symbols(library: Path) -> set[str]:
    """The dynamic symbols of torch's namespaces that a library defines."""
    said = subprocess.run(
        ["nm", "--dynamic", "--defined-only", library], capture_output=True, text=True, check=True
    )
    names = {line.split()[-1].partition("@")[0] for line in said.stdout.splitlines() if line}
    return {name for name in names if re.match(r"_ZNK?(2at|3c10|5torch)", name)}


def assert_nothing_of_torchs_is_redefined(folder: Path) -> None:
    """A stand-in that defined what it means to call would call itself."""
    exported: set[str] = set()
    for name in ("c10", "c10_cuda", "torch_cpu", "torch_cuda", "torch_python"):
        library = Path(torch.__file__).parent / "lib" / f"lib{name}.so"
        if library.exists():
            exported |= symbols(library)
    for library in folder.glob("*/*.so"):
        both = symbols(library) & exported
        assert not both, f"{library.stem} defines {both}"


CRASHED = "crashed"


class Caller:
    """A process that calls what was built; after a crash, another."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._child: Child | None = None

    def outcome(self, library: Path, device: str, case: str, call: int) -> str:
        self._child = self._child or Child("corpus.outcomes", log=self._log, timeout_s=60.0)
        given = {"library": str(library), "device": device, "case": case, "call": call}
        try:
            text: str = self._child.ask("outcome", 120, **given)
            return text
        except ChildFailed as failed:
            assert failed.status is Status.CRASHED, failed.reason
            self.close()
            return CRASHED

    def close(self) -> None:
        if self._child:
            self._child.kill()
        self._child = None


# What becomes of the lean build of a case that is to take this route.
ROUTES = {"lean": Path, "full": str, "rejected": Diagnostic | str}


def compare(device: str, folder: Path) -> None:
    """Build the whole corpus both ways and compare every outcome."""
    toolchain.prepare_environment()
    cases = CORPUS[device]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        really = pool.submit(build_real, device, folder / "real")  # first, for it takes longest
        leanly = pool.map(lambda c: build_lean(c, device, folder / "lean" / c.name), cases)
        built = dict(zip([case.name for case in cases], leanly, strict=True))
    wrong_route = {
        case.name: str(built[case.name])
        for case in cases
        if not isinstance(built[case.name], ROUTES[case.route])
    }
    assert not wrong_route, f"lean where it must not be, not lean, or given up: {wrong_route}"
    assert_nothing_of_torchs_is_redefined(folder / "lean")
    for case in cases:
        if case.remedy:
            assert case.remedy in str(built[case.name]), case.name
    compare_outcomes(device, built, really.result(), folder / "log")


def compare_outcomes(
    device: str, built: Mapping[str, Path | Diagnostic | str], real: Path, log: Path
) -> None:
    ours, theirs = Caller(log), Caller(log)
    different, spared = [], []
    for case in CORPUS[device]:
        if case.route != "lean":
            continue
        for call in range(len(case.calls(None, device))):
            a = ours.outcome(Path(str(built[case.name])), device, case.name, call)
            b = theirs.outcome(real, device, case.name, call)
            if b == CRASHED and re.match(r"\w+Error: ", a):
                spared.append(f"{case.name}, call {call}: {a}")
            elif a != b:
                different.append(f"{case.name}, call {call}: lean {a:.300}, real {b:.300}")
    ours.close()
    theirs.close()
    if spared:
        # The real headers' own crash, on this machine, over the message of an error.
        warnings.warn(
            "real headers crash where lean ones raise: " + "; ".join(spared), stacklevel=1
        )
    assert not different, "\n".join(different)


@pytest.mark.timeout(900)
def test_cpp_sources_do_the_same_by_both_headers(tmp_path: Path) -> None:
    compare("cpu", tmp_path)


@pytest.mark.gpu
@pytest.mark.timeout(900)
def test_cuda_sources_do_the_same_by_both_headers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(
        "TORCH_CUDA_ARCH_LIST", toolchain.architecture(torch.cuda.get_device_capability())
    )
    compare("cuda", tmp_path)


PLAIN = "#include <torch/extension.h>\n"


@pytest.mark.parametrize(
    "log, source, certain",
    [
        ("k.py:9:1: error: 'no_such_name_anywhere' was not declared in this scope", "", True),
        ("k.py:9:1: error: 'n' was not declared in this scope", "", True),
        ("k.py:9:1: error: 'py' was not declared in this scope", "", False),
        # torch has it, the lean headers do not: only the real ones can tell.
        ('k.cu(9): error: class "lean::Tensor" has no member "index_put_"', "", False),
        # Short names are ATen's as well, and namespaces'.
        ('k.cu(9): error: class "lean::Tensor" has no member "gt"', "", False),
        ("k.py:9:1: error: 'lt' was not declared in this scope", "", False),
        ('k.cu(9): error: namespace "torch" has no member "nn"', "", False),
        # cuDNN's header brings no member of torch's.
        ('k.cu(9): error: namespace "torch" has no member "cudnn_convolution"', "", False),
        ("k.py:9:10: fatal error: no/such/header.h: No such file or directory", "", True),
        (f"{lean.INCLUDE}/a.h:9:10: fatal error: b.h: No such file or directory", "", False),
        ('k.cu(9): error: identifier "C10_CUDA_CHECK" is undefined', PLAIN, True),
        # Where the header is included that has it, it is ours that lacks it.
        (
            'k.cu(9): error: identifier "AT_CUDA_CHECK" is undefined',
            "#include <ATen/cuda/CUDAContext.h>\n",
            False,
        ),
        # A header of torch's that we do not mirror might bring it.
        (
            'k.cu(9): error: identifier "C10_CUDA_CHECK" is undefined',
            "#include <ATen/native/cuda/Loops.cuh>\n",
            False,
        ),
        # The file is not there to see whether a macro of torch's might be meant.
        ('k.cu(9): error: expected a ";"', "", False),
    ],
)
def test_only_a_certain_rejection_spares_the_real_headers(
    log: str, source: str, certain: bool
) -> None:
    said = {"cpp_sources": [source], "cuda_sources": []}
    assert (limits.rejection(log, said) is not None) is certain


@pytest.mark.parametrize(
    "log, source, place, remedy",
    [
        (
            "pybind.h:59:73: error: redefinition of 'PyObject* PyInit_ext()'",
            "",
            limits.FUNCTIONS,
            "leave out functions=, or the PYBIND11_MODULE",
        ),
        (
            "ld: cuda.o: multiple definition of `PyInit_ext'; main.o: first defined here\n"
            "collect2: error: ld returned 1 exit status",
            "",
            limits.FUNCTIONS,
            "leave out functions=, or the PYBIND11_MODULE",
        ),
        (
            'k.cu(4): error: no suitable conversion function from "const '
            'lean::DeprecatedTypeProperties" to "lean::ScalarType" exists',
            "",
            "k.cu",
            "write scalar_type() in the place of type()",
        ),
        (
            "k.cu(4): error: __host__ or __device__ annotation on lambda requires "
            "--extended-lambda nvcc flag",
            "",
            "k.cu",
            'add "--extended-lambda" to extra_cuda_cflags',
        ),
        (
            f"{limits.FUNCTIONS}:2:40: error: 'my_relu' was not declared in this scope",
            "torch::Tensor other(torch::Tensor x);",
            limits.FUNCTIONS,
            "declare my_relu in cpp_sources, or leave it out of functions=",
        ),
    ],
)
def test_a_mistake_that_has_a_name_has_its_remedy(
    log: str, source: str, place: str, remedy: str
) -> None:
    found = limits.rejection(log, {"cpp_sources": [source], "cuda_sources": []})
    assert found is not None
    assert (found.place, found.remedy) == (place, remedy)
    assert "lean::" not in str(found)


@pytest.mark.parametrize("source", ["using namespace torch;", "#define F(x) my_##x"])
def test_a_name_in_functions_that_the_sources_may_bring_is_not_certain(source: str) -> None:
    log = f"{limits.FUNCTIONS}:2:40: error: 'relu' was not declared in this scope"
    assert limits.rejection(log, {"cpp_sources": [source], "cuda_sources": []}) is None


@pytest.mark.parametrize(
    "line, certain", [("return x", True), ("TORCH_SOMETHING(x) return x", False)]
)
def test_a_missing_semicolon_is_certain_unless_a_macro_may_be_meant(
    line: str, certain: bool, tmp_path: Path
) -> None:
    file = tmp_path / "k.py"
    file.write_text(f"a\nb\n{line}\n")
    said = {"cpp_sources": [""], "cuda_sources": []}
    for log in (
        f"{file}:3:9: error: expected ';' before '}}' token",
        f'{file}(3): error: expected a ";"',
    ):
        assert (limits.rejection(log, said) is not None) is certain


def lines_before(source: str) -> str:
    torch_include = Path(cpp_extension.include_paths()[0])
    return prelude(
        source, torch_include, cuda=True, binding=False, implicit=True, torch_errors=True
    )


@pytest.mark.parametrize(
    "source, lean_enough",
    [
        # Conditions on torch's macros.
        ("#if defined(TORCH_CUDA_CPP_API) && X", False),
        ("  # ifdef AT_PARALLEL_OPENMP", False),
        ("#elif __cpp_lib_math_special_functions > 1", False),
        ("// #ifdef C10_CUDA_CHECK", True),
        ("#ifdef TORCH_EXTENSION_NAME", True),
        ("#if TORCH_VERSION_MAJOR > 1", True),
        ("#if __CUDA_ARCH__ >= 900", True),
        ("TORCH_CHECK(true);", True),
        ("#include <ATen/ATen.h>\n#ifndef TORCH_CHECK", True),
        ("#include <ATen/ATen.h>\n#ifndef TORCH_CHECK\n#ifdef AT_CHECK", False),
        ("#include <ATen/Device.h>\n#ifndef TORCH_CHECK", False),
        # Libraries that may be filled more often than is written.
        ("void f() { for (;;) {} }\nTORCH_LIBRARY(ns, m) { m.def(schema); }", True),
        ("TORCH_LIBRARY(ns, m) { m.def(schema); }\nvoid f() { for (;;) {} }", True),
        ('TORCH_LIBRARY(ns, m) { m.def("for(Tensor x, int m) -> ()", "}", f, \'}\'); }', True),
        ("TORCH_LIBRARY(ns, m) { for (auto n : names) m.def(n, &f); }", False),
        ('TORCH_LIBRARY(ns, m) { m.def("}"); for (auto n : names) m.def(n, &f); }', False),
        ("TORCH_LIBRARY_IMPL(ns, CPU, m) { while (n()) m.impl(n(), &f); }", False),
        ("#define ADD(m) m.def(schema);\nTORCH_LIBRARY(ns, m) { ADD(m) ADD(m) }", True),
        ("void fill(auto& m);\nTORCH_LIBRARY(ns, m) { fill(m); fill(m); }", False),
        ("TORCH_LIBRARY(ns, m) { auto add = [&](auto n) { m.def(n, &f); }; add(1); }", False),
        (
            "#define ALL \\\n  for (auto n : names) \\\n  m.def(n)\nTORCH_LIBRARY(ns, m) { ALL; }",
            False,
        ),
        # Registries that may be filled more than once, or whose schemas the real headers check.
        ('static auto r = torch::RegisterOperators().op("n::f", &f).op("n::g.out", [] {});', True),
        ('static torch::RegisterOperators r("n::f", &f);', True),
        ('auto r = torch::RegisterOperators().op("n::f", &f);', False),
        ('static auto r = torch::RegisterOperators().op("n::f(int i) -> int", &f);', False),
        (
            'static auto r = torch::RegisterOperators().op("n::f", &f).op("n::g() -> ()", &g);',
            False,
        ),
        ('static auto r = torch::RegisterOperators().op("f", &f);', False),
        ("static auto r = torch::RegisterOperators().op(name, &f);", False),
        (
            "static auto r = torch::RegisterOperators().op(torch::RegisterOperators::options());",
            False,
        ),
        ("void f(torch::RegisterOperators& r);", False),
        # Errors of torch's by their types.
        ("try { f(); } catch (const c10::Error& e) { g(e.what()); }", False),
        ("try { f(); } catch (const Error& e) {}", False),
        ("try { f(); } catch (const std::exception& e) { g(e.what()); }", True),
        # Modules that may have overloads; with a library, which names these are shows too late.
        ('TORCH_LIBRARY(n, m) { m.def("f", f); } PYBIND11_MODULE(n, m) { m.def("f", &f); }', True),
        ('PYBIND11_MODULE(n, m) { m.def("f", &f); } TORCH_LIBRARY(n, m) { m.def("f", f); }', True),
        ('PYBIND11_MODULE(n, m) { m.def("f", &f); m.def("g", &f); }', True),
        ('PYBIND11_MODULE(n, m) { m.def("f", &f, "}"); m.def( "f", &g); }', False),
        ("PYBIND11_MODULE(n, m) { m.def(name, &f); } TORCH_LIBRARY(n, m) {}", False),
        ("void f(py::module_& m); PYBIND11_MODULE(n, m) { f(m); } TORCH_LIBRARY(n, m) {}", False),
    ],
)
def test_what_needs_the_real_headers_as_its_text_tells(source: str, lean_enough: bool) -> None:
    said = {"cpp_sources": [source], "cuda_sources": []}
    assert (limits.unsupported(said) == "") == lean_enough


def test_a_condition_in_a_header_of_the_callers_own_counts_as_well(tmp_path: Path) -> None:
    (tmp_path / "own.h").write_text("#ifdef TORCH_CHECK\n#endif\n")
    said = {"cpp_sources": ['#include "own.h"'], "cuda_sources": []}
    assert limits.unsupported(said | {"extra_include_paths": [str(tmp_path)]})
    assert not limits.unsupported(said)


@pytest.mark.parametrize(
    "source, lean_enough",
    [
        ("#include <ATen/core/Tensor.h>", False),
        ("#include <ATen/Operators.h>\n#include <c10/cuda/CUDAGuard.h>", False),
        ("#include <ATen/cuda/CUDATensorMethods.cuh>", False),
        ("#include <ATen/core/Tensor.h>\n#include <ATen/ATen.h>", True),
        ("#include <torch/extension.h>\n#include <ATen/TensorUtils.h>", True),
        ("#include <c10/cuda/CUDAGuard.h>", True),
    ],
)
def test_headers_without_functions_are_left_to_the_real_ones(
    source: str, lean_enough: bool
) -> None:
    said = {"cpp_sources": [""], "cuda_sources": [source]}
    assert (limits.unsupported(said | {"no_implicit_headers": True}) == "") == lean_enough
    assert not limits.unsupported(said | {"no_implicit_headers": False})


def test_what_a_header_of_the_callers_own_names_is_brought(tmp_path: Path) -> None:
    (tmp_path / "own.h").write_text("inline std::vector<float> f() { return {}; }\n")
    said = arguments(Case("own", '#include "own.h"'), "cpu")
    for folders, brought in (([str(tmp_path)], True), ([], False)):
        prepared = lean.prepare(said | {"extra_include_paths": folders}, tmp_path / "libraries")
        assert ("#define LEAN_VECTOR" in prepared["cpp_sources"][0]) is brought


def test_a_comment_brings_no_header() -> None:
    assert "LEAN_VECTOR" in lines_before("std::vector<int> v;")
    assert "LEAN_VECTOR" not in lines_before("// std::vector\n/* std::vector */ std::size_t n;")
    # What looks like one inside a text is none.
    assert "LEAN_VECTOR" in lines_before('auto url = "https://x"; std::vector<int> v;')


def test_a_word_alone_brings_no_cpp_header() -> None:
    assert "LEAN_ALGORITHM" not in lines_before("x = min(a, b); y = sqrtf(c);")
    assert "LEAN_ALGORITHM" in lines_before("using namespace std; x = min(a, b);")
    assert "LEAN_CMATH" in lines_before("y = sqrtf(c);")


def test_the_drivers_version_is_known_where_torchs_cuda_headers_bring_it() -> None:
    # Unknown, it would count as zero in a condition, and nothing would tell.
    assert "LEAN_DRIVER" in lines_before("#if CUDA_VERSION >= 9000")
    assert "LEAN_DRIVER" not in lines_before("cudaMemset(p, 0, n);")


@pytest.mark.parametrize(
    "function",
    [
        # pybind11 reads a number's value; an object is otherwise true because it is there.
        "bool f(py::int_ x) { return x ? true : false; }",
        # It would describe the tuple by its elements.
        "auto f(torch::Tensor x) { return py::make_tuple(x, 1); }",
        # A character is a text to it, and neither a pointer nor an enumerator is a number.
        "py::object f() { return py::cast('a'); }",
        "py::list f() { int n = 0; py::list l; l.append(&n); return l; }",
        'enum E { A }; py::dict f() { py::dict d; d["a"] = A; return d; }',
        # It takes an int for a py::float_, too.
        "py::float_ f(py::float_ x) { return x; }",
        # A caught Python error says where it was raised.
        "void f(py::object g) { try { g(); } catch (std::exception& e) { puts(e.what()); } }",
    ],
)
def test_objects_that_would_not_be_pybinds_need_the_real_headers(
    function: str, tmp_path: Path
) -> None:
    toolchain.prepare_environment()
    case = Case("objects", PLAIN + function, functions=["f"])
    assert isinstance(build_lean(case, "cpu", tmp_path), str)


@pytest.mark.parametrize(
    "source, brought",
    [
        ("py::object f(py::dict d);", True),
        ("pybind11::tuple f();", True),
        ('m.attr("version") = 1;', True),
        ('m.def("f", &f, py::arg("x") = py::none());', False),
        ("std::tuple<int> f(); py::gil_scoped_release r;", False),
    ],
)
def test_only_what_names_objects_brings_them(source: str, brought: bool) -> None:
    assert ("#define LEAN_OBJECTS" in lines_before(source)) is brought


def test_nine_in_ten_accepted_sources_are_lean() -> None:
    accepted = [case for cases in CORPUS.values() for case in cases if case.route != "rejected"]
    assert len(accepted) >= 30
    assert sum(case.route == "lean" for case in accepted) >= 0.9 * len(accepted)
