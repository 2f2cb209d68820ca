"""DyeNet's rows of the ablation with the weights that ship: each has its own pass forward and its own parts."""

from __future__ import annotations

import pytest

from shibori.media.mask import FrameMasks
from shibori.media.reader import read_clip
from shibori.media.rle import encode_rle
from shibori.nn.weights import load_state
from shibori.run.propagate import segment_clip
from shibori.systems import PROPAGATORS
from shibori.systems.dyenet.ablation import ROWS
from shibori.systems.dyenet.build import propagator_from_state, with_tracker
from shibori.systems.dyenet.rule import DyeNetRule
from shibori.tracking.config import MATCHER_CONFIG
from shibori.weights import locate_weights

from .clips import BALL, SIZE_HW, MadeClip
from .record import Frames, check

SIDE = 96
RULE = DyeNetRule(tracker=MATCHER_CONFIG.sized(SIDE))
BEGIN = 3
"""The frame of the mask: the frames before it are there for both ways."""


@pytest.fixture(scope="module")
def state():
    """The parameters that ship."""
    return load_state(locate_weights("dyenet", "compact", None), "dyenet", "compact")


def segmented(clip: MadeClip, state, variant: str, both_ways: bool = False) -> Frames:
    """A ball that is hidden in the middle of the clip, by one variant."""
    propagator = propagator_from_state(state, "compact", "cpu", variant, RULE)
    behind = with_tracker(lambda: PROPAGATORS["pixel"](device="cpu", size=SIDE), propagator)
    ids = {BEGIN: clip.truth[BEGIN] * (clip.truth[BEGIN] == BALL)}
    return [written(masks) for masks in segment_clip(read_clip(clip.folder / "clip"), ids, behind, both_ways=both_ways)]


def written(masks: FrameMasks) -> dict[str, dict[str, object]]:
    return {
        str(status.object_id): {
            "counts": encode_rle(masks.ids == status.object_id)["counts"],
            "state": status.state,
            "confidence": round(status.confidence, 2),
        }
        for status in masks.statuses
    }


@pytest.mark.parametrize("variant", [variant for variant, _, _ in ROWS])
def test_each_row_of_the_ablation(returning, state, variant):
    check(f"dyenet-{variant}", segmented(returning, state, variant), SIZE_HW)


@pytest.mark.parametrize("variant", ["reid", "combined"])
def test_both_ways_by_either_pass_forward(returning, state, variant):
    check(f"dyenet-{variant}-both-ways", segmented(returning, state, variant, both_ways=True), SIZE_HW)
