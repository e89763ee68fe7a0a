"""What the judge knows: inputs of every family, eager's output, the truth."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from command_line import TINY

from harness.records import FAMILIES
from harness.verdict.oracle import Oracle, Trial, to_floating

# Two floating inputs, one of integers, one of booleans and a plain number; works in place, and
# draws random numbers in forward().
MIXED = """
import torch
rows = 6
columns = rows + 2
class Model(torch.nn.Module):
    def __init__(self, scale):
        super().__init__()
        self.scale = scale
        self.dropout = torch.nn.Dropout(0.5)
        self.register_buffer("calls", torch.zeros(()))
    def forward(self, x, y, index, mask, number):
        x.mul_(self.scale)
        self.calls += 1
        return self.dropout(x.masked_fill(mask, 0) + y[index] * number)
def get_inputs():
    shape = (rows, columns)
    index, mask = torch.randint(rows, (rows,)), torch.rand(shape) < 0.5
    return [torch.rand(shape), torch.rand(shape), index, mask, 3]
def get_init_inputs():
    return [2.0]
"""

Make = Callable[..., Oracle]


@pytest.fixture
def mixed(tmp_path: Path) -> Make:
    path = tmp_path / "mixed.py"
    path.write_text(MIXED)
    return lambda **changes: make(path, **({"axes": {}} | changes))


def make(
    path: Path = TINY,
    axes: dict | None = None,
    dtype: torch.dtype = torch.float32,
    seed: int = 1,
    families: tuple[str, ...] | None = None,
) -> Oracle:
    return Oracle(path, axes or {}, dtype, torch.device("cpu"), seed, families)


def by_name(oracle: Oracle) -> dict[str, Trial]:
    return {trial.name: trial for trial in oracle.trials}


def test_all_families_unless_the_problem_says_otherwise() -> None:
    assert {draw.name for draw in make().trials} == {
        *("own", "own again", "normal", "small normal", "large normal", "huge normal"),
        *("NaN", "infinite"),
    }
    some = make(families=("large", "own")).trials
    assert {trial.name for trial in some} == {"large normal", "own", "own again"}


def test_what_a_file_does_not_state_is_stress_beyond_the_contract() -> None:
    stress = [trial.name for trial in make().trials if trial.stress]
    assert stress == ["huge normal", "NaN", "infinite"]
    assert not any(trial.stress for trial in make(families=("own", "huge", "non_finite")).trials)


REFUSING = """
import torch
class Model(torch.nn.Module):
    def forward(self, x):
        if {condition}:
            raise {error}
        return x
def get_inputs(): return [torch.rand(50)]
def get_init_inputs(): return []
"""


@pytest.mark.parametrize("error", ["ValueError('no')", "torch.OutOfMemoryError('no')"])
@pytest.mark.parametrize(
    "condition, left_out",
    [
        ("x.abs().max() > 50", {"huge normal", "infinite"}),
        ("x.isnan().any()", {"NaN"}),
        ("not x.isfinite().all() and x.dtype == torch.float64", {"NaN", "infinite"}),
    ],
)
def test_stress_that_the_reference_cannot_run_is_left_out(
    condition: str, left_out: set[str], error: str, tmp_path: Path
) -> None:
    path = tmp_path / "refusing.py"
    path.write_text(REFUSING.format(condition=condition, error=error))
    trials = make(path).trials
    every = {trial.name: trial for trial in make().trials}
    assert {trial.name for trial in trials} == every.keys() - left_out
    # What is left has the seeds that it had.
    assert all(trial.seed == every[trial.name].seed for trial in trials)


def test_a_contract_that_the_reference_cannot_run_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "refusing.py"
    path.write_text(REFUSING.format(condition="x.isnan().any()", error="ValueError('no NaN')"))
    with pytest.raises(ValueError, match="no NaN"):
        make(path, families=("own", "non_finite"))


def test_non_finite_trials_come_last_so_that_finite_ones_decide_first() -> None:
    finite = [trial.finite for trial in make(families=("non_finite", "own")).trials]
    assert finite == sorted(finite, reverse=True)


@pytest.mark.parametrize("family", FAMILIES)
def test_no_two_trials_share_inputs_or_seeds(family: str) -> None:
    trials = make(families=("own", family) if family != "own" else ("own",)).trials
    assert len({trial.seed for trial in trials}) == len(trials)
    first = trials[0].inputs[0]
    assert not any(torch.equal(trial.inputs[0], first) for trial in trials[1:])


@pytest.mark.parametrize("function", ["get_inputs", "get_init_inputs"])
def test_inputs_that_are_in_no_list_are_named(function: str, tmp_path: Path) -> None:
    path = tmp_path / "bare.py"
    path.write_text(f"{MIXED}\ndef {function}():\n    return torch.ones(3)\n")
    with pytest.raises(TypeError, match=rf"^{function}\(\) returns a Tensor, .* list or tuple"):
        make(path)


def test_axes_override_the_files_sizes() -> None:
    oracle = make(axes={"batch_size": 3, "out_features": 5})
    assert oracle.trials[0].inputs[0].shape == (3, 12)
    assert oracle.trials[0].eager.shape == oracle.trials[0].truth.shape == (3, 5)


def test_the_seed_fixes_inputs_and_weights() -> None:
    one, same, other = (make(seed=seed) for seed in (1, 1, 2))
    for trial, again in zip(one.trials, same.trials, strict=True):
        assert torch.equal(trial.inputs[0].nan_to_num(7), again.inputs[0].nan_to_num(7))
    assert torch.equal(one.model.linear.weight, same.model.linear.weight)
    assert not torch.equal(one.trials[0].inputs[0], other.trials[0].inputs[0])
    assert not torch.equal(one.model.linear.weight, other.model.linear.weight)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
def test_truth_is_float64_on_the_inputs_and_weights_as_rounded(dtype: torch.dtype) -> None:
    oracle = make(dtype=dtype)
    trial = oracle.trials[0]
    assert trial.inputs[0].dtype == trial.eager.dtype == dtype
    assert trial.truth.dtype == torch.float64
    linear, x = oracle.model.linear, trial.inputs[0].double()
    expected = (x @ linear.weight.double().T + linear.bias.double()).clamp(-3, 3)
    torch.testing.assert_close(trial.truth, expected, rtol=1e-13, atol=1e-13)
    error = (trial.eager - trial.truth).norm() / trial.truth.norm()
    assert error < 4 * torch.finfo(dtype).eps


def test_families_are_what_their_names_say() -> None:
    trials = {
        name: trial.inputs[0] for name, trial in by_name(make(axes={"batch_size": 400})).items()
    }
    assert trials["own"].min() >= 0 and trials["own"].max() < 1
    spread = {"normal": 1, "small normal": 1e-3, "large normal": 4, "huge normal": 100}
    for name, deviation in spread.items():
        assert trials[name].std().item() == pytest.approx(deviation, rel=0.1)
        assert trials[name].mean().abs() < deviation / 10
    assert 1 <= trials["NaN"].isnan().sum() <= 8
    assert trials["infinite"].isposinf().any() and trials["infinite"].isneginf().any()
    assert not trials["infinite"].isnan().any()


def test_only_the_non_finite_family_is_not_finite() -> None:
    for trial in make().trials:
        assert trial.finite == bool(trial.inputs[0].isfinite().all())


def test_integers_booleans_and_numbers_stay_as_the_problem_makes_them(mixed: Make) -> None:
    for trial in mixed(dtype=torch.bfloat16).trials:
        x, y, index, mask, number = trial.inputs
        assert x.dtype == y.dtype == torch.bfloat16
        assert index.dtype == torch.int64 and index.min() >= 0 and index.max() < 6
        assert mask.dtype == torch.bool
        assert number == 3
    huge = by_name(mixed())["huge normal"].inputs
    assert huge[0].abs().max() > 10 and huge[1].abs().max() > 10


def test_a_reference_that_works_in_place_leaves_the_inputs_alone(mixed: Make) -> None:
    assert by_name(mixed())["own"].inputs[0].max() < 1


def test_eager_and_truth_draw_the_same_random_numbers(mixed: Make) -> None:
    trial = mixed().trials[0]
    dropped = trial.truth == 0
    assert dropped.any() and not dropped.all()
    torch.testing.assert_close(trial.eager, trial.truth.float())


def test_derived_sizes_follow_an_overridden_axis(mixed: Make) -> None:
    assert mixed(axes={"rows": 3}).trials[0].inputs[0].shape == (3, 5)


def test_to_floating_copies_floats_and_passes_the_rest() -> None:
    x, index = torch.ones(2), torch.ones(2, dtype=torch.int64)
    copy = to_floating(x, torch.float32)
    assert copy.data_ptr() != x.data_ptr() and copy.dtype == torch.float32
    assert to_floating(index, torch.float64) is index
    assert to_floating("text", torch.float64) == "text"
