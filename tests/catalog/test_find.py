"""Problem and kernel files by name and by path."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import ROOT, TINY, bad_kernel

from harness.catalog import find
from harness.catalog.facts import DEVICES
from harness.records import HarnessError, Problem


@pytest.fixture
def headline() -> Problem:
    return find.find_problem(find.ROOT, "gemm_swish_divide_clamp_tanh_clamp")


def test_a_checkout_has_its_problems_at_the_top() -> None:
    assert find.ROOT == ROOT


def test_every_problem_of_the_tree_is_listed() -> None:
    names = [problem.name for problem in find.list_problems(ROOT)]
    assert names == sorted(path.stem for path in (ROOT / "reference").glob("*.py"))


def test_every_kernel_of_the_tree_can_be_read() -> None:
    for problem in find.list_problems(ROOT):
        for kernel in find.find_kernels(ROOT, problem, []):
            assert set(kernel.devices) <= set(DEVICES)


def test_kernels_are_found_by_name_and_by_path(headline: Problem) -> None:
    kernels = find.find_kernels(ROOT, headline, ["seed", str(bad_kernel("scaled"))])
    assert [kernel.name for kernel in kernels] == ["seed", "scaled"]


def test_a_kernel_named_twice_is_there_once(headline: Problem) -> None:
    path = str(ROOT / "kernels" / headline.name / "seed.py")
    assert [k.name for k in find.find_kernels(ROOT, headline, ["seed", path])] == ["seed"]


@pytest.mark.parametrize("wanted", ["./noext", "kernels/", "kernel.cu", "/tmp"])
def test_a_path_that_is_no_python_file(
    wanted: str, headline: Problem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "kernel.cu").write_text("")
    with pytest.raises(HarnessError, match=r"is no kernel: a kernel file ends in .py"):
        find.find_kernels(ROOT, headline, [wanted])
    with pytest.raises(HarnessError, match=r"is no problem: a problem file ends in .py"):
        find.find_problem(ROOT, wanted)


@pytest.mark.parametrize("name", ["eager", "compile-max-autotune", "kernel"])
def test_a_kernel_with_the_name_of_something_else(
    name: str, headline: Problem, tmp_path: Path
) -> None:
    path = tmp_path / "kernels" / headline.name / f"{name}.py"
    path.parent.mkdir(parents=True)
    path.write_text("class ModelNew: ...\n")
    for wanted in ([str(path)], [name], []):
        with pytest.raises(HarnessError, match=r"in the results, .* rename the file"):
            find.find_kernels(tmp_path, headline, wanted)


def test_a_problem_without_kernels_says_how_to_name_one() -> None:
    with pytest.raises(HarnessError, match="has no kernels yet: name one with --kernel PATH"):
        find.find_kernels(ROOT, find.find_problem(ROOT, str(TINY)), [])
