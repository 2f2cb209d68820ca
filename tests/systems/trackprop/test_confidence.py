"""How sure trackprop is of a frame: whatever the pixel tracker says of it, as little as one doubt allows."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from shibori.media.folder import ImageClip
from shibori.media.marks import Marks, click
from shibori.media.mask import ObjectStatus
from shibori.systems.trackprop.inference import TrackpropSegmenter
from shibori.systems.trackprop.model import RegionNetwork, Seen
from shibori.systems.trackprop.rule import RULES

from ...tracking.scripted import SIZE_HW, ScriptedNetwork, picture


class BlueNetwork(RegionNetwork):
    """The object is what is blue, in marked frames too."""

    def see(self, images: Tensor) -> Seen:
        return Seen(images, self.matcher.encode(images))

    def propagate(self, seen: Seen, previous: Tensor, matched: Tensor | None) -> Tensor:
        return matched

    segment = propagate

    def correct(self, seen: Seen, guidance: Tensor, before: Tensor, matched: Tensor | None) -> Tensor:
        return matched


def second_frame(**said: float) -> ObjectStatus:
    """What is known of an object in the frame after the one it was marked in."""
    network = ScriptedNetwork()
    for name, value in said.items():
        setattr(network, name, value)
    segmenter = TrackpropSegmenter(BlueNetwork(network), RULES["compact"], None, torch.device("cpu"))
    shown = ImageClip(Path("made"), "made", SIZE_HW, "01", lambda _index: picture(100, 80, 140, 120))
    interaction = segmenter.begin(shown)
    interaction.mark(Marks({0: (click(1, 0.5, 0.5),)}))
    masks = list(interaction.masks())[1]
    assert masks.ids.any() == (masks.statuses[0].state == "tracked")
    return masks.statuses[0]


def test_confidence_is_quality_times_presence_times_how_much_of_what_is_matched_is_the_object():
    assert second_frame(quality=0.9, presence=0.8).confidence == pytest.approx(0.72, abs=0.01)
    assert second_frame(quality=1.0, presence=1.0, share=0.3).confidence == pytest.approx(0.5, abs=0.04)


@pytest.mark.parametrize("said", [{"quality": 0.3}, {"presence": 0.3}, {"share": 0.2}])
def test_one_doubt_is_enough_to_lose_an_object(said: dict[str, float]):
    assert second_frame(**said).state == "lost"
    assert second_frame(**{name: value + 0.11 for name, value in said.items()}).state == "tracked"
