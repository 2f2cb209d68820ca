"""The pixel tracker asked about marks: what is marked is remembered, and nothing that is not known."""

from __future__ import annotations

import numpy as np
import torch

from shibori.systems.trackprop.recall import MARK_WIDTH, Hints, _known, match_marks
from shibori.tracking.matcher import build_matcher

CPU = torch.device("cpu")


def hints(rim: tuple[bool, bool, bool, bool] = (True, True, True, True)) -> Hints:
    positive, negative = np.zeros((2, 64, 96), np.bool_)
    positive[20:40, 40], negative[30, 60:90] = True, True
    return Hints.of(positive, negative, CPU, rim)


def test_marks_are_as_wide_as_a_brush_and_do_not_overlap():
    found = hints()
    assert int(found.positive[0, 0, 30].sum()) == MARK_WIDTH
    assert not (found.positive * found.negative).any()
    applied = found.applied(torch.full((1, 1, 64, 96), 0.4))
    assert applied[0, 0, 30, 40] == 1
    assert applied[0, 0, 30, 70] == 0
    assert applied[0, 0, 5, 5] == 0.4


@torch.no_grad()
def test_what_is_known_is_what_is_marked_and_the_rim_where_it_is_free():
    tracker = build_matcher("tiny").eval()
    encoded = tracker.encode(torch.randn(1, 3, 64, 96))
    known = _known(hints((True, False, True, True)), encoded, 8, with_rim=True).view(8, 12)
    assert (known[3, 5], known[3, 9], known[4, 3]) == (1, 0, -1)
    assert (known[:, 0] == 0).all()
    assert (known[-1] == 0).all()
    assert (known[0, 1:-1] == -1).all()
    assert (_known(hints(), encoded, 8, with_rim=False).view(8, 12)[-1] == -1).all()


@torch.no_grad()
def test_it_answers_with_and_without_a_mask_and_references():
    torch.manual_seed(0)
    tracker = build_matcher("tiny").eval()
    encoded = tracker.encode(torch.randn(1, 3, 64, 96))
    mask = torch.zeros(1, 1, 64, 96)
    mask[:, :, 10:50, 30:60] = 1
    reference = tracker.remember(encoded, mask, torch.zeros_like(mask))
    answers = [
        match_marks(tracker, encoded, hints()),
        match_marks(tracker, encoded, hints(), mask),
        match_marks(tracker, encoded, hints(), mask, [reference]),
        match_marks(tracker, encoded, hints(), rounds=1),
    ]
    assert all(answer.shape == (1, 1, 64, 96) and answer.isfinite().all() for answer in answers)
    assert not answers[0].equal(answers[1])
    assert not answers[1].equal(answers[2])
