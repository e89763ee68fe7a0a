"""Flags and texts that two sides share, one of whom may write anything."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from harness.exchange import page as pages
from harness.exchange.page import Page


@pytest.fixture
def sides() -> Iterator[tuple[Page, Page]]:
    descriptor = pages.make()
    yield Page(descriptor), Page(descriptor)
    os.close(descriptor)


@pytest.fixture
def page(sides: tuple[Page, Page]) -> Page:
    return sides[0]


def wait(page: Page, **options: object) -> bool:
    return page.wait(**{"spin_s": 1e-4, "nap_share": 0.05, **options})  # type: ignore[arg-type]


def test_what_one_side_writes_the_other_reads(sides: tuple[Page, Page]) -> None:
    one, other = sides
    one.slots[pages.ASKED] = 2**63 - 1
    one.slots[pages.ADDRESS] = -(2**63)
    assert (other.slots[pages.ASKED], other.slots[pages.ADDRESS]) == (2**63 - 1, -(2**63))
    other.put_text({"a": [1, None, "é"]})
    assert one.text() == {"a": [1, None, "é"]}


def test_flags_share_no_cache_line_and_nothing_shares_a_slot() -> None:
    flags = [pages.ASKED, pages.READY, pages.GO, pages.DONE, pages.FAILED, pages.MESSAGE]
    assert len({8 * flag // 64 for flag in flags}) == len(flags)
    others = [pages.SEED, pages.UNHURRIED, pages.TIME_NS, pages.COPIED, pages.LENGTH]
    told = [pages.ADDRESS, pages.DTYPE, pages.DEVICE, pages.DIMENSIONS, pages.SIZES]
    assert len({*flags, *others, *told}) == len(flags) + len(others) + len(told)
    assert 8 * (pages.SIZES + 2 * pages.MOST_DIMENSIONS) <= pages.TEXT_AT


def test_nobody_can_make_a_page_smaller() -> None:
    descriptor = pages.make()
    with pytest.raises(PermissionError):
        os.ftruncate(descriptor, 0)
    os.close(descriptor)


def test_waiting_ends_as_soon_as_it_is_done(page: Page) -> None:
    looks = iter([False] * 2500 + [True])
    assert wait(page, done=lambda: next(looks))


def test_waiting_ends_at_the_deadline(page: Page) -> None:
    assert not wait(page, done=lambda: False, deadline=0.0)
    assert not wait(page, done=lambda: False, deadline=0.0, spin_s=60.0)


def test_what_is_done_is_done_though_the_deadline_has_passed(page: Page) -> None:
    assert wait(page, done=lambda: True, deadline=0.0)


def test_waiting_ends_when_the_other_side_is_gone(page: Page) -> None:
    assert not wait(page, done=lambda: False, alive=lambda: False)


def test_what_the_other_side_did_last_counts(page: Page) -> None:
    gone = False

    def alive() -> bool:
        nonlocal gone
        gone = True
        return False

    assert wait(page, done=lambda: gone, alive=alive)


def test_naps_grow_with_the_time_waited_up_to_the_longest(page: Page) -> None:
    naps: list[float] = []
    wait(
        page, done=lambda: len(naps) == 50, nap=naps.append, spin_s=0.0, nap_share=1e6,
        longest_nap_s=0.25,
    )  # fmt: skip
    assert naps[-1] == 0.25
    naps.clear()
    wait(page, done=lambda: len(naps) == 3, nap=naps.append, spin_s=0.0, nap_share=0.0)
    assert 0 < max(naps) < 1e-3


def test_a_text_that_is_too_long_is_refused_and_the_longest_passes(page: Page) -> None:
    longest = "x" * (pages.SIZE_BYTES - pages.TEXT_AT - 2)
    page.put_text(longest)
    assert page.text() == longest
    with pytest.raises(ValueError, match="too many values"):
        page.put_text(longest + "x")
    assert page.text() == longest


@pytest.mark.parametrize("length", [0, -1, 6, 8, pages.SIZE_BYTES, 2**63 - 1, -(2**63)])
def test_a_length_that_is_none_gives_no_text(length: int, page: Page) -> None:
    page.put_text([1, 2, 3])
    page.slots[pages.LENGTH] = length
    with pytest.raises(ValueError):
        print(page.text())


@pytest.mark.parametrize("text", [b"\xff\xfe\xfd", b"{", b"[1,]", b"\0\0"])
def test_bytes_that_are_no_text_give_none(text: bytes, page: Page) -> None:
    page._map[pages.TEXT_AT : pages.TEXT_AT + len(text)] = text
    page.slots[pages.LENGTH] = len(text)
    with pytest.raises(ValueError):
        page.text()
