"""Optical flow: known motion of made pictures, the convention of ``ops/warp.py``, and what cannot be had."""

from __future__ import annotations

from pathlib import Path
from urllib.error import URLError

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from shibori.errors import InputError
from shibori.nn.flow import DisFlow, Flow, RaftFlow, build_raft, load_public_raft
from shibori.ops.warp import warp_between_windows


def texture(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    noise = np.random.default_rng(seed).uniform(0, 1, (height, width, 3)).astype(np.float32)
    smooth = np.asarray(cv2.GaussianBlur(noise, (0, 0), 3))
    spread = (smooth - smooth.min()) / (smooth.max() - smooth.min())
    return (255 * spread).astype(np.uint8)


def moved_pair(dx: int, dy: int, height: int = 120, width: int = 160) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Two views of one texture; what is at (x, y) in the first is at (x + dx, y + dy) in the second."""
    ground = texture(height + 32, width + 32)
    return ground[16:-16, 16:-16].copy(), ground[16 - dy : 16 - dy + height, 16 - dx : 16 - dx + width].copy()


def full_size(flow: Flow) -> NDArray[np.float32]:
    """(H, W, 2) a vector for every pixel of the picture."""
    return cv2.resize(flow.vectors, flow.size_hw[::-1], interpolation=cv2.INTER_LINEAR)


@pytest.mark.parametrize("preset", ["ultrafast", "fast", "medium"])
@pytest.mark.parametrize("max_side", [None, 80])
def test_dis_finds_a_translation_within_half_a_pixel(preset: str, max_side: int | None):
    before, after = moved_pair(6, -4)
    flow = full_size(DisFlow(preset, max_side).estimate(before, after))
    assert flow.shape == (120, 160, 2)
    assert flow.dtype == np.float32
    error = np.linalg.norm(flow - np.array([6, -4], np.float32), axis=2)[16:-16, 16:-16]
    assert error.mean() < 0.5
    assert np.median(error) < 0.35


def test_vectors_are_in_pixels_of_the_picture_on_both_axes():
    """151 x 101 halves to 75 x 50: the two axes do not shrink by quite the same factor."""
    before, after = moved_pair(8, 6, 101, 151)
    flow = DisFlow("medium", 75).estimate(before, after)
    assert flow.vectors.shape == (50, 75, 2)
    assert flow.size_hw == (101, 151)
    np.testing.assert_allclose(np.median(flow.vectors.reshape(-1, 2), 0), (8, 6), atol=0.2)


def test_the_flow_back_warps_the_previous_picture_onto_the_current_one():
    previous, current = moved_pair(7, 3)
    flow = DisFlow("medium", None).estimate(current, previous)
    values = torch.from_numpy(previous).permute(2, 0, 1)[None].float()
    frame = torch.tensor([[0.0, 0, 160, 120]])
    warped = warp_between_windows(values, flow.as_tensor(), frame, frame, (120, 160), flow.size_hw)
    warped = warped[0].permute(1, 2, 0).numpy()
    unmoved, seen = (np.abs(picture - current.astype(np.float32))[16:-16, 16:-16] for picture in (previous, warped))
    assert seen.mean() < 0.1 * unmoved.mean()


def test_a_small_flow_serves_the_windows_of_the_frame():
    previous, current = moved_pair(8, 4)
    flow = DisFlow("medium", 80).estimate(current, previous)
    values = torch.from_numpy(previous).permute(2, 0, 1)[None].float()
    frame = torch.tensor([[0.0, 0, 160, 120]])
    warped = warp_between_windows(values, flow.as_tensor(), frame, frame, (120, 160), flow.size_hw)
    seen = np.abs(warped[0].permute(1, 2, 0).numpy() - current)[16:-16, 16:-16]
    assert seen.mean() < 0.15 * np.abs(previous.astype(np.float32) - current)[16:-16, 16:-16].mean()


def test_an_estimate_does_not_depend_on_what_was_seen_before():
    pair, tiny = moved_pair(6, -4), (texture(20, 30), texture(20, 30, seed=1))
    estimator = DisFlow("medium", None)
    first = estimator.estimate(*pair).vectors
    estimator.estimate(*tiny)
    np.testing.assert_array_equal(estimator.estimate(*pair).vectors, first)


@pytest.mark.parametrize("size_hw", [(1, 1), (5, 40), (11, 12)])
def test_dis_takes_the_smallest_pictures(size_hw: tuple[int, int]):
    flow = DisFlow().estimate(texture(*size_hw), texture(*size_hw)).vectors
    assert flow.shape == (*size_hw, 2)
    assert np.abs(flow).max() < 1e-3


@pytest.fixture(scope="module")
def raft() -> RaftFlow:
    torch.manual_seed(0)
    return RaftFlow(build_raft("small"), updates=2)


@pytest.mark.parametrize("size_hw", [(40, 51), (128, 136)])
def test_raft_has_a_vector_for_every_pixel_and_repeats_itself(raft: RaftFlow, size_hw: tuple[int, int]):
    pair = texture(*size_hw), texture(*size_hw, seed=1)
    flow = raft.estimate(*pair).vectors
    assert flow.shape == (*size_hw, 2)
    assert flow.dtype == np.float32
    assert np.abs(flow).max() > 0
    np.testing.assert_array_equal(raft.estimate(*pair).vectors, flow)


def test_raft_of_a_picture_that_needs_no_padding_is_torchvisions(raft: RaftFlow):
    pair = texture(128, 136), texture(128, 136, seed=1)
    tensors = [torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255 * 2 - 1 for image in pair]
    with torch.no_grad():
        expected = raft.network(*tensors, num_flow_updates=2)[-1][0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(raft.estimate(*pair).vectors, expected, atol=1e-3)


def test_raft_shrinks_large_pictures_and_keeps_their_pixels(raft: RaftFlow):
    small = RaftFlow(raft.network, updates=2, max_side=128)
    pair = texture(192, 256), texture(192, 256, seed=1)
    flow = small.estimate(*pair)
    halved = [np.asarray(cv2.resize(image, (128, 96), interpolation=cv2.INTER_AREA)) for image in pair]
    np.testing.assert_allclose(flow.vectors, 2 * raft.estimate(*halved).vectors, atol=1e-4)
    assert flow.size_hw == (192, 256)


def test_raft_can_be_trained(raft: RaftFlow):
    images = torch.from_numpy(texture(128, 128)).permute(2, 0, 1)[None]
    flows = raft.predict(images, images.flip(3))
    assert [flow.shape for flow in flows] == [(1, 2, 128, 128)] * 2
    sum(flow.square().mean() for flow in flows).backward()
    reached = [parameter.grad is not None and bool(parameter.grad.any()) for parameter in raft.network.parameters()]
    raft.network.zero_grad(set_to_none=True)
    assert sum(reached) > 0.8 * len(reached)


def test_weights_that_cannot_be_fetched_are_bad_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def no_network(*_: object, **__: object) -> None:
        raise URLError("no network")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("torch.hub.urlopen", no_network)
    with pytest.raises(InputError, match=r"expected RAFT weights from .*no network.*another preset: compact"):
        load_public_raft(build_raft("small"), "small")


@pytest.mark.parametrize(
    ("kind", "arguments", "message"),
    [
        (DisFlow, {"preset": "slow"}, "'slow'; choose one of ultrafast, fast, medium"),
        (DisFlow, {"max_side": 0}, "at least 1 pixel for the flow, found 0"),
        (RaftFlow, {"network": nn.Identity(), "updates": 0}, "at least 1 update of the flow, found 0"),
        (RaftFlow, {"network": nn.Identity(), "max_side": -1}, "at least 1 pixel for the flow, found -1"),
    ],
)
def test_what_no_flow_can_be_made_of(kind: type, arguments: dict[str, object], message: str):
    with pytest.raises(InputError, match=message):
        kind(**arguments)


def test_an_unknown_variant_of_raft_is_bad_input():
    with pytest.raises(InputError, match="'huge'; choose one of small, large"):
        build_raft("huge")
