"""Extensions are built once and ahead of time, whatever happens meanwhile, then only loaded."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from building import CPP, FILE, PATIENCE_S, Builder, load_in_worker
from command_line import bad_kernel
from processes import alive, wait_until
from torch.utils import cpp_extension

from harness import cache
from harness.build import compile, store
from harness.build.load_inline import install
from harness.children import ChildFailed
from harness.records import Status


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """A kernel file whose extension no other test has built."""

    def write(before: str = "#define VALUE 1", options: str = "", name: str = "kernel") -> Path:
        path = tmp_path / f"{name}.py"
        source = f"// {tmp_path}\n{before}\n{CPP}"
        path.write_text(FILE.format(source=source, options=options))
        return path

    return write


@pytest.fixture
def builder(tmp_path: Path) -> Iterator[Callable[[Path], Builder]]:
    builders: list[Builder] = []

    def start(kernel: Path) -> Builder:
        builders.append(Builder(kernel, tmp_path / f"log-{len(builders)}"))
        return builders[-1]

    yield start
    for builder in builders:
        builder.child.kill()


# once


def test_the_second_load_does_not_compile(
    write: Callable[..., Path], builder: Callable[..., Builder], tmp_path: Path
) -> None:
    kernel = write()
    for compiled in (["quick"], []):
        process = builder(kernel)
        assert process.build() == compiled
        assert process.answer["route"] == ("lean" if compiled else "cached")
        assert process.printed == ["value 1"]
    assert builder(kernel).build(rebuild=True) == ["quick"]
    load_in_worker(kernel, tmp_path / "worker")
    assert "value 1" in (tmp_path / "worker").read_text()


def test_a_worker_never_compiles(write: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(ChildFailed, match="was not built ahead of time") as raised:
        load_in_worker(write(), tmp_path / "worker")
    assert raised.value.status is Status.BUILD_FAILED


def test_other_flags_and_other_sources_are_other_extensions(
    write: Callable[..., Path], builder: Callable[..., Builder]
) -> None:
    kernels = [
        write("#define VALUE 1", name="one"),
        write("#define VALUE 2", name="two"),
        write("", "extra_cflags=['-DVALUE=3']", name="three"),
        write("", "extra_cflags=['-DVALUE=4']", name="four"),
    ]
    for number, kernel in enumerate(kernels, start=1):
        process = builder(kernel)
        assert process.build() == ["quick"]
        assert process.printed == [f"value {number}"]


def test_one_name_may_serve_several_extensions_of_a_file(
    write: Callable[..., Path], builder: Callable[..., Builder]
) -> None:
    kernel = write()
    again = 'load_inline("quick", CPP.replace("E 1", "E 2"), no_implicit_headers=True)'
    kernel.write_text(kernel.read_text() + f'print("value", {again}.value())\n')
    process = builder(kernel)
    assert process.build() == ["quick", "quick"]
    assert process.printed == ["value 1", "value 2"]


@pytest.mark.parametrize("at_import", [False, True], ids=["there alone", "at import as well"])
def test_an_extension_of_the_constructor_is_built_ahead(
    at_import: bool, tmp_path: Path, write: Callable[..., Path], builder: Callable[..., Builder]
) -> None:
    kernel = write()
    before, at, call = kernel.read_text().partition("print")
    made = before.replace(": ...", f":\n        {at}{call.replace('quick', 'later')}")
    made = made.replace("CPP,", "CPP.replace('E 1', 'E 2'),")
    kernel.write_text(made + (at + call if at_import else ""))
    process = builder(kernel)
    assert process.build() == ["quick"] * at_import + ["later"]
    assert "value 2" in process.printed


def test_however_a_file_imports_it(
    write: Callable[..., Path], builder: Callable[..., Builder]
) -> None:
    kernel = write()
    text = kernel.read_text().replace("load_inline(", "cpp_extension.load_inline(")
    text = text.replace("from torch.utils.cpp_extension import load_inline", "{imports}")
    for imports in (
        "import torch.utils.cpp_extension as cpp_extension",
        "from torch.utils import cpp_extension",
    ):
        kernel.write_text(text.replace("{imports}", imports))
        builder(kernel).build()
        assert builder(kernel).build() == []


# at the same time, and killed: the compiler waits in a header that is a pipe


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    path = tmp_path / "pipe.h"
    os.mkfifo(path)
    return path


def compiling(pipe: Path) -> int:
    """The pipe's other end, open as soon as a compiler reads from it."""
    return os.open(pipe, os.O_WRONLY)


def in_background(do: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    results: list[Any] = []

    def run() -> None:
        try:
            results.append(do())
        except ChildFailed as failed:
            results.append(failed.status)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread, results


def test_two_processes_at_once_build_once(
    pipe: Path, write: Callable[..., Path], builder: Callable[..., Builder]
) -> None:
    kernel = write(f'#include "{pipe}"')
    processes = [builder(kernel), builder(kernel)]
    # A second compiler would wait at the pipe for ever.
    work = [in_background(process.build) for process in processes]
    end = compiling(pipe)
    os.write(end, b"#define VALUE 1\n")
    os.close(end)
    for thread, _ in work:
        thread.join(PATIENCE_S)
    assert all(results and not isinstance(results[0], Status) for _, results in work)
    assert [process.printed for process in processes] == [["value 1"]] * 2


def test_after_a_build_that_was_killed_the_next_one_works(
    pipe: Path, write: Callable[..., Path], builder: Callable[..., Builder]
) -> None:
    kernel = write(f'#include "{pipe}"')
    kernel.write_text(f"import os\nprint('process', os.getpid())\n{kernel.read_text()}")
    killed = builder(kernel)
    thread, results = in_background(killed.build)
    end = compiling(pipe)
    printed = killed.child.log.read_text().split()
    os.kill(int(printed[printed.index("process") + 1]), signal.SIGKILL)
    thread.join(PATIENCE_S)
    assert results == [Status.CRASHED]  # as far as the parent can tell
    os.close(end)
    pipe.unlink()
    pipe.write_text("#define VALUE 2\n")
    assert list((cache.root() / "building").iterdir())
    process = builder(kernel)
    assert process.build() == ["quick"]
    assert process.printed == ["value 2"]
    assert not list((cache.root() / "building").iterdir())


def test_killing_a_build_kills_its_compiler(
    pipe: Path, write: Callable[..., Path], builder: Callable[..., Builder]
) -> None:
    process = builder(write(f'#include "{pipe}"'))
    in_background(process.build)
    end = compiling(pipe)
    try:
        readers = readers_of(pipe)
        assert readers
        process.child.kill()
        assert wait_until(lambda: not any(map(alive, readers)))
    finally:
        os.close(end)  # lets a compiler that is still there come to its end


def readers_of(path: Path) -> list[int]:
    found = []
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if link.readlink() == path and int(link.parts[2]) != os.getpid():
                found.append(int(link.parts[2]))
        except OSError:
            continue
    return found


# failures


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1"])
def test_an_error_points_to_the_kernels_own_line(
    encoding: str, write: Callable[..., Path], builder: Callable[..., Builder]
) -> None:
    kernel = write("int one() { return 1 }")
    text = f"# coding: {encoding}\nUNIT = 'µ'\n{kernel.read_text()}"
    kernel.write_text(text, encoding=encoding)
    with pytest.raises(ChildFailed, match="error: expected") as raised:
        builder(kernel).build()
    assert raised.value.status is Status.BUILD_FAILED
    lines = text.splitlines()
    at = lines.index("int one() { return 1 }") + 1
    assert f"{kernel.name}:{at}:" in raised.value.reason


@pytest.mark.parametrize(
    "options",
    [
        "extra_include_paths=[{}]",
        "extra_cflags=['-I' + {}]",
        "extra_cflags=['-isystem', {}]",
        "extra_cflags=['-DX -I' + {}]",
        "extra_cflags=['--include-directory=' + {}]",
        "extra_cflags=['-iprefix', {} + '/', '-iwithprefix', '.']",
        "extra_cflags=['@' + {} + '/flags.rsp']",
        "extra_cflags=['-include', {} + '/size.h']",
        "extra_cflags=['-imacros', {} + '/size.h']",
    ],
)
def test_a_header_that_changes_is_compiled_anew(
    options: str, tmp_path: Path, write: Callable[..., Path], builder: Callable[..., Builder]
) -> None:
    before = "" if "/size.h" in options else '#include "size.h"'
    kernel = write(before, options.format(repr(str(tmp_path))))
    (tmp_path / "flags.rsp").write_text(f"-I{tmp_path}\n")
    (tmp_path / "size.h").write_text('#include "sub/value.h"\n')
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "value.h").write_text('#include "deep.h"\n')
    for value, compiled in ((1, ["quick"]), (2, ["quick"]), (1, [])):
        (tmp_path / "sub" / "deep.h").write_text(f"#define VALUE {value}\n")
        process = builder(kernel)
        assert process.build() == compiled
        assert process.printed == [f"value {value}"]


@pytest.mark.parametrize(
    "line",
    [
        '#include /* here */ "size.h"',
        '#  inc\\\nlude \\\n"size.h"',
        '#define SIZE "size.h"\n#include SIZE',
        '#if __has_include("size.h")\n#include "size.h"\n#endif',
    ],
)
def test_a_header_counts_however_it_is_included(
    line: str, tmp_path: Path, write: Callable[..., Path], builder: Callable[..., Builder]
) -> None:
    kernel = write(line, f"extra_include_paths=[{str(tmp_path)!r}]")
    kernel.write_text(kernel.read_text().replace("\\\n", "\\\n"))
    for value in (1, 2):
        (tmp_path / "size.h").write_text(f"#define VALUE {value}\n")
        process = builder(kernel)
        process.build()
        assert process.printed == [f"value {value}"]


@pytest.mark.parametrize("folder", ["there", "not yet there"])
@pytest.mark.parametrize("found", ["size.h", "sub/size.h"])
def test_a_header_that_was_missing_may_be_added(
    folder: str,
    found: str,
    tmp_path: Path,
    write: Callable[..., Path],
    builder: Callable[..., Builder],
) -> None:
    place = tmp_path / folder
    if folder == "there":
        place.mkdir()
    kernel = write(f'#include "{found}"', f"extra_include_paths=[{str(place)!r}]")
    for _ in range(2):
        with pytest.raises(ChildFailed, match=r"size\.h"):
            builder(kernel).build()
    (place / found).parent.mkdir(parents=True, exist_ok=True)
    (place / found).write_text("#define VALUE 1\n")
    assert builder(kernel).build() == ["quick"]


def test_a_header_that_was_asked_for_may_be_added(
    tmp_path: Path, write: Callable[..., Path], builder: Callable[..., Builder]
) -> None:
    before = "#if __has_include(<opt.h>)\n#include <opt.h>\n#else\n#define VALUE 1\n#endif"
    kernel = write(before, f"extra_include_paths=[{str(tmp_path)!r}]")
    assert builder(kernel).build() == ["quick"]
    (tmp_path / "opt.h").write_text("#define VALUE 2\n")
    process = builder(kernel)
    assert process.build() == ["quick"]
    assert process.printed == ["value 2"]


def test_a_header_that_comes_first_now_counts(
    tmp_path: Path, write: Callable[..., Path], builder: Callable[..., Builder]
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    (second / "size.h").write_text("#define VALUE 1\n")
    kernel = write('#include "size.h"', f"extra_include_paths={[str(first), str(second)]}")
    builder(kernel).build()
    (first / "size.h").write_text("#define VALUE 2\n")
    process = builder(kernel)
    process.build()
    assert process.printed == ["value 2"]


def test_a_wrong_header_that_is_mended_is_compiled_anew(
    tmp_path: Path, write: Callable[..., Path], builder: Callable[..., Builder]
) -> None:
    kernel = write('#include "size.h"', f"extra_include_paths=[{str(tmp_path)!r}]")
    (tmp_path / "size.h").write_text('#include "gone.h"\n')
    for wrong in ('#include "gone.h"\n', "#error no\n"):
        (tmp_path / "size.h").write_text(wrong)
        with pytest.raises(ChildFailed):
            builder(kernel).build()
    (tmp_path / "size.h").write_text("#define VALUE 3\n")
    process = builder(kernel)
    process.build()
    assert process.printed == ["value 3"]


def test_a_static_library_that_changes_is_linked_anew(
    tmp_path: Path, write: Callable[..., Path], builder: Callable[..., Builder]
) -> None:
    kernel = write(
        "int number();\n#define VALUE number()",
        f"extra_ldflags=['-L{tmp_path}', '-lnumber']",
    )
    for value in (1, 2):
        source = tmp_path / "number.cpp"
        source.write_text(f"int number() {{ return {value}; }}")
        subprocess.run(["c++", "-fPIC", "-c", source, "-o", tmp_path / "number.o"], check=True)
        archive = tmp_path / "libnumber.a"
        subprocess.run(["ar", "rc", archive, tmp_path / "number.o"], check=True)
        process = builder(kernel)
        assert process.build() == ["quick"]
        assert process.printed == [f"value {value}"]


def test_a_worker_says_what_is_no_longer_as_it_was_built(
    tmp_path: Path, write: Callable[..., Path], builder: Callable[..., Builder]
) -> None:
    kernel = write('#include "size.h"', f"extra_include_paths=[{str(tmp_path)!r}]")
    (tmp_path / "size.h").write_text("#define VALUE 1\n")
    builder(kernel).build()
    (tmp_path / "size.h").write_text("#define VALUE 2\n")
    with pytest.raises(ChildFailed, match="has changed; run again") as raised:
        load_in_worker(kernel, tmp_path / "worker")
    assert raised.value.status is Status.LOAD_FAILED


# libraries that are damaged, or that do not load


def library_of(kernel: Path) -> Path:
    """The only library whose build names this test's folder."""
    (library,) = [
        path
        for path in cache.root().glob("*/*.so")
        if str(kernel.parent) in (path.parent / store.MANIFEST).read_text()
    ]
    return library


@pytest.mark.parametrize("size", [0, 100, -1])
def test_a_damaged_library_is_built_anew(
    size: int, tmp_path: Path, write: Callable[..., Path], builder: Callable[..., Builder]
) -> None:
    kernel = write()
    builder(kernel).build()
    library = library_of(kernel)
    content = library.read_bytes()
    if size < 0:
        content = content[:-1] + bytes([content[-1] ^ 1])
    library.write_bytes(content if size < 0 else content[:size])
    with pytest.raises(ChildFailed, match="damaged") as raised:
        load_in_worker(kernel, tmp_path / "worker")
    assert raised.value.status is Status.LOAD_FAILED
    process = builder(kernel)
    assert process.build() == ["quick"]
    assert process.printed == ["value 1"]


def test_a_library_that_cannot_be_loaded_today_is_no_failed_build(
    tmp_path: Path, write: Callable[..., Path], builder: Callable[..., Builder]
) -> None:
    other = tmp_path / "libother.so"
    (tmp_path / "other.cpp").write_text("int other() { return 4; }")
    make = ["c++", "-shared", "-fPIC", tmp_path / "other.cpp", "-Wl,-soname,libother.so"]
    subprocess.run([*make, "-o", other], check=True)
    kernel = write(
        "int other();\n#define VALUE other()",
        f"extra_ldflags=['-L{tmp_path}', '-lother', '-Wl,-rpath,{tmp_path}/run']",
    )
    for _ in range(2):
        process = builder(kernel)
        with pytest.raises(ChildFailed, match=r"libother\.so: cannot open shared") as raised:
            process.build()
        assert raised.value.status is Status.LOAD_FAILED
        assert process.child.log.read_text().count("== full headers ==") == 0
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "libother.so").write_bytes(other.read_bytes())
    process = builder(kernel)
    assert process.build() == []
    assert process.printed == ["value 4"]


def test_a_symbol_that_nobody_defines_is_the_sources_fault(
    tmp_path: Path, write: Callable[..., Path], builder: Callable[..., Builder]
) -> None:
    kernel = write("int nobody_defines_this(int);\n#define VALUE nobody_defines_this(1)")
    process = builder(kernel)
    with pytest.raises(
        ChildFailed, match=r"undefined symbol: nobody_defines_this\(int\)"
    ) as raised:
        process.build()
    assert raised.value.status is Status.BUILD_FAILED
    assert "== full headers ==" in process.child.log.read_text()  # torch may have defined it
    again = builder(kernel)
    with pytest.raises(ChildFailed, match="undefined symbol"):
        again.build()
    assert "compiling" not in again.child.log.read_text()
    with pytest.raises(ChildFailed, match="undefined symbol") as raised:
        load_in_worker(kernel, tmp_path / "worker")
    assert raised.value.status is Status.BUILD_FAILED


# names


def test_a_module_has_the_callers_name(tmp_path: Path, builder: Callable[..., Builder]) -> None:
    kernel = tmp_path / "named.py"
    source = CPP.replace("TORCH_EXTENSION_NAME", "affine_ext").replace("VALUE", "5")
    kernel.write_text(
        "from torch.utils.cpp_extension import load_inline\nclass ModelNew: ...\n"
        f"module = load_inline('affine_ext', r'''// {tmp_path}\n{source}''',"
        " no_implicit_headers=True)\nprint('value', module.value())\n"
    )
    process = builder(kernel)
    process.build()
    assert process.printed == ["value 5"]
    load_in_worker(kernel, tmp_path / "worker")


def test_a_function_that_is_not_there_is_sought_in_functions(
    tmp_path: Path, builder: Callable[..., Builder]
) -> None:
    kernel = tmp_path / "misnamed.py"
    kernel.write_text(
        "from torch.utils.cpp_extension import load_inline\nclass ModelNew: ...\n"
        f"SOURCE = '// {tmp_path}'\nload_inline('m', SOURCE, functions=['no_such_function'])\n"
    )
    with pytest.raises(ChildFailed, match=r"^functions= of load_inline:\d+:\d+: error.*no_such"):
        builder(kernel).build()


BY_SIZE = """
from torch.utils.cpp_extension import load_inline
class ModelNew:
    def __init__(self, in_features, out_features):
        source = f"#define VALUE {{out_features}}" + r\"\"\"{source}\"\"\"
        load_inline("sized", source, no_implicit_headers=True)
"""


def test_a_size_that_cannot_be_made_costs_no_other_its_build(
    tmp_path: Path, builder: Callable[..., Builder]
) -> None:
    kernel = tmp_path / "sized.py"
    refuse = "if out_features == 3: raise ValueError('three')\n        source ="
    text = BY_SIZE.replace("source =", refuse, 1)
    kernel.write_text(text.format(source=f"\n// {tmp_path}\n{CPP}"))
    sizes = [{"out_features": n} for n in (3, 5, 5)]
    process = builder(kernel)
    assert process.build(sizes=sizes) == ["sized"]  # the same twice counts once
    assert process.answer["fallback"] == ""
    with pytest.raises(ChildFailed, match=r"ValueError.*three"):
        process.build(sizes=sizes[:1])


def test_a_size_that_does_not_compile_is_no_fallback(
    tmp_path: Path, builder: Callable[..., Builder]
) -> None:
    kernel = tmp_path / "sized.py"
    text = BY_SIZE.replace("{{out_features}}", "{{out_features if out_features != 3 else 'no'}}")
    kernel.write_text(text.format(source=f"\n// {tmp_path}\n{CPP}"))
    process = builder(kernel)
    process.build(sizes=[{"out_features": n} for n in (5, 3)])
    assert (process.answer["status"], process.answer["fallback"]) == (None, "")


def test_a_source_that_holds_the_sizes_is_built_for_each(
    tmp_path: Path, builder: Callable[..., Builder]
) -> None:
    kernel = tmp_path / "sized.py"
    kernel.write_text(BY_SIZE.format(source=f"\n// {tmp_path}\n{CPP}"))
    sizes = [{"out_features": 3}, {"out_features": 5}]
    assert builder(kernel).build(sizes=sizes) == ["sized", "sized"]
    assert builder(kernel).build(sizes=sizes) == []
    assert builder(kernel).build(sizes=2 * sizes, rebuild=True) == ["sized", "sized"]


LIBRARY = """
from torch.utils.cpp_extension import load_inline
class ModelNew: ...
path = load_inline("no_module", r\"\"\"// {unique}
int nothing() {{ return 0; }}\"\"\", no_implicit_headers=True, is_python_module=False)
print("value", type(path).__name__)
"""


def test_a_library_that_is_no_module_gives_its_path(
    tmp_path: Path, builder: Callable[..., Builder]
) -> None:
    kernel = tmp_path / "library.py"
    kernel.write_text(LIBRARY.format(unique=tmp_path))
    process = builder(kernel)
    process.build()
    assert process.printed == ["value str"]


def test_a_generated_source_goes_by_its_place_in_the_call(
    tmp_path: Path, builder: Callable[..., Builder]
) -> None:
    kernel = tmp_path / "generated.py"
    kernel.write_text(
        "from torch.utils.cpp_extension import load_inline\nclass ModelNew: ...\n"
        f"SOURCE = '// {tmp_path}'\n"
        "load_inline('g', [SOURCE, 'int a;\\n' + 'int b = gone;'], no_implicit_headers=True)\n"
    )
    with pytest.raises(ChildFailed, match=r"^cpp_sources\[1\]:2:\d+: error.*gone"):
        builder(kernel).build()


@pytest.fixture
def compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The log of a compiler that writes a line for every call and always fails."""
    log = tmp_path / "calls"
    script = tmp_path / "compiler"
    script.write_text(
        f"""#!/bin/sh
        case "$*" in *" -c "*main.cpp*) ;; *) exec c++ "$@";; esac
        echo call >> {log}
        printf 'main.cpp:1: error: as always\\n    1 | source\\n      | ^~~~~~\\n'
        exit 1
        """
    )
    script.chmod(0o755)
    monkeypatch.setenv("CXX", str(script))
    return log


def test_a_failure_is_remembered_until_a_rebuild(compiler: Path, tmp_path: Path) -> None:
    def build(rebuild: bool) -> int:
        with pytest.MonkeyPatch.context() as patch:
            for name in ("load", "load_inline"):
                patch.setattr(cpp_extension, name, getattr(cpp_extension, name))
            install(bad_kernel("scaled"), None, compile_missing=True, rebuild=rebuild)
            with pytest.raises(RuntimeError, match="error: as always"):
                cpp_extension.load_inline("fails", f"// {tmp_path}")
        return len(compiler.read_text().split())

    first = build(rebuild=False)
    assert first > 0
    (entry,) = (e.manifest for e in store.entries() if e.manifest.name == "fails")
    assert entry.why_full == "main.cpp:1: error: as always"  # a cell of the CSV
    assert entry.failed.shown.endswith("^~~~~~")
    assert build(rebuild=False) == first
    assert build(rebuild=True) == 2 * first


OVERLOADS = """
#include <torch/extension.h>
int64_t whole(int64_t x) { return x; }
double half(double x) { return x / 2; }
PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) {
  const char* name = "f";
  m.def(name, &whole);
  m.def(name, &half);
}
"""


def test_overloads_that_show_on_loading_are_built_with_the_real_headers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    build = compile.build

    def build_leanly(*args: Any, lean_lacks: str = "", **options: Any) -> store.Artifact:
        asked.append(lean_lacks)
        if lean_lacks:
            raise NotImplementedError("half a minute, to see what pybind11 does")
        return build(*args, **options)

    monkeypatch.setattr(compile, "build", build_leanly)
    for name in ("load", "load_inline"):
        monkeypatch.setattr(cpp_extension, name, getattr(cpp_extension, name))
    install(bad_kernel("scaled"), None, compile_missing=True)
    with pytest.raises(NotImplementedError):
        cpp_extension.load_inline("overloads", f"// {tmp_path}{OVERLOADS}")
    assert asked == ["", "the lean headers have no overloads: f"]
