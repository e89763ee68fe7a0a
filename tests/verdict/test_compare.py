"""Every rule of comparison from both sides: what is just right and what is just wrong."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from harness.records import Status
from harness.verdict.budget import frobenius_budget, worst_budget
from harness.verdict.compare import Comparison, compare

NAN, INF = math.nan, math.inf
ONES = torch.ones(4, 8)
DTYPES = [torch.float32, torch.float16, torch.bfloat16, torch.float64]


def judge(output: Any, eager: Any, truth: Any = None) -> Comparison:
    """By default eager is exactly right."""
    return compare(output, eager, _double(eager) if truth is None else truth)


def _double(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.double() if value.is_floating_point() else value
    if isinstance(value, dict):
        return {key: _double(item) for key, item in value.items()}
    return type(value)(map(_double, value))


def status(output: Any, eager: Any, truth: Any = None) -> Status | None:
    return judge(output, eager, truth).status


def off_by(error: float, like: Tensor = ONES) -> Tensor:
    """Ones, the last of them off by `error`."""
    values = like.clone()
    values.view(-1)[-1] += error
    return values


# the error budget


@pytest.mark.parametrize("eager_error", [1e-3, 1e-5])
@pytest.mark.parametrize("fraction, expected", [(0.98, None), (1.02, Status.WRONG_VALUES)])
def test_the_budget_is_a_multiple_of_eagers_error(
    eager_error: float, fraction: float, expected: Status | None
) -> None:
    truth = torch.ones(4, 8, dtype=torch.float64)
    eager = (truth + eager_error).float()
    # Eager's error as float32 holds it, and the same in every element, so both norms agree.
    eager_error = (eager.double() - truth).max().item()
    budget = frobenius_budget(eager_error, torch.float32)
    assert status((truth + fraction * budget).float(), eager, truth) is expected


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("fraction, expected", [(0.95, None), (1.05, Status.WRONG_VALUES)])
def test_where_eager_is_exact_some_ulps_are_left(
    dtype: torch.dtype, fraction: float, expected: Status | None
) -> None:
    eager = torch.tensor([1.0, 0.0], dtype=dtype)
    kernel = torch.tensor([1.0, fraction * frobenius_budget(0.0, dtype)], dtype=dtype)
    assert status(kernel, eager) is expected


@pytest.mark.parametrize("fraction, expected", [(0.98, None), (1.02, Status.WRONG_VALUES)])
def test_the_worst_element_has_a_budget_of_its_own(
    fraction: float, expected: Status | None
) -> None:
    truth = torch.ones(1000, 1000, dtype=torch.float64)
    eager = off_by(1e-4, truth.float())
    eager_error = eager.double().max().item() - 1
    wrong = off_by(fraction * worst_budget(eager_error, torch.float32), truth.float())
    assert status(wrong, eager, truth) is expected


def test_one_bad_element_cannot_hide_in_an_average() -> None:
    truth = torch.ones(1000, 1000, dtype=torch.float64)
    eager = truth.float()
    wrong = off_by(3e-5, eager)
    assert (wrong.double() - truth).norm() / truth.norm() < frobenius_budget(0.0, torch.float32)
    found = judge(wrong, eager, truth)
    assert found.status is Status.WRONG_VALUES
    assert "worst element" in found.reason and "[999, 999]" in found.reason


def test_many_small_errors_cannot_hide_behind_one_large_element() -> None:
    truth = torch.ones(1000, 1000, dtype=torch.float64)
    truth[0, 0] = 1e2
    found = judge((truth + 1e-5).float(), truth.float(), truth)
    assert found.status is Status.WRONG_VALUES
    assert "Frobenius" in found.reason


def test_being_more_accurate_than_eager_never_fails() -> None:
    truth = torch.rand(16, 16, dtype=torch.float64)
    eager = (truth * 1.01).float()
    found = judge(truth.float(), eager, truth)
    assert found.status is None
    assert found.error_rel < 1e-7 < 0.0099 < found.eager_error_rel


def test_the_worst_element_is_pointed_at() -> None:
    found = judge(off_by(0.5), ONES)
    assert "worst at [3, 7]: kernel 1.5, truth 1" in found.reason
    assert found.error_rel == pytest.approx(0.5 / math.sqrt(32))


def test_zeros_where_the_truth_is_zero() -> None:
    assert status(torch.zeros(3), torch.zeros(3)) is None
    assert status(torch.tensor([0.0, 0.0, 1e-30]), torch.zeros(3)) is Status.WRONG_VALUES


def test_minus_zero_is_zero() -> None:
    assert status(torch.tensor([-0.0, 1.0]), torch.tensor([0.0, 1.0])) is None


# NaN and infinity


@pytest.mark.parametrize("kernel", [NAN, INF, -INF, 1.0])
@pytest.mark.parametrize("eager", [NAN, INF, -INF, 1.0])
def test_each_non_finite_class_matches_itself_alone(kernel: float, eager: float) -> None:
    found = judge(torch.tensor([1.0, kernel]), torch.tensor([1.0, eager]))
    same = kernel == eager or (math.isnan(kernel) and math.isnan(eager))
    assert found.status is (None if same else Status.WRONG_VALUES)
    if not same:
        assert found.reason.startswith("1 of 2 elements")
        assert "first at [1]" in found.reason


def test_non_finite_elements_leave_the_others_judged() -> None:
    eager = torch.tensor([NAN, INF, 1.0])
    assert status(torch.tensor([NAN, INF, 1.0]), eager) is None
    assert status(torch.tensor([NAN, INF, 1.1]), eager) is Status.WRONG_VALUES


@pytest.mark.parametrize(
    "kernel, expected",
    [(INF, None), (65504.0, None), (-INF, Status.WRONG_VALUES), (NAN, Status.WRONG_VALUES)],
)
def test_float16_overflow_may_be_avoided_where_the_truth_is_finite(
    kernel: float, expected: Status | None
) -> None:
    # Eager overflowed on its way; the truth fits.
    eager, truth = torch.tensor([INF, 1.0]).half(), torch.tensor([65504.0, 1.0]).double()
    assert status(torch.tensor([kernel, 1.0]).half(), eager, truth) is expected


@pytest.mark.parametrize("kernel, expected", [(INF, None), (65504.0, Status.WRONG_VALUES)])
def test_float16_overflow_is_right_where_the_truth_overflows_too(
    kernel: float, expected: Status | None
) -> None:
    eager, truth = torch.tensor([INF, 1.0]).half(), torch.tensor([1e6, 1.0]).double()
    assert status(torch.tensor([kernel, 1.0]).half(), eager, truth) is expected


# shape, dtype, structure


def test_a_shape_that_would_broadcast_is_refused() -> None:
    assert status(torch.ones(1, 8), ONES) is Status.WRONG_SHAPE
    assert status(torch.ones(8), ONES) is Status.WRONG_SHAPE
    assert status(torch.ones(4, 8, 1), ONES) is Status.WRONG_SHAPE
    assert status(torch.tensor(1.0), torch.ones(1)) is Status.WRONG_SHAPE


def test_strides_may_differ() -> None:
    eager = torch.rand(4, 8)
    assert status(eager.T.contiguous().T, eager) is None


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.int32])
def test_another_dtype_is_refused(dtype: torch.dtype) -> None:
    assert status(ONES.to(dtype), ONES) is Status.WRONG_DTYPE


def test_an_empty_output_passes_where_eagers_is_empty() -> None:
    assert status(torch.empty(0, 8), torch.empty(0, 8)) is None
    assert status(torch.empty(0, 8), ONES) is Status.WRONG_SHAPE


@pytest.mark.parametrize(
    "output, eager",
    [
        ((ONES,), ONES),
        (ONES, (ONES,)),
        ((ONES, ONES), (ONES,)),
        ((ONES, (ONES,)), (ONES, ONES)),
        ({"a": ONES}, {"b": ONES}),
        (None, ONES),
        (1.0, ONES),
        ((), (ONES,)),
        (torch.nn.Parameter(ONES), ONES),
    ],
)
def test_another_structure_is_refused(output: Any, eager: Any) -> None:
    assert status(output, eager) is Status.WRONG_STRUCTURE


@pytest.mark.parametrize("nest", [lambda x: [x, x], lambda x: {"a": (x,), "b": x}])
def test_nested_outputs_are_judged_leaf_by_leaf(nest: Any) -> None:
    assert status(nest(ONES), nest(ONES)) is None
    assert status(nest(off_by(0.1)), nest(ONES)) is Status.WRONG_VALUES


def test_the_leaf_at_fault_is_named() -> None:
    found = judge((ONES, {"mean": off_by(0.1)}), (ONES, {"mean": ONES}))
    assert "output[1]['mean']" in found.reason


def test_a_list_may_stand_for_a_tuple() -> None:
    assert status([ONES, ONES], (ONES, ONES)) is None


# exact values


@pytest.mark.parametrize("dtype", [torch.int64, torch.int8, torch.bool])
def test_integers_and_booleans_are_exact(dtype: torch.dtype) -> None:
    eager = torch.tensor([[1, 0], [1, 1]]).to(dtype)
    wrong = torch.tensor([[1, 0], [0, 1]]).to(dtype)
    assert status(eager.clone(), eager) is None
    found = judge(wrong, eager)
    assert found.status is Status.WRONG_VALUES
    assert found.reason.startswith("1 of 4 elements") and "[1, 0]" in found.reason


def test_large_integers_are_not_compared_as_floats() -> None:
    eager = torch.tensor([2**53 + 1])
    assert status(torch.tensor([2**53]), eager) is Status.WRONG_VALUES


def test_plain_values_are_compared_by_type_and_value() -> None:
    assert compare((1, "a", None), (1, "a", None), (1, "a", None)).status is None
    assert compare((1,), (2,), (2,)).status is Status.WRONG_VALUES
    assert compare((1.0,), (1,), (1,)).status is Status.WRONG_STRUCTURE


def test_complex_outputs_have_both_parts_judged() -> None:
    eager = torch.tensor([1 + 1j, 2 - 1j])
    truth = eager.to(torch.complex128)
    assert compare(eager.clone(), eager, truth).status is None
    assert compare(eager.conj().resolve_conj(), eager, truth).status is Status.WRONG_VALUES


@pytest.mark.parametrize("position", [0, 1])
def test_the_largest_error_is_reported_over_all_leaves(position: int) -> None:
    outputs = [ONES, ONES]
    outputs[position] = ONES * (1 + 2e-7)
    assert judge(outputs, [ONES, ONES]).error_rel == pytest.approx(2e-7, rel=0.3)
