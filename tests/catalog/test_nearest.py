"""Lists of names, and what is said of an unknown one."""

from __future__ import annotations

import pytest

from harness.catalog.nearest import choices, chosen, items, suggest
from harness.records import HarnessError

KNOWN = ("eager", "compile")


@pytest.mark.parametrize("text", ["a,b", "a, b", " a ,b ,", ",a,,b", "a,b,a"])
def test_one_rule_for_every_list(text: str) -> None:
    assert items(text, "it") == ["a", "b"]


@pytest.mark.parametrize("text", ["", " ", ",", " , "])
def test_a_list_of_nothing_is_a_mistake(text: str) -> None:
    with pytest.raises(HarnessError, match="it names no values: give at least one"):
        items(text, "it")


def test_names_are_chosen_from_those_that_there_are() -> None:
    assert chosen("compile, eager", KNOWN, "--baseline") == ["compile", "eager"]
    with pytest.raises(
        HarnessError, match=r"--baseline: there is no 'egaer'. Did you mean 'eager'"
    ):
        chosen("eager,egaer", KNOWN, "--baseline")


def test_what_is_near_is_named_whatever_its_case() -> None:
    assert suggest("EAGRE", KNOWN) == "Did you mean 'eager'?"
    assert suggest("zzz", KNOWN) == "`run_bench.py list` shows what there is."
    assert choices("zzz", KNOWN) == "There are eager, compile."
    assert choices("zzz", ()) == "There is none."
