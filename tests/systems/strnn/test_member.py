"""Networks whose scores are averaged (Sec. 2.1, footnote 1): they learn the same pixels, and each has its say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

import shibori.systems.strnn.build as build_module
from shibori.errors import InputError
from shibori.evaluation.sequence import sequence_clip
from shibori.media.clip import Clip
from shibori.media.marks import Marks
from shibori.media.scribble import Stroke
from shibori.nn.weights import save_state
from shibori.systems.strnn.build import build_hybrid_segmenter, build_strnn_segmenter, segmenter_from_state
from shibori.systems.strnn.inference import StrnnSegmenter
from shibori.systems.strnn.model import build_strnn
from shibori.systems.strnn.rule import RULES
from shibori.systems.strnn.size import SIZES, DeeplabSize, rule_of

from ...evaluation.made import ArraySequence
from ...holder import Holder

COLOURS = np.array([[60, 70, 60], [150, 70, 60], [60, 70, 150]], np.uint8)
SIZE_HW = (96, 128)


class ColourSequence(ArraySequence):
    def read_image(self, index: int) -> np.ndarray:
        noise = np.random.default_rng(index).integers(-25, 25, (*SIZE_HW, 3))
        return (COLOURS[self.ids[index]] + noise).clip(0, 255).astype(np.uint8)


@pytest.fixture
def clip() -> Clip:
    frames = []
    for index in range(4):
        ids = np.zeros(SIZE_HW, np.uint8)
        ids[8:40, 8 + 6 * index : 48 + 6 * index] = 1
        ids[52:88, 80 - 6 * index : 120 - 6 * index] = 2
        frames.append(ids)
    return sequence_clip(ColourSequence("boxes", tuple(frames)))


def line(object_id: int, row: int, left: int, right: int) -> Stroke:
    return Stroke(object_id, ((left / 127, row / 95), (right / 127, row / 95)))


FIRST = Marks({2: (line(1, 24, 24, 56), line(2, 70, 72, 104))})
LATER = Marks({0: (line(1, 24, 12, 40), line(0, 48, 12, 100))})


def untrained(seed: int) -> StrnnSegmenter:
    torch.manual_seed(seed)
    return segmenter_from_state(build_strnn("tiny").state_dict(), "tiny", "cpu", dtype=torch.float32)


def log_ratios(segmenter: StrnnSegmenter, clip: Clip, *rounds: Marks) -> torch.Tensor:
    """(3, 2, H, W): log-odds of both objects against background in three frames."""
    interaction = segmenter.begin(clip)
    for marks in rounds:
        interaction.mark(marks)
        list(interaction.masks())
    logs = torch.stack([interaction.probabilities(index).log() for index in (0, 2, 3)])
    return logs[:, 1:] - logs[:, :1]


def test_a_network_beside_itself_is_that_network(clip):
    alone = untrained(0)
    twice = replace(alone, partners=(alone,))
    torch.testing.assert_close(log_ratios(twice, clip, FIRST, LATER), log_ratios(alone, clip, FIRST, LATER))
    first, second = (segmenter.begin(clip) for segmenter in (alone, twice))
    for one, other in zip(first.mark(FIRST), second.mark(FIRST), strict=True):
        np.testing.assert_array_equal(one.ids, other.ids)
    for one, other in zip(first.masks(), second.masks(), strict=True):
        np.testing.assert_array_equal(one.ids, other.ids)


def test_the_scores_are_the_mean_of_the_members(clip):
    """After first marks; later samples depend on what was answered, which is what they have in common."""
    one, other = untrained(0), untrained(1)
    alone = [log_ratios(segmenter, clip, FIRST) for segmenter in (one, other)]
    both = log_ratios(replace(one, partners=(other,)), clip, FIRST)
    torch.testing.assert_close(both, (alone[0] + alone[1]) / 2, atol=1e-4, rtol=1e-4)
    assert (alone[0] - alone[1]).abs().mean() > 0.1


def test_members_that_see_frames_at_other_sizes_meet_on_one_grid(clip):
    one, other = untrained(0), untrained(1)
    fine = replace(other, rule=replace(other.rule, short_side=128))
    interaction = replace(one, partners=(fine,)).begin(clip)
    (answer,) = interaction.mark(FIRST)
    assert answer.ids.shape == SIZE_HW
    masks = list(interaction.masks())
    assert [found.index for found in masks] == [0, 1, 2, 3]
    assert [member.encoder.size_hw for member in interaction._members] == [(96, 128), (128, 176)]


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """As if ``tiny`` came with the package."""
    torch.manual_seed(0)
    save_state(tmp_path / "w.safetensors", build_strnn("tiny").state_dict(), "strnn", "tiny")
    monkeypatch.setattr(build_module, "locate_weights", lambda system, preset, given=None: tmp_path / "w.safetensors")


def test_presets_are_joined_by_a_plus(shipped, clip):
    segmenter = build_strnn_segmenter("tiny+tiny+tiny", "cpu", 128)
    assert len(segmenter.members(clip)) == 3
    assert {each.rule.short_side for each in (segmenter, *segmenter.partners)} == {128}
    hybrid = build_hybrid_segmenter("tiny+tiny", "cpu", None, None, Holder)
    assert len(hybrid.pixels.partners) == 1
    assert build_strnn_segmenter("tiny", "cpu").partners == ()


def test_what_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"one preset with a file of weights, found 'tiny\+tiny'"):
        build_strnn_segmenter("tiny+tiny", "cpu", weights=tmp_path / "w.safetensors")
    with pytest.raises(InputError, match=r"expected a preset of strnn .* found 'giant'"):
        build_strnn_segmenter("tiny+giant", "cpu")


def test_the_papers_two_backbones():
    """Sec. 2.1, footnote 1."""
    backbones = {size.extractor.backbone for size in SIZES.values() if isinstance(size.extractor, DeeplabSize)}
    assert backbones == {"tu-xception65", "resnet101"}
    assert rule_of("paper-resnet") == RULES["paper"]
    assert all(rule_of(preset).short_side for preset in SIZES)
