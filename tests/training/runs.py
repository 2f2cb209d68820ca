"""What the tests of all systems' training share: small data to train on, and what holds for every run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from shibori.errors import InputError
from shibori.training.fit import train
from shibori.training.log import RunLog
from shibori.training.recipe import DevScore

from ..datasets.made import made_still, moving_disk, write_davis, write_still
from .together import run_together

SMALL = {"preset": "tiny", "steps": 4, "warmup": 2, "save_every": 2, "workers": 0, "threads": 1, "device": "cpu"}
"""Options of a run that takes a second."""

WRONG = [
    ({"data": Path("nowhere")}, "expected a folder stills/"),
    ({"split": "dev"}, "no list of split dev of DAVIS 2016: its lists are ImageSets/480p/train.txt"),
    ({"preset": "giant"}, "expected a preset of "),
    ({"device": "abacus"}, "expected a device"),
    ({"resume": True}, "expected a training checkpoint"),
]
"""(change of a configuration, how the refusal begins)."""

WRONG_START = ({"start": Path("nowhere.safetensors")}, "expected weights at nowhere.safetensors")


def write_training_folder(root: Path, num_frames: int = 14) -> Path:
    """Two photographs with a dog and a car cut out each, and one real clip of a moving disk."""
    names = [f"photo{seed}" for seed in range(2)]
    for seed, name in enumerate(names):
        still = made_still(seed)
        write_still(root / "stills" / "made", name, still.image, still.ids)
    kinds = {name: {"1": "dog", "2": "car"} for name in names}
    (root / "stills" / "made" / "classes.json").write_text(json.dumps(kinds))
    write_davis(root / "davis2016", {"disk": moving_disk(num_frames)}, "train")
    return root


def every_step_logged(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """For an autouse fixture, which also gives back the threads that training takes from OpenCV."""
    threads = cv2.getNumThreads()
    monkeypatch.setattr(RunLog, "EVERY", 1)
    yield
    cv2.setNumThreads(threads)


def losses(folder: Path) -> list[dict[str, float]]:
    """What was logged of every step, but for the time."""
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name != "seconds"} for line in lines if "total" in line]


def steps(folder: Path) -> list[int]:
    """That were logged."""
    return [int(line["step"]) for line in losses(folder)]


def train_in_two_parts(train: Callable[[Any], Path], config: Any) -> tuple[Path, Path]:
    """What an unbroken run returns, and one that a time limit stops after its first step and that then goes on."""
    whole = train(config)
    broken = replace(config, out=config.out.with_name("broken"))
    train(replace(broken, minutes=1e-9))
    assert steps(broken.out) == [1]
    resumed = train(replace(broken, resume=True))
    assert steps(broken.out) == list(range(1, config.steps + 1))
    assert len({line["total"] for line in losses(broken.out)}) == config.steps
    return whole, resumed


def check_workers_change_nothing(train: Callable[[Any], Path], config: Any) -> None:
    """A process of its own makes the same data."""
    short = replace(config, steps=2)
    train(short)
    other = replace(short, out=config.out.with_name("worker"), workers=1)
    train(other)
    assert losses(other.out) == losses(short.out)


def check_left_behind(config: Any) -> None:
    """The configuration and TensorBoard's folder, and nothing half-written."""
    saved = json.loads((config.out / "config.json").read_text())
    assert saved.keys() == {field.name for field in fields(config)}
    assert (saved["steps"], saved["preset"], saved["out"]) == (config.steps, config.preset, str(config.out))
    assert any((config.out / "tensorboard").iterdir())
    assert not list(config.out.glob("*.partial"))


def check_refused(train: Callable[[Any], Path], config: Any, message: str) -> None:
    """In one sentence, before anything is written."""
    with pytest.raises(InputError, match=message) as caught:
        train(config)
    assert "\n" not in str(caught.value)
    assert not config.out.exists()


def trainer(recipe: Any) -> Callable[..., Path]:
    """What does a run of a recipe, and returns its file of weights; the first, where there are several."""

    def run(config: Any, score: Callable[[dict[str, Any]], float] | None = None, every: int = 2) -> Path:
        return train(config, recipe, score and DevScore(score, every))[0]

    return run


def check_two_processes_train_together(module: str, config: Any) -> None:
    """Run ``config`` in two processes, which leave one log."""
    script = f"""
from pathlib import Path, PosixPath
from {module} import TrainConfig, recipe
from shibori.training.fit import train
from shibori.training.log import RunLog
RunLog.EVERY = 1
train({config!r}, recipe)
"""
    run_together(2, ["-c", script])
    assert steps(config.out) == list(range(1, config.steps + 1))
    assert all(np.isfinite(line["total"]) for line in losses(config.out))
