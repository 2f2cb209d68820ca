"""Online training on one frame: the clips it makes, what it changes and what it leaves."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from shibori.systems.dyenet import online
from shibori.systems.dyenet.model import DyeNet, build_dyenet
from shibori.systems.dyenet.online import LONGEST_SIDE, frame_stills, train_online
from shibori.systems.dyenet.variant import Variant
from shibori.tracking.shipped import load_shipped

from ...datasets.made import disk, made_still
from .made import strong_state

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(online, "SIZE", 48)
    monkeypatch.setattr(online, "BATCH", 2)


def made_network() -> DyeNet:
    network = build_dyenet("tiny")
    network.load_own_state(strong_state())
    load_shipped(network)
    return network


def marked() -> tuple[np.ndarray, dict[int, np.ndarray]]:
    still = made_still()
    return still.image, {7: still.ids == 1, 300: still.ids == 2}


def test_the_frame_is_a_photograph_with_its_objects_and_one_without():
    image, masks = marked()
    whole, empty = frame_stills(image, masks)
    np.testing.assert_array_equal(whole.image, image)
    np.testing.assert_array_equal(whole.ids, masks[7] * np.uint8(1) + masks[300] * np.uint8(2))
    assert (whole.object_ids, empty.object_ids) == ((1, 2), ())
    assert not empty.ids.any()
    away = cv2.dilate(whole.ids, np.ones((11, 11), np.uint8)) == 0
    np.testing.assert_array_equal(empty.image[away], image[away])


def test_the_ground_below_an_object_is_made_up_from_what_is_around_it():
    """A red and a blue disk on grey: nothing red or blue is left."""
    _, empty = frame_stills(*marked())
    colourfulness = empty.image.astype(int).max(2) - empty.image.astype(int).min(2)
    assert np.percentile(colourfulness, 99.9) < 100  # the disks' is 190 and more


@pytest.mark.parametrize("size_hw", [(300, 1300), (1300, 300), (640, 100)])
def test_large_frames_are_shrunk(size_hw: tuple[int, int]):
    image = np.full((*size_hw, 3), 100, np.uint8)
    mask = disk(size_hw, (size_hw[1] / 2, size_hw[0] / 2), 40)
    for still in frame_stills(image, {1: mask}):
        assert max(still.image.shape[:2]) == min(LONGEST_SIDE, max(size_hw))
        assert still.image.shape[:2] == still.ids.shape
    share = (frame_stills(image, {1: mask})[0].ids == 1).mean()
    assert share == pytest.approx(mask.mean(), rel=0.05)


def changed_parts(before: dict[str, torch.Tensor], network: DyeNet) -> set[str]:
    return {name.split(".")[0] for name, value in network.state_dict().items() if not value.equal(before[name])}


def test_only_the_propagation_learns_and_keeps_its_statistics():
    network = made_network()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    train_online(network, *marked(), Variant(), 2, CPU)
    assert changed_parts(before, network) == {"propagation"}
    for name, value in network.state_dict().items():
        assert "running" not in name or value.equal(before[name]), name


def test_the_same_frame_teaches_the_same():
    states = []
    for seed in range(2):
        network = made_network()
        torch.manual_seed(seed)
        train_online(network, *marked(), Variant(), 1, CPU)
        states.append(network.propagation.state_dict())
    torch.testing.assert_close(*states, rtol=0, atol=0)


TINY_MASKS = {
    "nothing": np.zeros((90, 120), bool),
    "a pixel": disk((90, 120), (60.5, 45.5), 0.5),
    "a dot": disk((90, 120), (60, 45), 2),
    "a line": disk((90, 120), (60, 45), 40) & (np.arange(90)[:, None] == 45),
}


@pytest.mark.parametrize("mask", TINY_MASKS.values(), ids=TINY_MASKS)
def test_what_cannot_be_cut_out_teaches_nothing(mask: np.ndarray):
    network = made_network()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    train_online(network, made_still().image, {1: mask}, Variant(), 2, CPU)
    assert changed_parts(before, network) == set()


def test_what_is_too_small_does_not_keep_others_from_teaching():
    image, masks = marked()
    network = made_network()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    train_online(network, image, {1: TINY_MASKS["a pixel"], **masks}, Variant(), 1, CPU)
    assert changed_parts(before, network) == {"propagation"}


def test_more_steps_fit_the_objects_better():
    """Measured on clips of the same frame that training did not see."""
    image, masks = marked()
    losses = []
    for steps in (0, 12):
        network = made_network()
        online_rate, online.RATE = online.RATE, 3e-3
        try:
            if steps:
                train_online(network, image, masks, Variant(), steps, CPU)
        finally:
            online.RATE = online_rate
        losses.append(unseen_loss(network.eval(), image, masks))
    assert losses[1] < 0.8 * losses[0]


@torch.no_grad()
def unseen_loss(network: DyeNet, image: np.ndarray, masks: dict[int, np.ndarray]) -> float:
    plan = online.SamplingPlan(online.FRAMES, 48, 0.0)
    clips = online.flow_clips(online.TrainingClips(frame_stills(image, masks), [], plan, 99, 8), 48, None)
    batch = online.stack_clips([clips[i] for i in range(8)])
    return float(online.propagation_loss(network, batch, [Variant()] * 8, 1.0)[0])
