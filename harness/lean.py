"""Stand-ins for PyTorch's heavy headers, which compile in a second or two.

`include/` holds small headers with the names of PyTorch's own, over the C functions and the
operator entry points that libtorch exports. `prepare` makes a load_inline call use them: that
folder first on the include path, and a prelude before the sources that says which parts are
needed. The sources themselves stay as they are. What the lean headers lack does not compile, and
`harness.jit` then builds the same sources with the real headers.

Linking has a stand-in too: reading the symbols of libtorch takes the linker a third of a second,
to write no more into the extension than libtorch's name. Empty libraries of that name do as well.
"""

from __future__ import annotations

import functools
import hashlib
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness import diagnostics, toolchain

INCLUDE = Path(__file__).resolve().parent / "include"

# What torch/extension.h brings of the standard library, and the words by which a source shows that
# it uses it. The stand-ins include only what is named: each header costs nvcc three readings. A
# word not listed here ends in the real headers.
_STANDARD = {
    "ALGORITHM": r"(?:min|max|minmax|clamp|min_element|max_element|sort|stable_sort|fill|fill_n"
    r"|copy|copy_n|copy_if|transform|reverse|find|find_if|any_of|all_of|none_of|count|count_if"
    r"|equal|generate|for_each|rotate|unique|remove|remove_if|lower_bound|upper_bound|binary_search"
    r"|partial_sort|nth_element|partition|merge|swap_ranges|replace|iter_swap)",
    "ARRAY": "array",
    "ATOMIC": r"atomic\w*|memory_order\w*",
    "CASSERT": "assert",
    "CHRONO": "chrono",
    "BITSET": "bitset",
    "CMATH": r"M_PI|M_SQRT\w+|INFINITY|NAN|HUGE_VAL|(?:exp|exp2|expm1|log|log2|log10|log1p|sqrt"
    r"|cbrt|pow|a?sinh?|a?cosh?|a?tanh?|atan2|erfc?|[lt]gamma|floor|ceil|trunc|l?l?round|l?l?rint"
    r"|nearbyint|fmax|fmin|fabs|fmod|fma|fdim|hypot|copysign|nextafter|ldexp|frexp|modf|remainder)"
    r"[fl]?|isnan|isinf|isfinite|signbit",
    "COMPLEX": "complex",
    "CSTDIO": r"\w*printf|puts|stderr|stdout|fflush",
    "CSTDLIB": r"malloc|calloc|free|abort|exit|getenv|atoi|strtol|rand|abs",
    "CSTRING": r"mem(?:cpy|set|move|cmp)|str(?:cmp|len|cpy|ncpy|cat|chr|str)",
    "DEQUE": "deque",
    "FUNCTIONAL": r"function|bind|ref|cref|plus|minus|multiplies|less|greater|hash|invoke",
    "IOMANIP": r"setw|setprecision|setfill",
    "IOSTREAM": r"cout|cerr|clog|cin|endl|ostream|istream",
    "LIMITS": "numeric_limits",
    "MAP": r"map|multimap",
    "MEMORY": r"unique_ptr|shared_ptr|weak_ptr|make_unique|make_shared|allocator|addressof",
    "MUTEX": r"\w*mutex|lock_guard|unique_lock|scoped_lock|call_once|once_flag",
    "NUMERIC": r"accumulate|iota|inner_product|partial_sum|reduce|gcd|lcm",
    "OPTIONAL": r"optional|nullopt|make_optional",
    "SET": r"set|multiset",
    "SSTREAM": r"\w*stringstream",
    "STDEXCEPT": r"runtime_error|logic_error|invalid_argument|out_of_range|domain_error"
    r"|length_error|range_error|overflow_error",
    "STRING": r"string|to_string|stoi|stod|stof|stol",
    "STRING_VIEW": "string_view",
    "THREAD": r"thread|this_thread",
    "TUPLE": r"tuple|tie|make_tuple|pair|make_pair",
    "TYPE_TRAITS": r"is_\w+_v|is_same|is_floating_point|is_integral|enable_if\w*|conditional\w*"
    r"|decay\w*|remove_\w+|true_type|false_type|common_type\w*",
    "UNORDERED_MAP": "unordered_map",
    "UNORDERED_SET": "unordered_set",
    "UTILITY": r"move|forward|swap|pair|make_pair|exchange|index_sequence|make_index_sequence"
    r"|declval",
    "VARIANT": r"variant|visit|monostate",
    "VECTOR": "vector",
}
# Parts of the stand-ins themselves that cost something and that few sources need.
_PARTS = {
    "HALF": r"\w*(?:half|Half|HALF|bfloat16|BFloat16|BFLOAT16|REDUCED_FLOATING|nv_bfloat162?)\w*"
    r"|kF16|kFloat16",
    "PYTHON": r"PYBIND11_MODULE|pybind11|py|Py\w+",
    "PLAIN_ERRORS": "PYBIND11_MODULE",
    "CUBLAS": r"cublas\w*|\w*Blas\w*",
    "PARALLEL": r"parallel_for|parallel_reduce|(?:get|set)_num_threads|in_parallel_region",
}
_FEATURES = {name: re.compile(rf"\b(?:{words})\b") for name, words in (_STANDARD | _PARTS).items()}
# Of the standard library, what is there without a `std` in the source: C's, and what c10 names too.
_WITHOUT_STD = {"CASSERT", "CMATH", "CSTDIO", "CSTDLIB", "CSTRING", "OPTIONAL", "STRING_VIEW"}
# Names of PyTorch's. A CUDA source with none of them needs no stand-in at all.
_TORCH = re.compile(r"\b(?:torch|at|c10|TORCH_\w+|AT_\w+|C10_\w+|PYBIND11_MODULE|py|std)\b")

_COMMENT_OR_TEXT = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"', re.DOTALL)
_BARE_NAME = re.compile(r"(?<![\w.])(?<!->)(?<!::)(\w+)\s*\(([^()]*)")
# What stands before a declared function's name: a type, perhaps a template's, perhaps a reference.
_TYPE_BEFORE = re.compile(r"(?:\w|\w\s*<[^;{}()]*>)(?:\s*[&*]+)?$")
# What stands before a call's instead.
_EXPRESSION_BEFORE = re.compile(r"\b(?:return|else|do|throw|case|goto|new)$|[=(,?:]\s*\S+\s*[&*]+$")
# A parameter whose type a template deduces: `T x`, `const T& x`, `auto x`.
_GENERIC = re.compile(
    r"^\s*(?:const\s+)?(?!int|float|double|bool|char|unsigned|size_t|u?int\d)\w+\s*&*\s*\w*$"
)


# What makes libstdc++'s <cmath> leave out the special functions of C++17 (std::beta and the like):
# a third of nvcc's time over a source without headers. One that uses them does not compile.
_NO_SPECIAL_FUNCTIONS = "-D_GLIBCXX_BITS_SPECFUN_H=1"
# What load_inline links with.
_LIBTORCH = ("c10", "c10_cuda", "torch_cpu", "torch_cuda", "torch", "torch_python")


# Real headers define macros that the stand-ins do not; in a condition nothing would tell.
_ASKS_FOR_MACRO = re.compile(
    r"^[ \t]*#[ \t]*(?:el)?if[^\n]*?\b"
    r"(?!TORCH_EXTENSION_NAME)((?:TORCH|AT|C10|PYBIND11|__STDCPP_MATH_SPEC|__cpp_lib)_\w+)",
    re.MULTILINE,
)


def prelude(source: str, *, cuda: bool, binding: bool, implicit: bool, torch_errors: bool) -> str:
    """The lines that stand before `source`: which parts it needs, and torch's implicit includes.

    binding: this is the file into which `load_inline` writes a Python binding.
    implicit: false if the caller asked for `no_implicit_headers`.
    torch_errors: false if the caller asked for no `with_pytorch_error_handling`.
    """
    code = _without_comments(source)
    needed = [name for name, words in _FEATURES.items() if words.search(code)]
    if not re.search(r"\bstd\b", code):
        needed = [name for name in needed if name in _WITHOUT_STD or name in _PARTS]
    if binding:
        needed += ["PYTHON"] + ([] if torch_errors else ["PLAIN_ERRORS"])
    lines = [f"#define LEAN_{name}" for name in dict.fromkeys(needed)]
    # A source that names nothing of torch's, nor of what its headers bring, does without them.
    if implicit and (binding or _TORCH.search(code)):
        lines += ["#include <torch/types.h>" if cuda else "#include <torch/extension.h>"]
    if implicit and cuda:
        lines += ["#include <cuda.h>", "#include <cuda_runtime.h>"]
    return "\n".join(lines)


def _without_comments(source: str) -> str:
    return _COMMENT_OR_TEXT.sub(lambda m: m[0] if m[0].startswith('"') else " ", source)


def prepare(arguments: Mapping[str, Any], libraries: Path) -> dict[str, Any]:
    """The same load_inline call with the lean headers in the place of torch's.

    arguments: load_inline's, both kinds of sources as lists. New lists are returned.
    libraries: where to put stand-ins for libtorch; they must last until the call is over.
    """
    implicit = not arguments["no_implicit_headers"]
    errors = bool(arguments["with_pytorch_error_handling"])
    cpp, cuda = arguments["cpp_sources"], arguments["cuda_sources"]
    prepared = dict(arguments)
    prepared["cpp_sources"] = [
        prelude(
            "\n".join(cpp),
            cuda=False,
            binding=bool(arguments["functions"]),
            implicit=implicit,
            torch_errors=errors,
        ),
        *cpp,
    ]
    if cuda:
        prepared["cuda_sources"] = [
            prelude(
                "\n".join(cuda), cuda=True, binding=False, implicit=implicit, torch_errors=errors
            ),
            *cuda,
        ]
    prepared["no_implicit_headers"] = True
    prepared["extra_include_paths"] = [str(INCLUDE), *(arguments.get("extra_include_paths") or [])]
    for flags in ("extra_cflags", "extra_cuda_cflags"):
        prepared[flags] = [_NO_SPECIAL_FUNCTIONS, *(arguments.get(flags) or [])]
    prepared["extra_ldflags"] = [*_empty_libraries(libraries), *(arguments["extra_ldflags"] or [])]
    return prepared


def _empty_libraries(folder: Path) -> list[str]:
    """Make libraries with libtorch's names and nothing in them; return the flags that use them.

    Each extension comes to need libtorch by name as ever, and finds its symbols when it is loaded.
    """
    compiler = toolchain.host_compiler()
    nothing = folder / "nothing.o"
    make: list[list[str | Path]] = [[*compiler, "-c", "-x", "c++", "/dev/null", "-o", nothing]]
    for name in (f"lib{library}.so" for library in _LIBTORCH):
        soname = f"-Wl,-soname,{name}"
        make.append([*compiler, "-shared", "-nostdlib", nothing, soname, "-o", folder / name])
    try:
        folder.mkdir(parents=True)
        for command in make:
            subprocess.run(command, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return []  # the real ones do, only later
    # Some linkers are set up to drop a library that resolves nothing.
    return ["-Wl,--no-as-needed", f"-L{folder}"]


@functools.cache
def digest() -> str:
    """A hash of the lean headers and of what `prepare` writes: part of every artifact's key."""
    content = hashlib.sha256(Path(__file__).read_bytes())
    for path in sorted(INCLUDE.rglob("*.h")):
        content.update(str(path.relative_to(INCLUDE)).encode() + path.read_bytes())
    return content.hexdigest()


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
    code = _without_comments("\n".join([*arguments["cpp_sources"], *arguments["cuda_sources"]]))
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
    error = diagnostics.first_error(log)
    if diagnostics.is_punctuation(error):
        # Unless a macro of torch's that we lack stands there, which looks the same.
        return not re.search(r"\b[A-Z][A-Z0-9_]{3,}\b", _lines_before(error, 3, arguments))
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


def _lines_before(error: str, count: int, arguments: Mapping[str, Any]) -> str:
    """The source lines that end where a diagnostic points; a macro's name if that is unknown."""
    place = re.match(r"(.+?)[:(](\d+)", error)
    if place is None:
        return "UNKNOWN"
    end = int(place[2])
    try:
        if argument := re.fullmatch(r"(cpp_sources|cuda_sources)\[(\d+)\]", place[1]):
            text = arguments[argument[1]][int(argument[2])].partition("\n")[2]  # less its #line
        else:
            text = Path(place[1]).read_text(encoding="utf-8")
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
    text = _without_comments("\n".join(sources))
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
