"""The Siamese network at work: what the penalties do, and where boxes come out."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from shibori.boxtracking.siamese_network import CELLS, Response, anchors
from shibori.boxtracking.views import FrameViews
from shibori.systems.ipdt.instance_half import InstanceHalf
from shibori.systems.ipdt.rule import InstanceRule

from .made import tiny_segmenter


class OnePlace:
    """Answers with one place that is the target."""

    def __init__(self, row: int, column: int, logit: float = 4.0) -> None:
        self.row, self.column, self.logit = row, column, logit

    def respond(self, features, reference, centres_xy, sizes, picture, count):
        places = anchors(count)
        self.count = count
        logits = torch.full(places.shape[:3], -6.0)
        logits[2, self.row % count, self.column % count] = self.logit
        origin = (centres_xy - sizes[:, None] * (count / CELLS / 2)).repeat(1, 2)[0]
        return Response(logits[None], (places * (sizes[0] / CELLS) + origin)[None])


@pytest.fixture
def frame():
    parts = tiny_segmenter().parts
    return FrameViews(np.zeros((96, 96, 3), np.uint8), parts.trunk, parts.views)


BOX = np.array([30.0, 30, 54, 54])


def test_a_box_comes_out_where_its_place_is(frame):
    scripted = OnePlace(0, 0)
    half = InstanceHalf(scripted, InstanceRule(inertia=0.0))
    scripted.row = scripted.column = 9
    middle = half.follow("reference", frame, BOX)
    assert np.abs(middle.box - BOX).max() < 1
    assert middle.score == pytest.approx(torch.tensor(4.0).sigmoid().item(), abs=1e-3)
    scripted.column = 9 + CELLS  # a size further right
    assert half.follow("reference", frame, BOX).box[0] - BOX[0] == pytest.approx(24, abs=1)


def test_a_search_covers_the_frame(frame):
    scripted = OnePlace(0, 0)
    half = InstanceHalf(scripted, InstanceRule())
    half.search("reference", frame, BOX)
    assert scripted.count * 24 / CELLS >= 96
    InstanceHalf(scripted, InstanceRule(most_cells=10)).search("reference", frame, BOX)
    assert scripted.count == 10


def test_the_network_itself_answers(frame):
    half = tiny_segmenter().parts.tracker.instance
    with torch.inference_mode():
        reference = half.begin(frame, BOX)
        for found in (half.follow(reference, frame, BOX), half.search(reference, frame, BOX)):
            assert 0 <= found.score <= 1
            assert np.isfinite(found.box).all()
            assert (found.box[2:] > found.box[:2]).all()
