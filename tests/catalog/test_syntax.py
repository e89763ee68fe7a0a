"""Reading a file's facts from its syntax tree."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from harness.catalog import syntax
from harness.records import HarnessError

TREE = ast.parse(
    "a = 2 * (3 + 4)\nb = a\nc: int = -1\nd, e = 1, n()\nf = 9 ** 9\ng = 1 / 0\nh = 'x' * 3\n"
)


def test_arithmetic_of_numbers_is_worked_out_and_nothing_else() -> None:
    assert syntax.literals(TREE, Path("k.py"), facts=()) == {"a": 14, "c": -1, "d": 1}


@pytest.mark.parametrize("fact", ["b", "e", "f", "g", "h"])
def test_a_fact_that_would_have_to_be_run_is_a_mistake(fact: str) -> None:
    with pytest.raises(HarnessError, match=rf"k.py:\d: {fact} must be written as a literal"):
        syntax.literals(TREE, Path("k.py"), facts=(fact,))


def test_names_are_defined_by_any_statement() -> None:
    tree = ast.parse(
        "import os.path as p\nfrom x import y\nclass C: ...\ndef f(): z = 1\nv, (w, *u) = 1, 2\n"
    )
    assert syntax.defined_names(tree) == {"p", "y", "C", "f", "v", "w", "u"}


def test_assignments_tell_which_expression_each_name_gets() -> None:
    (statement,) = ast.parse("a, (b, *c), d.e = f = 1, g, 2").body
    pairs = [(n, ast.unparse(v) if v else None) for n, v in syntax.assignments(statement)]
    assert pairs == [("a", "1"), ("b", None), ("c", None), ("f", "(1, g, 2)")]


@pytest.mark.parametrize("text", ["n % 4 == 0", "a * 2 <= b or not c", "-a < 1.5"])
def test_conditions_compare_axes(text: str) -> None:
    syntax.check_expression(text, Path("k.py"))


@pytest.mark.parametrize("text", ["f(n)", "n.bit_length() > 1", "n ** n > 1", "[n]", "n ==", 4])
def test_conditions_do_nothing_else(text: object) -> None:
    with pytest.raises(HarnessError, match=r"k.py: REQUIRES"):
        syntax.check_expression(text, Path("k.py"))
