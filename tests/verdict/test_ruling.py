"""From comparisons to a verdict: contract and stress."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from harness.records import FAMILIES, Comparison, Draw, NonFinite, Status
from harness.verdict import ruling

RIGHT = Comparison(None, "", 1e-7, 2e-7)
WORSE = Comparison(None, "", 3e-7, 4e-7)
EXACT = Comparison(None, "", None, None)
WRONG = Comparison(Status.WRONG_VALUES, "off", 0.5, 2e-7)
LOST = Comparison(Status.WRONG_VALUES, "a NaN lost")
DIED = Comparison(Status.CRASHED, "it died")

P, W, C = Status.PASSED, Status.WRONG_VALUES, Status.CRASHED
SAME, DIFFERS, UNTESTED = NonFinite

OWN, NORMAL = (Draw(name, finite=True, stress=False) for name in ("own", "normal"))
NAN = Draw("NaN", finite=False, stress=False)
HUGE = Draw("huge", finite=True, stress=True)
STRESS_NAN, STRESS_INF = (Draw(name, finite=False, stress=True) for name in ("NaN", "infinite"))


def tried(
    draws: Sequence[Draw], comparisons: Sequence[Comparison]
) -> list[tuple[Draw, Comparison]]:
    return list(zip(draws, comparisons, strict=True))


def test_a_file_that_states_no_families_has_stress_beyond_its_contract() -> None:
    stress = [family for family in FAMILIES if ruling.is_stress(family, None)]
    assert stress == ["huge", "non_finite"]
    assert list(FAMILIES)[-2:] == stress  # they are tried last


@pytest.mark.parametrize("stated", [("own",), ("own", "non_finite"), tuple(FAMILIES)])
def test_all_that_a_file_states_is_contract(stated: tuple[str, ...]) -> None:
    assert not any(ruling.is_stress(family, stated) for family in stated)


# the contract


@pytest.mark.parametrize(
    "comparisons, status, errors",
    [
        ([RIGHT, WORSE, EXACT], P, (3e-7, 4e-7)),
        ([WORSE, RIGHT], P, (3e-7, 4e-7)),
        ([RIGHT, WRONG], W, (1e-7, 2e-7)),
        ([WRONG], W, (0.5, 2e-7)),
        ([DIED], C, (None, None)),
        ([WORSE, RIGHT, LOST], W, (3e-7, 4e-7)),
    ],
)
def test_trials_make_a_verdict(
    comparisons: list[Comparison], status: Status, errors: tuple[float | None, float | None]
) -> None:
    verdict = ruling.verdict(tried([OWN, NORMAL, NAN][: len(comparisons)], comparisons))
    assert (verdict.status, (verdict.error_rel, verdict.eager_error_rel)) == (status, errors)
    assert verdict.stress == ""


def test_a_reason_names_the_inputs() -> None:
    verdict = ruling.verdict(tried([OWN, NORMAL], [RIGHT, WRONG]))
    assert verdict.reason == "normal inputs: off"


@pytest.mark.parametrize("comparison, ends", [(RIGHT, False), (WRONG, True), (DIED, True)])
def test_the_first_wrong_trial_of_the_contract_ends_it_and_none_of_stress(
    comparison: Comparison, ends: bool
) -> None:
    assert ruling.ends(OWN, comparison) is ruling.ends(NAN, comparison) is ends
    assert not ruling.ends(HUGE, comparison)


@pytest.mark.parametrize(
    "draws, comparisons, non_finite, astray, timed",
    [
        ([OWN, NAN], [RIGHT, RIGHT], SAME, False, True),
        ([OWN, NAN], [RIGHT, LOST], DIFFERS, True, True),
        ([OWN, NAN], [RIGHT, DIED], DIFFERS, False, False),
        ([OWN, NORMAL], [RIGHT, RIGHT], UNTESTED, False, True),
        ([OWN, NORMAL], [RIGHT, LOST], UNTESTED, False, False),
        ([OWN], [WRONG], UNTESTED, False, False),
        ([OWN], [DIED], UNTESTED, False, False),
    ],
)
def test_what_is_right_on_finite_inputs_alone_is_astray_and_timed(
    draws: list[Draw],
    comparisons: list[Comparison],
    non_finite: NonFinite,
    astray: bool,
    timed: bool,
) -> None:
    verdict = ruling.verdict(tried(draws, comparisons))
    assert (verdict.non_finite, verdict.astray, verdict.timed) == (non_finite, astray, timed)


# stress


@pytest.mark.parametrize(
    "comparisons, strictly, non_finite, stress, astray",
    [
        ([RIGHT, RIGHT, RIGHT], P, SAME, "", False),
        ([WRONG, RIGHT, RIGHT], W, SAME, "huge inputs: off", False),
        ([RIGHT, LOST, RIGHT], W, DIFFERS, "NaN inputs: a NaN lost", True),
        ([WRONG, LOST, DIED], W, DIFFERS,
         "huge inputs: off; NaN inputs: a NaN lost; infinite inputs: it died", False),
        ([DIED], C, UNTESTED, "huge inputs: it died", False),
        ([RIGHT, DIED], C, DIFFERS, "NaN inputs: it died", True),
    ],
)  # fmt: skip
def test_stress_is_told_and_a_failure_only_strictly(
    comparisons: list[Comparison],
    strictly: Status,
    non_finite: NonFinite,
    stress: str,
    astray: bool,
) -> None:
    draws = [OWN, HUGE, STRESS_NAN, STRESS_INF][: 1 + len(comparisons)]
    for strict, status in ((False, P), (True, strictly)):
        verdict = ruling.verdict(tried(draws, [RIGHT, *comparisons]), strict)
        assert (verdict.status, verdict.non_finite) == (status, non_finite)
        assert verdict.stress == stress
        assert verdict.astray is (astray and status is not C)
        # Strictly, the first of them decides.
        assert verdict.reason == ("" if status is P else stress.partition("; ")[0])


# while being timed


@pytest.mark.parametrize("comparisons", [[RIGHT, RIGHT], [RIGHT, LOST]])
def test_what_is_wrong_while_it_is_timed_says_so(comparisons: list[Comparison]) -> None:
    judged = ruling.verdict(tried([OWN, STRESS_NAN], comparisons))
    verdict = ruling.when_timed(judged, WRONG)
    assert verdict.status is W and not verdict.timed
    assert (verdict.error_rel, verdict.eager_error_rel) == (0.5, 2e-7)
    assert verdict.reason == "right when judged, wrong while it was timed: off"
    assert (verdict.non_finite, verdict.stress) == (judged.non_finite, judged.stress)


def test_what_was_judged_before_a_failure_is_kept() -> None:
    judged = ruling.verdict(tried([OWN, HUGE, STRESS_NAN], [WORSE, WRONG, RIGHT]))
    verdict = ruling.broken_off(judged, C, "it died")
    assert (verdict.status, verdict.reason, verdict.error_rel) == (C, "it died", 3e-7)
    assert (verdict.non_finite, verdict.stress) == (SAME, "huge inputs: off")
    assert not verdict.timed
