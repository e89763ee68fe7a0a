"""What needs a GPU: every CUDA kernel judged, the cold timer, device errors, device hangs."""

from __future__ import annotations

import ast
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from statistics import median

import pytest
import torch
from command_line import BAD_KERNELS, BAD_KERNELS_GPU, ROOT, Run, bad_kernel, call_tiny, public
from command_line import call as call_with
from test_bad_kernels import promised

from harness.catalog import facts, find
from harness.records import NON_FINITE, Problem
from harness.timing import stopwatch
from harness.timing.cold import Cold

pytestmark = pytest.mark.gpu

PROBLEMS = find.list_problems(ROOT)
EXACT = bad_kernel("control_exact").read_text()
RIGHT = "return torch.clamp(self.linear(x), -3, 3)"


def kernel(tmp_path: Path, name: str, forward: str) -> Path:
    """A kernel file for the tiny problem, right but for what comes before its return."""
    path = tmp_path / f"{name}.py"
    path.write_text(EXACT.replace(RIGHT, f"{forward}\n        {RIGHT}"))
    return path


def promised_on_a_gpu(path: Path) -> list[str]:
    """The statuses that a bad kernel's docstring allows there."""
    docstring = ast.get_docstring(ast.parse(path.read_text())) or ""
    _, on_a_gpu, words = docstring.partition("On a GPU ")
    return words.partition(":")[0].split(" or ") if on_a_gpu else [promised(path)]


# every kernel of the tree


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.name)
@pytest.mark.timeout(1800)  # the first time it compiles
def test_every_cuda_kernel_is_right_at_odd_sizes_in_every_dtype(
    problem: Problem, tmp_path: Path
) -> None:
    others = "=".join(axis for axis in problem.axes if axis != "batch_size")
    sweep = ["--sweep", "batch_size=1,37", "--sweep", f"{others}=5,67,1026"]
    dtypes = ",".join(facts.DTYPES)
    options = ("--device", "cuda", "--dtype", dtypes, "--out", tmp_path / "out")
    run = call_with(["check", "--problem", problem.name, *options, *sweep], tmp_path / "out")
    assert run.code == 0, run.said + run.error
    ran = run.rows[run.rows["status"] != "SKIPPED"]
    cuda = {k.name for k in find.find_kernels(ROOT, problem, []) if "cuda" in k.devices}
    assert set(ran["kernel"]) == cuda
    # In which dtype or size one is skipped, its file says; most run everywhere.
    for name, rows in ran.groupby("kernel"):
        # All families are contract here.
        expected = rows["known_defect"].fillna("PASSED").replace(NON_FINITE, "WRONG_VALUES")
        assert (rows["status"] == expected).all(), name
        differs = "differs" if (expected != "PASSED").any() else "same"
        assert (rows["non_finite"] == differs).all(), name


def test_every_bad_kernel_gets_its_status_on_a_gpu_too(tmp_path: Path) -> None:
    # Without those that are slow, or for a CPU and therefore SKIPPED.
    kernels = [facts.read_kernel(path) for path in BAD_KERNELS.glob("*.py")]
    names = sorted(
        k.name for k in kernels if k.devices == facts.DEVICES and k.name != "import_hangs"
    )
    options = ("--device", "cuda", "--dtype", "float32", "--timeout", 10)
    run = call_tiny([bad_kernel(name) for name in names], *options, out=tmp_path)
    for name, status in zip(run.rows["kernel"], run.rows["status"], strict=True):
        assert status in promised_on_a_gpu(bad_kernel(name)), name
    assert list(run.rows["kernel"]) == names


def test_every_bad_kernel_of_a_gpu_gets_its_status(tmp_path: Path) -> None:
    # Of the tiny problem the times are too short for the judge's clock to tell: see below.
    kernels = sorted(set(BAD_KERNELS_GPU.glob("*.py")) - {BAD_KERNELS_GPU / "events_patched.py"})
    options = ("--device", "cuda", "--dtype", "float32", "--timeout", 20)
    run = call_tiny(kernels, *options, out=tmp_path)
    found = dict(zip(run.rows["kernel"], run.rows["status"], strict=True))
    assert found == {path.stem: promised(path) for path in kernels}


def test_times_are_borne_out_by_the_judges_clock(tmp_path: Path) -> None:
    kernels = [BAD_KERNELS_GPU / "events_patched.py", bad_kernel("control_exact")]
    sweep = ("--sweep", "batch_size=3,512", "--sweep", "in_features=out_features=2048")
    run = call_tiny(kernels, "--device", "cuda", "--dtype", "float32", *sweep, out=tmp_path)
    rows = run.rows.set_index("kernel")
    assert set(rows.loc["events_patched", "status"]) == {"SUSPECT"}
    assert rows.loc["events_patched", "latency_us"].isna().all()
    exact = rows.loc["control_exact"]
    assert set(exact["status"]) == {"PASSED"} and set(exact["bound_kind"]) == {"held"}
    # Caches are warm in a batch; it is no shorter than half of what a cold call takes.
    share = exact["bound_us"] / exact["latency_us"]
    assert share.between(0.3, 1.0 / 0.85).all(), share


# errors of the device


def check(kernels: list[Path], tmp_path: Path, *options: object) -> Run:
    options = ("--device", "cuda", "--dtype", "float32", *options)
    return call_tiny(kernels, *options, out=tmp_path / "out", command="check")


def test_a_device_error_costs_no_other_case_or_kernel(tmp_path: Path) -> None:
    outside = "x[torch.full((1,), 10**6, device=x.device)]"
    bad = kernel(tmp_path, "outside", f"if len(x) == 3: {outside}")
    run = check([bad, bad_kernel("control_exact")], tmp_path, "--sweep", "batch_size=3,7")
    assert run.statuses == ["RUNTIME_ERROR", "PASSED", "PASSED", "PASSED"]
    # Whichever call of CUDA's comes next is the one to hear of it.
    assert "CUDA error" in run.rows.loc[0, "reason"]


LOOK_UP = """
import torch
batch_size = 7
class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.table = torch.nn.Parameter(torch.rand(64))
    def forward(self, x):
        return self.table[x.abs().long()]
def get_inputs(): return [torch.rand(batch_size, 1000)]
def get_init_inputs(): return []
"""


def test_a_reference_that_stress_costs_its_context_judges_the_contract(tmp_path: Path) -> None:
    problem, kernel = tmp_path / "look_up.py", tmp_path / "same.py"
    problem.write_text(LOOK_UP)
    kernel.write_text(LOOK_UP.replace("class Model(", "class ModelNew("))
    run = check([kernel], tmp_path, "--problem", problem, "--sweep", "batch_size=3,7")
    assert (run.code, run.statuses) == (0, ["PASSED", "PASSED"]), run.said + run.error
    assert set(run.rows["non_finite"]) == {"untested"} and run.rows["stress"].isna().all()


def test_a_device_error_under_stress_costs_no_pass(tmp_path: Path) -> None:
    outside = "x[torch.full((1,), 10**6, device=x.device)]"
    bad = kernel(tmp_path, "outside", f"if x.isnan().any(): {outside}")
    options = ("--device", "cuda", "--dtype", "float32", "--problem", public(tmp_path))
    run = call_tiny([bad, bad_kernel("nan_lost")], *options, out=tmp_path / "out")
    assert (run.code, run.statuses) == (0, ["PASSED", "PASSED"]), run.said + run.error
    assert set(run.rows["non_finite"]) == {"differs"}
    assert "CUDA error" in run.rows.loc[0, "stress"]
    assert run.rows["speedup_vs_eager"].notna().all()


def test_a_device_that_never_answers_is_let_go(tmp_path: Path) -> None:
    spins = kernel(tmp_path, "spins", "torch.cuda._sleep(1 << 60)")
    run = check([spins, bad_kernel("control_exact")], tmp_path, "--timeout", 5)
    assert run.statuses == ["TIMED_OUT", "PASSED"]


def test_an_output_on_the_cpu_is_another_structure(tmp_path: Path) -> None:
    strays = kernel(tmp_path, "strays", f"{RIGHT}.cpu()")
    run = check([strays], tmp_path)
    assert run.statuses == ["WRONG_STRUCTURE"]
    assert "lies on cpu" in run.rows.loc[0, "reason"]


def test_float32_is_not_tf32(tmp_path: Path) -> None:
    relaxed = kernel(tmp_path, "relaxed", "torch.backends.cuda.matmul.allow_tf32 = True")
    sizes = ("--sweep", "batch_size=256", "--sweep", "in_features=out_features=256")
    run = check([relaxed, bad_kernel("control_exact")], tmp_path, *sizes)
    capable = torch.cuda.get_device_capability() >= (8, 0)
    assert run.statuses == ["WRONG_VALUES" if capable else "PASSED", "PASSED"]


# time


@pytest.fixture
def time_us() -> Callable[..., float]:
    """The median of a call, alternating with others if there are any."""
    timer = stopwatch.of(torch.device("cuda"))

    def block(call: Callable[[], object]) -> list[float]:
        times_us = []
        for at in range(12):
            timer.unhurried = at < 2
            timer.take(call)
            times_us.append(timer.finish() / 1e3)
        return times_us[2:]

    def time_us(*calls: Callable[[], object]) -> tuple[float, ...]:
        for call in calls * 5:  # a GPU is to get to its working clock
            block(call)
        blocks = [[block(call) for call in calls] for _ in range(5)]
        return tuple(median(chain.from_iterable(taken)) for taken in zip(*blocks, strict=True))

    return time_us


def test_twice_the_work_takes_twice_the_time(time_us: Callable[..., tuple[float, ...]]) -> None:
    cycles = 1_000_000
    once, twice = time_us(lambda: torch.cuda._sleep(cycles), lambda: torch.cuda._sleep(2 * cycles))
    assert twice / once == pytest.approx(2, rel=0.03)


def test_two_launches_take_as_long_as_both(time_us: Callable[..., tuple[float, ...]]) -> None:
    def twice() -> None:
        torch.cuda._sleep(500_000)
        torch.cuda._sleep(500_000)

    one, two = time_us(lambda: torch.cuda._sleep(1_000_000), twice)
    assert two / one == pytest.approx(1, rel=0.05)


def test_what_the_host_does_before_a_launch_is_not_timed(
    time_us: Callable[..., tuple[float, ...]],
) -> None:
    def slow_host() -> None:
        sum(range(20_000))  # some hundred microseconds
        torch.cuda._sleep(100_000)

    plain, slow = time_us(lambda: torch.cuda._sleep(100_000), slow_host)
    assert slow / plain == pytest.approx(1, rel=0.1)


def test_a_launch_takes_some_microseconds_and_calls_are_queued_as_before() -> None:
    timer = Cold(torch.device("cuda"))
    timer.unhurried = True
    timer.take(lambda: sum(range(20_000)))
    timer.finish()
    launch_us, host_us, calls_us = timer.launch()
    assert 0.5 < launch_us < 10 and 0.5 < host_us < 100
    assert calls_us > 100 and timer.launch()[2] == calls_us


@pytest.mark.parametrize("mebibytes", [16, 256])
def test_a_cold_copy_is_no_faster_than_memory(
    mebibytes: int, time_us: Callable[..., tuple[float, ...]]
) -> None:
    properties = torch.cuda.get_device_properties(0)
    if not hasattr(properties, "memory_bus_width"):
        pytest.skip("this torch does not tell the memory's width")
    # Kilohertz, two transfers per clock, bits.
    peak = 2e3 * properties.memory_clock_rate * properties.memory_bus_width / 8
    x = torch.zeros(mebibytes << 20, dtype=torch.uint8, device="cuda")
    (us,) = time_us(x.clone)
    # All of it is read from memory; of what is written, the cache may hold back its own size.
    moved = x.nbytes + max(0, x.nbytes - properties.L2_cache_size)
    assert us > moved / peak * 1e6


def test_eager_is_as_fast_as_eager(tmp_path: Path) -> None:
    sizes = ("--sweep", "batch_size=1024", "--sweep", "in_features=out_features=2048")
    options = ("--device", "cuda", "--dtype", "float32", *sizes)
    run = call_tiny([bad_kernel("control_exact")], *options, out=tmp_path)
    assert run.statuses == ["PASSED"]
    assert run.rows.loc[0, "speedup_vs_eager"] == pytest.approx(1, rel=0.05)
