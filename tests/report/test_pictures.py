"""Which pictures there are, how they come to be on disk, and what a failure costs."""

from __future__ import annotations

import csv
import shutil
import subprocess
import sys
from pathlib import Path

import matplotlib
import pytest
from command_line import ROOT
from disk import room
from drawn import SIZES, make_run, texts
from matplotlib.figure import Figure

from harness import results
from harness.records import HarnessError, Status
from harness.report import bars, curves, layout, maps, pictures


def no_warning(text: str) -> None:
    raise AssertionError(text)


def plot(folder: Path, **run) -> list[str]:
    return [path.name for path in pictures.plot_all(make_run(folder, **run), no_warning)]


def images(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.suffix in (".png", ".svg")}


def test_pictures_are_written_beside_the_results_as_png_and_svg(tmp_path):
    names = ["speedup_fused", "speedup_naive", "latency", "relative", "summary"]
    assert plot(tmp_path, kernels=("fused", "naive")) == [f"{name}.png" for name in names]
    for name in names:
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert b"<svg" in (tmp_path / f"{name}.svg").read_bytes()
    files = {"results.csv", "samples.csv", "environment.json"}
    assert {path.name for path in tmp_path.iterdir()} == files | images(tmp_path)


def test_the_same_run_gives_the_same_files(tmp_path):
    plot(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    pictures.plot_all(tmp_path, no_warning)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


PUBLISHED = [path.parent for path in (ROOT / "results/published").glob("*/results.csv")]


@pytest.mark.parametrize("published", PUBLISHED, ids=lambda folder: folder.name)
def test_published_runs_are_drawn_whatever_version_they_are_of(published, tmp_path):
    for name in ("results.csv", "environment.json"):
        shutil.copy(published / name, tmp_path)
    assert {path.name for path in pictures.plot_all(tmp_path, no_warning)} == {
        path.name for path in published.glob("*.png")
    }
    run = layout.load(tmp_path)
    assert set(run.frame["status"]) <= set(Status)
    assert "NON_FINITE" not in run.reasons


@pytest.mark.parametrize(
    "run, names",
    [
        ({"outcome": lambda *_: Status.BUILD_FAILED}, []),
        ({"baselines": ()}, ["latency"]),
        (
            {"kernels": ("fused", "broken"),
             "outcome": lambda k, *_: Status.CRASHED if k == "broken" else Status.PASSED},
            ["speedup_fused", "latency", "relative", "summary"],
        ),
        ({"sizes": {"rows": [1]}}, ["speedup_fused", "latency", "relative", "summary"]),
        ({"sizes": {}, "dtypes": ("float32", "float16")},
         ["speedup_fused", "latency", "relative", "summary"]),
        ({"kernels": ("$x", "[bold]", "naïve_∞", "日本")},
         ["speedup_$x", "speedup_[bold]", "speedup_naïve_∞", "speedup_日本",
          "latency", "relative", "summary"]),
        ({"sizes": SIZES | {"mode": ["", "sum"]}, "shaky": lambda *_: True},
         ["speedup_fused", "latency", "relative"]),
    ],
    ids=["nothing", "no eager", "a broken kernel", "one size", "no axes", "odd names", "uncertain"],
)  # fmt: skip
@pytest.mark.filterwarnings("error")
def test_there_is_a_picture_of_whatever_was_timed(tmp_path, run, names):
    assert plot(tmp_path, **run) == [f"{name}.png" for name in names]


def test_a_run_of_an_older_version_is_drawn(tmp_path):
    """It lacks columns; that a time is uncertain still shows by its interval."""
    folder = make_run(tmp_path, sizes={"rows": [1, 2]}, shaky=lambda name, axes, _: (
        name == "fused" and axes["rows"] == 2))  # fmt: skip
    with (folder / results.RESULTS).open(newline="") as file:
        rows = list(csv.DictReader(file))
    kept = [name for name in rows[0] if name not in ("fallback", "timer", "uncertain")]
    with (folder / results.RESULTS).open("w", newline="") as file:
        writer = csv.DictWriter(file, kept, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    assert len(pictures.plot_all(folder, no_warning)) == 4
    assert "uncertain, not ranked" in texts(curves.latency(layout.load(folder)))


def test_a_folder_without_results_is_explained(tmp_path):
    with pytest.raises(HarnessError, match="does not exist"):
        pictures.plot_all(tmp_path, no_warning)


def test_drawing_needs_neither_torch_nor_a_display():
    code = (
        "import sys, harness.report.pictures; "
        "sys.exit(bool({'torch', 'matplotlib.pyplot'} & set(sys.modules)))"
    )
    root = Path(pictures.__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0


# failures


@pytest.mark.parametrize("module, name, picture", [
    (curves, "latency", "latency"), (maps, "speedup_maps", "speedup_fused"),
    (bars, "summary", "summary"),
])  # fmt: skip
def test_a_picture_that_fails_is_a_sentence_and_the_others_are_drawn(
    tmp_path, monkeypatch, module, name, picture
):
    def broken(*_):
        raise RuntimeError("no such glyph\nsecond line")

    monkeypatch.setattr(module, name, broken)
    sentences: list[str] = []
    drawn = pictures.plot_all(make_run(tmp_path), sentences.append)
    names = {"speedup_fused", "latency", "relative", "summary"}
    assert {path.stem for path in drawn} == names - {picture}
    (sentence,) = sentences
    assert f"picture {picture}" in sentence and "RuntimeError: no such glyph" in sentence
    assert "\n" not in sentence
    assert not (tmp_path / f"{picture}.png").exists()


def test_a_picture_that_cannot_be_rendered_is_a_sentence_too(tmp_path, monkeypatch):
    save = Figure.savefig

    def savefig(self, file, **options):
        if options["format"] == "svg" and len(self.axes) == 1:
            raise ValueError("mathtext")
        save(self, file, **options)

    monkeypatch.setattr(Figure, "savefig", savefig)
    sentences: list[str] = []
    drawn = pictures.plot_all(make_run(tmp_path), sentences.append)
    assert [path.stem for path in drawn] == ["speedup_fused", "latency", "relative"]
    assert len(sentences) == 1 and "summary" in sentences[0]
    assert not (tmp_path / "summary.png").exists()  # none without the other


def test_a_full_disk_is_one_sentence_that_counts_what_is_safe(tmp_path):
    make_run(tmp_path, kernels=("fused", "broken"), outcome=lambda kernel, *_: (
        Status.SKIPPED if kernel == "broken" else Status.PASSED))  # fmt: skip
    with room(1000), pytest.raises(HarnessError) as failure:
        pictures.plot_all(tmp_path, no_warning)
    sentence = str(failure.value)
    assert f"20 rows are safe in {tmp_path / 'results.csv'}. Make room" in sentence
    assert f"run_bench.py plot {tmp_path}" in sentence
    assert "\n" not in sentence
    assert {path.name for path in tmp_path.iterdir()} == {
        "results.csv", "samples.csv", "environment.json",
    }  # fmt: skip


def test_a_folder_that_is_closed_is_one_sentence(tmp_path, monkeypatch):
    def denied(self, content):
        raise PermissionError(13, "Permission denied")

    make_run(tmp_path)
    monkeypatch.setattr(Path, "write_bytes", denied)
    with pytest.raises(HarnessError, match=r"Permission denied.*10 rows are safe.*can be written"):
        pictures.plot_all(tmp_path, no_warning)


def test_pictures_of_before_survive_a_full_disk(tmp_path):
    plot(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with room(1000), pytest.raises(HarnessError):
        pictures.plot_all(tmp_path, no_warning)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_ctrl_c_while_a_picture_is_written_leaves_no_half_of_it(tmp_path, monkeypatch):
    make_run(tmp_path)
    replace = Path.replace

    def interrupted(self, target):
        if target.name == "latency.png":
            raise KeyboardInterrupt
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        pictures.plot_all(tmp_path, no_warning)
    assert images(tmp_path) == {"speedup_fused.png", "speedup_fused.svg"}
    assert not any(path.name.startswith(".") for path in tmp_path.iterdir())


def test_the_look_of_others_is_left_alone(tmp_path):
    before = dict(matplotlib.rcParams)
    plot(tmp_path)
    assert dict(matplotlib.rcParams) == before
