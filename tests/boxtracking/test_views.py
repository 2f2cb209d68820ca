"""Views of a frame: computed once, fine enough, and boxes there and back."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from shibori.boxtracking.views import FrameViews, ViewRule, ViewTrunk, view_side, view_size

RULE = ViewRule((64, 128), least_side=20.0)


class Averages(ViewTrunk):
    """Features that are the picture itself, averaged; counts how often it is asked."""

    strides = (4, 8)
    channels = (3, 3)

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[tuple[int, ...]] = []

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        self.sizes.append(tuple(images.shape[2:]))
        return functional.avg_pool2d(images, 4), functional.avg_pool2d(images, 8)


def frame(trunk: ViewTrunk | None, size_hw: tuple[int, int] = (100, 160)) -> FrameViews:
    image = np.random.default_rng(0).integers(0, 255, (*size_hw, 3), np.uint8)
    return FrameViews(image, trunk, RULE)


def box(left: float, top: float, width: float, height: float) -> np.ndarray:
    return np.array([left, top, left + width, top + height])


def test_a_view_is_computed_once_and_only_if_asked_for():
    trunk = Averages()
    views = frame(trunk)
    assert trunk.sizes == []
    assert views.of(box(0, 0, 80, 80)) is views.of(box(50, 10, 60, 70))
    views.of(box(3, 3, 10, 10))
    assert trunk.sizes == [(48, 80), (96, 160)]


def test_objects_are_large_enough_in_their_view_if_they_can_be():
    for extent in (15, 30, 60, 120):
        view = frame(Averages()).of(box(10, 10, extent, extent))
        sides = (lambda b: b[2:] - b[:2])(view.boxes_into(box(10, 10, extent, extent)))
        at_most = RULE.sides[-1] / np.sqrt(100 * 160) * extent
        assert float(sides.prod().sqrt()) >= 0.95 * min(RULE.least_side, at_most)


def test_small_frames_are_not_enlarged_for_ever():
    assert view_side(RULE, box(0, 0, 3, 3), (30, 40)) == 64
    assert view_side(RULE, box(0, 0, 3, 3), (64, 64)) == 128


@pytest.mark.parametrize(
    ("frame_hw", "size_hw"), [((480, 854), (240, 432)), ((30, 3000), (32, 3200)), ((9, 9), (320, 320))]
)
def test_sizes_are_multiples_of_the_grid(frame_hw: tuple[int, int], size_hw: tuple[int, int]):
    assert view_size(320, frame_hw) == size_hw


def test_boxes_there_and_back():
    view = frame(Averages()).of(box(0, 0, 80, 80))
    boxes = np.array([[0.0, 0.0, 160.0, 100.0], [12.5, 3.0, 40.0, 90.0]])
    inside = view.boxes_into(boxes)
    assert inside.dtype == torch.float32
    np.testing.assert_allclose(inside[0].numpy(), [0, 0, 80, 48])
    np.testing.assert_allclose(view.boxes_out(inside), boxes, atol=1e-4)


def test_what_is_seen_is_the_picture():
    views = frame(Averages(), (96, 160))
    view = views.of(box(0, 0, 12, 12))
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    wanted = (views.image[:8, 8:16].reshape(-1, 3).mean(0) / 255 - mean) / std
    np.testing.assert_allclose(view.features.coarse[0, :, 0, 1].numpy(), wanted, rtol=1e-4)
