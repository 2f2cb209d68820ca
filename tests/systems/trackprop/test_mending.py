"""The network for later rounds, lent to others."""

from __future__ import annotations

import numpy as np
import torch

from shibori.media.marks import Marks
from shibori.systems.trackprop.build import segmenter_from_state
from shibori.systems.trackprop.mending import MaskMender
from shibori.systems.trackprop.model import build_trackprop

from .rounds import SIZE_HW, line, made_sequence

SEQUENCE = made_sequence()


def mender() -> MaskMender:
    torch.manual_seed(0)
    network = build_trackprop("tiny")
    for parameter in network.parameters():
        parameter.data += 0.02 * torch.randn_like(parameter)  # so that what it begins with is not all it says
    return MaskMender(segmenter_from_state(network.own_state(), "tiny", "cpu", dtype=torch.float32))


def test_it_looks_around_the_mask_at_the_marks_of_that_frame_alone():
    image, mask = SEQUENCE.read_image(0), SEQUENCE.ids[0] == 1
    here, elsewhere = line(1, 20, 12, 34), line(0, 24, 12, 34)
    found = mender()(image, 1, Marks({0: (here,)}), 0, mask)
    assert found.object_id == 1
    rows, columns = np.nonzero(mask)
    left, top, right, bottom = found.window
    assert left <= columns.min()
    assert columns.max() < right <= SIZE_HW[1]
    assert top <= rows.min()
    assert rows.max() < bottom <= SIZE_HW[0]
    same = mender()(image, 1, Marks({0: (here,), 1: (elsewhere,)}), 0, mask)
    np.testing.assert_array_equal(same.logits, found.logits)
    other = mender()(image, 1, Marks({0: (here, elsewhere)}), 0, mask)
    assert not np.array_equal(other.logits, found.logits)
