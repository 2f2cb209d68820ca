"""What the numbers of the tracker do, with a network that is as sure as it is told.

Each number stands where it was measured to work. The bounds leave it room to be tuned by some fifteen percent, no more.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from shibori.media.mask import FrameMasks, ObjectStatus
from shibori.tracking.config import MATCHER_CONFIG
from shibori.tracking.propagator import MaskPropagation, MaskPropagator
from shibori.tracking.window_tracker import WindowTracker

from .scripted import NOTHING, SIZE_HW, ScriptedNetwork, box_mask, picture

HOME = (100, 80, 140, 120)


def begun(network: ScriptedNetwork, size_hw: tuple[int, int]) -> MaskPropagation:
    return MaskPropagator(WindowTracker(network, MATCHER_CONFIG, torch.device("cpu"))).begin(size_hw)


class Run:
    """One object from its given mask on; the network can be told what to say between frames."""

    def __init__(self, box: tuple[int, int, int, int] = HOME) -> None:
        self.network = ScriptedNetwork()
        self.propagation = begun(self.network, SIZE_HW)
        self.box = box
        self.given(box)

    def given(self, box: tuple[int, int, int, int]) -> None:
        """A frame in which its mask is given."""
        self._step(picture(*box), {1: box_mask(*box)})

    def shown(self, box: tuple[int, int, int, int] | None = None, **said: float) -> ObjectStatus:
        """A frame in which the object is in a box (by default where it began), and what the network says of it."""
        for name, value in said.items():
            setattr(self.network, name, value)
        self.masks = self._step(picture(*(box or self.box)), None)
        return self.masks.statuses[0]

    def hidden(self) -> ObjectStatus:
        """A frame without it, as the network knows."""
        quality, self.network.quality = self.network.quality, 0.0
        status = self._step(NOTHING, None).statuses[0]
        self.network.quality = quality
        return status

    def _step(self, image: np.ndarray, given: dict[int, np.ndarray] | None) -> FrameMasks:
        self.network.windows.clear()
        self.network.sizes.clear()
        self.network.recalled.clear()
        masks = self.propagation.step(image, given)
        self.network.frame += 1
        return masks

    @property
    def recalled(self) -> set[int]:
        """Frames that the last answer was matched with."""
        return self.network.recalled[-1]

    @property
    def window(self) -> np.ndarray:
        """The first one of the last frame."""
        return self.network.windows[0]

    @property
    def sides(self) -> np.ndarray:
        """(2,) its width and height."""
        return self.window[2:] - self.window[:2]


# ---- confidence


def test_confidence_is_quality_times_presence_times_how_much_of_what_is_matched_is_the_object():
    assert Run().shown(quality=0.9, presence=0.8).confidence == pytest.approx(0.72, abs=0.01)
    assert Run().shown(quality=0.9, presence=0.8, share=0.3).confidence == pytest.approx(0.36, abs=0.04)


@pytest.mark.parametrize(("share", "expected"), [(0.05, 0), (0.135, 0), (0.3, 0.5), (0.42, 0.9), (0.47, 1), (0.9, 1)])
def test_what_matches_other_things_as_well_as_the_object_limits_confidence(share: float, expected: float):
    assert Run().shown(quality=1.0, presence=1.0, share=share).confidence == pytest.approx(expected, abs=0.04)


@pytest.mark.parametrize(("quality", "state"), [(0.1, "lost"), (0.3, "lost"), (0.4, "tracked"), (0.7, "tracked")])
def test_little_confidence_keeps_an_object_none_loses_it(quality: float, state: str):
    run = Run()
    assert run.shown(quality=quality, presence=1.0).state == state
    assert run.masks.ids.any() == (state == "tracked")


@pytest.mark.parametrize(("quality", "state"), [(0.4, "lost"), (0.52, "lost"), (0.68, "tracked"), (0.9, "tracked")])
def test_a_lost_object_is_found_again_by_more_confidence_than_it_takes_to_keep_it(quality: float, state: str):
    run = Run()
    assert run.hidden().state == "lost"
    assert run.shown(quality=quality, presence=1.0).state == state


@pytest.mark.parametrize(("margin", "state"), [(0.3, "lost"), (0.6, "lost"), (0.8, "tracked"), (1.0, "tracked")])
def test_a_lost_object_is_found_again_only_in_what_is_more_like_it_than_like_anything_else(margin: float, state: str):
    run = Run()
    run.hidden()
    assert run.shown(margin=margin).state == state


def test_what_is_kept_need_not_be_like_it():
    assert Run().shown(margin=0.1).state == "tracked"


@pytest.mark.parametrize(("evidence", "is_mask"), [(-0.6, False), (-0.4, True), (0.1, True)])
def test_doubt_counts_for_the_object(evidence: float, is_mask: bool):
    run = Run()
    run.shown(evidence=evidence)
    assert run.masks.ids.any() == is_mask


# ---- memory


def test_every_second_frame_is_remembered_until_the_next_one_is():
    run, recalled = Run(), []
    for _ in range(6):
        run.shown()
        recalled.append(run.recalled)
    assert recalled == [{0}, {0}, {0, 2}, {0, 2}, {0, 4}, {0, 4}]


@pytest.mark.parametrize(("quality", "recalled"), [(0.6, {0}), (0.72, {0}), (0.88, {0, 4}), (0.95, {0, 4})])
def test_only_confident_frames_are_remembered(quality: float, recalled: set[int]):
    run = Run()
    for _ in range(5):
        run.shown(quality=quality, presence=1.0)
    assert run.recalled == recalled


def test_the_first_given_mask_and_the_latest_two_are_remembered_and_no_frame_before_them():
    run = Run()
    for _ in range(3):
        run.shown()
        run.given(HOME)
    run.shown()
    assert run.recalled == {0, 4, 6}


def test_surroundings_of_a_given_mask_are_remembered():
    run = Run()
    near, wide = run.network.windows
    assert 2.1 < (wide[2] - wide[0]) / (near[2] - near[0]) < 2.9


# ---- where it is looked for


def test_an_object_is_looked_for_around_its_box():
    run = Run()
    run.shown()
    assert 1.5 < run.sides[0] / 40 < 2.0
    assert run.network.sizes == [(160, 160)]  # enlarged twice and a little more
    np.testing.assert_allclose((run.window[:2] + run.window[2:]) / 2, (120, 100), atol=1)
    tiny = Run((100, 80, 103, 83))
    tiny.shown()
    assert 17 <= tiny.sides[0] <= 23


@pytest.mark.parametrize(("side", "size"), [(46, 160), (52, 160), (200, 320)])
def test_windows_are_enlarged_about_twice_up_to_about_a_hundred_thousand_pixels(side: int, size: int):
    run = Run((20, 0, 20 + side, side))
    run.shown()
    assert 0.8 * size < np.sqrt(np.prod(run.network.sizes[0])) < 1.2 * size


def test_a_window_is_moved_ahead_by_half_of_the_last_way():
    run = Run()
    run.shown((115, 80, 155, 120))
    run.shown((130, 80, 170, 120))
    assert (run.window[0] + run.window[2]) / 2 == pytest.approx(135 + 7.5, abs=1)


def test_a_window_follows_what_shrinks_or_grows_step_by_step():
    run = Run()
    run.shown((110, 90, 130, 110))
    run.shown((110, 90, 130, 110))
    assert 0.8 < run.sides[0] / 70 < 0.97
    run = Run()
    run.shown((80, 60, 160, 140))
    run.shown((80, 60, 160, 140))
    assert 1.1 < run.sides[0] / 70 < 1.5


def test_a_lost_object_is_looked_for_around_where_it_was():
    run = Run((110, 90, 130, 110))
    run.shown()
    usual = run.sides
    for _ in range(3):
        run.hidden()
    assert (run.sides / usual > 1.9).all()
    assert (run.sides / usual < 2.5).all()


@pytest.mark.parametrize(("quality", "is_widened"), [(0.2, True), (0.3, True), (0.42, False), (0.9, False)])
def test_an_object_in_doubt_is_looked_for_more_widely_in_the_same_frame(quality: float, is_widened: bool):
    run = Run((110, 90, 130, 110))
    run.shown()
    usual = run.sides
    run.shown(quality=quality)
    sides = [window[2:] - window[:2] for window in run.network.windows]
    assert (sides[0] == usual).all()
    assert any((each / usual > 1.9).all() for each in sides[1:]) == is_widened


@pytest.mark.parametrize(("margin", "is_there"), [(0.5, False), (0.66, False), (0.8, True), (1.0, True)])
def test_every_second_time_a_lost_object_is_looked_for_where_the_frame_is_most_like_it(margin: float, is_there: bool):
    run, far = Run((20, 20, 60, 60)), (190, 130, 230, 170)
    run.hidden()
    run.shown(far, margin=margin)
    whole, next_to_it, *_ = run.network.windows
    assert whole.tolist() == [0, 0, 255, 200]
    centre = (next_to_it[:2] + next_to_it[2:]) / 2
    assert (np.linalg.norm(centre - (210, 150)) < 12) == is_there
    assert (run.masks.statuses[0].state == "tracked") == is_there


def test_the_whole_of_a_large_frame_is_looked_at_coarsely():
    network = ScriptedNetwork()
    propagation = begun(network, (480, 640))
    propagation.step(np.zeros((480, 640, 3), np.uint8), {1: np.pad(np.ones((40, 40), bool), ((0, 440), (0, 600)))})
    network.quality = 0.0
    for _ in range(2):
        network.sizes.clear()
        propagation.step(np.zeros((480, 640, 3), np.uint8))
    height, width = network.sizes[0]
    assert 256 <= height <= 320
    assert width / height == pytest.approx(640 / 480, rel=0.05)
