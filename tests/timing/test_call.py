"""Inputs that change before every timed call, at addresses that do not."""

from __future__ import annotations

import torch
from harness.timing.call import LiveInputs


def test_every_refresh_brings_the_next_draw_and_after_the_last_the_first() -> None:
    inputs = LiveInputs([[torch.zeros(3)], [torch.ones(3)], [torch.full((3,), 2.0)]])
    seen = [(inputs.at, inputs.live[0].tolist())]
    for _ in range(3):
        inputs.refresh()
        seen.append((inputs.at, inputs.live[0].tolist()))
    assert seen == [(0, [0.0] * 3), (1, [1.0] * 3), (2, [2.0] * 3), (0, [0.0] * 3)]


def test_tensors_keep_their_identity_and_their_address() -> None:
    inputs = LiveInputs([[torch.zeros(3), 7], [torch.ones(3), 7]])
    tensor, address = inputs.live[0], inputs.live[0].data_ptr()
    inputs.refresh()
    assert inputs.live[0] is tensor
    assert tensor.data_ptr() == address
    assert inputs.live[1] == 7


def test_what_a_call_writes_into_its_inputs_reaches_no_later_call() -> None:
    draw = [torch.ones(3)]
    inputs = LiveInputs([draw])
    inputs.live[0].zero_()
    assert draw[0].tolist() == [1.0] * 3
    inputs.refresh()
    assert inputs.live[0].tolist() == [1.0] * 3


def test_a_draw_that_differs_in_shape_or_in_a_plain_value_takes_no_turn() -> None:
    draws = [[torch.zeros(3), 7], [torch.ones(4), 7], [torch.ones(3), 8], [torch.ones(3), 7]]
    inputs = LiveInputs(draws)
    for _ in range(4):
        inputs.refresh()
        assert inputs.live[0].shape == (3,)
        assert inputs.live[1] == 7
