"""Training on fabricated folders: a step, exact resumption, one clip overfitted, what is wrong refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import pytest
import torch

from shibori.datasets.sampling import SamplingPlan, TrainingClips
from shibori.errors import InputError
from shibori.nn.weights import load_state
from shibori.systems.trackprop import train as training
from shibori.systems.trackprop.build import build_trackprop_segmenter
from shibori.systems.trackprop.losses import RoundsTraining
from shibori.systems.trackprop.matcher import load_matcher
from shibori.systems.trackprop.model import build_trackprop
from shibori.systems.trackprop.train import TrainConfig, stack_clips, train
from shibori.systems.trackprop.views import render_for_rounds

from ...datasets.made import made_still, moving_disk, write_davis, write_still


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two photographs with cut-outs and one real clip of a moving disk."""
    root = tmp_path_factory.mktemp("data")
    for seed in range(2):
        still = made_still(seed)
        write_still(root / "stills" / "made", f"photo{seed}", still.image, still.ids)
    write_davis(root / "davis2016", {"disk": moving_disk(14)}, "train")
    return root


@pytest.fixture
def config(data: Path, tmp_path: Path) -> TrainConfig:
    return TrainConfig(
        data,
        tmp_path / "run",
        "tiny",
        steps=4,
        batch=2,
        size=48,
        frames=2,
        warmup=2,
        workers=0,
        threads=1,
        save_every=2,
    )


@pytest.fixture(autouse=True)
def log_every_step(monkeypatch: pytest.MonkeyPatch):
    threads = cv2.getNumThreads()
    monkeypatch.setattr(training.RunLog, "EVERY", 1)
    yield
    cv2.setNumThreads(threads)


def losses(folder: Path) -> list[tuple]:
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [(line["step"], line["total"], line["iou_propagated"]) for line in lines]


def test_a_resumed_run_sees_what_an_unbroken_one_does(config, tmp_path):
    train(config)
    halves = replace(config, out=tmp_path / "halves")
    stopped = replace(halves, minutes=1e-9)  # after the first step
    train(stopped)
    train(replace(halves, resume=True))
    assert losses(config.out) == losses(halves.out)
    first, second = (load_state(out / "weights.safetensors", "trackprop", "tiny") for out in (config.out, halves.out))
    assert all(first[name].equal(second[name]) for name in first)


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
    load_matcher(network)
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
    [
        ({"preset": "huge"}, "preset of trackprop"),
        ({"size": 50}, "multiple of 16"),
        ({"frames": 1}, "at least 2 frames"),
        ({"data": Path("nowhere")}, "stills/"),
        ({"resume": True}, "checkpoint"),
    ],
)
def test_what_is_wrong_is_refused(config, wrong, message):
    with pytest.raises(InputError, match=message):
        train(replace(config, **wrong))
