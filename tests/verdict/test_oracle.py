"""What the judge knows: inputs of every family, eager's output, the truth, one trial at a time."""

from __future__ import annotations

import gc
import itertools
import weakref
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from command_line import TINY

from harness.records import OTHER_WEIGHTS, Draw
from harness.verdict.compare import compare
from harness.verdict.inputs import copied, tensors
from harness.verdict.oracle import Oracle, Trial

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
    secret: str = "secret",
    families: tuple[str, ...] | None = None,
    on_step: Callable[[str], None] = lambda text: None,
    device: str = "cpu",
) -> Oracle:
    return Oracle(path, axes or {}, dtype, torch.device(device), secret, families, on_step)


def all_trials(oracle: Oracle) -> list[Trial]:
    return [oracle.trial(index) for index in range(len(oracle.draws))]


def by_name(oracle: Oracle) -> dict[str, Trial]:
    return {trial.name: trial for trial in all_trials(oracle)}


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "problem.py"
    path.write_text(f"import torch\n{text}\ndef get_init_inputs(): return []\n")
    return path


FORWARD = """
class Model(torch.nn.Module):
    def forward(self, x):
        return x * 2
"""


def test_all_families_unless_the_problem_says_otherwise() -> None:
    assert [draw.name for draw in make().draws] == [
        *("own", "own again", "own changed", OTHER_WEIGHTS),
        *("normal", "small normal", "large normal", "huge normal", "NaN", "infinite"),
    ]
    some = make(families=("large", "own")).draws
    assert [draw.name for draw in some] == [
        *("own", "own again", "own changed", OTHER_WEIGHTS, "large normal"),
    ]


def test_what_a_file_does_not_state_is_stress_beyond_the_contract() -> None:
    stress = [draw.name for draw in make().draws if draw.stress]
    assert stress == ["huge normal", "NaN", "infinite"]
    assert not any(draw.stress for draw in make(families=("own", "huge", "non_finite")).draws)


def test_a_trial_says_what_its_draw_does() -> None:
    oracle = make()
    for draw, trial in zip(oracle.draws, all_trials(oracle), strict=True):
        assert Draw(trial.name, trial.finite, trial.stress) == draw


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
    "condition, refused",
    [
        ("x.abs().max() > 50", {"huge normal", "infinite"}),
        ("x.isnan().any()", {"NaN"}),
        ("not x.isfinite().all() and x.dtype == torch.float64", {"NaN", "infinite"}),
    ],
)
def test_what_the_reference_cannot_run_is_raised_by_that_trial_alone(
    condition: str, refused: set[str], error: str, tmp_path: Path
) -> None:
    path = tmp_path / "refusing.py"
    path.write_text(REFUSING.format(condition=condition, error=error))
    oracle = make(path)
    for index, draw in enumerate(oracle.draws):
        if draw.name in refused:
            with pytest.raises((ValueError, torch.OutOfMemoryError), match="no"):
                oracle.trial(index)
        else:
            assert oracle.trial(index).name == draw.name


def test_nothing_is_computed_before_it_is_asked_for(tmp_path: Path) -> None:
    path = written(tmp_path, "Model = torch.nn.Identity\ndef get_inputs(): raise ValueError('no')")
    oracle = make(path)
    with pytest.raises(ValueError, match="no"):
        oracle.trial(0)


def test_no_trial_is_kept() -> None:
    oracle = make()
    first = oracle.trial(0)
    gone = [weakref.ref(t) for t in (first.inputs[0], first.eager, first.truth)]
    del first
    gc.collect()
    assert [reference() for reference in gone] == [None] * 3


def test_steps_that_may_hang_are_announced() -> None:
    told: list[str] = []
    oracle = make(on_step=told.append)
    assert told == ["importing tiny.py", "making Model"]
    told.clear()
    trial = oracle.trial(2)
    assert told == ["own changed inputs", "truth of own changed inputs", "own changed inputs"]
    told.clear()
    oracle.expected(trial.inputs, trial.seed)
    oracle.fresh(0)
    assert told == ["truth of the inputs of a call", "the inputs of a call"]


def test_non_finite_trials_come_last_so_that_finite_ones_decide_first() -> None:
    finite = [draw.finite for draw in make(families=("non_finite", "own")).draws]
    assert finite == sorted(finite, reverse=True)


def test_no_two_trials_share_inputs_or_seeds() -> None:
    trials = all_trials(make())
    assert len({trial.seed for trial in trials}) == len(trials)
    for one, other in itertools.combinations(trials, 2):
        assert not torch.equal(one.inputs[0], other.inputs[0])
        assert one.inputs[0].data_ptr() != other.inputs[0].data_ptr()


@pytest.mark.parametrize("function", ["get_inputs", "get_init_inputs"])
def test_inputs_that_are_in_no_list_are_named(function: str, tmp_path: Path) -> None:
    path = tmp_path / "bare.py"
    path.write_text(f"{MIXED}\ndef {function}():\n    return torch.ones(3)\n")
    with pytest.raises(TypeError, match=rf"^{function}\(\) returns a Tensor, .* list or tuple"):
        make(path).trial(0)


def test_axes_override_the_files_sizes() -> None:
    oracle = make(axes={"batch_size": 3, "out_features": 5})
    trial = oracle.trial(0)
    assert trial.inputs[0].shape == (3, 12)
    assert trial.eager.shape == trial.truth.shape == (3, 5)


def test_the_secret_fixes_inputs_and_weights() -> None:
    one, same, other = (make(secret=secret) for secret in ("1", "1", "2"))
    for trial, again in zip(all_trials(one), all_trials(same), strict=True):
        assert torch.equal(trial.inputs[0].nan_to_num(7), again.inputs[0].nan_to_num(7))
        assert trial.seed == again.seed
    assert torch.equal(one.model.linear.weight, same.model.linear.weight)
    assert not torch.equal(one.trial(0).inputs[0], other.trial(0).inputs[0])
    assert not torch.equal(one.model.linear.weight, other.model.linear.weight)
    assert one.seed == same.seed != other.seed


def test_a_trial_is_the_same_whenever_it_is_made() -> None:
    backwards = make()
    late = [backwards.trial(index) for index in reversed(range(len(backwards.draws)))]
    for trial, other in zip(all_trials(make()), reversed(late), strict=True):
        assert torch.equal(trial.inputs[0].nan_to_num(7), other.inputs[0].nan_to_num(7))
        assert torch.equal(trial.truth.nan_to_num(7), other.truth.nan_to_num(7))


def test_whoever_has_the_seeds_that_kernels_see_cannot_derive_inputs() -> None:
    oracle = make()
    trial = oracle.trial(0)
    for seed in (oracle.seed, trial.seed):
        for near in range(seed - 5, seed + 20):
            torch.manual_seed(near)
            assert not torch.equal(torch.rand(7, 12), trial.inputs[0])


def test_the_random_state_after_drawing_tells_nothing(tmp_path: Path) -> None:
    text = f"""{FORWARD}
left = []
def get_inputs():
    x = torch.rand(8)
    left.append(torch.get_rng_state())
    return [x]
"""
    oracle = make(written(tmp_path, text))
    oracle.fresh(0)
    follows = torch.rand(8)
    for state in oracle._module.left:
        torch.set_rng_state(state)
        assert not torch.equal(torch.rand(8), follows)


def test_the_constructors_seed_makes_the_weights() -> None:
    oracle = make()
    torch.manual_seed(oracle.seed)
    linear = torch.nn.Linear(*oracle.init_inputs)
    assert torch.equal(linear.weight, oracle.model.linear.weight)


@pytest.mark.parametrize("source", ["numpy.random.rand()", "random.random()"])
def test_other_random_numbers_are_secret_and_fixed_as_well(source: str, tmp_path: Path) -> None:
    text = f"""
import numpy, random
class Model(torch.nn.Module):
    def forward(self, x):
        return x + {source}
def get_inputs(): return [torch.tensor([{source}])]
"""
    path = written(tmp_path, text)
    one, same, other = (make(path, secret=secret).trial(0) for secret in ("1", "1", "2"))
    assert torch.equal(one.inputs[0], same.inputs[0]) and torch.equal(one.eager, same.eager)
    assert not torch.equal(one.inputs[0], other.inputs[0])
    torch.testing.assert_close(one.eager.double(), one.truth)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
def test_truth_is_float64_on_the_inputs_and_weights_as_rounded(dtype: torch.dtype) -> None:
    oracle = make(dtype=dtype)
    trial = oracle.trial(0)
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
    for trial in all_trials(make()):
        assert trial.finite == bool(trial.inputs[0].isfinite().all())


def test_integers_booleans_and_numbers_stay_as_the_problem_makes_them(mixed: Make) -> None:
    for trial in all_trials(mixed(dtype=torch.bfloat16)):
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
    trial = mixed().trial(0)
    dropped = trial.truth == 0
    assert dropped.any() and not dropped.all()
    torch.testing.assert_close(trial.eager, trial.truth.float())


def test_derived_sizes_follow_an_overridden_axis(mixed: Make) -> None:
    assert mixed(axes={"rows": 3}).trial(0).inputs[0].shape == (3, 5)


# State


def test_the_state_that_a_worker_is_given_is_the_initial_one(mixed: Make) -> None:
    oracle = mixed()
    assert oracle.changing == ()
    for _ in range(2):
        oracle.trial(0)
        assert oracle.model.state_dict()["calls"] == 0
        assert oracle.changing == ("calls",)


COUNTING = """
class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("n", torch.zeros(1))
    def forward(self, x):
        self.n += 1
        return x * self.n
def get_inputs(): return [torch.rand(9)]
"""


def test_every_answer_is_that_of_a_first_call(tmp_path: Path) -> None:
    oracle = make(written(tmp_path, COUNTING))
    for trial in all_trials(oracle)[:6]:
        assert torch.equal(trial.eager, trial.inputs[0])
        assert torch.equal(trial.truth, trial.inputs[0].double())


# One element


def test_one_element_of_the_draw_before_is_changed() -> None:
    trials = by_name(make())
    before, after = trials["own again"].inputs[0], trials["own changed"].inputs[0]
    assert (before != after).sum() == 1
    assert after.min() >= 0 and after.max() < 1
    assert (before - after).abs().max() > 0.2
    assert not torch.equal(trials["own again"].truth, trials["own changed"].truth)


def test_what_cannot_be_changed_is_drawn_anew(tmp_path: Path) -> None:
    text = f"{FORWARD}\ndef get_inputs(): return [torch.randint(1000, (50,))]"
    trials = by_name(make(written(tmp_path, text)))
    assert (trials["own again"].inputs[0] != trials["own changed"].inputs[0]).sum() > 40


# get_inputs()


NOTING = """
made = []
class Model(torch.nn.Module):
    def forward(self, x, *more):
        return x * 2
def get_inputs():
    made.append(1)
    return [torch.rand(9), torch.rand(2, 3).t()MORE]
"""


@pytest.mark.parametrize("more, all_draws", [("", False), (", torch.arange(3)", True)])
def test_get_inputs_is_called_only_where_its_values_are_used(
    more: str, all_draws: bool, tmp_path: Path
) -> None:
    oracle = make(written(tmp_path, NOTING.replace("MORE", more)))
    names = [trial.name for trial in all_trials(oracle)]
    own = sum(name in ("own", "own again", "own changed", OTHER_WEIGHTS) for name in names)
    made = len(oracle._module.made)
    assert made == (len(names) if all_draws else own)
    oracle.stranger(0, 0)
    assert len(oracle._module.made) == made + all_draws


# Strangers


def test_strangers_are_of_each_other_finite_family_of_the_contract_in_turn() -> None:
    oracle = make(families=("own", "normal", "small", "large", "non_finite"))
    sizes = []
    for turn in range(6):
        (x,) = oracle.stranger(turn, turn).inputs
        assert x.isfinite().all() and x.min() < 0  # no draw of get_inputs() has that
        sizes.append(float(x.abs().mean()))
    rank = [sorted(sizes[:3]).index(size) for size in sizes[:3]]
    assert sorted(rank) == [0, 1, 2]
    for one, other in zip(sizes, sizes[3:], strict=False):
        assert one == pytest.approx(other, rel=0.5)


def test_where_there_is_no_other_family_a_stranger_is_none() -> None:
    oracle = make(families=("own", "non_finite"))
    (x,) = oracle.stranger(0, 0).inputs
    assert x.min() >= 0 and x.max() < 1


# Layout and nesting


@pytest.mark.parametrize(
    "source, stride, offset",
    [
        ("torch.randn(4, 20)[:, ::2]", (20, 2), 0),
        ("torch.randn(4, 20)[:, :10]", (20, 1), 0),
        ("torch.randn(4, 1).expand(4, 10)", (1, 0), 0),
        ("torch.randn(5, 10)[1:]", (10, 1), 10),
        ("torch.randn(10, 4).t()", (1, 4), 0),
    ],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_inputs_keep_the_layout_that_the_problem_gives_them(
    source: str, stride: tuple[int, ...], offset: int, dtype: torch.dtype, tmp_path: Path
) -> None:
    text = f"""
class Model(torch.nn.Module):
    def forward(self, x):
        return x * 2, x.stride(), x.storage_offset()
def get_inputs(): return [{source}]
"""
    oracle = make(written(tmp_path, text), dtype=dtype)
    for trial in all_trials(oracle):
        x = trial.inputs[0]
        assert (tuple(x.shape), x.stride(), x.storage_offset()) == ((4, 10), stride, offset)
        for output in (trial.eager, trial.truth):
            assert output[1:] == (stride, offset)
    assert oracle.fresh(0).inputs[0].stride() == stride


def test_nested_inputs_are_drawn_and_judged(tmp_path: Path) -> None:
    text = """
from collections import namedtuple
Pair = namedtuple("Pair", "a b")
class Model(torch.nn.Module):
    def forward(self, xs, factor, more):
        xs[0].mul_(factor)
        return [xs[0] + xs[1][0] + more["pair"].a, more["pair"].b]
def get_inputs():
    x, y, a = (torch.rand(2, 3) for _ in range(3))
    return [[x, (y,)], 2.0, {"pair": Pair(a, torch.arange(3))}]
"""
    oracle = make(written(tmp_path, text), dtype=torch.float16)
    for trial in all_trials(oracle):
        xs, factor, more = trial.inputs
        assert xs[0].dtype == xs[1][0].dtype == more["pair"].a.dtype == torch.float16
        if trial.finite:
            expected = xs[0].double() * factor + xs[1][0] + more["pair"].a
            torch.testing.assert_close(trial.truth[0], expected)
            torch.testing.assert_close(trial.eager[0].double(), expected, rtol=1e-2, atol=1e-2)
        assert trial.eager[1].tolist() == [0, 1, 2]
    assert oracle.fresh(0).inputs[2]["pair"].a.shape == (2, 3)


@pytest.mark.gpu
@pytest.mark.parametrize("large", [False, True])
def test_all_of_it_lies_on_the_device(large: bool, tmp_path: Path) -> None:
    text = f"""
class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("n", torch.zeros(1))
        self.scale = torch.nn.Parameter(torch.rand(10))
    def forward(self, x, more):
        self.n += 1
        return torch.nn.functional.dropout(x * self.scale * self.n) + more["y"][more["index"]]
def get_inputs():
    rows = {40_000 if large else 40}
    x = torch.rand(rows, 20)[:, ::2]
    return [x, {{"y": torch.rand(rows, 1).expand(rows, 10), "index": torch.arange(rows)}}]
"""
    oracle = make(written(tmp_path, text), device="cuda", dtype=torch.bfloat16)
    for trial in all_trials(oracle):
        for value in (*tensors(trial.inputs), trial.eager, trial.truth):
            assert value.device.type == "cuda"
        assert (trial.inputs[0].stride(), trial.inputs[1]["y"].stride()) == ((20, 2), (1, 0))
        if trial.finite:
            # By the norm: an element may be the small difference of two large ones.
            assert (trial.eager.double() - trial.truth).norm() < 0.01 * trial.truth.norm()
    assert oracle.changing == ("n",)
    seen = [copied(oracle.fresh(number).inputs) for number in range(12)]
    assert seen[0][0].is_cuda and seen[0][0].stride() == (20, 2)
    for one, other in itertools.combinations(seen, 2):
        assert not all(map(torch.equal, tensors(one), tensors(other)))


# Other weights

TIED = """
class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = torch.nn.Linear(8, 8), torch.nn.Linear(8, 8)
        self.second.weight = self.first.weight
        self.register_buffer("kept", torch.rand(8))
    def forward(self, x):
        return self.second(self.first(x)) + self.kept
def get_inputs(): return [torch.rand(5, 8)]
"""


def test_other_weights_are_those_of_the_model_rolled(tmp_path: Path) -> None:
    oracle = make(written(tmp_path, TIED))
    before = {name: value.clone() for name, value in oracle.model.state_dict().items()}
    trial = by_name(oracle)[OTHER_WEIGHTS]
    other = oracle.weights(trial.weights)
    assert list(other) == [name for name in before if name != "kept"]
    for name, value in other.items():
        assert not torch.equal(value, before[name])
        assert torch.equal(value.flatten().sort()[0], before[name].flatten().sort()[0])
    assert torch.equal(other["first.weight"], other["second.weight"])
    expected = torch.func.functional_call(
        oracle.model, {**before, **other}, trial.inputs[0], tie_weights=False
    )
    torch.testing.assert_close(trial.eager, expected)
    torch.testing.assert_close(trial.truth.float(), expected)
    after = oracle.model.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert all(torch.equal(value, before[name]) for name, value in oracle.weights(None).items())
    assert oracle.changing == ()


def test_a_model_without_parameters_has_no_other_weights(tmp_path: Path) -> None:
    oracle = make(written(tmp_path, FORWARD + "def get_inputs(): return [torch.rand(3)]"))
    assert OTHER_WEIGHTS not in [draw.name for draw in oracle.draws]


# Where there is no room

SHORT = """
told = []
class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(8, 8)
        self.register_buffer("calls", torch.zeros(1))
        self.plain = [torch.ones(8)]
    def forward(self, x):
        told.append(x.dtype)
        if told.count(torch.float64) in {refused} and x.dtype == torch.float64:
            raise torch.OutOfMemoryError("no room")
        self.calls += 1
        return self.linear(x + torch.randn_like(x)) * self.calls + self.plain[0]
def get_inputs(): return [torch.rand(5, 8)]
"""


def test_a_truth_without_room_is_computed_on_the_host(tmp_path: Path) -> None:
    short = make(written(tmp_path, SHORT.format(refused="(1,)")))
    (tmp_path / "roomy").mkdir()
    roomy = make(written(tmp_path / "roomy", SHORT.format(refused="()")))
    for one, other in zip(all_trials(short), all_trials(roomy), strict=True):
        assert torch.equal(one.eager.nan_to_num(7), other.eager.nan_to_num(7))
        assert torch.equal(one.truth.nan_to_num(7), other.truth.nan_to_num(7))
    told = short._module.told
    assert told[:4] == [torch.float64, torch.float32, torch.float64, torch.float32]


def test_only_at_first_is_a_want_of_room_the_truths(tmp_path: Path) -> None:
    oracle = make(written(tmp_path, SHORT.format(refused="(2,)")))
    oracle.trial(0)
    with pytest.raises(torch.OutOfMemoryError):  # others have it, and are asked for it first
        oracle.trial(1)
    assert oracle.trial(1).name == "own again"


def test_a_reference_without_room_is_not_computed_in_float64(tmp_path: Path) -> None:
    text = SHORT.format(refused="(1,)").replace("and x.dtype == torch.float64", "")
    oracle = make(written(tmp_path, text))
    with pytest.raises(torch.OutOfMemoryError):
        oracle.trial(0)
    assert oracle._module.told == [torch.float64, torch.float32]


@pytest.mark.gpu
def test_on_a_gpu_the_truth_gives_way(tmp_path: Path) -> None:
    text = """
class Model(torch.nn.Module):
    def forward(self, x):
        return torch.relu(x + torch.rand_like(x))
def get_inputs(): return [torch.rand(64 << 20) - 0.5]
"""
    total = torch.cuda.get_device_properties(0).total_memory
    held = torch.cuda.memory_allocated()
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction((held + 5.5 * (256 << 20)) / total)
    try:
        oracle = make(written(tmp_path, text), device="cuda", families=("own",))
        trial = oracle.trial(0)
        assert trial.eager.is_cuda and not trial.truth.is_cuda
        assert compare(trial.eager, trial.eager, trial.truth).status is None
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


# Random numbers in forward


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_random_numbers_in_forward_are_judged(dtype: torch.dtype, tmp_path: Path) -> None:
    text = """
class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(8, 8)
    def forward(self, x):
        return self.linear(x + torch.randn(5, 8, dtype=x.dtype, device=x.device))
def get_inputs(): return [torch.rand(5, 8)]
"""
    oracle = make(written(tmp_path, text), dtype=dtype)
    trial = oracle.trial(0)
    error = (trial.eager - trial.truth).norm() / trial.truth.norm()
    assert trial.truth.dtype == torch.float64 and 0 < error < 4 * torch.finfo(dtype).eps
    again = oracle.expected(trial.inputs, trial.seed)
    assert torch.equal(again[0], trial.eager) and torch.equal(again[1], trial.truth)
    assert not torch.equal(oracle.expected(trial.inputs, trial.seed + 1)[0], trial.eager)


# Timed calls


def test_fresh_inputs_are_of_the_first_finite_family() -> None:
    own, normal = make(), make(families=("non_finite", "huge"))
    for number in range(5):
        assert own.fresh(number).inputs[0].min() >= 0
        assert normal.fresh(number).inputs[0].abs().max() > 50
    assert make(families=("non_finite",)).fresh(0).inputs[0].isfinite().all()


def test_fresh_inputs_are_those_of_no_trial_and_never_repeat() -> None:
    oracle = make()
    judged = [trial.inputs[0] for trial in all_trials(oracle)]
    timed = [oracle.fresh(number).inputs[0].clone() for number in range(10)]
    every = [*judged, *timed]
    assert not any(torch.equal(a, b) for a, b in itertools.combinations(every, 2))
    call = oracle.fresh(10)
    eager, truth = oracle.expected(call.inputs, call.seed)
    torch.testing.assert_close(eager.double(), truth)


def test_what_was_given_does_not_return_when_the_draw_is_forgotten() -> None:
    oracle = make(axes={"batch_size": 30_000})  # more than is drawn for each call
    seen = []
    for number in (0, 1, 0, 1):
        seen.append(oracle.fresh(number).inputs[0])
        oracle.forget()
    assert not any(torch.equal(a, b) for a, b in itertools.combinations(seen, 2))
    assert all(x.min() >= 0 and x.max() < 1 for x in seen)
