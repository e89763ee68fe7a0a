"""The worker's side: a file is loaded, its model made with the reference's weights, and called."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import TINY, bad_kernel
from judging import EXACT, PATIENCE_S, RIGHT, Court, doing

from harness.children import ChildFailed
from harness.records import Status

BUILT = "self.linear = nn.Linear(in_features, out_features)"


@pytest.fixture
def court(tmp_path: Path) -> Iterator[Court]:
    court = Court(tmp_path)
    court.prepare(families=["own", "normal"])
    yield court
    court.close()


def right(court: Court, kernel: str) -> bool:
    court.constructed(kernel)
    return court.answer()["status"] is None


# loading


@pytest.mark.parametrize(
    "kernel, step, status",
    [
        ("import_raises", "load", Status.LOAD_FAILED),
        ("syntax_error", "load", Status.BUILD_FAILED),
        ("constructor_differs", "construct", Status.LOAD_FAILED),
        ("forward_raises", "answer", Status.RUNTIME_ERROR),
        ("petabyte", "answer", Status.OUT_OF_MEMORY),
        ("cyclic_output", "answer", Status.WRONG_STRUCTURE),
    ],
)
def test_each_step_fails_by_its_own_name(
    kernel: str, step: str, status: Status, court: Court
) -> None:
    if step == "load":
        with pytest.raises(ChildFailed) as raised:
            court.hire(kernel)
        assert (raised.value.status, raised.value.alive) == (status, True)
        return
    court.hire(kernel)
    said = court.construct()
    if step == "answer":
        assert said == {"answer": None}
        said = court.answer()
    assert said["status"] == status and said["reason"]


def test_a_failure_points_at_the_line_of_the_file(court: Court) -> None:
    court.constructed(doing("raise ValueError('tired')"), "pointed")
    lines = doing("raise ValueError('tired')").splitlines()
    line = 1 + next(at for at, text in enumerate(lines) if "tired" in text)
    assert court.answer(name="pointed")["reason"] == f"ValueError (pointed.py:{line}): tired"


def test_a_file_is_loaded_with_the_values_it_is_given_for_its_globals(court: Court) -> None:
    sized = "SIZE = 99\n" + EXACT.replace(RIGHT, RIGHT.replace("x)", "x.view(SIZE, -1))"))
    child = court.hire(sized)
    court.construct()
    assert court.answer()["status"] == Status.RUNTIME_ERROR
    court.detach()
    child.ask("load", overrides={"SIZE": 7})
    court.attach()
    court.construct()
    assert court.answer()["status"] is None


def test_a_file_that_goes_on_without_nothing_says_so(court: Court) -> None:
    court.constructed("control_exact")
    assert court.judge.fallback("kernel", PATIENCE_S) == {"answer": ""}


def test_a_call_without_a_model_is_a_failure(court: Court) -> None:
    court.hire("control_exact")
    said = court.answer()
    assert (said["worker"], said["status"]) == ("failed", Status.RUNTIME_ERROR)


def test_nothing_is_left_open_of_judges_that_hung_up(court: Court) -> None:
    child = court.constructed("control_exact")

    def held() -> tuple[int, int]:
        process = Path(f"/proc/{child.pid}")
        maps = (process / "maps").read_text().count("memfd:bench-")
        return len(list((process / "fd").iterdir())), maps

    def again() -> tuple[int, int]:
        court.attach()
        assert court.construct() == {"answer": None} and court.answer()["status"] is None
        court.detach()
        return held()

    court.detach()
    first = again()
    assert [again() for _ in range(4)] == [first] * 4
    assert first[1] == 0


# weights


def test_weights_are_copied_where_names_and_shapes_agree(court: Court) -> None:
    # Draws a number first, so seeding alone would give other weights.
    assert right(court, EXACT.replace("self.linear", "torch.rand(1)\n        self.linear", 1))


def test_other_names_get_the_same_weights_by_the_same_random_state(court: Court) -> None:
    assert right(court, "control_renamed_weights")


def test_other_names_drawn_in_another_order_are_other_weights(court: Court) -> None:
    renamed = bad_kernel("control_renamed_weights").read_text()
    reordered = renamed.replace("self.dense", "torch.rand(1)\n        self.dense", 1)
    reordered = reordered.replace("import torch.nn", "import torch\nimport torch.nn", 1)
    assert not right(court, reordered)


def test_a_constructor_may_draw_from_any_of_the_random_states(court: Court) -> None:
    header = "import random\n\nimport numpy\nimport torch\n"
    drawn = "random.random() + numpy.random.rand() + float(torch.rand(()))"
    drawn = f"{BUILT}\n        self.drawn = {drawn}"

    def drawing(text: str) -> str:
        text = text.replace("import torch\n", header, 1).replace(BUILT, drawn)
        return text.replace(RIGHT, f"{RIGHT} * self.drawn")

    court.prepare(drawing(TINY.read_text()))
    assert right(court, drawing(EXACT))


def test_weights_are_the_references_own_in_every_dtype(court: Court) -> None:
    for dtype in ("float16", "bfloat16", "float64"):
        court.prepare(dtype=dtype)
        assert right(court, EXACT.replace("self.linear", "torch.rand(1)\n        self.linear", 1))


def test_complex_weights_keep_their_imaginary_parts(court: Court) -> None:
    phase = f"{BUILT}\n        self.register_buffer('phase', torch.tensor([1 + 2j]))"

    def turned(text: str) -> str:
        return text.replace(BUILT, phase).replace(RIGHT, "(self.linear(x) * self.phase).imag")

    court.prepare(turned(TINY.read_text()))
    assert right(court, turned(EXACT))


def test_a_tensor_among_the_constructors_arguments_stays_as_it_was(court: Court) -> None:
    def scaled(text: str) -> str:
        text = text.replace("out_features]", "out_features, torch.full((3,), 0.5)]")
        text = text.replace("in_features, out_features):", "in_features, out_features, scale):")
        text = text.replace(BUILT, f"{BUILT}\n        self.scale = scale")
        return text.replace(RIGHT, f"{RIGHT} * self.scale[1]")

    court.prepare(scaled(TINY.read_text()))
    small = "self.small = scale.untyped_storage().nbytes() < 1024"  # and not a copy of all there is
    kernel = scaled(EXACT).replace("self.scale = scale", f"self.scale = scale\n        {small}")
    assert right(court, kernel.replace("* self.scale[1]", "* self.scale[1] * self.small"))
    assert court.block()["comparison"]["status"] is None


# state


COUNTER = f"{BUILT}\n        self.register_buffer('n', torch.zeros(()))"
COUNTING = "self.n += 1\n        return x * self.n"


def counting(text: str) -> str:
    return text.replace(BUILT, COUNTER).replace(f"return {RIGHT}", COUNTING)


def test_what_forward_changes_of_its_state_is_restored_before_every_call(court: Court) -> None:
    court.prepare(counting(TINY.read_text()), families=["own", "normal"])
    court.constructed(counting(EXACT))
    for trial in ("own", "own again", "normal"):
        assert court.answer(trial)["status"] is None
        assert court.block(samples=10)["comparison"]["status"] is None


def test_what_a_kernel_changes_that_the_reference_does_not_is_its_own(court: Court) -> None:
    court.prepare(TINY.read_text(), families=["own", "normal"])
    counter = EXACT.replace(BUILT, f"{BUILT}\n        self.n = 0")
    once = f"self.n += 1\n        return {RIGHT} * self.n"
    court.constructed(counter.replace(f"return {RIGHT}", once))
    assert court.answer("own")["status"] is None
    assert court.answer("normal")["status"] is Status.WRONG_VALUES


def test_plain_attributes_and_what_takes_anothers_place_are_restored_too(court: Court) -> None:
    def recurrent(text: str) -> str:
        made = f"{BUILT}\n        self.hidden = torch.zeros(())"
        step = f"self.hidden = torch.tanh(self.hidden + 1)\n        return {RIGHT} * self.hidden"
        return text.replace(BUILT, made).replace(f"return {RIGHT}", step)

    court.prepare(recurrent(TINY.read_text()), families=["own", "normal"])
    court.constructed(recurrent(EXACT))
    for trial in ("own", "own again", "normal"):
        assert court.answer(trial)["status"] is None


# baselines


def test_a_baseline_has_the_problems_model_and_the_cases_axes(court: Court) -> None:
    court.prepare(axes={"batch_size": 3, "in_features": 5})
    child = court.hire_baseline()
    assert court.construct("eager") == {"answer": None}
    assert court.answer(name="eager")["status"] is None
    court.detach("eager")
    child.ask("load_baseline", name="eager", axes={"in_features": 6})
    court.prepare(axes={"in_features": 6})
    court.attach("eager")
    assert court.construct("eager") == {"answer": None}
    assert court.answer(name="eager")["status"] is None
    assert court.block(name="eager", judged=False)["comparison"] is None


def test_a_baseline_whose_file_fails_says_so(court: Court, tmp_path: Path) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text("raise ValueError('no')")
    with pytest.raises(ChildFailed, match="no") as raised:
        court.hire_baseline(broken)
    assert raised.value.status is Status.LOAD_FAILED
