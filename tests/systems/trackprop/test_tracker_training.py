"""Training of the trackers: it learns, resumes to the same losses, and says what is wrong."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from shibori.errors import InputError
from shibori.nn.weights import load_state
from shibori.systems.trackprop.tracker_training import TrainConfig, read_small_sequences, train
from shibori.systems.trackprop.trackers import build_tracker

from ...datasets.made import made_still, moving_disk, write_davis, write_still


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    for index in range(2):
        still = made_still(index)
        write_still(root / "stills" / "made", f"{index}", still.image, still.ids)
    write_davis(root / "davis2016", {"disk": moving_disk(8)}, "train")
    return root


@pytest.fixture
def config(data: Path, tmp_path: Path) -> TrainConfig:
    return TrainConfig(
        data=data, out=tmp_path / "run", preset="tiny", steps=4, scenes=2, scene_size=96, real_height=64, workers=0,
        save_every=2, warmup=1,
    )  # fmt: skip


def test_a_run_writes_weights_that_trackers_take(config: TrainConfig):
    out = train(config)
    for name in ("atom", "siamese"):
        tracker = build_tracker(name, "tiny", "cpu", out / f"{name}.safetensors")
        frame = tracker.see(np.zeros((64, 96, 3), np.uint8))
        tracker.begin(frame, np.array([20.0, 20.0, 50.0, 50.0]))
    assert json.loads((out / "config.json").read_text())["preset"] == "tiny"


def test_a_resumed_run_ends_where_an_unbroken_one_does(config: TrainConfig, tmp_path: Path):
    level = replace(config, decay_share=0.0)  # a rate that does not depend on the number of steps
    whole = train(level)
    broken = replace(level, out=tmp_path / "broken")
    train(replace(broken, steps=2))
    torch.manual_seed(5)
    train(replace(broken, resume=True))
    for name in ("atom", "siamese"):
        first, second = (load_state(out / f"{name}.safetensors", name, "tiny") for out in (whole, broken.out))
        for key, value in first.items():
            torch.testing.assert_close(value, second[key], msg=key)


def test_real_frames_are_kept_small(data: Path):
    (sequence,) = read_small_sequences(data / "davis2016", "train", 48)
    assert len(sequence.images) == 8
    assert {image.shape for image in sequence.images} == {(48, 64, 3)}
    assert {tuple(np.unique(mask)) for mask in sequence.masks} == {(0, 1)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"preset": "huge"}, "expected a preset of the trackers"),
        ({"scene_size": 100}, "multiple of 16"),
        ({"data": Path("nowhere")}, "expected a folder stills/"),
        ({"resume": True}, "start a run without --resume"),
    ],
)
def test_what_is_wrong_is_said(config: TrainConfig, change: dict, message: str):
    with pytest.raises(InputError, match=message):
        train(replace(config, **change))
