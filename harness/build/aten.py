"""Reads the headers that torch generates for ATen: a line for each function and method.

Each is a wrapper around an entry point of libtorch, `at::_ops::NAME::call`. What is not as these
lines have been for years is not found, and so left to the real headers.
"""

from __future__ import annotations

import contextlib
import functools
import mmap
import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_WRAPPER = r"\((?P<parameters>.*)\)(?: const)? \{\n\s+return at::_ops::(?P<entry>\w+)::call"
_FUNCTION = re.compile(
    rf"^inline (?P<result>[^()\n]+?) (?P<name>\w+){_WRAPPER}\((?P<arguments>.*)\);\n", re.MULTILINE
)
_METHOD = re.compile(
    rf"^inline (?P<result>[^()\n]+?) Tensor::(?P<name>\w+){_WRAPPER}\((?P<arguments>.*)\);\n",
    re.MULTILINE,
)
_DECLARED_METHOD = re.compile(r"^  [^()\n]+? (\w+)\((.*)\) const;$", re.MULTILINE)
_FACTORY = re.compile(
    r"^inline at::Tensor (?P<name>\w+)\((?P<parameters>.*)\) \{\n(?:.*\n)?"
    r"\s+return autograd::make_variable\(at::\w+\((?P<arguments>.*)\), /\*requires_grad",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Parameter:
    """One of a function, in torch's words."""

    type: str
    name: str
    default: str = ""


@dataclass(frozen=True)
class Wrapper:
    """One overload of a function or method."""

    result: str
    name: str
    parameters: tuple[Parameter, ...]
    entry: str
    """The entry point that it calls; empty for a function of another function."""
    arguments: tuple[str, ...]
    """What it passes on, as C++ text."""
    method: bool = False


def functions(names: set[str], torch_include: Path) -> Iterator[Wrapper]:
    """What namespace at has under these names."""
    folder = torch_include / "ATen" / "ops"
    for name in sorted(names):
        for match in _FUNCTION.finditer(_read(folder / f"{_operator(name, folder)}.h")):
            if match["name"] == name:
                yield _wrapper(match, _parameters(match["parameters"]))


def methods(names: set[str], torch_include: Path) -> Iterator[Wrapper]:
    """What at::Tensor has under these names. Their defaults stand in the class alone."""
    if not names:
        return
    text = _read(torch_include / "ATen" / "core" / "TensorBody.h")
    declared = {
        (match[1], _without_defaults(_parameters(match[2]))): _parameters(match[2])
        for match in _DECLARED_METHOD.finditer(text)
        if match[1] in names
    }
    for match in _METHOD.finditer(text):
        key = (match["name"], _without_defaults(_parameters(match["parameters"])))
        if key in declared:
            yield _wrapper(match, declared[key], method=True)


def factories(names: set[str], torch_include: Path) -> Iterator[Wrapper]:
    """What namespace torch has of its own: it minds gradients, and calls what namespace at has."""
    folder = torch_include / "torch" / "csrc" / "autograd" / "generated"
    for match in _FACTORY.finditer(_read(folder / "variable_factories.h") if names else ""):
        if match["name"] in names:
            parameters, arguments = _parameters(match["parameters"]), _split(match["arguments"])
            yield Wrapper("at::Tensor", match["name"], parameters, "", arguments)


def entry_parameters(entry: str, torch_include: Path) -> tuple[Parameter, ...] | None:
    """What an entry point takes; None if it is not found."""
    words = entry.split("_")
    for end in range(len(words), 0, -1):  # NAME_ops.h has NAME and NAME_OVERLOAD
        text = _read(torch_include / "ATen" / "ops" / f"{'_'.join(words[:end])}_ops.h")
        struct = rf"struct TORCH_API {entry} \{{.*?static [^\n]*? call\((.*?)\);\n"
        if found := re.search(struct, text, re.DOTALL):
            return _parameters(found[1])
    return None


@functools.cache
def symbol(entry: str, torch_include: Path) -> str:
    """An entry point's name in libtorch, or an empty string: there is one `call` for each."""
    prefix = f"_ZN2at4_ops{len(entry)}{entry}4callE".encode()
    with (
        contextlib.suppress(OSError),
        (torch_include.parent / "lib" / "libtorch_cpu.so").open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as library,
    ):
        for start, end in _name_tables(library):
            found = library.find(prefix, start, end)
            if found >= 0:
                return library[found : library.find(b"\0", found)].decode()
    return ""


def _name_tables(library: mmap.mmap) -> Iterator[tuple[int, int]]:
    """Where a 64-bit ELF file has the names that it shows to others: the file has gigabytes."""
    if library[:5] != b"\x7fELF\x02":
        return
    (headers,) = struct.unpack_from("<Q", library, 0x28)
    size, count = struct.unpack_from("<HH", library, 0x3A)
    for header in range(headers, headers + size * count, size):
        kind, flags, _, start, length = struct.unpack_from("<IQQQQ", library, header + 4)
        if kind == _STRINGS and flags & _LOADED:
            yield start, start + length


_STRINGS, _LOADED = 3, 2  # SHT_STRTAB, SHF_ALLOC


def exists(name: str, torch_include: Path) -> bool:
    """Has ATen an operator of this name?"""
    return (torch_include / "ATen" / "ops" / f"{name}.h").exists()


def _operator(name: str, folder: Path) -> str:
    """The operator that a function belongs to: add for add_out and add_."""
    candidates = (name, re.sub(r"_outf?$", "", name), name.removesuffix("_"))
    return next((c for c in candidates if (folder / f"{c}.h").exists()), name)


def _wrapper(
    match: re.Match[str], parameters: tuple[Parameter, ...], *, method: bool = False
) -> Wrapper:
    arguments = _split(match["arguments"])
    return Wrapper(match["result"], match["name"], parameters, match["entry"], arguments, method)


def _parameters(text: str) -> tuple[Parameter, ...]:
    parameters = []
    for part in _split(text):
        declared, _, default = part.partition("=")
        type_, _, name = declared.strip().rpartition(" ")
        parameters.append(Parameter(type_, name, default))
    return tuple(parameters)


def _without_defaults(parameters: Sequence[Parameter]) -> tuple[tuple[str, str], ...]:
    return tuple((p.type, p.name) for p in parameters)


def _split(text: str) -> tuple[str, ...]:
    """At the commas that no bracket holds."""
    parts, depth = [""], 0
    for character in text:
        depth += (character in "<({") - (character in ">)}")
        if character == "," and not depth:
            parts.append("")
        else:
            parts[-1] += character
    return tuple(part.strip() for part in parts if part.strip())


@functools.cache
def _read(header: Path) -> str:
    try:
        return header.read_text()
    except OSError:
        return ""  # this torch has no such header, so it has none of what stands in it
