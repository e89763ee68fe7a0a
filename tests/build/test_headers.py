"""A caller's own headers, as far as text tells."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.build.headers import with_own_headers


@pytest.mark.parametrize(
    "arguments",
    [
        lambda f: {"extra_include_paths": [f]},
        lambda f: {"extra_cflags": [f"-I{f}"]},
        lambda f: {"extra_cuda_cflags": ["-O3", f"-I {f}"]},
        lambda f: {"extra_cflags": ["-isystem", f]},
        lambda f: {"extra_cflags": ["-I", f, "-include own.h"], "bare": True},
    ],
)
def test_headers_are_followed_through_each_other(
    arguments: Callable[[str], dict[str, object]], tmp_path: Path
) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "own.h").write_text('#include "deep/a.h"\nstd::vector<int> in_own;\n')
    (tmp_path / "deep" / "a.h").write_text('#include "b.h"\n#include "own.h"\nint in_a;\n')
    (tmp_path / "deep" / "b.h").write_text("int in_b;\n")
    given = arguments(str(tmp_path))
    source = "int x;" if given.pop("bare", False) else '#include "own.h"'
    text = with_own_headers([source], given)
    assert [text.count(name) for name in ("in_own", "in_a", "in_b")] == [1, 1, 1]


def test_what_is_nobodys_own_stays_out(tmp_path: Path) -> None:
    (tmp_path / "own.h").write_text("int in_own;\n")
    source = '#include <vector>\n#include "missing.h"\n#include "own.h"'
    assert with_own_headers([source], {"extra_include_paths": None}) == source
