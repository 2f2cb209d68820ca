"""What the numbers of the tracker do, with a network that is as sure as it is told.

Each number stands where it was measured to work. The bounds leave it room to be tuned by some fifteen percent, no more.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from shibori.media.mask import FrameMasks, ObjectStatus
from shibori.tracking.config import MATCHER_CONFIG, TrackerConfig
from shibori.tracking.propagator import MaskPropagation, MaskPropagator
from shibori.tracking.window_tracker import WindowTracker

from .scripted import NOTHING, SIZE_HW, ScriptedNetwork, box_mask, picture


@dataclass(frozen=True)
class Numbers:
    """Where one configuration changes its mind: values that are too little for something, and values that suffice."""

    config: TrackerConfig
    kept: tuple[tuple[float, ...], tuple[float, ...]]
    """Confidence to keep an object."""
    sure_of: tuple[tuple[float, ...], tuple[float, ...]]
    """Confidence to look nowhere else in the same frame."""
    found_again: tuple[tuple[float, ...], tuple[float, ...]]
    """Confidence to find a lost one again."""
    trusted: tuple[tuple[float, ...], tuple[float, ...]]
    """Confidence to follow one that was found again."""
    like_it: tuple[tuple[float, ...], tuple[float, ...]]
    """Similarity margin to find a lost one again."""
    looked_for: tuple[tuple[float, ...], tuple[float, ...]]
    """Similarity margin of a place of the whole frame to look there."""
    evidence: tuple[tuple[float, ...], tuple[float, ...]]
    """Log-odds to be the object's."""
    remembered: tuple[tuple[float, ...], tuple[float, ...]]
    """Confidence to be remembered."""
    limited: dict[float, float]
    """Foreground share -> how much of the confidence it leaves."""
    half_share: float
    """The share that leaves a half."""
    recalled: dict[int, set[int]]
    """Frame -> the frames it is matched with; the first has the given mask."""
    first_remembered: int
    """Frame."""


MATCHER = Numbers(
    config=MATCHER_CONFIG,
    kept=((0.1, 0.3), (0.4, 0.7)),
    sure_of=((0.2, 0.3), (0.42, 0.9)),
    found_again=((0.4, 0.52), (0.68, 0.9)),
    trusted=((), (0.68, 0.9)),
    like_it=((0.3, 0.6), (0.8, 1.0)),
    looked_for=((0.5, 0.66), (0.8, 1.0)),
    evidence=((-0.6,), (-0.4, 0.1)),
    remembered=((0.6, 0.72), (0.88, 0.95)),
    limited={0.05: 0, 0.135: 0, 0.3: 0.5, 0.42: 0.9, 0.47: 1, 0.9: 1},
    half_share=0.3,
    recalled={1: {0}, 2: {0}, 3: {0, 2}, 4: {0, 2}, 5: {0, 4}, 6: {0, 4}},
    first_remembered=2,
)
SHIPPED = Numbers(
    config=TrackerConfig(),
    kept=((0.04, 0.068), (0.092, 0.5)),
    sure_of=((0.2, 0.3), (0.42, 0.9)),
    found_again=((0.1, 0.17), (0.23, 0.6)),
    trusted=((0.23, 0.43), (0.57, 0.9)),
    like_it=((0.3, 0.39), (0.51, 1.0)),
    looked_for=((0.33, 0.36), (0.5, 1.0)),
    evidence=((-0.6, -0.3), (-0.2, 0.1)),
    remembered=((0.4, 0.55), (0.75, 0.95)),
    limited={0.02: 0, 0.05: 0, 0.1: 0.2, 0.175: 0.5, 0.275: 0.9, 0.31: 1, 0.9: 1},
    half_share=0.175,
    recalled={
        5: {0},
        6: {0, 5},
        10: {0, 5},
        11: {0, 5, 10},
        35: {0, 5, 10, 15, 20, 25, 30},
        36: {0, 10, 15, 20, 25, 30, 35},
    },
    first_remembered=5,
)
BOTH = {"matcher": MATCHER, "shipped": SHIPPED}


@pytest.fixture(params=BOTH.values(), ids=BOTH)
def numbers(request: pytest.FixtureRequest) -> Numbers:
    return request.param


def either_side(name: str) -> pytest.MarkDecorator:
    """Every value of both configurations, with whether it suffices."""
    cases = [
        pytest.param(numbers, value, suffices, id=f"{label}-{value}")
        for label, numbers in BOTH.items()
        for suffices, values in zip((False, True), getattr(numbers, name), strict=True)
        for value in values
    ]
    return pytest.mark.parametrize(("numbers", "value", "suffices"), cases)


STATES = {False: "lost", True: "tracked"}
HOME = (100, 80, 140, 120)


def begun(numbers: Numbers, network: ScriptedNetwork, size_hw: tuple[int, int]) -> MaskPropagation:
    return MaskPropagator(WindowTracker(network, numbers.config, torch.device("cpu"))).begin(size_hw)


class Run:
    """One object from its given mask on; the network can be told what to say between frames."""

    def __init__(self, numbers: Numbers, box: tuple[int, int, int, int] = HOME) -> None:
        self.network = ScriptedNetwork()
        self.propagation = begun(numbers, self.network, SIZE_HW)
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
        self.masks = self._step(NOTHING, None)
        self.network.quality = quality
        return self.masks.statuses[0]

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


def test_confidence_is_quality_times_presence_times_how_much_of_what_is_matched_is_the_object(numbers: Numbers):
    assert Run(numbers).shown(quality=0.9, presence=0.8).confidence == pytest.approx(0.72, abs=0.01)
    half = Run(numbers).shown(quality=0.9, presence=0.8, share=numbers.half_share)
    assert half.confidence == pytest.approx(0.36, abs=0.04)


def test_what_matches_other_things_as_well_as_the_object_limits_confidence(numbers: Numbers):
    for share, expected in numbers.limited.items():
        confidence = Run(numbers).shown(quality=1.0, presence=1.0, share=share).confidence
        assert confidence == pytest.approx(expected, abs=0.04), share


@either_side("kept")
def test_little_confidence_keeps_an_object_none_loses_it(numbers: Numbers, value: float, suffices: bool):
    run = Run(numbers)
    assert run.shown(quality=value, presence=1.0).state == STATES[suffices]
    assert run.masks.ids.any() == suffices


@either_side("found_again")
def test_a_lost_object_is_found_again_by_more_confidence_than_it_takes_to_keep_it(
    numbers: Numbers, value: float, suffices: bool
):
    run = Run(numbers)
    assert run.hidden().state == "lost"
    assert run.shown(quality=value, presence=1.0).state == STATES[suffices]


@either_side("trusted")
def test_what_may_be_a_lost_object_is_followed_but_neither_remembered_nor_thought_to_be_all(
    numbers: Numbers, value: float, suffices: bool
):
    run = Run(numbers)
    run.hidden()
    assert run.shown(quality=value, presence=1.0).state == "tracked"
    for _ in range(numbers.first_remembered + 1):  # sure of itself, now that it has a mask
        assert run.shown(quality=0.99, unmasked_quality=value).state == "tracked"
    assert (len(run.propagation.states[1].remembered) > 0) == suffices
    run.shown(unmasked_quality=0.98)
    run.shown()
    assert not run.propagation.states[1].is_doubted


def test_what_may_be_a_lost_object_is_given_up_for_what_fits_better_elsewhere():
    for quality, expected in ((0.25, 30), (0.45, 200)):
        run = Run(SHIPPED, (10, 20, 50, 60))
        run.hidden()
        run.shown(quality=0.3, presence=1.0)
        run.network.far_quality = quality
        both = np.maximum(picture(10, 20, 50, 60), picture(180, 20, 220, 60))
        for _ in range(2):
            masks = run.propagation.step(both)
        assert np.nonzero(masks.ids)[1].mean() == pytest.approx(expected, abs=3)


def test_what_may_be_a_lost_object_is_lost_again_where_it_is_not_seen():
    run = Run(SHIPPED)
    run.hidden()
    assert run.shown(quality=0.3, presence=1.0).state == "tracked"
    assert run.hidden().state == "lost"
    assert not run.masks.ids.any()


@either_side("like_it")
def test_a_lost_object_is_found_again_only_in_what_is_more_like_it_than_like_anything_else(
    numbers: Numbers, value: float, suffices: bool
):
    run = Run(numbers)
    run.hidden()
    assert run.shown(margin=value).state == STATES[suffices]


def test_what_is_kept_need_not_be_like_it(numbers: Numbers):
    assert Run(numbers).shown(margin=0.1).state == "tracked"


@either_side("evidence")
def test_doubt_counts_for_the_object(numbers: Numbers, value: float, suffices: bool):
    run = Run(numbers)
    run.shown(evidence=value)
    assert run.masks.ids.any() == suffices


# ---- memory


def test_some_frames_are_remembered_and_the_latest_of_them_matched(numbers: Numbers):
    run = Run(numbers)
    for frame in range(1, max(numbers.recalled) + 1):
        run.shown()
        assert run.recalled == numbers.recalled.get(frame, run.recalled), frame


@either_side("remembered")
def test_only_confident_frames_are_remembered(numbers: Numbers, value: float, suffices: bool):
    run = Run(numbers)
    for _ in range(numbers.first_remembered + 1):
        run.shown(quality=value, presence=1.0)
    assert run.recalled == ({0, numbers.first_remembered} if suffices else {0})


def test_the_first_given_mask_and_the_latest_two_are_remembered_and_no_frame_before_them(numbers: Numbers):
    run = Run(numbers)
    for _ in range(3):
        run.shown()
        run.given(HOME)
    run.shown()
    assert run.recalled == {0, 4, 6}


def test_surroundings_of_a_given_mask_are_remembered(numbers: Numbers):
    run = Run(numbers)
    near, wide = run.network.windows
    assert 2.1 < (wide[2] - wide[0]) / (near[2] - near[0]) < 2.9


# ---- where it is looked for


def test_an_object_is_looked_for_around_its_box(numbers: Numbers):
    run = Run(numbers)
    run.shown()
    assert 1.5 < run.sides[0] / 40 < 2.0
    assert run.network.sizes == [(160, 160)]  # enlarged twice and a little more
    np.testing.assert_allclose((run.window[:2] + run.window[2:]) / 2, (120, 100), atol=1)
    tiny = Run(numbers, (100, 80, 103, 83))
    tiny.shown()
    assert 17 <= tiny.sides[0] <= 23


@pytest.mark.parametrize(("side", "size"), [(46, 160), (52, 160), (200, 320)])
def test_windows_are_enlarged_about_twice_up_to_about_a_hundred_thousand_pixels(numbers: Numbers, side: int, size: int):
    run = Run(numbers, (20, 0, 20 + side, side))
    run.shown()
    assert 0.8 * size < np.sqrt(np.prod(run.network.sizes[0])) < 1.2 * size


def test_a_window_is_moved_ahead_by_half_of_the_last_way(numbers: Numbers):
    run = Run(numbers)
    run.shown((115, 80, 155, 120))
    run.shown((130, 80, 170, 120))
    assert (run.window[0] + run.window[2]) / 2 == pytest.approx(135 + 7.5, abs=1)


def test_a_window_follows_what_shrinks_or_grows_step_by_step(numbers: Numbers):
    run = Run(numbers)
    run.shown((110, 90, 130, 110))
    run.shown((110, 90, 130, 110))
    assert 0.8 < run.sides[0] / 70 < 0.97
    run = Run(numbers)
    run.shown((80, 60, 160, 140))
    run.shown((80, 60, 160, 140))
    assert 1.1 < run.sides[0] / 70 < 1.5


def test_a_lost_object_is_looked_for_around_unmasked_quality(numbers: Numbers):
    run = Run(numbers, (110, 90, 130, 110))
    run.shown()
    usual = run.sides
    for _ in range(3):
        run.hidden()
    assert (run.sides / usual > 1.9).all()
    assert (run.sides / usual < 2.5).all()


@either_side("sure_of")
def test_an_object_in_doubt_is_looked_for_more_widely_in_the_same_frame(numbers: Numbers, value: float, suffices: bool):
    run = Run(numbers, (110, 90, 130, 110))
    run.shown()
    usual = run.sides
    run.shown(quality=value)
    sides = [window[2:] - window[:2] for window in run.network.windows]
    assert (sides[0] == usual).all()
    assert any((each / usual > 1.9).all() for each in sides[1:]) != suffices


@either_side("looked_for")
def test_every_second_time_a_lost_object_is_looked_for_where_the_frame_is_most_like_it(
    numbers: Numbers, value: float, suffices: bool
):
    run, far = Run(numbers, (20, 20, 60, 60)), (190, 130, 230, 170)
    run.hidden()
    run.shown(far, margin=value)
    whole, next_to_it, *_ = run.network.windows
    assert whole.tolist() == [0, 0, 255, 200]
    centre = (next_to_it[:2] + next_to_it[2:]) / 2
    assert (np.linalg.norm(centre - (210, 150)) < 12) == suffices
    assert (run.masks.statuses[0].state == "tracked") == suffices


def test_the_whole_of_a_large_frame_is_looked_at_coarsely(numbers: Numbers):
    network = ScriptedNetwork()
    propagation = begun(numbers, network, (480, 640))
    propagation.step(np.zeros((480, 640, 3), np.uint8), {1: np.pad(np.ones((40, 40), bool), ((0, 440), (0, 600)))})
    network.quality = 0.0
    for _ in range(2):
        network.sizes.clear()
        propagation.step(np.zeros((480, 640, 3), np.uint8))
    height, width = network.sizes[0]
    assert 256 <= height <= 320
    assert width / height == pytest.approx(640 / 480, rel=0.05)
