"""Training on fabricated folders: resumes exactly, overfits one clip, refuses what is wrong, runs in two processes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from shibori.errors import InputError
from shibori.evaluation.measures import region_similarity
from shibori.nn.weights import load_state, save_state
from shibori.tracking.build import build_mask_propagator
from shibori.tracking.presets import build_pixel_tracker
from shibori.tracking.train import TrainConfig, recipe

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
from .scripted import ScriptedNetwork

train = trainer(recipe)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_training_folder(tmp_path_factory.mktemp("data"))


@pytest.fixture
def config(data: Path, tmp_path: Path) -> TrainConfig:
    return TrainConfig(**SMALL, data=data, out=tmp_path / "run", batch=2, size=64, dev_every=2)


@pytest.fixture(autouse=True)
def log_every_step(monkeypatch: pytest.MonkeyPatch):
    yield from every_step_logged(monkeypatch)


def test_a_resumed_run_is_the_unbroken_run(config: TrainConfig):
    whole, resumed = train_in_two_parts(train, config)
    assert losses(resumed.parent) == losses(whole.parent)
    expected = load_state(whole, "pixel", "tiny")
    torch.testing.assert_close(load_state(resumed, "pixel", "tiny"), expected, rtol=0, atol=0)


def test_the_number_of_workers_changes_nothing(config: TrainConfig):
    check_workers_change_nothing(train, config)


def test_noisy_references_change_what_is_learned_from(config: TrainConfig):
    short = replace(config, steps=1)
    train(short)
    other = replace(short, out=config.out.with_name("noisy"), noisy_share=1.0)
    train(other)
    assert losses(other.out) != losses(short.out)


def test_what_a_run_leaves_behind(config: TrainConfig, capsys: pytest.CaptureFixture[str]):
    scores = iter([0.25, 0.5])
    path = train(config, score=lambda state: next(scores) if "key16.weight" in state else 0.0)
    assert path == config.out / "weights.safetensors"
    build_pixel_tracker("tiny").load_state_dict(load_state(path, "pixel", "tiny"))
    check_left_behind(config)
    printed = capsys.readouterr().out
    for expected in ("step 4/4", "min left", "step 2 dev J&F 0.2500", "step 4 dev J&F 0.5000"):
        assert expected in printed


def test_a_run_can_start_from_other_weights(config: TrainConfig, tmp_path: Path):
    torch.manual_seed(5)
    save_state(tmp_path / "start.safetensors", build_pixel_tracker("tiny").state_dict(), "pixel", "tiny")
    still = replace(config, start=tmp_path / "start.safetensors", steps=1, rate=0.0)
    found, expected = load_state(train(still), "pixel"), load_state(tmp_path / "start.safetensors", "pixel")
    torch.testing.assert_close(found["key16.weight"], expected["key16.weight"], rtol=0, atol=0)


def test_tiny_overfits_one_clip_and_then_follows_it(config: TrainConfig, data: Path):
    long = replace(config, steps=120, batch=4, size=64, rate=4e-3, warmup=10, real_share=1.0, max_gap=2, save_every=120)
    weights = train(long)
    curve = [line["iou"] for line in losses(config.out)]
    assert np.mean(curve[-20:]) > np.mean(curve[:20]) + 0.1
    images, masks = moving_disk(14)
    propagation = build_mask_propagator("tiny", "cpu", 64, weights).begin(masks[0].shape)
    found = [propagation.step(image, {1: masks[0]} if t == 0 else None) for t, image in enumerate(images)]
    scores = [region_similarity(f.ids == 1, mask) for f, mask in zip(found, masks, strict=True)][1:]
    assert np.mean(scores) > 0.8
    assert all(result.statuses[0].state == "tracked" for result in found)


@pytest.mark.parametrize(("change", "message"), [*WRONG, WRONG_START])
def test_wrong_input_is_one_sentence_and_leaves_nothing(config: TrainConfig, change: dict, message: str):
    check_refused(train, replace(config, **change), message)


def test_a_trunk_that_does_not_fit_is_one_sentence_and_leaves_nothing(config: TrainConfig, tmp_path: Path):
    trunk = build_pixel_tracker("tiny").trunk.features.state_dict()
    first = next(iter(trunk))
    wrong = {
        "lacking": {name: value for name, value in trunk.items() if name != first},
        "wider": trunk | {first: torch.zeros(7, 3, 3, 3)},
    }
    for name, state in wrong.items():
        path = tmp_path / f"{name}.safetensors"
        save_state(path, state, "mobilenetv2", "imagenet")
        message = f"expected parameters of MobileNetV2 in {path}, found some that do not fit; make it with tools/start"
        check_refused(train, replace(config, trunk=path), message)
    save_state(tmp_path / "whole.safetensors", trunk, "pixel", "tiny")
    refused = replace(config, trunk=tmp_path / "whole.safetensors")
    check_refused(train, refused, "expected weights of mobilenetv2/any preset, found pixel/tiny")
    check_refused(train, replace(config, trunk=Path("nowhere.safetensors")), "expected weights at nowhere.safetensors")


def test_a_trunk_for_another_network_is_refused(config: TrainConfig, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("shibori.tracking.train.build_pixel_tracker", lambda *_: ScriptedNetwork())
    wrong = replace(config, preset="paper", trunk=Path("start.safetensors"))
    check_refused(train, wrong, r"expected --trunk for a preset on MobileNetV2 \(compact\), found another preset")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_cuda_asked_for_but_absent(config: TrainConfig):
    with pytest.raises(InputError, match="cuda as asked for"):
        train(replace(config, device="cuda"))


def test_weights_of_another_preset_are_no_start(config: TrainConfig, tmp_path: Path):
    save_state(tmp_path / "start.safetensors", {"x": torch.zeros(1)}, "pixel", "compact")
    with pytest.raises(InputError, match="expected weights of pixel/tiny, found pixel/compact"):
        train(replace(config, start=tmp_path / "start.safetensors"))


def test_two_processes_train_together(config: TrainConfig):
    check_two_processes_train_together("shibori.tracking.train", replace(config, steps=3, batch=1, minutes=30))
    build_pixel_tracker("tiny").load_state_dict(load_state(config.out / "weights.safetensors", "pixel", "tiny"))
