"""The judge's side: what a worker's file holds against what is known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from command_line import TINY

from harness.exchange import Exchange
from harness.judge import Judge
from harness.records import Status
from harness.serve import RequestFailed

TRIALS = ["own", "own again", "normal", "NaN", "infinite"]


def prepare(judge: Judge, problem: Path = TINY, **changes: Any) -> dict[str, Any]:
    usual = {"axes": {}, "dtype": "float32", "seed": 1, "families": None, "step_s": 60.0}
    return judge.prepare(str(problem), **(usual | changes))


@pytest.fixture
def judge(tmp_path: Path) -> Judge:
    judge = Judge("cpu", str(tmp_path))
    prepared = prepare(judge, families=["own", "normal", "non_finite"])
    assert [draw["name"] for draw in prepared["trials"]] == TRIALS
    assert prepared["timed"] == [0, 1]
    return judge


@pytest.fixture
def answer(judge: Judge, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """The judge's word on what a worker answers to a trial, by default the right thing."""

    def answer(
        name: str,
        output: Callable[[torch.Tensor], Any] = lambda y: y,
        inputs: Callable[[torch.Tensor], Any] = lambda x: [x],
    ) -> dict[str, Any]:
        index = TRIALS.index(name)
        exchange = Exchange(str(tmp_path))
        (x,) = exchange.inputs(index, torch.device("cpu")).values
        exchange.put_output("kernel", output(eager(exchange, x.clone())), inputs(x))
        return judge.compare(index, "kernel")

    return answer


def eager(exchange: Exchange, x: torch.Tensor) -> torch.Tensor:
    """What Model makes of inputs, from the weights that the judge gives to workers."""
    state = exchange.setup().state
    return torch.nn.functional.linear(x, state["linear.weight"], state["linear.bias"]).clamp(-3, 3)


def test_prepare_leaves_a_worker_inputs_and_weights_but_no_truth(
    judge: Judge, tmp_path: Path
) -> None:
    exchange = Exchange(str(tmp_path))
    assert exchange.setup().init_inputs == [12, 10]
    assert set(exchange.setup().state) == {"linear.weight", "linear.bias"}
    left = {name for path in tmp_path.glob("*.pt") for name in torch.load(path, weights_only=True)}
    assert left == {"init_inputs", "seed", "dtype", "state", "values"}
    assert len(list(tmp_path.iterdir())) == 1 + len(TRIALS)


def test_of_trials_it_is_told_what_everyone_may_know(tmp_path: Path) -> None:
    draws = prepare(Judge("cpu", str(tmp_path)))["trials"]
    stress = [draw for draw in draws if draw["stress"]]
    assert stress == draws[-3:] == [
        {"name": "huge normal", "finite": True, "stress": True},
        {"name": "NaN", "finite": False, "stress": True},
        {"name": "infinite", "finite": False, "stress": True},
    ]  # fmt: skip


@pytest.mark.parametrize(
    "families, timed", [(["normal", "non_finite"], [0]), (["non_finite"], [0, 1])]
)
def test_finite_inputs_are_timed_where_there_are_any(
    families: list[str], timed: list[int], tmp_path: Path
) -> None:
    prepared = prepare(Judge("cpu", str(tmp_path)), families=families)
    assert prepared["timed"] == timed


@pytest.mark.parametrize("trial", TRIALS)
def test_eagers_own_output_is_right(trial: str, answer: Callable[..., dict]) -> None:
    comparison = answer(trial)
    assert comparison["status"] is None
    assert comparison["error_rel"] == comparison["eager_error_rel"]


@pytest.mark.parametrize(
    "change, status",
    [
        (lambda y: y * 1.01, Status.WRONG_VALUES),
        (lambda y: y.double(), Status.WRONG_DTYPE),
        (lambda y: y[:1], Status.WRONG_SHAPE),
        (lambda y: (y,), Status.WRONG_STRUCTURE),
        (lambda y: y.numpy().tobytes(), Status.WRONG_STRUCTURE),
        (lambda y: y.to("meta"), Status.WRONG_STRUCTURE),
        (lambda y: torch.nn.Parameter(y), Status.WRONG_STRUCTURE),
        (lambda y: y.to_sparse(), Status.WRONG_STRUCTURE),
        # On finite inputs a NaN is a wrong value like any other.
        (lambda y: y * float("nan"), Status.WRONG_VALUES),
    ],
)
def test_a_wrong_output(change: Callable, status: Status, answer: Callable[..., dict]) -> None:
    comparison = answer("normal", output=change)
    assert comparison["status"] is status
    assert comparison["reason"]


@pytest.mark.parametrize("trial", ["NaN", "infinite"])
def test_a_misplaced_nan_on_non_finite_inputs(trial: str, answer: Callable[..., dict]) -> None:
    comparison = answer(trial, output=lambda y: y.nan_to_num(0))
    assert comparison["status"] is Status.WRONG_VALUES
    assert "are NaN or infinite on one side only" in comparison["reason"]


@pytest.mark.parametrize(
    "change",
    [
        lambda x: [x + 1],
        lambda x: [x.double()],
        lambda x: [x[:3]],
        lambda x: [x, x],
        lambda x: [],
        lambda x: [None],
        lambda x: [-x.abs() * 0],  # -0 instead of what was there
    ],
)
def test_inputs_must_come_back_as_they_were(change: Callable, answer: Callable[..., dict]) -> None:
    assert answer("own", inputs=change)["status"] is Status.INPUT_MUTATED


def test_a_nan_among_the_inputs_has_not_changed(answer: Callable[..., dict]) -> None:
    assert answer("NaN")["status"] is None


class Surprise:
    """Unpickling one runs code of its writer's choice."""

    def __reduce__(self) -> tuple:
        return (Path.touch, (Path("surprise"),))


def test_an_output_file_runs_no_code(
    answer: Callable[..., dict], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert answer("own", output=lambda _: Surprise())["status"] is Status.WRONG_STRUCTURE
    assert not Path("surprise").exists()


def test_an_output_is_taken_once(judge: Judge, answer: Callable[..., dict]) -> None:
    assert answer("own")["status"] is None
    assert judge.compare(0, "kernel")["status"] is Status.WRONG_STRUCTURE


def test_a_torn_output_file_is_a_verdict(judge: Judge, tmp_path: Path) -> None:
    (tmp_path / "torn.out").write_bytes(b"PK\3\4 and no more")
    comparison = judge.compare(0, "torn")
    assert comparison["status"] is Status.WRONG_STRUCTURE


def test_a_reason_is_one_plain_line(answer: Callable[..., dict]) -> None:
    reason = answer("own", output=lambda y: torch.nn.utils.rnn.pack_sequence([y]))["reason"]
    assert reason.isprintable(), repr(reason)


def test_a_reference_that_raises_is_ungradable(tmp_path: Path) -> None:
    problem = tmp_path / "raises.py"
    problem.write_text(TINY.read_text().replace("torch.clamp(", "torch.clump("))
    with pytest.raises(RequestFailed, match="clump") as raised:
        prepare(Judge("cpu", str(tmp_path)), problem)
    assert raised.value.status is Status.UNGRADABLE


@pytest.mark.parametrize("size", [10**12, 10**17])
def test_a_case_too_large_is_out_of_memory(size: int, tmp_path: Path) -> None:
    with pytest.raises(RequestFailed) as raised:
        prepare(Judge("cpu", str(tmp_path)), axes={"batch_size": size})
    assert raised.value.status is Status.OUT_OF_MEMORY


def test_a_baseline_is_timed_on_the_cases_own_inputs(judge: Judge) -> None:
    assert judge.start_baseline("eager", "wall", 0.0) > 0
    assert len(judge.block("eager", "wall", 3)) == 3


def test_a_baseline_leaves_the_inputs_alone(judge: Judge, answer: Callable[..., dict]) -> None:
    judge.start_baseline("eager", "wall", 0.0)
    assert answer("own")["status"] is None


def test_a_released_case_is_forgotten(judge: Judge) -> None:
    judge.start_baseline("eager", "wall", 0.0)
    judge.release()
    with pytest.raises(RequestFailed):
        judge.block("eager", "wall", 1)
