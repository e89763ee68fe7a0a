"""The files that a build depends on, from what compilers and linkers say."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest
import torch

from harness.build import dependencies


def hashed(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a build lies: depfiles and traces in it, nothing in its parent counts."""
    folder = tmp_path / "building" / "lean"
    folder.mkdir(parents=True)
    return folder


def collect(
    folder: Path,
    *sources: str,
    flags: tuple[str, ...] = (),
    searched: tuple[Path, ...] = (),
    since: float | None = None,
) -> dict[str, str | None]:
    since = time.time() + 1 if since is None else since
    return dependencies.collect(folder, dict.fromkeys(sources), flags, searched, since)


def test_depfiles_are_rules_of_make(folder: Path, tmp_path: Path) -> None:
    names = ["plain.h", "with space.h", "with$dollar.h", "with#hash.h", "last.h"]
    for name in names:
        (tmp_path / name).write_text(name)
    escaped = [str(tmp_path / n).replace(" ", "\\ ").replace("$", "$$") for n in names]
    escaped = [name.replace("#", "\\#") for name in escaped]
    (folder / "main.o.d").write_text(
        f"main.o: main.cpp \\\n {escaped[0]} " + " \\\n  ".join(escaped)
    )
    assert collect(folder) == {str(tmp_path / name): hashed(name) for name in names}


def test_relative_paths_are_the_builds(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "up.h").write_text("up")
    (folder / "own.h").write_text("own")  # of the build itself
    (folder / "main.o.d").write_text("main.o: ../../up.h own.h\n")
    assert collect(folder) == {str(tmp_path / "up.h"): hashed("up")}


def test_links_are_looked_through_each_time(folder: Path, tmp_path: Path) -> None:
    for version in ("v1", "v2"):
        (tmp_path / version / "include").mkdir(parents=True)
        (tmp_path / version / "size.h").write_text(version)
    link = tmp_path / "current"
    link.symlink_to(tmp_path / "v1" / "include")
    header = f"{link}/../size.h"
    (folder / "main.o.d").write_text(f"main.o: {header}\n")
    files = collect(folder)
    assert files == {header: hashed("v1")}
    link.unlink()
    link.symlink_to(tmp_path / "v2" / "include")
    assert not dependencies.unchanged(files)


def test_what_the_key_names_is_left_out(folder: Path) -> None:
    header = Path(torch.__file__).parent / "include" / "torch" / "extension.h"
    assert header.is_file()
    (folder / "main.o.d").write_text(f"main.o: {header} /usr/include/c++/12/vector\n")
    assert collect(folder) == {}


def test_traces_name_libraries(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "libmine.a").write_text("archive")
    (tmp_path / "libother.so").write_text("shared")
    (folder / "m.so.trace").write_text(
        f"/usr/lib/x86_64-linux-gnu/crti.o\nmain.o\n{tmp_path}/libmine.a\n"
        f"-lother ({tmp_path}/libother.so)\n/lib/x86_64-linux-gnu/libm.so.6\n"
    )
    assert collect(folder) == {
        str(tmp_path / "libmine.a"): hashed("archive"),
        str(tmp_path / "libother.so"): hashed("shared"),
    }


@pytest.mark.parametrize(
    "source",
    [
        '#include "gone.h"',
        "#include <gone.h>",
        "#if __has_include(<gone.h>)",
        '#define HEADER "gone.h"',
        '#inc\\\nlude "gone.h"',
    ],
)
def test_a_missing_name_is_kept_for_every_folder_searched(
    source: str, folder: Path, tmp_path: Path
) -> None:
    places = tmp_path / "a", tmp_path / "b"
    wanted = {str(place / "gone.h"): None for place in places}
    assert collect(folder, source, searched=places) == wanted
    assert collect(folder, flags=('-DHEADER="gone.h"',), searched=places) == wanted
    assert collect(folder, 'puts("gone.h"); f<int>();', searched=places) == {}


def test_headers_are_followed_to_what_they_name(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "one.h").write_text('#include "two.h"\n')
    (tmp_path / "two.h").write_text('#include "three.h"\n')
    files = collect(folder, '#include "one.h"', searched=(tmp_path,))
    assert [Path(name).name for name in files if files[name]] == ["one.h", "two.h"]
    assert files[str(tmp_path / "three.h")] is None


def test_flags_name_files_and_files_of_flags(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "first.rsp").write_text(f"-O2 @{tmp_path}/second.rsp")
    (tmp_path / "second.rsp").write_text("-DA")
    (tmp_path / "object.o").write_bytes(b"\xff\x00")
    files = collect(folder, flags=(f"@{tmp_path}/first.rsp", f"{tmp_path}/object.o"))
    assert {Path(name).name for name, content in files.items() if content} == {
        "first.rsp", "second.rsp", "object.o"
    }  # fmt: skip


def test_a_file_that_changes_meanwhile_is_good_for_once(folder: Path, tmp_path: Path) -> None:
    header = tmp_path / "h.h"
    header.write_text("1")
    started = time.time() - 10
    files = collect(folder, '#include "h.h"', searched=(tmp_path,), since=started)
    assert files == {str(header): dependencies.CHANGED}
    assert not dependencies.unchanged(files)
    os.utime(header, (started - 5, started - 5))
    files = collect(folder, '#include "h.h"', searched=(tmp_path,), since=started)
    assert dependencies.unchanged(files)


def test_changes_of_content_count_and_nothing_else(tmp_path: Path) -> None:
    header, gone = tmp_path / "h.h", tmp_path / "gone.h"
    header.write_text("1")
    files = {str(header): hashed("1"), str(gone): None}
    assert dependencies.unchanged(files)
    os.utime(header, (1, 1))
    assert dependencies.unchanged(files)
    gone.mkdir()  # no file
    assert dependencies.unchanged(files)
    header.write_text("2")
    assert not dependencies.unchanged(files)
    header.write_text("1")
    gone.rmdir()
    gone.write_text("")
    assert not dependencies.unchanged(files)


def test_a_compiler_is_asked_where_it_looks(tmp_path: Path) -> None:
    there, missing = tmp_path / "there", tmp_path / "missing"
    there.mkdir()
    (tmp_path / "flags.rsp").write_text(f"-isystem {there}")
    command = f"c++ @{tmp_path}/flags.rsp -I{missing} -E -v -x c++"
    folders = dependencies.search_folders(command, tmp_path)
    assert {there, missing, Path("/usr/include")} <= set(folders)
    assert not any("/c++/" in str(place) for place in folders)
