"""Training of the trackers: it learns, resumes to the same losses, and says what is wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from shibori.boxtracking.build import build_tracker
from shibori.boxtracking.train import TrainConfig, read_small_sequences, recipe
from shibori.nn.weights import load_state

from ..training.runs import (
    SMALL,
    WRONG,
    check_left_behind,
    check_refused,
    check_two_processes_train_together,
    every_step_logged,
    losses,
    train_in_two_parts,
    trainer,
    write_training_folder,
)

train = trainer(recipe)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_training_folder(tmp_path_factory.mktemp("data"), num_frames=8)


@pytest.fixture
def config(data: Path, tmp_path: Path) -> TrainConfig:
    return TrainConfig(**SMALL, data=data, out=tmp_path / "run", scenes=2, scene_size=96, real_height=64)


@pytest.fixture(autouse=True)
def log_every_step(monkeypatch: pytest.MonkeyPatch):
    yield from every_step_logged(monkeypatch)


def test_a_run_writes_weights_that_trackers_take(config: TrainConfig):
    out = train(config).parent
    for name in ("atom", "siamese"):
        tracker = build_tracker(name, "tiny", "cpu", out / f"{name}.safetensors")
        frame = tracker.see(np.zeros((64, 96, 3), np.uint8))
        tracker.begin(frame, np.array([20.0, 20.0, 50.0, 50.0]))
    check_left_behind(config)


def test_a_resumed_run_ends_where_an_unbroken_one_does(config: TrainConfig):
    whole, resumed = train_in_two_parts(train, config)
    assert losses(resumed.parent) == losses(whole.parent)
    for name in ("atom", "siamese"):
        first, second = (load_state(path.with_name(f"{name}.safetensors"), name, "tiny") for path in (whole, resumed))
        torch.testing.assert_close(first, second)


def test_two_processes_train_together(config: TrainConfig):
    module = "shibori.boxtracking.train"
    check_two_processes_train_together(module, replace(config, steps=2, scenes=1, minutes=30))


def test_real_frames_are_kept_small(data: Path):
    (sequence,) = read_small_sequences(data / "davis2016", "train", 48)
    assert len(sequence.images) == 8
    assert {image.shape for image in sequence.images} == {(48, 64, 3)}
    assert {tuple(np.unique(mask)) for mask in sequence.masks} == {(0, 1)}


@pytest.mark.parametrize(("change", "message"), [*WRONG, ({"scene_size": 100}, "multiple of 16")])
def test_what_is_wrong_is_said(config: TrainConfig, change: dict, message: str):
    check_refused(train, replace(config, **change), message)
