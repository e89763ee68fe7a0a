"""ATen's functions and Tensor's methods that a source names, declared for the lean headers.

torch's own headers for them are generated, one line a function, around `at::_ops::NAME::call`.
Read here, each becomes a declaration in the lean headers' types and a call of that same entry
point, by its name in libtorch: every overload that the real headers have and no other, whatever
the version. One that takes or returns what the lean headers do not know is deleted, so that a
source that means it ends in the real headers.
"""

from __future__ import annotations

import functools
import mmap
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

INCLUDE = Path(__file__).resolve().parent / "include"

# A parameter's type in torch's wrappers -> ours, and how an argument goes on to the entry point.
_TYPES = {
    "const at::Tensor &": ("const Tensor&", "{}.handle()"),
    "at::Tensor &": ("Tensor&", "{}.handle()"),
    "const ::std::optional<at::Tensor> &": ("const OptionalTensor&", "{}.borrow()"),
    "at::TensorList": ("TensorList", "BorrowedList({}).tensors()"),
    "const at::ITensorListRef &": ("TensorList", "BorrowedList({}).either()"),
    "at::IntArrayRef": ("IntArrayRef", "{}"),
    "at::OptionalIntArrayRef": ("const OptionalIntArrayRef&", "{}.value"),
    "const at::Scalar &": ("const Scalar&", "{}"),
    "const ::std::optional<at::Scalar> &": ("const OptionalScalar&", "{}.value"),
    "int64_t": ("int64_t", "{}"),
    "double": ("double", "{}"),
    "bool": ("bool", "{}"),
    "at::ScalarType": ("ScalarType", "{}"),
    "at::MemoryFormat": ("MemoryFormat", "{}"),
    "c10::string_view": ("Text", "{}"),
    "::std::optional<c10::string_view>": ("const OptionalText&", "{}.value"),
    "::std::optional<int64_t>": ("Maybe<int64_t>", "{}"),
    "::std::optional<double>": ("Maybe<double>", "{}"),
    "::std::optional<bool>": ("Maybe<bool>", "{}"),
    "::std::optional<at::ScalarType>": ("Maybe<ScalarType>", "{}"),
    "::std::optional<at::MemoryFormat>": ("Maybe<MemoryFormat>", "{}"),
    "::std::optional<at::Layout>": ("Maybe<Layout>", "{}"),
    "::std::optional<at::Device>": ("Maybe<Device>", "{}"),
    "::std::optional<at::Generator>": ("Maybe<Unknown>", "BorrowedOptional()"),
    "at::TensorOptions": ("const TensorOptions&", "{}"),
}

# Not ours to offer, but part of how a call is resolved: `x.sum({0, 1})` is ambiguous with some.
_UNKNOWN = {
    "at::DimnameList": "ArrayRef<Unknown>",
    "::std::optional<at::DimnameList>": "Maybe<ArrayRef<Unknown>>",
    "::std::optional<at::ArrayRef<double>>": "Maybe<ArrayRef<double>>",
    "at::ArrayRef<at::Scalar>": "ArrayRef<Scalar>",
}

# A parameter's type at the entry point -> what is passed alike.
_ENTRY_TYPES = {
    "const at::Tensor &": "Handle",
    "at::Tensor &": "Handle",
    "const ::std::optional<at::Tensor> &": "const BorrowedOptional&",
    "at::TensorList": "BorrowedTensors",
    "const at::ITensorListRef &": "const BorrowedEither&",
    "at::IntArrayRef": "IntArrayRef",
    "c10::SymIntArrayRef": "IntArrayRef",
    "at::OptionalIntArrayRef": "Maybe<IntArrayRef>",
    "at::OptionalSymIntArrayRef": "Maybe<IntArrayRef>",
    "const at::Scalar &": "const Scalar&",
    "const ::std::optional<at::Scalar> &": "const Maybe<Scalar>&",
    "int64_t": "int64_t",
    "c10::SymInt": "SymInt",
    "double": "double",
    "bool": "bool",
    "at::ScalarType": "ScalarType",
    "at::MemoryFormat": "MemoryFormat",
    "c10::string_view": "Text",
    "::std::optional<c10::string_view>": "Maybe<Text>",
    "::std::optional<int64_t>": "Maybe<int64_t>",
    "::std::optional<c10::SymInt>": "const Maybe<int64_t>&",
    "::std::optional<double>": "Maybe<double>",
    "::std::optional<bool>": "Maybe<bool>",
    "::std::optional<at::ScalarType>": "Maybe<ScalarType>",
    "::std::optional<at::MemoryFormat>": "Maybe<MemoryFormat>",
    "::std::optional<at::Layout>": "Maybe<Layout>",
    "::std::optional<at::Device>": "Maybe<Device>",
    "::std::optional<at::Generator>": "const BorrowedOptional&",
}

# What an entry point returns -> how that is declared, and the wrapper's own result.
_RESULTS = {
    "at::Tensor": ("Returned", "Tensor"),
    "bool": ("bool", "bool"),
    "int64_t": ("int64_t", "int64_t"),
    "double": ("double", "double"),
    "void": ("void", "void"),
    "at::Scalar": ("Scalar", "Scalar"),
    "at::ScalarType": ("ScalarType", "ScalarType"),
}

_TUPLES = {
    f"::std::tuple<{','.join(['at::Tensor'] * count)}>": (
        f"ReturnedTuple<{count}>",
        f"std::tuple<{', '.join(['Tensor'] * count)}>",
    )
    for count in range(2, 6)
}
_VECTORS = {"::std::vector<at::Tensor>": ("ReturnedVector", "std::vector<Tensor>")}
_HEADER_WORDS = {"TUPLE": r"\bstd\b.*\btuple\b", "VECTOR": r"\bstd\b.*\bvector\b"}

# Beside those that are generated, torch writes an overload by hand, lest a dimension be `unbiased`.
_BY_DIMENSION = {"var", "std", "var_mean", "std_mean"}

_FIELDS = {"dtype_opt": "dtype", "layout_opt": "layout", "device_opt": "device"} | {
    "pinned_memory_opt": "pinned"
}

_FUNCTION = re.compile(
    r"^inline (?P<result>[^()\n]+?) (?P<name>\w+)\((?P<parameters>.*)\) \{\n"
    r"\s+return at::_ops::(?P<entry>\w+)::call\((?P<arguments>.*)\);\n",
    re.MULTILINE,
)
_METHOD = re.compile(
    r"^inline (?P<result>[^()\n]+?) Tensor::(?P<name>\w+)\((?P<parameters>.*)\) const \{\n"
    r"\s+return at::_ops::(?P<entry>\w+)::call\((?P<arguments>.*)\);\n",
    re.MULTILINE,
)
_DECLARED_METHOD = re.compile(r"^  [^()\n]+? (\w+)\((.*)\) const;$", re.MULTILINE)
_FACTORY = re.compile(
    r"^inline at::Tensor (?P<name>\w+)\((?P<parameters>.*)\) \{\n(?:.*\n)?"
    r"\s+return autograd::make_variable\(at::\w+\((?P<arguments>.*)\), /\*requires_grad",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Declarations:
    """C++ text of what a source needs of ATen beyond the lean headers' own."""

    entries: str = ""
    """The entry points, with the types of their parameters."""
    methods: str = ""
    """What stands inside class Tensor."""
    definitions: str = ""
    """The methods' bodies, and the functions."""
    headers: tuple[str, ...] = ()
    """Of the standard library's, TUPLE and VECTOR, what they return."""


def declarations(code: str, torch_include: Path) -> Declarations:
    """Declare the functions and methods of ATen's that `code`, without its comments, names.

    A bare call may mean a function of the source's own, and in device code it does: for those
    alone, no header of the standard library is brought.
    """
    own = _declared_by_hand()
    methods = set(re.findall(r"(?:\.|->)\s*(\w+)\s*\(", code)) - own
    meant = set(re.findall(r"\b(?:at|torch)\s*::\s*(\w+)", code)) - own
    bare = set(re.findall(r"(?<![.:>\w])(\w+)\s*\(", code)) - own - meant
    sure = [*_methods(methods, torch_include), *_functions(meant, torch_include)]
    results = {overload.result for overload in sure}
    headers = {
        "TUPLE": any(result in _TUPLES for result in results),
        "VECTOR": any(result in _VECTORS for result in results),
    }
    headers |= {name: True for name, word in _HEADER_WORDS.items() if re.search(word, code)}
    known = (
        _RESULTS | (_TUPLES if headers["TUPLE"] else {}) | (_VECTORS if headers["VECTOR"] else {})
    )
    entries: dict[str, str] = {}
    inside, bodies = [], []
    for overload in [*sure, *_functions(bare, torch_include)]:
        declared, defined = _text(overload, known, entries, torch_include)
        inside += [declared] if overload.method else []
        bodies.append(defined)
    for name in _BY_DIMENSION:
        result = "auto" if name.endswith("_mean") else "Tensor"
        list_of_it = "IntArrayRef(int64_t(d))"
        if name in methods:
            inside.append(f"{result} {name}(int d) const {{ return {name}({list_of_it}); }}")
        if name in meant | bare:
            bodies.append(
                f"namespace lean {{ inline {result} {name}(const Tensor& x, int d) "
                f"{{ return {name}(x, {list_of_it}); }} }} namespace at {{ using lean::{name}; }}"
            )
    bodies += _factories(meant | bare, torch_include)
    return Declarations(
        " ".join(entries.values()),
        " ".join(inside),
        " ".join(bodies),
        tuple(name for name, needed in headers.items() if needed),
    )


@dataclass(frozen=True)
class _Overload:
    """One wrapper of torch's around an entry point."""

    result: str
    name: str
    parameters: Sequence[tuple[str, str, str]]
    """Type, name, and default or an empty string."""
    entry: str
    arguments: Sequence[str]
    method: bool


@functools.cache
def _declared_by_hand() -> frozenset[str]:
    """The functions and methods that tensor.h has in full."""
    text = (INCLUDE / "lean" / "tensor.h").read_text()
    declared = r"^ {0,2}[\w:<>*& ]+[ &*](\w+)\(|^LEAN_(?:FACTORY|LIKE)\((\w+)\)$"
    return frozenset(one or other for one, other in re.findall(declared, text, re.MULTILINE))


def _functions(names: set[str], torch_include: Path) -> Iterator[_Overload]:
    folder = torch_include / "ATen" / "ops"
    for name in sorted(names):
        text = _read(folder / f"{_root(name, folder)}.h")
        for match in _FUNCTION.finditer(text):
            if match["name"] == name:
                yield _overload(match, _parameters(match["parameters"]), method=False)


def _methods(names: set[str], torch_include: Path) -> Iterator[_Overload]:
    if not names:
        return
    text = _read(torch_include / "ATen" / "core" / "TensorBody.h")
    declared = {
        (match[1], _without_defaults(parameters)): parameters
        for match in _DECLARED_METHOD.finditer(text)
        if match[1] in names and (parameters := _parameters(match[2])) is not None
    }
    for match in _METHOD.finditer(text):
        key = (match["name"], _without_defaults(_parameters(match["parameters"])))
        if key in declared:
            yield _overload(match, declared[key], method=True)


def _factories(names: set[str], torch_include: Path) -> Iterator[str]:
    """torch's own versions of the functions that make a tensor of nothing: they mind gradients."""
    folder = torch_include / "torch" / "csrc" / "autograd" / "generated"
    text = _read(folder / "variable_factories.h") if names else ""
    for match in _FACTORY.finditer(text):
        parameters = _parameters(match["parameters"])
        if match["name"] not in names or any(type_ not in _TYPES for type_, _, _ in parameters):
            continue
        given = ", ".join("options" if "options" in a else a for a in _split(match["arguments"]))
        name, taken = match["name"], _listed(parameters, True)
        yield (
            f"namespace lean::factories::torch {{ inline Tensor {name}({taken}) "
            f"{{ return finish(at::{name}({given}), options); }} }} "
            f"namespace torch {{ using lean::factories::torch::{name}; }}"
        )


def _root(name: str, folder: Path) -> str:
    """The operator that a function belongs to: add for add_out and add_."""
    roots = (name, re.sub(r"_outf?$", "", name), name.removesuffix("_"))
    return next((root for root in roots if (folder / f"{root}.h").exists()), name)


def _overload(
    match: re.Match[str], parameters: Sequence[tuple[str, str, str]], *, method: bool
) -> _Overload:
    arguments = _split(match["arguments"])
    return _Overload(match["result"], match["name"], parameters, match["entry"], arguments, method)


def _text(
    overload: _Overload,
    results: dict[str, tuple[str, str]],
    entries: dict[str, str],
    torch_include: Path,
) -> tuple[str, str]:
    """What stands inside class Tensor and what after it; the entry point joins `entries`."""
    result, body = _body(overload, results, entries, torch_include)
    parameters = _listed(overload.parameters, True)
    if overload.method:
        declared = f"{result} {overload.name}({parameters}) const{'' if body else ' = delete'};"
        plain = _listed(overload.parameters, False)
        head = f"inline {result} Tensor::{overload.name}({plain}) const"
        return declared, f"namespace lean {{ {head} {{ {body} }} }}" if body else ""
    # Where argument-dependent lookup finds it, if a tensor is among the arguments; at:: has all.
    has_tensor = any(
        "Tensor" in type_ and "Options" not in type_ for type_, *_ in overload.parameters
    )
    end = f"{{ {body} }}" if body else "= delete;"
    head = f"inline {result} {overload.name}({parameters}) {end}"
    if has_tensor:
        return "", f"namespace lean {{ {head} }} namespace at {{ using lean::{overload.name}; }}"
    return "", (
        f"namespace lean::factories {{ {head} }} "
        f"namespace at {{ using lean::factories::{overload.name}; }}"
    )


def _body(
    overload: _Overload,
    results: dict[str, tuple[str, str]],
    entries: dict[str, str],
    torch_include: Path,
) -> tuple[str, str]:
    """The wrapper's result, and its body; an empty one if it is beyond the lean headers."""
    types = {name: type_ for type_, name, _ in overload.parameters}
    if not all(type_ in _TYPES for type_ in types.values()):
        return "void", ""
    in_place = overload.result in ("at::Tensor &", "const at::Tensor &")
    entry_result, result = results.get(overload.result, ("", ""))
    if in_place:
        entry_result, result = "void*", overload.result.replace("at::", "").replace(" &", "&")
    if not entry_result or not _declare(overload.entry, entry_result, entries, torch_include):
        return "void", ""
    arguments = ", ".join(_argument(a, types) for a in overload.arguments)
    call = f"aten::{overload.entry}"
    if in_place:
        outs = [name for name, type_ in types.items() if type_ == "at::Tensor &"]
        changed = "self()" if overload.method else (outs or list(types))[-1 if outs else 0]
        return result, f"{call}({arguments}); return {changed};"
    if entry_result.startswith("Returned"):
        comma = ", " if arguments else ""
        taker = {"Returned": "from", "ReturnedVector": "vector_from"}.get(
            entry_result, "tuple_from"
        )
        return result, f"return Tensor::{taker}({call}{comma}{arguments});"
    return result, f"return {call}({arguments});"


def _argument(expression: str, types: dict[str, str]) -> str:
    """What a wrapper of torch's passes on, in the lean headers' words."""
    if "*this" in expression:
        return "handle()"
    if "check_tensor_options" in expression:
        return "format_of(options, memory_format)"
    if field := re.search(r"options\.(\w+)\(\)", expression):
        return f"options.{_FIELDS[field[1]]}_opt_()"
    name = next(word for word in re.findall(r"\w+", expression) if word in types)
    return _TYPES[types[name]][1].format(name)


def _declare(entry: str, result: str, entries: dict[str, str], torch_include: Path) -> bool:
    """Declare an entry point as libtorch has it; false if that cannot be."""
    if entry in entries:
        return True
    symbol = _symbol(entry, torch_include)
    for header in _ops_headers(entry, torch_include):
        found = re.search(
            rf"struct TORCH_API {entry} \{{.*?static [^\n]*? call\((.*?)\);\n", _read(header), re.S
        )
        if not found:
            continue
        types = [type_ for type_, _, _ in _parameters(found[1])]
        if not symbol or not all(type_ in _ENTRY_TYPES for type_ in types):
            return False
        given = ", ".join(_ENTRY_TYPES[type_] for type_ in types)
        entries[entry] = (
            f'namespace lean::aten {{ {result} {entry}({given}) LEAN_SYMBOL("{symbol}"); }}'
        )
        return True
    return False


def _ops_headers(entry: str, torch_include: Path) -> Iterator[Path]:
    """Where an entry point may be declared: NAME_ops.h for NAME_OVERLOAD, longest first."""
    words = entry.split("_")
    for end in range(len(words), 0, -1):
        path = torch_include / "ATen" / "ops" / f"{'_'.join(words[:end])}_ops.h"
        if path.exists():
            yield path


def _symbol(entry: str, torch_include: Path) -> str:
    """An entry point's name in libtorch, parameters included: there is one `call` for each."""
    prefix = f"_ZN2at4_ops{len(entry)}{entry}4callE".encode()
    with (
        (torch_include.parent / "lib" / "libtorch_cpu.so").open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as library,
    ):
        start = library.find(prefix)
        if start < 0:
            return ""
        # A library with all its symbols also has those of parts of functions: NAME.cold.
        return library[start : library.find(b"\0", start)].partition(b".")[0].decode()


def _listed(parameters: Sequence[tuple[str, str, str]], defaults: bool) -> str:
    """Parameters in the lean headers' types."""
    return ", ".join(
        f"{_TYPES[type_][0] if type_ in _TYPES else _UNKNOWN.get(type_, 'Unknown')} {name}"
        + (f" = {_default(default)}" if default and defaults else "")
        for type_, name, default in parameters
    )


def _default(text: str) -> str:
    return "{}" if "nullopt" in text else text


def _parameters(text: str) -> list[tuple[str, str, str]]:
    parts = []
    for parameter in _split(text):
        declared, _, default = parameter.partition("=")
        type_, name = re.fullmatch(r"(.*?)\s*(\w+)", declared.strip()).groups()  # type: ignore[union-attr]
        parts.append((type_, name, default))
    return parts


def _without_defaults(parameters: Sequence[tuple[str, str, str]]) -> tuple[tuple[str, str], ...]:
    return tuple((type_, name) for type_, name, _ in parameters)


def _split(text: str) -> list[str]:
    """At the commas that no bracket holds."""
    parts, depth = [""], 0
    for character in text:
        depth += (character in "<({") - (character in ">)}")
        if character == "," and not depth:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts if part.strip()]


@functools.cache
def _read(header: Path) -> str:
    try:
        return header.read_text()
    except OSError:
        return ""
