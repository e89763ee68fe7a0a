"""The lines before a source that say which parts of the lean headers it needs."""

from __future__ import annotations

import functools
import re
from pathlib import Path

from harness.build.operators import declarations

_INDEXING = r"index(?=\s*\(\s*\{)|index_put_|TensorIndex|indexing"

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
    "CFLOAT": r"(?:FLT|DBL|LDBL)_\w+",
    "CHRONO": "chrono",
    "BITSET": "bitset",
    "CLIMITS": r"(?:U?(?:CHAR|SHRT|INT|LONG|LLONG)|SCHAR)_(?:MAX|MIN)|CHAR_BIT",
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
    "OPTIONAL": rf"optional|nullopt|make_optional|{_INDEXING}",
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
    r"|kF16|kFloat16"
    # Real headers that compute with both.
    r"|(?:NumericUtils|Atomic|KernelUtils|CUDAApplyUtils|CUDATensorMethods|block_reduce"
    r"|native/Math)(?=\.c?u?h\b)",
    "PYTHON": r"PYBIND11_MODULE|pybind11|py|Py\w+",
    "PLAIN_ERRORS": "PYBIND11_MODULE",
    "C10_COMPLEX": r"c10\s*::\s*complex",
    "IRANGE": "irange",
    "MACROS": r"C10_(?!CUDA_|HOST|DEVICE)\w+|TORCH_(?:CUDA_(?:CU_|CPP_)?|PYTHON_)?API"
    r"|CUDA_KERNEL_ASSERT\w*",
    "FLATTEN": "flatten_dense_tensors",
    "UNFLATTEN": "unflatten_dense_tensors",
    "DRIVER": r"CUDA_VERSION|CUDA_(?:SUCCESS|ERROR)\w*|CU(?:_\w+|[a-z]\w+)|cu[A-Z]\w+",
    "OBJECTS": r"(?:py|pybind11)\s*::\s*(?:object|handle|tuple|list|dict|str|int_|cast|len"
    r"|isinstance|hasattr|make_tuple|reinterpret_\w+|error_already_set|\w+_error)"
    r"|attr(?=\s*\()",
    "CATCHES": "catch|current_exception",
    "CUBLAS": r"cublas\w*|\w*Blas\w*|TORCH_CUDABLAS_CHECK",
    "APPLY": r"getApply\w+|AT_APPLY\w+|ATenCeilDiv|ceil_div|\w*TensorInfo|canUse32BitIndexMath"
    r"|IndexToOffset",
    "ACCESSOR": r"\w*accessor\w*|\w*TensorAccessor\w*|\w*PtrTraits",
    "BLOBS": r"from_blob|(?:torch|at)\s*::\s*tensor",
    "INDEXING": _INDEXING,
    "ARGUMENT_CHECKS": r"TensorArg|CheckedFrom|check(?:All)?(?:Same|Dim|Contiguous|Size|Numel"
    r"|ScalarTypes?|Defined|DeviceType|Layout)\w*|check_dim_size|maybe_data_ptr",
    "GUARDS": r"\w*DeviceGuard|NoGradGuard|AutoGradMode|GradMode",
    "LIBRARY": r"TORCH_LIBRARY\w*|Library|RegisterOperators",
    "REGISTRY": "RegisterOperators",
    "VEC": r"vec(?=\(\))",
    "VERSION": r"TORCH_VERSION\w*",
    "WARNINGS": r"TORCH_WARN\w*",
    "PARALLEL": r"parallel_for|parallel_reduce|(?:get|set)_num_threads|in_parallel_region",
}

_FEATURES = {name: re.compile(rf"\b(?:{words})\b") for name, words in (_STANDARD | _PARTS).items()}

# Of the standard library, what is there without a `std` in the source: C's, and what c10 names too.
_WITHOUT_STD = {
    "CASSERT",
    "CFLOAT",
    "CLIMITS",
    "CMATH",
    "CSTDIO",
    "CSTDLIB",
    "CSTRING",
    "OPTIONAL",
    "STRING_VIEW",
}

# Names of PyTorch's. A CUDA source with none of them needs no stand-in at all.
_TORCH = re.compile(r"\b(?:torch|at|c10|TORCH_\w+|AT_\w+|C10_\w+|PYBIND11_MODULE|py|std)\b")

_MACRO = re.compile(r"^[ \t]*#[ \t]*define[ \t]+(\w+)((?:\\\n|.)*)", re.MULTILINE)

# What gives a function to a TORCH_LIBRARY or to a torch::RegisterOperators.
_REGISTERS = re.compile(r"\.\s*(?:def|impl|op)\s*\(|\bRegisterOperators\b")

_COMMENT_OR_TEXT = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"', re.DOTALL)


def prelude(
    source: str,
    torch_include: Path,
    *,
    cuda: bool,
    binding: bool,
    implicit: bool,
    torch_errors: bool,
) -> str:
    """The lines that stand before `source`: which parts it needs, and torch's implicit includes.

    binding: this is the file into which `load_inline` writes a Python binding.
    implicit: false if the caller asked for `no_implicit_headers`.
    torch_errors: false if the caller asked for no `with_pytorch_error_handling`.
    """
    code = without_comments(source)
    needed = [name for name, words in _FEATURES.items() if words.search(code)]
    if not re.search(r"\bstd\b", code):
        needed = [name for name in needed if name in _WITHOUT_STD or name in _PARTS]
    aten = declarations(code, torch_include)
    needed += aten.headers
    if binding:
        needed += ["PYTHON"] + ([] if torch_errors else ["PLAIN_ERRORS"])
    lines = [f"#define LEAN_{name}" for name in dict.fromkeys(needed)]
    if "PYTHON" in needed and _names_index(torch_include):
        lines.append("#define LEAN_NAMES_INDEX")
    if "LIBRARY" in needed:
        lines.append(f"#define LEAN_REGISTRATIONS {_registrations(code)}")
    for name, text in (
        ("ENTRIES", aten.entries), ("METHODS", aten.methods), ("DEFINITIONS", aten.definitions)
    ):  # fmt: skip
        lines += [f"#define LEAN_{name} {text}"] if text else []
    # A source that names nothing of torch's, nor of what its headers bring, does without them.
    if implicit and (binding or _TORCH.search(code)):
        lines += ["#include <torch/types.h>" if cuda else "#include <torch/extension.h>"]
    if implicit and cuda:
        lines += ["#include <cuda.h>", "#include <cuda_runtime.h>"]
    return "\n".join(lines)


@functools.cache
def _names_index(torch_include: Path) -> bool:
    """How does this torch's pybind11 call a number in a signature?"""
    casters = torch_include / "pybind11" / "cast.h"
    return "SupportsInt | typing.SupportsIndex" in casters.read_text()


def _registrations(code: str) -> int:
    """At most how many functions a source gives to its libraries, unless in a loop.

    A macro that registers, or that names one that does, counts wherever it is used.
    """
    macros = dict(_MACRO.findall(code))

    def count(text: str, inside: frozenset[str]) -> int:
        words = re.findall(r"\w+", text) if macros else []
        return len(_REGISTERS.findall(text)) + sum(
            count(macros[word], inside | {word}) for word in words if word in macros.keys() - inside
        )

    return max(1, count(_MACRO.sub("", code), frozenset()))


def without_comments(source: str) -> str:
    return _COMMENT_OR_TEXT.sub(lambda m: m[0] if m[0].startswith('"') else " ", source)
