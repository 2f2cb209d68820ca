"""Training on a fabricated folder: resumes exactly, learns to answer one clip's clicks, refuses what is wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from shibori.errors import InputError
from shibori.media.marks import FrameMarks, click
from shibori.nn.weights import load_state, save_state
from shibori.ops.error_region import middle_of
from shibori.ops.overlap import iou_of_masks
from shibori.prompting.build import build_prompt_segmenter
from shibori.prompting.presets import build_prompt_network
from shibori.prompting.train import TrainConfig, recipe

from ..datasets.made import moving_disk
from ..training.runs import (
    SMALL,
    WRONG,
    WRONG_START,
    check_left_behind,
    check_refused,
    check_two_processes_train_together,
    check_workers_change_nothing,
    every_step_logged,
    losses,
    train_in_two_parts,
    trainer,
    write_training_folder,
)

train = trainer(recipe)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_training_folder(tmp_path_factory.mktemp("data"))


@pytest.fixture
def config(data: Path, tmp_path: Path) -> TrainConfig:
    sizes = {"size": 96, "smallest_size": 64, "early_layers": True}
    return TrainConfig(**SMALL, **sizes, data=data, out=tmp_path / "run", batch=2, rounds=3)


@pytest.fixture(autouse=True)
def log_every_step(monkeypatch: pytest.MonkeyPatch):
    yield from every_step_logged(monkeypatch)


def test_a_resumed_run_is_the_unbroken_run(config: TrainConfig):
    whole, resumed = train_in_two_parts(train, config)
    assert losses(resumed.parent) == losses(whole.parent)
    expected = load_state(whole, "prompt", "tiny")
    torch.testing.assert_close(load_state(resumed, "prompt", "tiny"), expected, rtol=0, atol=0)
    check_left_behind(config)


def test_the_number_of_workers_changes_nothing(config: TrainConfig):
    check_workers_change_nothing(train, config)


def test_a_run_can_start_from_other_weights(config: TrainConfig, tmp_path: Path):
    torch.manual_seed(5)
    save_state(tmp_path / "start.safetensors", build_prompt_network("tiny").state_dict(), "prompt", "tiny")
    still = replace(config, start=tmp_path / "start.safetensors", steps=1, rate=0.0)
    found, expected = load_state(train(still), "prompt"), load_state(tmp_path / "start.safetensors", "prompt")
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_early_layers_stay_as_they_were_unless_asked_for(config: TrainConfig):
    still = replace(config, steps=1, early_layers=False)
    torch.manual_seed(config.seed)
    before = build_prompt_network("tiny").half().float().state_dict()
    after = load_state(train(still), "prompt")
    assert torch.equal(after["encoder.stem.0.weight"], before["encoder.stem.0.weight"])
    assert not torch.equal(after["encoder.merges.1.mix.weight"], before["encoder.merges.1.mix.weight"])


def test_tiny_learns_the_object_of_one_clip_and_then_answers_a_click_on_it(config: TrainConfig):
    shown = {"real_share": 1.0, "whole_share": 1.0, "pasted_share": 0.0, "size": 64, "encoder_factor": 1.0}
    long = replace(config, steps=120, batch=4, rate=3e-3, rounds=2, warmup=10, save_every=120, **shown)
    weights = train(long)
    curve = [line["iou"] for line in losses(config.out)]
    assert np.mean(curve[-20:]) > np.mean(curve[:20]) + 0.4
    segmenter = build_prompt_segmenter("tiny", "cpu", 64, weights)
    images, masks = moving_disk(14)
    scores = []
    for image, mask in zip(images, masks, strict=True):
        x, y = middle_of(mask)
        marks = FrameMarks((click(1, x / mask.shape[1], y / mask.shape[0]),))
        scores.append(iou_of_masks(segmenter.segment(segmenter.encode(image), marks, 1).mask(), mask))
    assert np.mean(scores) > 0.5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        *WRONG,
        WRONG_START,
        ({"size": 100}, "expected a size that is a multiple of 32, found 100"),
        ({"smallest_size": 128}, "expected a smallest size of at most 96, found 128"),
        ({"rounds": 9}, "expected 1 to 8 rounds, found 9"),
    ],
)
def test_wrong_input_is_one_sentence_and_leaves_nothing(config: TrainConfig, change: dict, message: str):
    check_refused(train, replace(config, **change), message)


def test_weights_of_another_network_are_no_start(config: TrainConfig, tmp_path: Path):
    save_state(tmp_path / "start.safetensors", {"x": torch.zeros(1)}, "prompt", "tiny")
    with pytest.raises(InputError, match="expected weights of the preset tiny"):
        train(replace(config, start=tmp_path / "start.safetensors"))


def test_two_processes_train_together(config: TrainConfig):
    check_two_processes_train_together("shibori.prompting.train", replace(config, steps=3, batch=1, minutes=30))
