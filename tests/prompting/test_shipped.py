"""The weights that ship: what they make of drawn pictures, where every answer is plain."""

from __future__ import annotations

import numpy as np
import pytest

from shibori.media.marks import BoxMark, FrameMarks, click
from shibori.media.scribble import Stroke
from shibori.ops.overlap import iou_of_masks
from shibori.prompting.build import build_prompt_segmenter

from ..datasets.made import moving_disk


@pytest.fixture(scope="module")
def segmenter():
    return build_prompt_segmenter("compact", "cpu", 256)


def place_of(mask: np.ndarray) -> tuple[float, float]:
    rows, columns = np.nonzero(mask)
    return columns.mean() / (mask.shape[1] - 1), rows.mean() / (mask.shape[0] - 1)


@pytest.mark.parametrize("kind", ["click", "box", "stroke"])
def test_one_mark_on_a_disk_is_the_disk(segmenter, kind):
    images, masks = moving_disk(1)
    x, y = place_of(masks[0])
    height, width = masks[0].shape
    rows, columns = np.nonzero(masks[0])
    corners = (columns.min() / width, rows.min() / height, (columns.max() + 1) / width, (rows.max() + 1) / height)
    marks = {
        "click": FrameMarks((click(1, x, y),)),
        "box": FrameMarks((), (BoxMark(1, corners),)),
        "stroke": FrameMarks((Stroke(1, ((x - 0.03, y), (x + 0.03, y))),)),
    }[kind]
    assert iou_of_masks(segmenter.answer(images[0], marks, 1).mask(), masks[0]) > 0.8


def test_a_click_corrects_a_mask_that_is_too_large(segmenter):
    images, masks = moving_disk(1)
    x, y = place_of(masks[0])
    wrong = masks[0].copy()
    wrong[:, : masks[0].shape[1] // 6] = True
    marks = FrameMarks((click(1, x, y), click(0, 0.05, 0.5)))
    found = segmenter.answer(images[0], marks, 1, wrong).mask()
    assert iou_of_masks(found, masks[0]) > iou_of_masks(wrong, masks[0])
