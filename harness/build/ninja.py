"""Torch's build machinery, up to the finished library and no further.

`load_inline` and `load` of torch write a script for ninja, run it and load what comes out. The
script is theirs, so that an extension is built with torch's own flags; running it is ours, since
- a library that cannot be loaded here and now is no failed build;
- the script must say which files the compilers and the linker read;
- it must not depend on characters in the path of the folder that it lies in;
- what a killed compiler leaves behind must lie in that folder too.
"""

from __future__ import annotations

import contextlib
import inspect
import os
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.records import HarnessError


class CompilersFailed(Exception):
    """Ninja, or a program that it ran, said no; the message is all their output."""


def build(function: Callable[..., Any], arguments: Mapping[str, Any], folder: Path) -> str:
    """Call torch's load_inline or load for its library, `<folder>/<name>.so`, without loading it.

    Returns the commands and what they printed. Raises CompilersFailed, or whatever torch raises.
    """
    outputs: list[str] = []

    def run(build_directory: str, verbose: bool, error_prefix: str) -> None:
        outputs.append(_run(Path(build_directory)))

    parameters = inspect.signature(function).parameters
    call = {name: value for name, value in arguments.items() if name in parameters}
    call |= {"build_directory": str(folder), "verbose": False}
    if "use_pch" in parameters:
        call["use_pch"] = False
    with _replaced(run):
        function(**call)
    return "".join(outputs)


def _run(folder: Path) -> str:
    script = folder / "build.ninja"
    script.write_text(_rewritten(script.read_text(), folder))
    (folder / "temporary").mkdir()
    jobs = os.environ.get("MAX_JOBS", "")
    ninja = subprocess.run(
        ["ninja", "-v", *(["-j", jobs] if jobs.isdigit() else [])],
        cwd=folder,
        # Messages in English, whatever the user's language: `diagnostics` reads them.
        env=os.environ | {"LC_ALL": "C.UTF-8", "TMPDIR": "temporary"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    output = ninja.stdout.decode(errors="replace")
    if ninja.returncode:
        raise CompilersFailed(output)
    return output


def _rewritten(script: str, folder: Path) -> str:
    """The script with paths relative to its folder, and with lists of the files that were read."""
    # Torch escapes spaces in sources, and nothing else; our own flags come as they are.
    for written in (str(folder).replace(" ", "$ "), str(folder)):
        script = script.replace(f"{written}/", "")
    script = script.replace(f"{folder.parent}/", "../")
    # Ninja would take the lists for itself.
    script = re.sub(r"^ *(?:depfile|deps) = .*\n", "", script, flags=re.MULTILINE)
    script = script.replace("-MMD -MF $out.d", "-MD -MF $out.d")  # the system's headers as well
    script = re.sub(r"= \$nvcc .*(?=\$cuda_cflags)", "= $nvcc -MD -MF $out.d ", script)
    return re.sub(
        r"= (\$cxx \$in \$ldflags -o \$out)$",
        r"= \1 -Wl,--trace > $out.trace",
        script,
        flags=re.MULTILINE,
    )


def searching_commands(folder: Path, *, cuda: bool) -> list[str]:
    """The compilers' commands of a script, made to print where they look for headers."""
    try:
        script = (folder / "build.ninja").read_text()
    except OSError:
        return []
    values = dict(re.findall(r"^(\w+) = (.*)$", script, re.MULTILINE))
    commands = [f"{values.get('cxx', 'c++')} {values.get('cflags', '')} -E -v -x c++"]
    if cuda and "nvcc" in values:
        flags = values.get("cuda_cflags", "")
        commands.append(f"{values['nvcc']} {flags} -E -Xcompiler -v -x cu")
    return [command.replace("$$", "$") for command in commands]


@contextlib.contextmanager
def _replaced(run: Callable[[str, bool, str], None]) -> Iterator[None]:
    """Torch's machinery with some of its parts in our hands for a while."""
    from torch.utils import cpp_extension

    versions = cpp_extension.JIT_EXTENSION_VERSIONER
    ours = {
        "_run_ninja_build": run,
        "_import_module_from_library": lambda *_: None,
        # It would give a second extension of one name in a process another name.
        "JIT_EXTENSION_VERSIONER": type(versions)(),
        # A torch without CUDA looks for no toolkit; the lean headers need no more than that.
        "CUDA_HOME": cpp_extension.CUDA_HOME or os.environ.get("CUDA_HOME"),
    }
    theirs = {name: getattr(cpp_extension, name, None) for name in ours}
    if missing := [name for name in ours if not hasattr(cpp_extension, name)]:
        raise HarnessError(
            f"This version of torch builds extensions in another way ({missing[0]} is gone): "
            "install one that this tool is known to work with, as constraints.txt names."
        )
    try:
        for name, value in ours.items():
            setattr(cpp_extension, name, value)
        yield
    finally:
        for name, value in theirs.items():
            setattr(cpp_extension, name, value)
