"""Flow of training clips: a picture that is shifted gives the shift, whatever the windows do."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from shibori.datasets.flow_clips import FlowClips, backward_flows
from shibori.datasets.sampling import TrainingClips
from shibori.datasets.sampling_plan import SamplingPlan
from shibori.datasets.training_clip import TrainingClip
from shibori.nn.flow import DisFlow, Flow, FlowEstimator

from .made import made_sequence, made_still, texture

SIDE = 96
FRAME = 400
FLOW_SIDE = 24


def world(seed: int = 0) -> np.ndarray:
    """(400, 400, 3) a frame with detail everywhere."""
    return cv2.resize(texture(np.random.default_rng(seed), (100, 100), (120, 120, 120)), (FRAME, FRAME))


def seen_through(picture: np.ndarray, window: tuple[float, float, float, float]) -> np.ndarray:
    left, top, right, bottom = (int(side) for side in window)
    return cv2.resize(picture[top:bottom, left:right], (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def clip_of(pictures: list[np.ndarray], windows: list[tuple[float, float, float, float]]) -> TrainingClip:
    images = [seen_through(picture, window) for picture, window in zip(pictures, windows, strict=True)]
    stacked = torch.from_numpy(np.stack(images).transpose(0, 3, 1, 2).copy())
    nothing = torch.zeros(len(images), SIDE, SIDE, dtype=torch.uint8)
    return TrainingClip(stacked, nothing, nothing, torch.tensor(windows))


def inner(flow: torch.Tensor) -> np.ndarray:
    """(2,) the median away from the border, where half of what moved in was never seen."""
    return flow[:, 6:-6, 6:-6].float().flatten(1).median(1).values.numpy()


STILL = (100.0, 100.0, 292.0, 292.0)  # two pixels of the frame to one of the window


@pytest.mark.parametrize("shift", [(6, 0), (0, -8), (-10, 4), (0, 0)])
def test_a_shifted_picture_gives_the_shift_in_pixels_of_the_window(shift: tuple[int, int]):
    """What moved right by 6 pixels of the frame came from 3 pixels of the window further left."""
    before = world()
    now = np.roll(before, shift, axis=(1, 0))
    flows = backward_flows(clip_of([before, now], [STILL, STILL]), DisFlow("medium"), FLOW_SIDE)
    assert flows.shape == (2, 2, FLOW_SIDE, FLOW_SIDE)
    assert flows.dtype == torch.float16
    assert not flows[0].any()
    np.testing.assert_allclose(inner(flows[1]), [-shift[0] / 2, -shift[1] / 2], atol=0.3)


@pytest.mark.parametrize(
    "window",
    [
        (116.0, 100.0, 308.0, 292.0),
        (100.0, 84.0, 292.0, 276.0),
        (112.0, 108.0, 256.0, 252.0),
        (60.0, 70.0, 300.0, 310.0),
    ],
    ids=["moved right", "moved up", "closer", "wider"],
)
@pytest.mark.parametrize("shift", [(0, 0), (6, -4)])
def test_what_the_windows_do_is_no_motion(window: tuple[float, ...], shift: tuple[int, int]):
    """The flow is between pictures seen through one window: only what moves in the frame moves."""
    before = world()
    now = np.roll(before, shift, axis=(1, 0))
    flows = backward_flows(clip_of([before, now], [STILL, window]), DisFlow("medium"), FLOW_SIDE)
    scale = SIDE / (window[2] - window[0])
    np.testing.assert_allclose(inner(flows[1]), [-shift[0] * scale, -shift[1] * scale], atol=0.4)


class Noting(FlowEstimator):
    """Keeps the pictures it is given."""

    def __init__(self) -> None:
        self.pairs: list[tuple[np.ndarray, np.ndarray]] = []

    def estimate(self, image_from: np.ndarray, image_to: np.ndarray) -> Flow:
        self.pairs.append((image_from, image_to))
        vectors = np.full((*image_from.shape[:2], 2), len(self.pairs), np.float32)
        return Flow(vectors, (image_from.shape[0], image_from.shape[1]))


def test_flow_runs_from_each_frame_to_the_one_before():
    clip, estimator = clip_of([world(n) for n in range(3)], [STILL] * 3), Noting()
    flows = backward_flows(clip, estimator, FLOW_SIDE)
    pictures = clip.images.numpy().transpose(0, 2, 3, 1)
    for t, (image_from, image_to) in enumerate(estimator.pairs, 1):
        np.testing.assert_array_equal(image_from, pictures[t])
        np.testing.assert_array_equal(image_to, pictures[t - 1])
    assert [float(flow.float().mean()) for flow in flows] == [0, 1, 2]


@pytest.mark.parametrize("window", [(116.0, 92.0, 308.0, 284.0), (148.0, 148.0, 244.0, 244.0)])
def test_the_previous_picture_is_seen_through_the_current_window(window: tuple[float, float, float, float]):
    """Where its own window reached; the picture it is compared with was rendered from the frame at once."""
    clip, estimator = clip_of([world(), world()], [STILL, window]), Noting()
    backward_flows(clip, estimator, FLOW_SIDE)
    (now, before) = estimator.pairs[0]
    inside = slice(12, -12)
    difference = np.abs(now[inside, inside].astype(float) - before[inside, inside])
    assert difference.mean() < 3


def test_an_item_is_the_clip_and_its_flow():
    plan = SamplingPlan(num_frames=3, size=48, real_share=0.5)
    clips = TrainingClips([made_still()], [made_sequence()], plan, 0, 10)
    flowing = FlowClips(clips, 12, DisFlow())
    assert len(flowing) == 10
    for index in (4, 0):
        clip, flow = flowing[index]
        assert clip.images.equal(clips[index].images)
        assert flow.shape == (3, 2, 12, 12)
        assert flow.equal(backward_flows(clip, flowing.estimator, 12))
        assert flow.isfinite().all()
    clip, flow = FlowClips(clips, 12, None)[0]
    assert clip.images.equal(clips[0].images)
    assert flow is None
