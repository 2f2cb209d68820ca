"""How a training scene is looked at: as the propagation does, and once more as after the first marks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor

from shibori.datasets.exposure import Shutter
from shibori.datasets.sampling_plan import SamplingPlan
from shibori.datasets.synthesis import Scene
from shibori.datasets.training_clip import TrainingClip
from shibori.datasets.views import render_closely

MIN_REACH, MAX_REACH = 1.25, 3.2
"""Side of the wide view to the longer side of the object's box: marks do not tell how large an object is."""
MAX_OFF = 0.15
"""Of its side, how far the object is from the middle of the wide view."""
MIN_SHARE = 0.012
"""Of the wide view that the object covers."""


def render_for_rounds(rng: Generator, scene: Scene, plan: SamplingPlan, tell_others: bool) -> TrainingClip | None:
    """``render_closely``, and after the last frame the first one again, seen more widely.

    Returns:
        None if the object cannot be seen well in the first frame.
    """
    clip = render_closely(rng, scene, plan, tell_others)
    box = scene.target_box(0)
    if clip is None or box is None:
        return None
    height, width = scene.base.size_hw
    reach = float(np.exp(rng.uniform(np.log(MIN_REACH), np.log(MAX_REACH))))
    side = float(np.clip(max(box[2:] - box[:2]) * reach, 0.1 * min(height, width), min(height, width)))
    centre = (box[:2] + box[2:]) / 2 + rng.uniform(-MAX_OFF, MAX_OFF, 2) * side
    corner = np.clip(centre - side / 2, 0, np.array([width, height]) - side)
    window = np.concatenate([corner, corner + side])
    image, mask, others = scene.render(0, window, plan.size)
    if mask.mean() < MIN_SHARE:
        return None
    exposed = torch.from_numpy(np.ascontiguousarray(Shutter.draw(rng).expose(rng, image).transpose(2, 0, 1)))
    others = others if tell_others else np.zeros_like(others)
    return replace(
        clip,
        images=_with_last(clip.images, exposed),
        masks=_with_last(clip.masks, torch.from_numpy(mask)),
        others=_with_last(clip.others, torch.from_numpy(others)),
        windows=_with_last(clip.windows, torch.from_numpy(window.astype(np.float32))),
    )


def _with_last(frames: Tensor, more: Tensor) -> Tensor:
    return torch.cat([frames, more[None]])
