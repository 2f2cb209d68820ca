"""Training on fabricated folders: two steps, resumes exactly, overfits one clip, refuses what is wrong."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from shibori.datasets.real_frames import read_real_sequences
from shibori.datasets.sampling import TrainingClips
from shibori.datasets.sampling_plan import SamplingPlan
from shibori.datasets.stills import read_stills
from shibori.datasets.views import render_widely
from shibori.errors import InputError
from shibori.evaluation.interactive import InteractiveSession, evaluate_interactive
from shibori.evaluation.interactive_scores import InteractiveRules
from shibori.nn.weights import load_state, save_state
from shibori.systems.replay import ReplayedSegmenter
from shibori.systems.strnn.build import build_strnn_segmenter, segmenter_from_state
from shibori.systems.strnn.losses import ClipLoss
from shibori.systems.strnn.model import StrnnNetwork, build_strnn
from shibori.systems.strnn.rule import RULES
from shibori.systems.strnn.train import TrainConfig, recipe, set_step, stack_clips, start_network

from ...datasets.made import moving_disk
from ...evaluation.made import ArraySequence
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
    return TrainConfig(**SMALL, data=data, out=tmp_path / "run", first_share=0.5, batch=2, size=48)


@pytest.fixture(autouse=True)
def log_every_step(monkeypatch: pytest.MonkeyPatch):
    yield from every_step_logged(monkeypatch)


def test_a_resumed_run_is_the_unbroken_run(config: TrainConfig):
    whole, resumed = train_in_two_parts(train, config)
    assert losses(resumed.parent) == losses(whole.parent)
    expected = load_state(whole, "strnn", "tiny")
    torch.testing.assert_close(load_state(resumed, "strnn", "tiny"), expected, rtol=0, atol=0)


def test_the_second_step_fixes_the_extractor(config: TrainConfig):
    states: list[dict] = []

    def remember(_average: dict) -> float:
        states.append(torch.load(config.out / "checkpoint.pt", weights_only=True)["network"])
        return 0.0

    train(replace(config, save_every=1), remember, every=1)
    changed = [
        {name for name, value in after.items() if not torch.equal(value, before[name])}
        for before, after in pairwise(states)
    ]
    assert any(name.startswith("extractor") for name in changed[0])
    assert "rnn.temporal" in changed[2]
    assert not any(name.startswith("extractor") for name in changed[2])
    assert not any("running" in name for names in changed for name in names)


def test_steps_by_hand():
    network = build_strnn("tiny")
    set_step(network, with_time=True)
    assert not any(p.requires_grad for p in network.extractor.parameters())
    set_step(network, with_time=False)
    assert all(p.requires_grad for p in network.parameters())
    assert not network.extractor.training


def test_compact_stands_on_the_frozen_pixel_tracker(config: TrainConfig):
    network = start_network(replace(config, preset="compact"))
    assert network.tracker is not None
    set_step(network, with_time=False)
    assert not any(p.requires_grad for p in network.tracker.parameters())
    assert network.tracker_digest.any()
    images = torch.randn(1, 3, 48, 64)
    with torch.no_grad():
        features, _ = network(images)
        key = network.tracker.encode(images).key
    assert features.shape[2:] == (12, 16)
    wide = torch.nn.functional.interpolate(key, scale_factor=2.0, mode="bilinear")
    expected = torch.nn.functional.normalize(wide + network.rnn.leave.bias[:, None, None], dim=1)
    torch.testing.assert_close(features, expected, atol=1e-5, rtol=1e-4)


def test_weights_of_compact_are_heads_alone(config: TrainConfig):
    path = train(replace(config, preset="compact", steps=1, batch=1, size=64))
    state = load_state(path, "strnn", "compact")
    assert not any(name.startswith("extractor.") for name in state)
    assert sum(value.numel() for value in state.values()) < 100_000
    again = start_network(replace(config, preset="compact", start=path))
    torch.testing.assert_close(again.rnn.spatial.half(), state["rnn.spatial"].half(), rtol=0, atol=0)
    state["tracker_digest"] += 1
    save_state(path, state, "strnn", "compact")
    start_network(replace(config, preset="compact", start=path))  # trained on from this version's tracker
    with pytest.raises(InputError, match="trained with this version's pixel tracker"):
        segmenter_from_state(load_state(path, "strnn", "compact"), "compact", "cpu")


def loss_on_new_clips(config: TrainConfig, network: StrnnNetwork) -> float:
    """Of frames of the one real clip that no step has seen in this way."""
    sequences = read_real_sequences(config.data / "davis2016", "train")
    stills = read_stills(config.data / "stills")
    clips = TrainingClips(stills, sequences, SamplingPlan(3, 64, 1.0, 4), 77, 8, render_widely)
    batch = stack_clips([clips[index] for index in range(8)])
    with torch.no_grad():
        return float(ClipLoss(network.eval(), RULES["tiny"])(batch[0], batch[1], True, 0).total)


def test_tiny_overfits_one_clip_and_then_segments_it(config: TrainConfig):
    long = replace(config, steps=140, batch=4, size=64, rate=3e-3, warmup=5, real_share=1.0, save_every=140)
    torch.manual_seed(0)
    before = loss_on_new_clips(config, start_network(config))
    weights = train(long)
    assert loss_on_new_clips(config, start_network(replace(config, start=weights))) < 0.6 * before
    images, masks = moving_disk(14)

    class Disk(ArraySequence):
        def read_image(self, index):
            return images[index]

    disk = Disk("disk", tuple(mask.astype(np.uint8) for mask in masks))
    session = InteractiveSession([disk], rules=InteractiveRules(num_interactions=3, num_starts=1))
    scores = evaluate_interactive(session, ReplayedSegmenter(build_strnn_segmenter("tiny", "cpu", 64, weights)))
    assert scores.samples[0].rounds[-1].j_means.mean() > 0.75


@pytest.mark.parametrize(("change", "message"), [*WRONG, WRONG_START])
def test_wrong_input_is_one_sentence_and_leaves_nothing(config: TrainConfig, change: dict, message: str):
    check_refused(train, replace(config, **change), message)


def test_a_checkpoint_of_another_network(config: TrainConfig):
    train(replace(config, steps=2))
    checkpoint = torch.load(config.out / "checkpoint.pt", weights_only=True)
    checkpoint["network"].pop("rnn.temporal")
    torch.save(checkpoint, config.out / "checkpoint.pt")
    with pytest.raises(InputError, match="found one of another network"):
        train(replace(config, resume=True))
