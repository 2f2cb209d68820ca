"""Training on fabricated folders: resumes exactly, refuses what is wrong, and what it wrote can be run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import pytest
import torch

from shibori.errors import InputError
from shibori.nn.weights import load_state
from shibori.systems.ipdt.build import segmenter_from_states
from shibori.systems.ipdt.train import TrainConfig, train
from shibori.training.log import RunLog

from ...datasets.made import made_still, moving_disk, write_davis, write_still
from .made import tiny_siamese


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photographs with cut-outs and one real clip of a moving disk."""
    root = tmp_path_factory.mktemp("data")
    for seed in range(4):
        still = made_still(seed)
        write_still(root / "stills" / "made", f"photo{seed}", still.image, still.ids)
    kinds = {f"photo{seed}": {"1": "dog", "2": "car"} for seed in range(4)}
    (root / "stills" / "made" / "classes.json").write_text(json.dumps(kinds))
    write_davis(root / "davis2016", {"disk": moving_disk(6)}, "train")
    return root


@pytest.fixture
def config(data: Path, tmp_path: Path) -> TrainConfig:
    return TrainConfig(
        data=data,
        out=tmp_path / "run",
        preset="tiny",
        steps=4,
        batch=2,
        height=64,
        width=96,
        warmup=2,
        workers=0,
        threads=1,
        save_every=2,
    )


@pytest.fixture(autouse=True)
def quiet_opencv():
    threads = cv2.getNumThreads()
    yield
    cv2.setNumThreads(threads)


def test_a_resumed_run_ends_where_an_unbroken_one_does(config):
    whole = load_state(train(config), "ipdt", "tiny")
    halved = replace(config, out=config.out.with_name("halved"))
    train(replace(halved, minutes=1e-9))  # stops after the first step, with a checkpoint
    checkpoint = torch.load(halved.out / "checkpoint.pt", weights_only=True)
    assert checkpoint["step"] == 1
    resumed = load_state(train(replace(halved, resume=True)), "ipdt", "tiny")
    assert set(whole) == set(resumed)
    for name, value in whole.items():
        assert torch.allclose(value.float(), resumed[name].float(), atol=2e-3), name
    assert json.loads((config.out / "config.json").read_text())["preset"] == "tiny"


def test_what_it_wrote_can_be_run_and_has_no_trunk(config):
    state = load_state(train(replace(config, steps=1)), "ipdt", "tiny")
    assert not any(name.startswith("trunk.") for name in state)
    segmenter = segmenter_from_states(state, tiny_siamese(), "tiny", torch.device("cpu"))
    assert segmenter.categories[1] == "person"


def test_losses_are_logged(config, monkeypatch):
    monkeypatch.setattr(RunLog, "EVERY", 1)
    train(replace(config, steps=2))
    first, second = (json.loads(line) for line in (config.out / "log.jsonl").read_text().splitlines())
    assert first["step"] == 1
    assert {"total", "objectness", "proposal_boxes", "classes", "boxes", "masks", "accuracy"} <= set(second)


def test_weights_are_a_start_for_another_run(config):
    path = train(replace(config, steps=1))
    other = replace(config, out=config.out.with_name("on"), start=path, steps=1, rate=0.0)
    again = load_state(train(other), "ipdt", "tiny")
    before = load_state(path, "ipdt", "tiny")
    name = "network.roi_heads.box_predictor.classes.weight"
    assert torch.allclose(again[name], before[name], atol=1e-3)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"height": 60}, "height that is a multiple of 32"),
        ({"preset": "huge"}, "expected a preset of ipdt"),
        ({"resume": True}, "expected a training checkpoint"),
        ({"data": Path("nowhere")}, "expected a folder stills"),
    ],
)
def test_what_is_refused(config, change, sentence):
    with pytest.raises(InputError, match=sentence):
        train(replace(config, **change))
