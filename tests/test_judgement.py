"""What an output in the judge's hands is called, and the sum that tells of a change."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from harness.exchange.answer import Output
from harness.judgement import bytes_of, judged, leaves_of, sum_of
from harness.records import Status
from harness.serve import RequestFailed

CPU = torch.device("cpu")


def output(value: Any, **changes: Any) -> Output:
    usual = {"devices": frozenset({"cpu"}), "mutated": False, "late": False}
    return Output(value, **(usual | changes))


def called(given: Output, eager: Any, truth: Any = None) -> tuple[Status | None, str]:
    comparison = judged(given, eager, eager.double() if truth is None else truth, CPU)
    return comparison.status, comparison.reason


EAGER = torch.tensor([[1.0, -2.0], [3.0, 0.0]])


def test_eagers_own_output_is_right() -> None:
    assert called(output(EAGER.clone()), EAGER) == (None, "")


@pytest.mark.parametrize(
    "given, status, word",
    [
        (output(EAGER, mutated=True), Status.INPUT_MUTATED, "the call"),
        (output(EAGER, late=True), Status.WRONG_VALUES, "went on changing"),
        (output(EAGER, devices=frozenset({"cpu", "cuda"})), Status.WRONG_STRUCTURE, "on cuda"),
        (output(EAGER.to("meta")), Status.WRONG_STRUCTURE, "cannot be read"),
        (output(2 * EAGER), Status.WRONG_VALUES, ""),
        (output([EAGER]), Status.WRONG_STRUCTURE, ""),
    ],
)
def test_what_is_wrong_with_an_output(given: Output, status: Status, word: str) -> None:
    found, reason = called(given, EAGER)
    assert found is status and reason and word in reason


def test_what_the_judge_itself_lacks_is_no_fault_of_the_outputs() -> None:
    with pytest.raises(RequestFailed) as failed:
        called(output(EAGER), EAGER, truth="no tensor")
    assert failed.value.status is Status.UNGRADABLE


def test_the_room_that_tensors_take() -> None:
    assert bytes_of([torch.zeros(3), {"a": torch.zeros(1000)}, 7]) == 256 + 4096
    assert bytes_of("no tensor") == bytes_of(object()) == 0
    assert [x.shape for x in leaves_of({"a": [EAGER], "b": None})] == [EAGER.shape]


@pytest.mark.parametrize(
    "dtype", [torch.float32, torch.float64, torch.bfloat16, torch.complex64, torch.bool, torch.int8]
)
def test_a_changed_or_moved_element_changes_the_sum(dtype: torch.dtype) -> None:
    values = torch.arange(3000) % 2 * 2
    tensor = values.to(dtype)
    assert sum_of(tensor) == sum_of(tensor.clone())
    assert sum_of(tensor) != sum_of(tensor.roll(1))
    for at in (0, 1, 2999):
        other = tensor.clone()
        other[at] = other[at] == 0
        assert sum_of(tensor) != sum_of(other)


def test_the_sum_tells_zeros_and_nans_by_their_bits() -> None:
    assert sum_of(torch.tensor([0.0])) != sum_of(torch.tensor([-0.0]))
    nan = torch.tensor([float("nan")])
    assert sum_of(nan) == sum_of(nan.clone()) != sum_of(torch.tensor([1.0]))


def test_the_sum_is_of_all_tensors_in_their_order_and_of_more_than_a_piece() -> None:
    one, other = torch.rand(5), torch.rand(5)
    assert sum_of([one, other]) != sum_of([other, one])
    large = torch.zeros((1 << 20) + 9)
    assert sum_of(large) != sum_of(large.index_fill(0, torch.tensor([(1 << 20) + 3]), 1.0))


def test_a_view_has_the_sum_of_what_it_shows() -> None:
    tensor: Tensor = torch.rand(6, 8)
    assert sum_of(tensor[:, ::2]) == sum_of(tensor[:, ::2].contiguous())
    assert sum_of([torch.empty(0), torch.empty(3, device="meta")]) == 0
