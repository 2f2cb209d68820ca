"""Choosing among a Siamese network's answers, and how far to look."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from shibori.boxtracking.siamese_network import RATIOS, Response, SiameseNetwork, SiameseSize, anchors
from shibori.boxtracking.siamese_search import SearchRule, choose, cosine_window, refer, search, shape_penalty
from shibori.boxtracking.views import Features, View

RULE = SearchRule()
BEFORE = torch.tensor([5.0, 5.0, 11.0, 11.0])
"""In the middle of a region of 16 cells of a pixel each; of an anchor's size."""


def response(*answers: tuple[int, int, int, float], count: int = 16) -> Response:
    """Anchors as they are; nothing looks like the object but (ratio, row, column) with a log-odds."""
    logits = torch.full((1, len(RATIOS), count, count), -9.0)
    for ratio, row, column, value in answers:
        logits[0, ratio, row, column] = value
    return Response(logits, anchors(count)[None])


def place(box: torch.Tensor) -> tuple[float, float]:
    return tuple(((box[:2] + box[2:]) / 2).tolist())


def test_the_best_is_taken():
    found = choose(response((2, 9, 6, 3.0), (2, 2, 2, 1.0)), BEFORE, RULE, is_local=True)
    assert place(found.box_xyxy) == (6.5, 9.5)
    assert found.score == pytest.approx(torch.tensor(3.0).sigmoid())


def test_of_two_that_look_alike_the_nearer_one_of_the_same_shape_is_taken():
    far_and_near = response((2, 1, 1, 2.2), (2, 8, 8, 2.0))
    assert place(choose(far_and_near, BEFORE, RULE, is_local=True).box_xyxy) == (8.5, 8.5)
    assert place(choose(far_and_near, BEFORE, RULE, is_local=False).box_xyxy) == (1.5, 1.5)
    thin_and_same = response((0, 7, 7, 2.1), (2, 8, 8, 2.0))
    assert place(choose(thin_and_same, BEFORE, RULE, is_local=True).box_xyxy) == (8.5, 8.5)


def test_a_new_size_counts_by_how_much_it_is_believed():
    larger = response((2, 8, 8, 9.0))._replace(boxes_xyxy=2 * anchors(16)[None])
    found = choose(larger, BEFORE, RULE, is_local=True)
    width = float(found.box_xyxy[2] - found.box_xyxy[0])
    assert 6 < width < 9
    anywhere = choose(larger, BEFORE, RULE, is_local=False)
    assert float(anywhere.box_xyxy[2] - anywhere.box_xyxy[0]) == pytest.approx(12)


def test_of_two_things_the_one_that_looks_less_like_a_distractor_is_taken():
    two = response((2, 8, 8, 2.2), (2, 1, 14, 2.0), (2, 1, 13, 1.9))
    against = torch.zeros(len(RATIOS), 16, 16)
    against[2, 8, 8] = 0.9
    for is_local in (False, True):
        assert place(choose(two, BEFORE, RULE, is_local).box_xyxy) == (8.5, 8.5)
    assert place(choose(two, BEFORE, RULE, is_local=False, against=against).box_xyxy) == (14.5, 1.5)
    score = choose(two, BEFORE, RULE, is_local=False, against=against).score
    assert score == pytest.approx(torch.tensor(2.0).sigmoid())  # what it looks like, not what is left of it


def test_distractors_do_not_choose_among_the_answers_for_one_thing():
    """The best place for it stays, even if a worse one looks less like a distractor."""
    one = response((2, 8, 8, 2.0), (2, 8, 9, 1.9))
    against = torch.zeros(len(RATIOS), 16, 16)
    against[2, 8, 8] = 0.9
    for is_local in (False, True):
        assert place(choose(one, BEFORE, RULE, is_local, against).box_xyxy) == (8.5, 8.5)


def test_what_looks_alike_and_is_apart_is_a_distractor():
    answers = response(
        (2, 8, 8, 3.0), (2, 8, 9, 2.5), (2, 1, 1, 1.0), (2, 1, 2, 1.5), (2, 1, 14, 0.5), (2, 14, 1, -1.0)
    )
    found = choose(answers, BEFORE, RULE, is_local=False)
    assert [place(box) for box in found.distractors_xyxy] == [(2.5, 1.5), (14.5, 1.5)]
    one = replace(RULE, new_distractors=1)
    assert [place(box) for box in choose(answers, BEFORE, one, False).distractors_xyxy] == [(2.5, 1.5)]
    none = replace(RULE, new_distractors=0)
    assert choose(answers, BEFORE, none, False).distractors_xyxy.shape == (0, 4)


class Counting(SiameseNetwork):
    """Notes how many cells it is asked for."""

    def __init__(self) -> None:
        super().__init__(SiameseSize((2, 2), 4))
        self.counts: list[int] = []

    def respond(self, *args):
        self.counts.append(args[-1])
        return super().respond(*args)


def test_the_region_grows_while_the_object_is_lost_up_to_the_whole_frame():
    torch.manual_seed(0)
    network = Counting().eval()
    view = View(Features(torch.rand(1, 2, 32, 64), torch.rand(1, 2, 16, 32), (4, 8)), (128, 256), (128, 256))
    box = torch.tensor([100.0, 60.0, 124.0, 84.0])
    with torch.no_grad():
        reference = refer(network, view, box)
        for num_lost in range(8):
            search(network, view, reference, box, RULE, num_lost)
    assert network.counts[:3] == [20, 30, 45]
    assert network.counts[-1] == RULE.most_count
    assert network.counts == sorted(network.counts)


def test_the_penalty_is_one_for_the_same_size_and_less_for_others():
    last = torch.tensor([10.0, 10, 30, 50])
    boxes = torch.stack([last + 7, last * 2, torch.tensor([10.0, 10, 50, 30]), last / 2])
    factors = shape_penalty(boxes, last, 0.1)
    assert factors[0] == pytest.approx(1)
    assert factors[1] == pytest.approx(np.exp(-0.1 * (2 - 1)))  # twice the size
    assert factors[1] == pytest.approx(float(factors[3]))  # half of it
    assert factors[2] == pytest.approx(np.exp(-0.1 * (4 - 1)), abs=0.01)  # turned: ratio 4, same size


def test_the_window_is_one_in_the_middle_and_falls_off():
    window = cosine_window(9)[0]
    assert window[4, 4] == pytest.approx(1)
    assert torch.allclose(window, window.T)
    assert 0 < window[0, 0] < window[0, 4] < window[4, 4]
