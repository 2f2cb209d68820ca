"""The other commands: score, evaluate, demo, train, doctor, and what the program says of itself."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import shibori as package
import shibori.demo as demo_module
import shibori.systems as systems
from shibori.datasets.scene.demo_clip import make_demo_clip
from shibori.interfaces import Interaction, InteractiveSegmenter
from shibori.media.mask import FrameMasks
from shibori.media.palette import write_palette_png


@pytest.fixture
def davis(tmp_path) -> Path:
    """A DAVIS 2017 folder of one sequence of four frames with two still objects."""
    root = tmp_path / "davis"
    ids = np.zeros((40, 60), np.uint8)
    ids[4:16, 4:16] = 1
    ids[20:36, 30:50] = 2
    for kind in ("JPEGImages", "Annotations"):
        (root / kind / "480p" / "still").mkdir(parents=True)
        for index in range(4):
            write_palette_png(root / kind / "480p" / "still" / f"{index:05d}.png", ids)
    (root / "ImageSets" / "2017").mkdir(parents=True)
    (root / "ImageSets" / "2017" / "val.txt").write_text("still\n")
    return root


def test_evaluate_then_score(shibori, davis, tmp_path, fake_system):
    out = tmp_path / "out"
    result = shibori(f"evaluate davis {davis} --out {out} --device cpu --json")
    assert result.exit_code == 0, (result.stderr, result.exception)
    scores = json.loads(result.stdout)
    assert scores["j_and_f"] == 1.0
    assert scores["frames_per_second"] > 0
    assert fake_system[0]["device"] == "cpu"
    assert {path.name for path in out.iterdir()} >= {"masks", "report.html", "scores.json", "objects.csv"}
    again = shibori(f"score {out / 'masks'} {davis}")
    assert again.exit_code == 0, again.stderr
    assert "1.000" in again.stdout
    assert shibori(f"evaluate davis {davis} --out {out}").exit_code == 2
    assert shibori(f"evaluate davis {davis} --out {out} --overwrite").exit_code == 0


class PaintedBoxes(InteractiveSegmenter, Interaction):
    """Two boxes, whatever is marked."""

    def __init__(self, ids: np.ndarray) -> None:
        self.ids = ids

    def begin(self, clip):
        self.clip = clip
        return self

    def preview(self, rounds, frame):
        return FrameMasks(frame, self.ids)

    def propagate(self, rounds, span=None, report=None, cancelled=None, in_order=False):
        return (FrameMasks(index, self.ids) for index in range(self.clip.num_frames))

    def suggestion(self, rounds):
        return None


def test_evaluate_interactive(shibori, davis, tmp_path, monkeypatch):
    ids = np.zeros((40, 60), np.uint8)
    ids[4:16, 4:16] = 1
    ids[20:36, 30:50] = 2
    monkeypatch.setattr(systems, "INTERACTIVE_SEGMENTERS", {"strnn": lambda **options: PaintedBoxes(ids)})
    out = tmp_path / "out"
    line = f"evaluate interactive {davis} --out {out} --starts 2 --interactions 3"
    result = shibori(f"{line} --json")
    assert result.exit_code == 0, (result.stderr, result.exception)
    summary = json.loads(result.stdout)
    assert summary["j_and_f"] == 1.0
    assert len(summary["samples"]) == 2
    assert {path.name for path in out.iterdir()} >= {"masks", "scribbles", "report.html", "scores.json"}
    again = shibori(f"{line} --overwrite --scribbles {out / 'scribbles'}")
    assert again.exit_code == 0, again.stderr
    assert "AUC" in again.stdout
    assert "J&F after 3 interactions 1.000" in again.stdout
    for wrong in ("", "--overwrite --interactions 0", "--overwrite --scribbles nowhere", "--overwrite --system x"):
        refused = shibori(f"{line} {wrong}")
        assert (refused.exit_code, refused.stderr.count("\n")) == (2, 1), refused.stderr


def test_score_writes_a_report(shibori, davis, tmp_path):
    masks = davis / "Annotations" / "480p"
    result = shibori(f"score {masks} {masks} --out {tmp_path / 'report'} --json")
    assert json.loads(result.stdout)["report"] == str(tmp_path / "report" / "report.html")


@pytest.mark.parametrize(
    "line", ["score nothing here", "evaluate davis nothing --out out", "train sam", "demo --out file"]
)
def test_wrong_input_is_one_sentence(shibori, tmp_path, monkeypatch, line):
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("in the way")
    result = shibori(line)
    assert result.exit_code == 2, (result.stderr, result.exception)
    assert result.stderr.startswith("shibori: ")
    assert result.stderr.count("\n") == 1


def test_demo(shibori, tmp_path, monkeypatch):
    def small(seed, num_frames):
        return make_demo_clip(seed, (72, 128), 6)

    monkeypatch.setattr(demo_module, "make_demo_clip", small)
    out = tmp_path / "demo"
    result = shibori(f"demo --out {out}")
    assert result.exit_code == 0, (result.stderr, result.exception)
    for name in ("clip.mp4", "first.png", "masks/overlay.mp4", "masks/sheet.png", "report/report.html"):
        assert (out / name).is_file()
        assert str(out / name) in result.stdout
    assert "ms per frame" in result.stdout
    assert "against the known truth of 3 objects" in result.stdout
    again = shibori(f"demo --out {out} --json")
    assert 0 < json.loads(again.stdout)["j_and_f"] <= 1


@dataclass(frozen=True)
class Recipe:
    """A run."""

    data: Path = field(default=Path("data"), metadata={"help": "Where the pictures are."})
    steps: int = field(default=5, metadata={"help": "How many steps."})
    preset: str = "compact"
    device: str = "cpu"
    quick: bool = True


def test_train_takes_its_options_from_the_system(shibori, tmp_path, monkeypatch):
    seen = []
    training = SimpleNamespace(TrainConfig=Recipe, recipe=lambda config, group, device: None)

    def train(config, recipe, dev):
        seen.append((config, recipe, dev))
        return [Path("w.safetensors")]

    monkeypatch.setitem(sys.modules, "shibori.tracking.train", training)
    monkeypatch.setattr("shibori.training.fit.train", train)
    result = shibori(f"train pixel --data {tmp_path} --steps 7 --no-quick")
    assert result.exit_code == 0, (result.stderr, result.exception)
    assert seen == [(Recipe(tmp_path, 7, quick=False), training.recipe, None)]
    assert "w.safetensors" in result.stdout
    text = shibori("train pixel --help")
    assert "How many steps." in text.stdout
    assert "pixel" in shibori("train").stdout


@pytest.mark.parametrize("name", systems.TRAINABLE)
def test_all_that_can_be_trained_says_its_options(shibori, name):
    result = shibori(f"train {name} --help")
    assert result.exit_code == 0, result.exception
    for option in ("--data", "--preset", "--resume"):
        assert option in result.stdout


def test_doctor(shibori, fake_system):
    result = shibori("doctor --json")
    assert result.exit_code == 0, result.stdout
    findings = {(f["topic"], f["name"]): f["value"] for f in json.loads(result.stdout)["findings"]}
    assert ("processor", "bfloat16") in findings
    assert findings["weights", "pixel compact"] == "found, verified, loaded"
    assert "weights" in shibori("doctor").stdout


def test_version_and_help(shibori):
    version = shibori("--version").stdout
    assert version.startswith("shibori ")
    for command in ("segment", "score", "evaluate", "train", "demo", "doctor"):
        assert command in shibori("--help").stdout
        assert shibori(f"{command} --help").exit_code == 0


def test_module_runs():
    source = str(Path(package.__file__).parents[1])
    command = [sys.executable, "-m", "shibori", "segment", "nothing.mp4", "--mask", "a.png", "--out", "b"]
    result = subprocess.run(command, capture_output=True, text=True, env={"PYTHONPATH": source}, check=False)
    assert (result.returncode, result.stderr) == (2, "shibori: there is no file or folder nothing.mp4\n")
