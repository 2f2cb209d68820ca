"""The network for later rounds, lent to others."""

from __future__ import annotations

import numpy as np
import torch

from shibori.media.marks import BoxMark, Marks, click
from shibori.ops.overlap import WindowedLogits
from shibori.systems.trackprop.build import segmenter_from_state
from shibori.systems.trackprop.mask_refiner import LIMIT, MaskRefiner, mean_logits
from shibori.systems.trackprop.model import build_trackprop

from .rounds import SIZE_HW, line, made_sequence

SEQUENCE = made_sequence()


def refiner() -> MaskRefiner:
    torch.manual_seed(0)
    network = build_trackprop("tiny")
    for parameter in network.parameters():
        parameter.data += 0.02 * torch.randn_like(parameter)  # so that what it begins with is not all it says
    return MaskRefiner(segmenter_from_state(network.own_state(), "tiny", "cpu", dtype=torch.float32))


def test_it_looks_around_the_mask_at_the_marks_of_that_frame_alone():
    image, mask = SEQUENCE.read_image(0), SEQUENCE.ids[0] == 1
    here, elsewhere = line(1, 20, 12, 34), line(0, 24, 12, 34)
    found = refiner()(image, Marks({0: (here,)}), 0, 1, mask, mask)
    assert found.object_id == 1
    rows, columns = np.nonzero(mask)
    left, top, right, bottom = found.window
    assert left <= columns.min()
    assert columns.max() < right <= SIZE_HW[1]
    assert top <= rows.min()
    assert rows.max() < bottom <= SIZE_HW[0]
    same = refiner()(image, Marks({0: (here,), 1: (elsewhere,)}), 0, 1, mask, mask)
    np.testing.assert_array_equal(same.logits, found.logits)
    other = refiner()(image, Marks({0: (here, elsewhere)}), 0, 1, mask, mask)
    assert not np.array_equal(other.logits, found.logits)


class Noting:
    """Stands for the networks: notes from which mask it is asked, and answers with it, a little to the right."""

    def __init__(self) -> None:
        self.asked: list[np.ndarray | None] = []

    def answer(self, image, object_id, marks, before):
        self.asked.append(before)
        shown = np.ones(SIZE_HW, np.bool_) if before is None else np.roll(before, 2, 1)
        return WindowedLogits(object_id, np.array([0.0, 0, SIZE_HW[1], SIZE_HW[0]]), shown * 8.0 - 4.0)


def test_it_starts_from_the_round_before_or_from_the_mask_and_the_marks_where_nothing_was_said():
    image, mask = SEQUENCE.read_image(0), SEQUENCE.ids[0] == 1
    before, marks = np.roll(mask, 5, 0), Marks({0: (line(1, 20, 12, 34),)})
    elsewhere = Marks({0: (line(0, 60, 90, 120),)})
    for given, drawn, starts in (
        (before, marks, [before]),
        (None, marks, [mask, None]),
        (before & False, marks, [mask, None]),
        (None, elsewhere, [mask]),
    ):
        found = refiner()
        found._marking = Noting()
        found(image, drawn, 0, 1, mask, given)
        asked = found._marking.asked
        assert len(asked) == len(starts) + (drawn is marks)
        assert all(one is other for one, other in zip(asked, starts, strict=False))


def test_of_clicks_and_boxes_only_the_second_opinion_counts():
    image, mask = SEQUENCE.read_image(0), SEQUENCE.ids[0] == 1
    other = np.zeros(SIZE_HW, np.bool_)
    other[60:80, 60:90] = True
    pointed = Marks({0: (click(1, 0.2, 0.2),)}, {0: (BoxMark(1, (0.0, 0.0, 0.5, 0.5)),)})

    class Stubborn(Noting):
        def answer(self, image, object_id, marks, before):
            self.asked.append(before)
            return WindowedLogits(object_id, np.array([0.0, 0, SIZE_HW[1], SIZE_HW[0]]), other * 8.0 - 4.0)

    found = refiner()
    found._marking = Stubborn()
    found(image, pointed, 0, 1, mask, None)
    np.testing.assert_array_equal(found._marking.asked[-1] & ~mask, other & ~mask)
    assert not found._marking.asked[-1][mask & ~other].sum() > 1  # but for the click itself


def test_the_mean_of_two_looks_counts_what_one_did_not_see_as_background():
    near = WindowedLogits(1, np.array([0.0, 0, 4, 4]), np.full((4, 4), 9.0, np.float32))
    far = WindowedLogits(1, np.array([2.0, 0, 8, 4]), np.full((2, 3), -2.0, np.float32))
    mean = mean_logits([near, far], (4, 10))
    np.testing.assert_allclose(mean[:, :2], 0)
    np.testing.assert_allclose(mean[:, 2:4], (LIMIT - 2) / 2)
    np.testing.assert_allclose(mean[:, 4:8], (-LIMIT - 2) / 2)
    np.testing.assert_allclose(mean[:, 8:], -LIMIT)
