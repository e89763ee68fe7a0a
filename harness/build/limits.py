"""What the lean headers cannot do, and what no headers would accept."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.build import aten, diagnostics, toolchain
from harness.build.headers import with_own_headers
from harness.build.lean import INCLUDE
from harness.build.prelude import without_comments
from harness.records import Diagnostic

# Real headers define macros that the stand-ins do not; in a condition nothing would tell.
_ASKS_FOR_MACRO = re.compile(
    r"^[ \t]*#[ \t]*(?:el)?if[^\n]*?\b"
    r"(?!TORCH_EXTENSION_NAME|TORCH_VERSION)((?:TORCH|AT|C10|PYBIND11|__STDCPP_MATH_SPEC|__cpp_lib)_\w+)",
    re.MULTILINE,
)

# What old extensions ask for, and the headers that bring it to them either way.
_BRINGS_TORCH_CHECK = re.compile(
    r"^[ \t]*#[ \t]*include[ \t]*[<\"](?:ATen/ATen|torch/(?:extension|torch|all|types|script))\.h",
    re.MULTILINE,
)

# Headers that bring at::Tensor, and of them those that bring all functions as well. The stand-ins
# always bring both.
_BRINGS_TENSORS = re.compile(
    r"^[ \t]*#[ \t]*include[ \t]*[<\"](?:ATen/(?:core/Tensor|Tensor|TensorUtils|TensorOperators"
    r"|NativeFunctions|Operators|Context|DeviceGuard|WrapDimUtils|native/CanUse32BitIndexMath"
    r"|cuda/detail/IndexUtils|cuda/CUDAApplyUtils|cuda/CUDATensorMethods)|c10/core/WrapDimMinimal)\.c?u?h\b",
    re.MULTILINE,
)
_BRINGS_FUNCTIONS = re.compile(
    r"^[ \t]*#[ \t]*include[ \t]*[<\"](?:ATen/(?:ATen|Functions)|torch/\w+)\.h\b", re.MULTILINE
)

# A registry that is filled once, and that infers each schema from its function.
_PLAIN_NAME = r'\(\s*"\w+::\w+(?:\.\w+)?"\s*,'
_STATIC_REGISTRY = re.compile(
    r"\bstatic\s+(?:const\s+)?(?:auto|(?:(?:torch|c10)\s*::\s*)?RegisterOperators)\s+\w+\s*"
    rf"(?:=\s*(?:torch|c10)\s*::\s*RegisterOperators\s*\(\s*\)(?=\s*\.\s*op\b)|{_PLAIN_NAME})"
)

# Some of torch's errors are thrown as types of our own, and all there is of them is a catch.
_NAMES_ERRORS = re.compile(r"\b(?:c10|at|torch)\s*::\s*\w*Error\b|\bcatch\s*\([^)]*\bError\b")

_LITERAL = re.compile(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'')


def unsupported(arguments: Mapping[str, Any]) -> str:
    """Why a load_inline call cannot be built leanly, as far as text tells; else an empty string.

    The stand-ins pass a few of torch's small values by hand. Their layout has not changed in
    years; if it ever does, the lines that declare it do too.
    """
    from torch.utils import cpp_extension

    include = Path(cpp_extension.include_paths()[0])
    declared = {
        "c10/core/Scalar.h": "enum class Tag { HAS_d, HAS_i, HAS_u, HAS_z, HAS_b,",
        "ATen/core/TensorBase.h": "c10::intrusive_ptr<TensorImpl, UndefinedTensorImpl> impl_;",
        "c10/core/Device.h": "DeviceType type_;\n  DeviceIndex index_ = -1;",
        "ATen/core/IListRef.h": "    const boxed_type* boxed;\n    unboxed_type unboxed;",
        "ATen/TensorIndexing.h": " private:\n  SymInt integer_ = 0;\n  bool boolean_ = false;\n"
        "  Slice slice_;\n  Tensor tensor_;\n  TensorIndexType type_;\n",
        "ATen/TensorGeometry.h": " private:\n  std::vector<c10::SymInt> sizes_;\n"
        "  std::vector<c10::SymInt> strides_;\n  c10::SymInt storage_offset_;\n"
        "  c10::SymInt numel_;\n  bool has_symbolic_sizes_strides_{false};\n",
        "ATen/TensorUtils.h": "  const Tensor& tensor;\n  const char* name;\n  int pos; //",
        "torch/csrc/utils/pybind.h": " private:\n  std::vector<int64_t> v_value;",
        "torch/csrc/Exceptions.h": "  at::WarningHandler* prev_handler_;\n  bool in_exception_",
    }
    for header, line in declared.items():
        try:
            text = (include / header).read_text()
        except OSError as error:
            return f"{header}: {error.strerror}"
        if line not in text:
            return f"{header} no longer declares {line!r}"
    if arguments.get("no_implicit_headers"):
        for kind in ("cpp_sources", "cuda_sources"):
            text = with_own_headers(arguments[kind], arguments)
            if (brought := _BRINGS_TENSORS.search(text)) and not _BRINGS_FUNCTIONS.search(text):
                return f"{brought[0].strip()} alone would bring more than the real one"
    sources = [*arguments["cpp_sources"], *arguments["cuda_sources"]]
    code = without_comments(with_own_headers(sources, arguments))
    for asked in _ASKS_FOR_MACRO.finditer(code):
        if asked[1] != "TORCH_CHECK" or not _BRINGS_TORCH_CHECK.search(code):
            return f"{asked[1]} would not be defined"
    if _NAMES_ERRORS.search(code):
        return "torch's exceptions are not its own"
    if _may_repeat_registrations(code):
        return "a TORCH_LIBRARY may be filled in a loop"
    if _registers_otherwise(code):
        return "a RegisterOperators is not a static object that lists plain names"
    return "a PYBIND11_MODULE has overloads" if _has_overloads(code) else ""


def _may_repeat_registrations(code: str) -> bool:
    """May what is written once inside a TORCH_LIBRARY run more than once, as far as text tells?

    Such a registration has no slot (see lean/library.h), and says so only by ending the process.
    """
    again = r"\b(?:for|while|do|goto)\b|\bauto\s+\w+\s*=\s*\["
    macros = dict(re.findall(r"^[ \t]*#[ \t]*define[ \t]+(\w+)((?:.*\\\n)*.*)", code, re.MULTILINE))
    repeating = {name for name, text in macros.items() if re.search(again, text)}
    for library, body in _bodies("TORCH_LIBRARY(?:_IMPL|_FRAGMENT)?", code):
        words = _LITERAL.sub("", body)
        # A function that is handed the library may fill it as often as it likes.
        handed = set(re.findall(rf"\b(\w+)\s*\((?:[^()]*,)?\s*{library}\s*[,)]", words))
        if (
            re.search(again, words)
            or handed - macros.keys()
            or repeating & set(re.findall(r"\w+", words))
        ):
            return True
    return False


def _registers_otherwise(code: str) -> bool:
    """Is a RegisterOperators filled anywhere but in its static definition, or with a schema?"""
    if "RegisterOperators" not in code:
        return False
    rest = _STATIC_REGISTRY.sub(" ", code)
    others = re.search(rf"\.\s*op\b(?!\s*{_PLAIN_NAME})", rest)
    return "RegisterOperators" in rest or others is not None


def _has_overloads(code: str) -> bool:
    """Does a module define one name twice, as far as text tells? If not, it tells when loaded; but
    by then a TORCH_LIBRARY beside it is registered, and could not be once more."""
    modules = [body for _, body in _bodies("PYBIND11_MODULE", code)]
    for body in modules:
        names = re.findall(r'\.\s*def\s*\(\s*"(\w+)"', body)
        if len(names) > len(set(names)):
            return True
    both = modules and "TORCH_LIBRARY" in code
    return bool(both and re.search(r'\.\s*def\s*\(\s*[^"\s]|\bmodule_?\s*&', code))


def _bodies(macro: str, code: str) -> Iterator[tuple[str, str]]:
    """What stands in the braces after `macro(..., variable)`, with the variable's name."""
    for head in re.finditer(rf"\b{macro}\s*\([^)]*?(\w+)\s*\)\s*{{", code):
        # Same length, so that places in one are places in the other.
        rest = _LITERAL.sub(lambda found: " " * len(found[0]), code[head.end() :])
        depth, end = 1, len(rest)
        for brace in re.finditer(r"[{}]", rest):
            depth += 1 if brace[0] == "{" else -1
            if depth == 0:
                end = brace.start()
                break
        yield head[1], code[head.end() :][:end]


def rejection(log: str, arguments: Mapping[str, Any]) -> Diagnostic | None:
    """What the real headers would reject as well; None where that is not certain.

    log: the compilers' output with the lean headers. It saves a minute on the commonest mistakes:
    an include that is missing, where our headers mirror all that are there; a misspelt name, one
    that no header of torch's, CUDA's or the system's mentions; and calls of load_inline that
    contradict their sources.
    """
    diagnostic = diagnostics.first_error(log)
    error = diagnostic.message
    if mistake := _named_mistake(diagnostic, log, arguments):
        return mistake
    if "No such file or directory" in error and "fatal error" in error:
        # Our folder of headers comes before the real ones, not in their place.
        return None if Path(diagnostic.place).is_relative_to(INCLUDE) else diagnostic
    if diagnostics.is_punctuation(error):
        # Unless a macro of torch's that we lack stands there, which looks the same.
        macro = re.search(r"\b[A-Z][A-Z0-9_]{3,}\b", _lines_before(diagnostic, 3, arguments))
        return None if macro else diagnostic
    name = diagnostics.unknown_name(error)
    return diagnostic if name and _unknown_to_all(name, error, arguments) else None


def _named_mistake(
    diagnostic: Diagnostic, log: str, arguments: Mapping[str, Any]
) -> Diagnostic | None:
    """A mistake that has one name and one remedy, whichever headers there are."""
    from torch.utils import cpp_extension

    error = diagnostic.message
    if re.search(r"(?:re|multiple )definition of \W.*\bPyInit_", log):
        return Diagnostic(
            "error: PYBIND11_MODULE stands in the sources, and functions= asks for another",
            FUNCTIONS,
            remedy="leave out functions=, or the PYBIND11_MODULE",
        )
    if "extended-lambda" in error:
        return replace(diagnostic, remedy='add "--extended-lambda" to extra_cuda_cflags')
    if "THC/" in error and "No such file" in error:
        remedy = "THC is gone from PyTorch: include <ATen/cuda/CUDAContext.h> and use at::cuda"
        return replace(diagnostic, remedy=remedy)
    dispatch = Path(cpp_extension.include_paths()[0]) / "ATen" / "Dispatch.h"
    # It converts to TensorOptions: only what asks for a ScalarType of it is wrong.
    asks_type = re.search("DeprecatedTypeProperties.*ScalarType", error)
    if asks_type and "DeprecatedType" not in dispatch.read_text():
        return replace(
            diagnostic,
            message="error: AT_DISPATCH_* of what type() returns, which is no ScalarType",
            remedy="write scalar_type() in the place of type()",
            shown="",  # the whole macro, in the lean headers' words
        )
    name = diagnostics.unknown_name(error)
    if diagnostic.place == FUNCTIONS and name and not _may_be_global(name, arguments):
        remedy = f"declare {name} in cpp_sources, or leave it out of functions="
        return replace(diagnostic, remedy=remedy)
    return None


FUNCTIONS = "functions= of load_inline"
"""Where a diagnostic says that it is if the binding is at fault, which load_inline writes."""


def _may_be_global(name: str, arguments: Mapping[str, Any]) -> bool:
    """Might the real headers have a function of this name outside of any namespace, or the sources
    bring it? As a parameter's name, which headers do not hand on, a short one is everywhere."""
    code = without_comments(with_own_headers(arguments["cpp_sources"], arguments))
    if re.search(r"\busing\b|##", code):
        return True
    system = Path("/usr/include")
    headers = [*system.glob("*.h"), *system.glob("*/bits/*.h"), *system.glob("bits/*.h")]
    function = re.compile(rf"(?<![*.>])\b{name}\s*\(")
    return any(function.search(header.read_text(errors="replace")) for header in headers)


def _unknown_to_all(name: str, error: str, arguments: Mapping[str, Any]) -> bool:
    """Is there no header that could bring a name which the lean ones do not know?"""
    from torch.utils import cpp_extension

    sources = [*arguments["cpp_sources"], *arguments["cuda_sources"]]
    text = with_own_headers(sources, arguments)
    mirrored, brought = _mirrors(text)
    member = re.search(r"has no member|is not a member", error)
    of_torchs = member and not re.search(r'"(?:at|c10)::cuda"|‘(?:at|c10)::cuda’', error)
    # Headers are full of parameters called `n`, but leave such names alone where sources see them.
    torch_include = Path(cpp_extension.include_paths()[0])
    short = len(name) <= 2 and name not in ("at", "py") and not aten.exists(name, torch_include)
    home = diagnostics.missing_include(error)
    known_home = mirrored and home and home not in brought
    return (bool(short or known_home) and not of_torchs) or not _mentioned(name)


def _mirrors(text: str) -> tuple[bool, set[str]]:
    """Do we mirror every header of torch's that is included, and which do ours come to bring?"""
    include = re.compile(r'#\s*include\s*[<"]((?:torch|ATen|c10)/[^>"]+)')
    brought = set(include.findall(text))
    mirrored = all((INCLUDE / header).exists() for header in brought)
    waiting = list(brought)
    while waiting:
        header = INCLUDE / waiting.pop()
        new = set(include.findall(header.read_text())) - brought if header.exists() else set()
        brought |= new
        waiting += new
    return mirrored, brought


def _lines_before(error: Diagnostic, count: int, arguments: Mapping[str, Any]) -> str:
    """The source lines that end where a diagnostic points; a macro's name if that is unknown."""
    end = error.line
    if end is None:
        return "UNKNOWN"
    try:
        if argument := re.fullmatch(r"(cpp_sources|cuda_sources)\[(\d+)\]", error.place):
            text = arguments[argument[1]][int(argument[2])].partition("\n")[2]  # less its #line
        else:
            text = Path(error.place).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "UNKNOWN"
    return "\n".join(text.splitlines()[max(0, end - count) : end])


def _mentioned(name: str) -> bool:
    """Does any header that a source might include contain this word?"""
    from torch.utils import cpp_extension

    folders = [*cpp_extension.include_paths(), "/usr/include", "/usr/local/include"]
    if nvcc := toolchain.find_nvcc():
        folders.append(str(nvcc.parent.parent / "include"))
    command = [
        "grep",
        "--recursive",
        "--quiet",
        "--word-regexp",
        "--fixed-strings",
        "--no-messages",
    ]
    found = subprocess.run([*command, name, *folders], check=False)
    return found.returncode != 1  # not found; anything else, such as no grep, proves nothing
