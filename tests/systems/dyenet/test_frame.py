"""A frame as the networks see it: windows, the whole, regions of the whole; each computed once."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from shibori.nn.flow import DisFlow, Flow, FlowEstimator
from shibori.ops.normalise import normalise_images
from shibori.ops.window import cut_window
from shibori.systems.dyenet.frame import FEATURE_GRID, FrameView
from shibori.systems.dyenet.model import DyeNet

from .made import TINY, frame, made_propagator

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def network() -> DyeNet:
    return made_propagator().recurrent.network


class Counting(FlowEstimator):
    """Everything moved by (index of the call, 0)."""

    def __init__(self) -> None:
        self.pairs: list[tuple[np.ndarray, np.ndarray]] = []

    def estimate(self, image_from: np.ndarray, image_to: np.ndarray) -> Flow:
        self.pairs.append((image_from, image_to))
        return Flow(np.full((4, 6, 2), len(self.pairs), np.float32), (image_from.shape[0], image_from.shape[1]))


def view_of(network: DyeNet, size_hw: tuple[int, int], previous: np.ndarray | None = None) -> FrameView:
    return FrameView(network, frame(0, size_hw), previous, DisFlow("fast"), CPU)


@torch.inference_mode()
def test_a_patch_is_the_window_cut_out_and_seen(network: DyeNet):
    view, window = view_of(network, (60, 84)), np.array([10.0, 5.0, 50.0, 55.0])
    found = view.patch(window, (64, 48))
    picture = cut_window(view.image, window, (64, 48))
    expected = network.see(normalise_images(torch.from_numpy(picture).permute(2, 0, 1)[None]))
    for maps, other in zip(found.features, expected.features, strict=True):
        torch.testing.assert_close(maps, other, atol=1e-4, rtol=1e-4)
    assert found.features.s8.shape[2:] == (8, 6)


@torch.inference_mode()
def test_a_patch_is_seen_once_while_nothing_else_is_looked_at(network: DyeNet):
    view, window = view_of(network, (60, 84)), np.array([10.0, 5.0, 50.0, 55.0])
    first = view.patch(window, (64, 48))
    assert view.patch(window.copy(), (64, 48)) is first
    assert view.patch(window, (48, 64)).features.s8.shape[2:] == (6, 8)
    assert view.patch(window + 1, (64, 48)) is not first


@pytest.mark.parametrize("size_hw", [(60, 84), (300, 500), (7, 200), (64, 64)])
@pytest.mark.parametrize("side", [64, 128])
@torch.inference_mode()
def test_the_whole_frame_is_shrunk_to_a_side_and_never_enlarged(network: DyeNet, size_hw: tuple[int, int], side: int):
    seen, scale_xy = view_of(network, size_hw).whole(side)
    resized = [8 * length for length in seen.features.s8.shape[2:]]
    assert all(length % FEATURE_GRID == 0 for length in resized)
    assert scale_xy == (resized[1] / size_hw[1], resized[0] / size_hw[0])
    zoom = min(side / min(size_hw), 1.0)
    for length, original in zip(resized, size_hw, strict=True):
        assert abs(length - original * zoom) <= max(FEATURE_GRID / 2, FEATURE_GRID - original * zoom)


@torch.inference_mode()
def test_what_is_computed_is_computed_once(network: DyeNet, monkeypatch: pytest.MonkeyPatch):
    seen, estimator, see = [], Counting(), network.see
    monkeypatch.setattr(network, "see", lambda images: seen.append(images.shape) or see(images))
    view = FrameView(network, frame(1), frame(0), estimator, CPU)
    for _ in range(3):
        view.whole(64)
        view.roi(np.array([0.0, 0, 40, 40]), 64)
        view.still().whole(64)
        assert view.flow_backward.unique().tolist() == [1]
    assert len(seen) == 1
    view.whole(48)
    assert len(seen) == 2
    ((image_from, image_to),) = estimator.pairs
    np.testing.assert_array_equal(image_from, frame(1))
    np.testing.assert_array_equal(image_to, frame(0))


def test_nothing_has_moved_into_a_first_frame(network: DyeNet):
    assert not view_of(network, (60, 84)).flow_backward.any()
    moved = FrameView(network, frame(1), frame(0), Counting(), CPU)
    assert moved.flow_backward.any()
    assert not moved.still().flow_backward.any()
    assert moved.still().image is moved.image


@torch.inference_mode()
def test_a_region_of_as_many_positions_as_the_features_have_is_the_features(network: DyeNet):
    """128 pixels are 16 positions; a window over 14 of them, on their borders, is read without mixing any."""
    view, m = view_of(network, (128, 128)), TINY.region_side
    found = view.roi(np.array([8.0, 16, 8 + 8 * m, 16 + 8 * m]), 128)
    whole, _ = view.whole(128)
    for maps, features, factor in zip(found, whole.features, (4, 2, 1), strict=True):
        rows, columns = slice(2 * factor, (2 + m) * factor), slice(factor, (1 + m) * factor)
        torch.testing.assert_close(maps, features[..., rows, columns], atol=1e-4, rtol=1e-3)


@torch.inference_mode()
def test_a_region_is_that_of_the_frame_whatever_side_the_frame_is_shrunk_to(network: DyeNet):
    """Shapes alone: the pictures differ in detail."""
    view = view_of(network, (120, 200))
    for side in (48, 96):
        maps = view.roi(np.array([30.0, 20, 90, 100]), side)
        assert [part.shape[2:] for part in maps] == [(14 * factor, 14 * factor) for factor in (4, 2, 1)]
