"""Training on fabricated folders: resumes exactly, refuses what is wrong, and what it wrote can be run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from shibori.nn.weights import load_state
from shibori.systems.ipdt.build import segmenter_from_states
from shibori.systems.ipdt.train import TrainConfig, recipe

from ...training.runs import (
    SMALL,
    WRONG,
    WRONG_START,
    check_left_behind,
    check_refused,
    every_step_logged,
    losses,
    train_in_two_parts,
    trainer,
    write_training_folder,
)
from .made import tiny_siamese

train = trainer(recipe)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_training_folder(tmp_path_factory.mktemp("data"), num_frames=6)


@pytest.fixture
def config(data: Path, tmp_path: Path) -> TrainConfig:
    return TrainConfig(**SMALL, data=data, out=tmp_path / "run", batch=2, height=64, width=96)


@pytest.fixture(autouse=True)
def log_every_step(monkeypatch: pytest.MonkeyPatch):
    yield from every_step_logged(monkeypatch)


def test_a_resumed_run_ends_where_an_unbroken_one_does(config):
    paths = train_in_two_parts(train, config)
    whole, resumed = (load_state(path, "ipdt", "tiny") for path in paths)
    assert set(whole) == set(resumed)
    for name, value in whole.items():
        assert torch.allclose(value.float(), resumed[name].float(), atol=2e-3), name
    check_left_behind(config)


def test_what_it_wrote_can_be_run_and_has_no_trunk(config):
    state = load_state(train(replace(config, steps=1)), "ipdt", "tiny")
    assert not any(name.startswith("trunk.") for name in state)
    segmenter = segmenter_from_states(state, tiny_siamese(), "tiny", torch.device("cpu"))
    assert segmenter.categories[1] == "person"


def test_losses_are_logged(config):
    train(replace(config, steps=1))
    names = {"step", "rate", "total", "objectness", "proposal_boxes", "classes", "boxes", "masks", "accuracy"}
    assert losses(config.out)[0].keys() == names


def test_weights_are_a_start_for_another_run(config):
    path = train(replace(config, steps=1))
    other = replace(config, out=config.out.with_name("on"), start=path, steps=1, rate=0.0)
    again = load_state(train(other), "ipdt", "tiny")
    before = load_state(path, "ipdt", "tiny")
    name = "network.roi_heads.box_predictor.classes.weight"
    assert torch.allclose(again[name], before[name], atol=1e-3)


@pytest.mark.parametrize(
    ("change", "sentence"), [*WRONG, WRONG_START, ({"height": 60}, "height that is a multiple of 32")]
)
def test_what_is_refused(config, change, sentence):
    check_refused(train, replace(config, **change), sentence)
