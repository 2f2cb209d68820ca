"""From detections in a resized frame to candidates of the frame."""

from __future__ import annotations

import numpy as np
import torch

from shibori.boxtracking.views import FrameViews
from shibori.media.rle import decode_rle
from shibori.systems.ipdt.detection import candidates_of, mask_in_box
from shibori.systems.ipdt.network import Detections

from .made import tiny_segmenter


def test_a_full_mask_fills_the_pixels_whose_centres_are_in_the_box():
    full = np.full((28, 28), 5.0, np.float32)
    mask = mask_in_box(full, np.array([3.4, 2.0, 10.6, 8.5]), (12, 16))
    expected = np.zeros((12, 16), bool)
    expected[2:8, 3:11] = True  # 3.5 is inside, 10.5 too; 8.5 is not
    assert np.array_equal(mask, expected)


def test_boxes_beyond_the_frame_are_cut():
    full = np.full((28, 28), 5.0, np.float32)
    assert mask_in_box(full, np.array([-5.0, -5, 4, 3]), (12, 16)).sum() == 12
    assert not mask_in_box(full, np.array([20.0, 5, 30, 9]), (12, 16)).any()


def test_a_mask_is_stretched_over_its_box():
    logits = np.full((28, 28), -5.0, np.float32)
    logits[:, 14:] = 5.0
    mask = mask_in_box(logits, np.array([0.0, 0, 56, 28]), (28, 56))
    expected = np.zeros((28, 56), bool)
    expected[:, 28:] = True
    assert np.array_equal(mask, expected)


def test_candidates_are_in_pixels_of_the_frame_and_empty_ones_are_left_out():
    detections = Detections(
        torch.tensor([[4.0, 2, 12, 10], [1, 1, 3, 3]]),
        torch.tensor([[0.1, 0.7], [0.5, 0.2]]),
        torch.stack([torch.full((28, 28), 3.0), torch.full((28, 28), -3.0)]),
        torch.eye(2),
    )
    (candidate,) = candidates_of(detections, 7, (16, 32), (32, 96))
    assert candidate.frame_index == 7
    assert candidate.box_xyxy.tolist() == [12, 4, 36, 20]
    assert (candidate.class_index, round(candidate.score, 3)) == (1, 0.8)
    mask = decode_rle(candidate.mask)
    assert mask.shape == (32, 96)
    assert mask[4:20, 12:36].all()
    assert mask.sum() == 16 * 24


def test_finding_uses_the_features_that_all_share():
    segmenter = tiny_segmenter()
    parts = segmenter.parts
    asked = []

    class Counting(type(parts.trunk)):
        def forward(self, images):
            asked.append(images.shape)
            return super().forward(images)

    trunk = Counting(parts.tracker.pixel.network.trunk, parts.tracker.pixel.network.key)
    frame = FrameViews(np.full((60, 100, 3), 90, np.uint8), trunk, parts.views)
    parts.finder.find(frame, 0)
    parts.finder.find(frame, 0)
    assert len(asked) == 1
    frame.of(np.array([0.0, 0, 100, 60]))
    assert len(asked) == 1
