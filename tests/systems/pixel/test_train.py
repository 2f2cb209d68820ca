"""Training on fabricated folders: resumes exactly, overfits one clip, refuses what is wrong, runs in two processes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from shibori.errors import InputError
from shibori.evaluation.measures import region_similarity
from shibori.nn.pixel_tracker.compact import build_pixel_tracker
from shibori.nn.weights import load_state, save_state
from shibori.systems.pixel import train as training
from shibori.systems.pixel.build import build_pixel_propagator
from shibori.systems.pixel.train import TrainConfig, train

from ...datasets.made import made_still, moving_disk, write_davis, write_still
from ...training.together import run_together


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
        steps=6,
        batch=2,
        size=48,
        warmup=2,
        workers=0,
        threads=1,
        save_every=3,
        dev_every=3,
        device="cpu",
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
    assert [step for step, _, _ in losses(broken.out)] == [1, 2, 3]
    path = train(replace(broken, resume=True))
    assert losses(broken.out) == losses(config.out)
    assert len({total for _, total, _ in losses(config.out)}) == 6
    expected = load_state(config.out / "weights.safetensors", "pixel", "tiny")
    torch.testing.assert_close(load_state(path, "pixel", "tiny"), expected, rtol=0, atol=0)


def test_the_number_of_workers_changes_nothing(config: TrainConfig):
    short = replace(config, steps=2)
    train(short)
    other = replace(short, out=config.out.with_name("worker"), workers=1)
    train(other)
    assert losses(other.out) == losses(short.out)


def test_noisy_references_change_what_is_learned_from(config: TrainConfig):
    short = replace(config, steps=1)
    train(short)
    other = replace(short, out=config.out.with_name("noisy"), noisy_share=1.0)
    train(other)
    assert losses(other.out) != losses(short.out)


def test_what_a_run_leaves_behind(config: TrainConfig, capsys: pytest.CaptureFixture[str]):
    scores = iter([0.25, 0.5])
    path = train(config, dev_score=lambda state: next(scores) if "key.weight" in state else 0.0)
    assert path == config.out / "weights.safetensors"
    build_pixel_tracker("tiny").load_state_dict(load_state(path, "pixel", "tiny"))
    saved = json.loads((config.out / "config.json").read_text())
    assert saved.keys() == TrainConfig.__dataclass_fields__.keys()
    assert (saved["steps"], saved["preset"], saved["out"]) == (6, "tiny", str(config.out))
    printed = capsys.readouterr().out
    assert "step 6/6" in printed
    assert "min left" in printed
    assert "step 3 dev J&F 0.2500" in printed
    assert "step 6 dev J&F 0.5000" in printed
    assert any((config.out / "tensorboard").iterdir())
    assert not list(config.out.glob("*.partial"))


def test_a_time_limit_ends_with_a_checkpoint(config: TrainConfig):
    train(replace(config, minutes=1e-6))
    assert [step for step, _, _ in losses(config.out)] == [1]
    train(replace(config, resume=True))
    assert [step for step, _, _ in losses(config.out)] == [1, 2, 3, 4, 5, 6]


def test_a_run_can_start_from_other_weights(config: TrainConfig, tmp_path: Path):
    torch.manual_seed(5)
    save_state(tmp_path / "start.safetensors", build_pixel_tracker("tiny").state_dict(), "pixel", "tiny")
    still = replace(config, start=tmp_path / "start.safetensors", steps=1, rate=0.0)
    found, expected = load_state(train(still), "pixel"), load_state(tmp_path / "start.safetensors", "pixel")
    torch.testing.assert_close(found["key.weight"], expected["key.weight"], rtol=0, atol=0)


def test_tiny_overfits_one_clip_and_then_follows_it(config: TrainConfig, data: Path):
    long = replace(config, steps=120, batch=4, size=64, rate=4e-3, warmup=10, real_share=1.0, max_gap=2, save_every=120)
    weights = train(long)
    curve = [iou for _, _, iou in losses(config.out)]
    assert np.mean(curve[-20:]) > np.mean(curve[:20]) + 0.1
    images, masks = moving_disk(14)
    propagation = build_pixel_propagator("tiny", "cpu", 64, weights).begin(masks[0].shape)
    found = [propagation.step(image, {1: masks[0]} if t == 0 else None) for t, image in enumerate(images)]
    scores = [region_similarity(f.ids == 1, mask) for f, mask in zip(found, masks, strict=True)][1:]
    assert np.mean(scores) > 0.8
    assert all(result.statuses[0].state == "tracked" for result in found)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data": Path("nowhere")}, "expected a folder stills/"),
        ({"split": "dev"}, "no list of split dev of DAVIS 2016: its lists are ImageSets/480p/train.txt"),
        ({"preset": "giant"}, "expected a preset of the pixel tracker"),
        ({"device": "abacus"}, "expected a device"),
        ({"resume": True}, "expected a training checkpoint"),
        ({"start": Path("nowhere.safetensors")}, "expected weights at nowhere.safetensors"),
    ],
)
def test_wrong_input_is_one_sentence_and_leaves_nothing(config: TrainConfig, change: dict, message: str):
    with pytest.raises(InputError, match=message) as caught:
        train(replace(config, **change))
    assert "\n" not in str(caught.value)
    assert not config.out.exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_cuda_asked_for_but_absent(config: TrainConfig):
    with pytest.raises(InputError, match="cuda as asked for"):
        train(replace(config, device="cuda"))


def test_weights_of_another_preset_are_no_start(config: TrainConfig, tmp_path: Path):
    save_state(tmp_path / "start.safetensors", {"x": torch.zeros(1)}, "pixel", "compact")
    with pytest.raises(InputError, match="expected weights of pixel/tiny, found pixel/compact"):
        train(replace(config, start=tmp_path / "start.safetensors"))


def test_two_processes_train_together(config: TrainConfig, data: Path):
    script = f"""
import sys
from pathlib import Path
from shibori.systems.pixel import train as training
training.RunLog.EVERY = 1
training.train(training.TrainConfig(
    data=Path({str(data)!r}), out=Path({str(config.out)!r}), preset="tiny", steps=3, batch=1, size=48, warmup=1,
    workers=0, threads=1, save_every=3, minutes=30, device="cpu",
))
"""
    run_together(2, ["-c", script])
    assert [step for step, _, _ in losses(config.out)] == [1, 2, 3]
    assert all(np.isfinite(total) for _, total, _ in losses(config.out))
    build_pixel_tracker("tiny").load_state_dict(load_state(config.out / "weights.safetensors", "pixel", "tiny"))
