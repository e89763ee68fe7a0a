"""What one side puts in, the other takes out: the same, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.exchange import Exchange, Inputs, NotPlain, Setup

CPU = torch.device("cpu")


@pytest.fixture
def exchange(tmp_path: Path) -> Exchange:
    return Exchange(str(tmp_path))


def test_a_setup_arrives_as_it_was(exchange: Exchange) -> None:
    state = {"weight": torch.rand(3), "steps": torch.tensor(4)}
    exchange.put_setup(Setup([3, "same", None], 7, torch.bfloat16, state))
    arrived = exchange.setup()
    assert (arrived.init_inputs, arrived.seed, arrived.dtype) == (
        [3, "same", None],
        7,
        torch.bfloat16,
    )
    assert all(torch.equal(arrived.state[name], value) for name, value in state.items())


def test_inputs_arrive_by_trial(exchange: Exchange) -> None:
    for trial in (0, 1):
        exchange.put_inputs(trial, Inputs([torch.full((2,), trial), 2.5, True], seed=trial))
    x, number, flag = exchange.inputs(1, CPU).values
    assert x.tolist() == [1, 1] and (number, flag) == (2.5, True)
    assert exchange.inputs(0, CPU).seed == 0


def test_kernels_outputs_are_apart_and_taken_once(exchange: Exchange) -> None:
    for name in ("a", "b"):
        exchange.put_output(name, torch.full((1,), ord(name)), [torch.zeros(2)])
    output = exchange.take_output("b", CPU)
    assert output.value.item() == ord("b")
    assert [x.tolist() for x in output.inputs] == [[0, 0]]
    assert output.devices == {"cpu"}
    with pytest.raises(NotPlain):
        exchange.take_output("b", CPU)
    assert exchange.take_output("a", CPU).value.item() == ord("a")


def test_a_view_passes_without_the_rest_of_its_buffer(exchange: Exchange, tmp_path: Path) -> None:
    exchange.put_output("a", torch.zeros(1 << 22)[:5], [])
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 100_000


@pytest.mark.parametrize(
    "make, kinds",
    [
        (lambda x: torch.max(x, 1), [torch.Tensor, torch.Tensor]),  # a named tuple
        (lambda x: (x, None), [torch.Tensor, type(None)]),
        (lambda x: [x, 2.5], [torch.Tensor, float]),
    ],
)
def test_named_tuples_and_plain_values_pass(
    make: Callable[[torch.Tensor], Any], kinds: list[type], exchange: Exchange
) -> None:
    exchange.put_output("a", {"m": make(torch.rand(2, 3))}, [])
    assert [type(item) for item in exchange.take_output("a", CPU).value["m"]] == kinds


class Surprise:
    """Unpickling one runs code of its writer's choice."""

    def __reduce__(self) -> tuple:
        return (Path.touch, (Path("surprise"),))


def test_taking_an_output_runs_no_code(
    exchange: Exchange, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    exchange.put_output("a", Surprise(), [])
    with pytest.raises(NotPlain, match="not made of plain tensors: it holds a "):
        exchange.take_output("a", CPU)
    assert not Path("surprise").exists()
