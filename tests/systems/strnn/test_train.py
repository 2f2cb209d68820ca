"""Training on fabricated folders: two steps, resumes exactly, overfits one clip, refuses what is wrong."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import cv2
import pytest
import torch

from shibori.errors import InputError
from shibori.nn.pixel_tracker.compact import build_pixel_tracker
from shibori.nn.weights import load_state, save_state
from shibori.systems.strnn import train as training
from shibori.systems.strnn.model import build_strnn
from shibori.systems.strnn.train import TrainConfig, set_step, start_network, train

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
        data=data,
        out=tmp_path / "run",
        preset="tiny",
        steps=4,
        first_share=0.5,
        batch=2,
        size=48,
        warmup=2,
        workers=0,
        threads=1,
        save_every=2,
        dev_every=2,
    )


@pytest.fixture(autouse=True)
def log_every_step(monkeypatch: pytest.MonkeyPatch):
    threads = cv2.getNumThreads()
    monkeypatch.setattr(training.RunLog, "EVERY", 1)
    yield
    cv2.setNumThreads(threads)


def losses(folder: Path) -> list[tuple]:
    """(step, total, iou) of every logged step."""
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [(line["step"], line["total"], line["iou"]) for line in lines if "total" in line]


class Killed(Exception):
    """What stands for a power cut."""


def killed(_state: dict) -> float:
    raise Killed


def test_a_resumed_run_is_the_unbroken_run(config: TrainConfig):
    train(config)
    broken = replace(config, out=config.out.with_name("broken"))
    with pytest.raises(Killed):
        train(broken, dev_score=killed)
    assert [step for step, _, _ in losses(broken.out)] == [1, 2]
    path = train(replace(broken, resume=True))
    assert losses(broken.out) == losses(config.out)
    assert len({total for _, total, _ in losses(config.out)}) == 4
    expected = load_state(config.out / "weights.safetensors", "strnn", "tiny")
    torch.testing.assert_close(load_state(path, "strnn", "tiny"), expected, rtol=0, atol=0)


def test_the_second_step_fixes_the_extractor(config: TrainConfig):
    states: list[dict] = []

    def remember(_average: dict) -> float:
        states.append(torch.load(config.out / "checkpoint.pt", weights_only=True)["network"])
        return 0.0

    train(replace(config, dev_every=1, save_every=1), remember)
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


def test_compact_starts_from_the_pixel_tracker(config: TrainConfig, tmp_path: Path, monkeypatch):
    torch.manual_seed(3)
    tracker = build_pixel_tracker("compact")
    save_state(tmp_path / "pixel.safetensors", tracker.state_dict(), "pixel", "compact")
    monkeypatch.setattr(training, "locate_weights", lambda *name: tmp_path / "pixel.safetensors")
    network = start_network(replace(config, preset="compact"))
    torch.testing.assert_close(network.extractor.stem[0].weight, tracker.trunk.stem[0].weight, atol=1e-3, rtol=1e-2)
    assert not network.rnn.leave.weight.any()
    fresh = start_network(replace(config, preset="compact", from_pixel=False))
    assert not torch.allclose(fresh.extractor.stem[0].weight, tracker.trunk.stem[0].weight, atol=1e-3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data": Path("nowhere")}, "expected a folder stills/"),
        ({"split": "dev"}, "no list of split dev"),
        ({"preset": "giant"}, "expected a preset of strnn"),
        ({"device": "abacus"}, "expected a device"),
        ({"resume": True}, "expected a training checkpoint"),
        ({"start": Path("nowhere.safetensors")}, "expected weights at nowhere.safetensors"),
    ],
)
def test_what_is_refused(config: TrainConfig, change: dict, message: str):
    with pytest.raises(InputError, match=message):
        train(replace(config, **change))


def test_a_checkpoint_of_another_network(config: TrainConfig):
    train(replace(config, steps=2))
    checkpoint = torch.load(config.out / "checkpoint.pt", weights_only=True)
    checkpoint["network"].pop("rnn.temporal")
    torch.save(checkpoint, config.out / "checkpoint.pt")
    with pytest.raises(InputError, match="found one of another network"):
        train(replace(config, resume=True))
