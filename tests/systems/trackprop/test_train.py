"""Training on fabricated folders: a step, exact resumption, one clip overfitted, what is wrong refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from shibori.datasets.sampling import TrainingClips
from shibori.datasets.sampling_plan import SamplingPlan
from shibori.nn.weights import load_state
from shibori.systems.trackprop.build import build_trackprop_segmenter
from shibori.systems.trackprop.losses import RoundsTraining
from shibori.systems.trackprop.model import build_trackprop
from shibori.systems.trackprop.train import TrainConfig, recipe, stack_clips
from shibori.systems.trackprop.views import render_for_rounds
from shibori.tracking.shipped import load_shipped

from ...datasets.made import made_still
from ...training.runs import (
    SMALL,
    WRONG,
    WRONG_START,
    check_refused,
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
    return TrainConfig(**SMALL, data=data, out=tmp_path / "run", batch=2, size=48, frames=2)


@pytest.fixture(autouse=True)
def log_every_step(monkeypatch: pytest.MonkeyPatch):
    yield from every_step_logged(monkeypatch)


def test_a_resumed_run_sees_what_an_unbroken_one_does(config):
    whole, resumed = train_in_two_parts(train, config)
    assert losses(resumed.parent) == losses(whole.parent)
    expected = load_state(whole, "trackprop", "tiny")
    torch.testing.assert_close(load_state(resumed, "trackprop", "tiny"), expected, rtol=0, atol=0)


def test_weights_that_were_trained_can_be_used(config):
    segmenter = build_trackprop_segmenter("tiny", "cpu", weights=train(config))
    assert segmenter.network.matcher_digest.any()
    assert train(replace(config, out=config.out / "more", start=config.out / "weights.safetensors", steps=1)).is_file()


def test_the_networks_learn_one_batch(data):
    torch.manual_seed(0)
    stills = [made_still(seed) for seed in range(3)]
    clips = TrainingClips(stills, [], SamplingPlan(2, 48, 0.0, 3), 0, 4, render_for_rounds)
    batch = stack_clips([clips[index] for index in range(2)])
    assert batch.images.shape == (2, 3, 3, 48, 48)
    network = build_trackprop("tiny")
    load_shipped(network)
    rounds = RoundsTraining(network)
    optimiser = torch.optim.AdamW([p for p in network.parameters() if p.requires_grad], lr=5e-3)
    totals = []
    for _ in range(50):
        loss = rounds(batch, 1.0, seed=5)
        optimiser.zero_grad()
        loss.total.backward()
        optimiser.step()
        totals.append(float(loss.total.detach()))
    assert totals[-1] < 0.5 * totals[0]
    last = rounds(batch, 1.0, seed=5)
    assert last.iou_first > 0.8
    assert last.iou_propagated > 0.7
    assert all(parameter.grad is None for parameter in network.matcher.parameters())


@pytest.mark.parametrize(
    ("wrong", "message"),
    [*WRONG, WRONG_START, ({"size": 50}, "multiple of 16"), ({"frames": 1}, "at least 2 frames")],
)
def test_what_is_wrong_is_refused(config, wrong, message):
    check_refused(train, replace(config, **wrong), message)
