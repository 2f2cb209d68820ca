"""The preset ``paper``: the interface, the formulas, one training step, one tracked frame. Nothing is fetched."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.util import find_spec

import cv2
import numpy as np
import pytest
import torch

from shibori.errors import InputError
from shibori.nn.weights import load_state
from shibori.tracking import build, presets
from shibori.tracking.losses import UnrolledTracker
from shibori.tracking.network import join_memories
from shibori.tracking.paper import PaperTracker, PaperTrackerSize, bounded_distance
from shibori.tracking.train import TrainConfig, recipe
from shibori.training.fit import train

pytestmark = pytest.mark.skipif(
    any(find_spec(name) is None for name in ("segmentation_models_pytorch", "timm")),
    reason="the optional libraries are not installed: pip install shibori[paper]",
)

SMALL = PaperTrackerSize("tu-resnet18", feature_channels=16, key_channels=6, head_channels=16, local_radius=3)


@pytest.fixture
def tracker() -> PaperTracker:
    torch.manual_seed(0)
    return PaperTracker(SMALL).eval()


def made_frame(seed: int, height: int = 48, width: int = 64):
    """(1, 3, H, W) image and (1, 1, H, W) mask of a rectangle."""
    mask = torch.zeros(1, 1, height, width)
    mask[:, :, 8:24, 16:40] = 1
    image = torch.randn(1, 3, height, width, generator=torch.Generator().manual_seed(seed)) + mask
    return image, mask


def test_the_papers_numbers():
    size = presets.SIZES["paper"]
    assert isinstance(size, PaperTrackerSize)
    assert (size.key_channels, size.head_channels, size.head_layers, size.head_kernel, size.local_radius) == (
        (100, 256, 4, 7, 15)
    )
    network = presets.build_pixel_tracker("paper")
    assert isinstance(network, PaperTracker)
    assert network.stride == 4
    assert network.size.backbone == "tu-xception65"


def test_bounded_distance_is_the_formula_of_feelvos():
    distances = torch.tensor([0.0, 0.3, 1.0, 5.0])
    torch.testing.assert_close(bounded_distance(distances), 1 - 2 / (1 + distances.exp()))
    assert bounded_distance(torch.tensor(1e4)) == 1


def test_shapes(tracker):
    image, mask = made_frame(0)
    with torch.no_grad():
        encoded = tracker.encode(image)
        memory = tracker.remember(encoded, mask, 0 * mask)
        prediction = tracker(encoded, join_memories(memory, memory), encoded.key, mask, 0 * mask)
    assert encoded.key.shape == (1, 6, 12, 16)
    assert (memory.value.shape, memory.traits.shape) == ((1, 0, 192), (1, 192, 0))
    assert prediction.logits.shape == (1, 1, 48, 64)
    assert (prediction.quality.shape, prediction.presence.shape) == ((1,), (1,))
    assert prediction.matched.shape == (1, 12, 16)
    # A frame that is matched with itself matches the object where the object is.
    assert ((prediction.matched > 0.5) == (memory.label.unflatten(1, (12, 16)) > 0.5)).float().mean() > 0.99


def test_what_was_never_seen_is_matched_with_nothing(tracker):
    image, mask = made_frame(1)
    with torch.no_grad():
        encoded = tracker.encode(image)
        memory = tracker.remember(encoded, mask, 0 * mask)
        unseen, far = torch.zeros_like(encoded.key), encoded.key + 1e3
        answers = [tracker(encoded, memory, previous, mask, 0 * mask).logits for previous in (unseen, far)]
    torch.testing.assert_close(answers[0], answers[1])


def test_every_parameter_learns():
    torch.manual_seed(0)
    network = PaperTracker(SMALL)
    images, masks, windows = _clips()
    UnrolledTracker(network)(images, masks, torch.zeros_like(masks), windows, 1.0).total.backward()
    wrong = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
    assert wrong == []


def test_overfits_one_clip():
    torch.manual_seed(0)
    network = PaperTracker(SMALL)
    unrolled = UnrolledTracker(network)
    images, masks, windows = _clips()
    optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3)
    ious = []
    for _ in range(25):
        loss = unrolled(images, masks, torch.zeros_like(masks), windows, 1.0)
        optimiser.zero_grad()
        loss.total.backward()
        optimiser.step()
        ious.append(float(loss.iou.detach()))
    assert max(ious[-5:]) > 0.8


def _clips():
    """One clip of a bright square that moves over noise: images, masks, windows."""
    generator = torch.Generator().manual_seed(3)
    images = torch.randint(0, 120, (1, 3, 3, 48, 48), dtype=torch.uint8, generator=generator)
    masks = torch.zeros(1, 3, 48, 48, dtype=torch.uint8)
    for t in range(3):
        masks[:, t, 12 + 4 * t : 28 + 4 * t, 12:28] = 1
    windows = torch.tensor([0.0, 0.0, 48.0, 48.0]).expand(1, 3, 4)
    return images + 120 * masks[:, :, None], masks, windows


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_follows_an_object(monkeypatch, dtype):
    monkeypatch.setitem(presets.SIZES, "paper", SMALL)
    state = presets.build_pixel_tracker("paper").state_dict()
    propagator = build.propagator_from_state(state, "paper", "cpu", size=64, dtype=dtype)
    run = propagator.begin((50, 70))
    image = np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8)
    mask = np.zeros((50, 70), bool)
    mask[10:30, 20:50] = True
    first = run.step(image, {7: mask})
    assert np.array_equal(first.ids == 7, mask)
    for _ in range(2):
        answer = run.step(image)
        assert answer.ids.shape == (50, 70)
        assert [status.object_id for status in answer.statuses] == [7]
        assert 0 <= answer.statuses[0].confidence <= 1


def test_weights_are_never_fetched_to_be_replaced(monkeypatch, tmp_path):
    asked = []

    def remembered(size, pretrained):
        asked.append(pretrained)
        raise InputError("enough")

    monkeypatch.setattr(presets, "PaperTracker", remembered)
    config = TrainConfig(preset="paper", out=tmp_path)
    for kept in (
        config,
        replace(config, start=tmp_path),
        replace(config, resume=True),
        replace(config, pretrained=False),
    ):
        with pytest.raises(InputError, match="enough"):
            train(kept, recipe)
    with pytest.raises(InputError, match="enough"):
        build.propagator_from_state({}, "paper", "cpu")
    assert asked == [True, False, False, False, False]


def test_trains_a_step_and_runs_what_it_wrote(tmp_path):
    _write_still(tmp_path / "data" / "stills" / "made")
    config = TrainConfig(
        data=tmp_path / "data", out=tmp_path / "run", preset="paper", pretrained=False,
        steps=1, batch=1, size=64, frames=2, workers=0, threads=1, dev_every=0,
    )  # fmt: skip
    (weights,) = train(config, recipe)
    assert json.loads((tmp_path / "run" / "config.json").read_text())["preset"] == "paper"
    run = build.propagator_from_state(load_state(weights, "pixel", "paper"), "paper", "cpu", size=64).begin((32, 32))
    image, mask = np.zeros((32, 32, 3), np.uint8), np.zeros((32, 32), bool)
    mask[8:24, 8:24] = True
    run.step(image, {1: mask})
    assert run.step(image).ids.shape == (32, 32)


def _write_still(folder):
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    mask = np.zeros((120, 160), np.uint8)
    mask[30:90, 40:110] = 1
    image = np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8)
    cv2.imwrite(str(folder / "images" / "a.png"), image)
    cv2.imwrite(str(folder / "masks" / "a.png"), mask)
