"""ATen's functions and Tensor's methods that a source names, declared for the lean headers.

Each becomes a declaration in the lean headers' types and a call of the entry point that the real
one calls, by its name in libtorch: every overload that the real headers have and no other. One that
takes or returns what the lean headers do not know is deleted, so that a source that means it ends
in the real headers.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.build import aten
from harness.build.aten import Parameter, Wrapper
from harness.build.operator_types import (
    ENTRY_TYPES,
    PAIR,
    RESULTS,
    TUPLES,
    TYPES,
    UNKNOWN,
    VECTORS,
)

INCLUDE = Path(__file__).resolve().parent / "include"

# What results need of the standard library: how a source shows that it has it, and which those are.
_HEADERS = {
    "TUPLE": (r"\bstd\b.*\btuple\b", TUPLES),
    "VECTOR": (r"\bstd\b.*\bvector\b", VECTORS),
}

_TAKERS = {
    "Returned": "from",
    "ReturnedTuple": "tuple_from",
    "ReturnedVector": "vector_from",
}

_OPTIONS = {
    "dtype_opt": "dtype_opt_",
    "layout_opt": "layout_opt_",
    "device_opt": "device_opt_",
    "pinned_memory_opt": "pinned_opt_",
}

# Beside those that are generated, torch writes an overload by hand, lest a dimension be `unbiased`.
_BY_DIMENSION = {"var", "std", "var_mean", "std_mean"}


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
    meant = set(re.findall(r"\b(?:at|torch(?:\s*::\s*utils)?)\s*::\s*(\w+)", code)) - own
    bare = set(re.findall(r"(?<![.:>\w])(\w+)\s*\(", code)) - own - meant
    sure = [*aten.methods(methods, torch_include), *aten.functions(meant, torch_include)]
    results = {wrapper.result for wrapper in sure}
    headers = [
        name
        for name, (word, types) in _HEADERS.items()
        if results & set(types) or re.search(word, code)
    ]
    known = dict(RESULTS)
    for name in headers:
        known |= _HEADERS[name][1]
    writer = _Writer(torch_include, known)
    for wrapper in [*sure, *aten.functions(bare, torch_include)]:
        writer.add(wrapper)
    for name in sorted(_BY_DIMENSION & (methods | meant | bare)):
        writer.add_by_dimension(name, as_method=name in methods, as_function=name in meant | bare)
    for factory in aten.factories(meant | bare, torch_include):
        writer.add_factory(factory)
    return Declarations(
        " ".join(writer.entries.values()),
        " ".join(writer.methods),
        " ".join(writer.definitions),
        tuple(headers),
    )


@functools.cache
def _declared_by_hand() -> frozenset[str]:
    """The functions and methods that tensor.h has in full."""
    text = (INCLUDE / "lean" / "tensor.h").read_text()
    declared = r"^ {0,2}[\w:<>*& ]+[ &*](\w+)\(|^LEAN_(?:FACTORY|LIKE)\((\w+)\)$"
    return frozenset(one or other for one, other in re.findall(declared, text, re.MULTILINE))


@dataclass
class _Writer:
    """Collects the C++ text, wrapper by wrapper."""

    torch_include: Path
    results: Mapping[str, tuple[str, str]]
    entries: dict[str, str] = field(default_factory=dict)
    methods: list[str] = field(default_factory=list)
    definitions: list[str] = field(default_factory=list)

    def add(self, wrapper: Wrapper) -> None:
        result, body = self._body(wrapper)
        parameters = _listed(wrapper.parameters)
        if wrapper.method:
            end = "" if body else " = delete"
            self.methods.append(f"{result} {wrapper.name}({parameters}) const{end};")
            head = f"inline {result} Tensor::{wrapper.name}"
            plain = _listed(wrapper.parameters, defaults=False)
            if body:
                self.definitions.append(f"namespace lean {{ {head}({plain}) const {{ {body} }} }}")
            return
        # Where argument-dependent lookup finds it, if a tensor is among the arguments.
        has_tensor = any(re.search(r"\bI?Tensor(?!Options)", p.type) for p in wrapper.parameters)
        home = "lean" if has_tensor else "lean::factories"
        end = f"{{ {body} }}" if body else "= delete;"
        self._define(
            home, "at", f"inline {result} {wrapper.name}({parameters}) {end}", wrapper.name
        )

    def add_by_dimension(self, name: str, *, as_method: bool, as_function: bool) -> None:
        if name.endswith("_mean") and PAIR not in self.results:
            return
        pair = name.endswith("_mean")
        result = "auto" if pair else "Tensor"
        if as_method and not pair:
            self.methods.append(
                f"{result} {name}(int d) const {{ return {name}(IntArrayRef(int64_t(d))); }}"
            )
        if as_function:
            body = f"return {name}(x, IntArrayRef(int64_t(d)));"
            self._define(
                "lean", "at", f"inline {result} {name}(const Tensor& x, int d) {{ {body} }}", name
            )

    def add_factory(self, factory: Wrapper) -> None:
        if not all(p.type in TYPES for p in factory.parameters):
            return
        given = ", ".join("options" if "options" in a else a for a in factory.arguments)
        body = f"return finish(at::{factory.name}({given}), options);"
        head = f"inline Tensor {factory.name}({_listed(factory.parameters)})"
        self._define("lean::factories::torch", "torch", f"{head} {{ {body} }}", factory.name)

    def _define(self, home: str, shown_in: str, text: str, name: str) -> None:
        self.definitions.append(
            f"namespace {home} {{ {text} }} namespace {shown_in} {{ using {home}::{name}; }}"
        )

    def _body(self, wrapper: Wrapper) -> tuple[str, str]:
        """The wrapper's result, and its body; an empty one if it is beyond the lean headers."""
        types = {p.name: p.type for p in wrapper.parameters}
        in_place = wrapper.result in ("at::Tensor &", "const at::Tensor &")
        entry_result, result = self.results.get(wrapper.result, ("", ""))
        if in_place:
            entry_result = "void*"
            result = wrapper.result.replace("at::", "").replace(" &", "&")
        if not entry_result or not all(type_ in TYPES for type_ in types.values()):
            return "void", ""
        if not self._declare(wrapper.entry, entry_result):
            return "void", ""
        arguments = ", ".join(_argument(a, types) for a in wrapper.arguments)
        call = f"aten::{wrapper.entry}"
        if in_place:
            outs = [name for name, type_ in types.items() if type_ == "at::Tensor &"]
            changed = "self()" if wrapper.method else outs[-1] if outs else next(iter(types))
            return result, f"{call}({arguments}); return {changed};"
        if entry_result.startswith("Returned"):
            kind = entry_result.partition("<")[0]
            comma = ", " if arguments else ""
            return result, f"return Tensor::{_TAKERS[kind]}({call}{comma}{arguments});"
        return result, f"return {call}({arguments});"

    def _declare(self, entry: str, result: str) -> bool:
        """Declare an entry point as libtorch has it; false if that cannot be."""
        if entry in self.entries:
            return True
        parameters = aten.entry_parameters(entry, self.torch_include)
        symbol = aten.symbol(entry, self.torch_include)
        if parameters is None or not symbol or any(p.type not in ENTRY_TYPES for p in parameters):
            return False
        types = ", ".join(ENTRY_TYPES[p.type] for p in parameters)
        self.entries[entry] = (
            f'namespace lean::aten {{ {result} {entry}({types}) LEAN_SYMBOL("{symbol}"); }}'
        )
        return True


def _argument(expression: str, types: Mapping[str, str]) -> str:
    """What a wrapper of torch's passes on, in the lean headers' words."""
    if "*this" in expression:
        return "handle()"
    if "check_tensor_options" in expression:
        return "format_of(options, memory_format)"
    if option := re.search(r"options\.(\w+)\(\)", expression):
        return f"options.{_OPTIONS[option[1]]}()"
    name = next(word for word in re.findall(r"\w+", expression) if word in types)
    return TYPES[types[name]][1].format(name)


def _listed(parameters: Sequence[Parameter], *, defaults: bool = True) -> str:
    """Parameters in the lean headers' types."""
    return ", ".join(
        f"{TYPES[p.type][0] if p.type in TYPES else UNKNOWN.get(p.type, 'Unknown')} {p.name}"
        + (f" = {'{}' if 'nullopt' in p.default else p.default}" if p.default and defaults else "")
        for p in parameters
    )
