"""What the lean headers cannot do, and what no headers would accept."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.build import diagnostics, toolchain
from harness.build.lean import INCLUDE
from harness.build.prelude import without_comments
from harness.records import Diagnostic

_BARE_NAME = re.compile(r"(?<![\w.])(?<!->)(?<!::)(\w+)\s*\(([^()]*)")

# What stands before a declared function's name: a type, perhaps a template's, perhaps a reference.
_TYPE_BEFORE = re.compile(r"(?:\w|\w\s*<[^;{}()]*>)(?:\s*[&*]+)?$")

# What stands before a call's instead.
_EXPRESSION_BEFORE = re.compile(r"\b(?:return|else|do|throw|case|goto|new)$|[=(,?:]\s*\S+\s*[&*]+$")

# A parameter whose type a template deduces: `T x`, `const T& x`, `auto x`.
_GENERIC = re.compile(
    r"^\s*(?:const\s+)?(?!int|float|double|bool|char|unsigned|size_t|u?int\d)\w+\s*&*\s*\w*$"
)

# Real headers define macros that the stand-ins do not; in a condition nothing would tell.
_ASKS_FOR_MACRO = re.compile(
    r"^[ \t]*#[ \t]*(?:el)?if[^\n]*?\b"
    r"(?!TORCH_EXTENSION_NAME)((?:TORCH|AT|C10|PYBIND11|__STDCPP_MATH_SPEC|__cpp_lib)_\w+)",
    re.MULTILINE,
)


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
    }
    for header, line in declared.items():
        try:
            text = (include / header).read_text()
        except OSError as error:
            return f"{header}: {error.strerror}"
        if line not in text:
            return f"{header} no longer declares {line!r}"
    code = without_comments("\n".join([*arguments["cpp_sources"], *arguments["cuda_sources"]]))
    if asked := _ASKS_FOR_MACRO.search(code):
        return f"{asked[1]} would not be defined"
    if name := _borrowed_name([*arguments["cpp_sources"], *arguments["cuda_sources"]], include):
        return f"calls its own {name}(), a name that ATen's functions share"
    return ""


def rejected_anyway(log: str, arguments: Mapping[str, Any]) -> bool:
    """Would the real headers reject these sources as well? True only where that is certain.

    log: the compilers' output with the lean headers. It saves a minute on the commonest mistakes:
    an include that is missing, where our headers mirror all that are there; and a misspelt name,
    one that no header of torch's, CUDA's or the system's mentions.
    """
    diagnostic = diagnostics.first_error(log)
    error = diagnostic.message
    if diagnostics.is_punctuation(error):
        # Unless a macro of torch's that we lack stands there, which looks the same.
        return not re.search(r"\b[A-Z][A-Z0-9_]{3,}\b", _lines_before(diagnostic, 3, arguments))
    name = diagnostics.unknown_name(error)
    if not name:
        return False
    text = "\n".join([*arguments["cpp_sources"], *arguments["cuda_sources"]])
    torch_headers = re.findall(r'#\s*include\s*[<"]((?:torch|ATen|c10)/[^>"]+)', text)
    mirrored = all((INCLUDE / header).exists() for header in torch_headers)
    # Headers are full of parameters called `n`, but leave such names alone where sources see them.
    short = len(name) <= 2 and name not in ("at", "py")
    known_home = mirrored and bool(diagnostics.missing_include(error))
    return short or known_home or not _mentioned(name)


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


def _borrowed_name(sources: Sequence[str], torch_include: Path) -> str:
    """A function of the sources' own, on tensors, whose bare name they call and ATen has as well.

    With real tensors such a call sees ATen's function too (argument-dependent lookup). That may be
    the better match, or make the call ambiguous; the stand-ins' tensors would not say so.
    """
    text = without_comments("\n".join(sources))
    declared: set[str] = set()
    called: set[str] = set()
    for match in _BARE_NAME.finditer(text):
        name, parameters = match[1], match[2]
        start = max(text.rfind(c, 0, match.start()) for c in ";{}") + 1
        before = text[start : match.start()].rstrip()
        if not _TYPE_BEFORE.search(before) or _EXPRESSION_BEFORE.search(before):
            called.add(name)
        elif "__global__" in before or ("__device__" in before and "__host__" not in before):
            continue  # device code has no tensors
        elif "Tensor" in parameters or (
            "template" in before and any(map(_GENERIC.search, parameters.split(",")))
        ):
            declared.add(name)
    ops = torch_include / "ATen" / "ops"
    return next((n for n in sorted(declared & called) if (ops / f"{n}.h").exists()), "")
