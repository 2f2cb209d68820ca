"""With the tracker that ships, on a drawn clip: a first mask that was wrong is mended from a later frame."""

from __future__ import annotations

import numpy as np

from shibori.datasets.scene.composite_sequence import CompositeSequence
from shibori.datasets.scene.drawn_cases import circling_discs
from shibori.evaluation.sequence import sequence_clip
from shibori.media.rounds import GivenMask, Round
from shibori.ops.overlap import iou_of_masks
from shibori.systems.interactive.build import build_rounds_segmenter

FIX = 30


def one_disc() -> CompositeSequence:
    """It goes round once in 40 frames."""
    return circling_discs(size_hw=(128, 176), num_frames=40, num_discs=2, diameter=24)


def no_marks():
    raise AssertionError("there are none")


def test_the_frames_before_a_fix_are_mended():
    sequence = one_disc()
    clip = sequence_clip(sequence)
    elsewhere = np.zeros(clip.size_hw, np.bool_)
    elsewhere[4:20, 4:20] = True
    assert not (sequence.read_ids(0)[elsewhere] == 1).any()
    wrong = (Round(0, 1, GivenMask.of(elsewhere)),)
    fixed = (*wrong, Round(FIX, 1, GivenMask.of(sequence.read_ids(FIX) == 1)))
    work = build_rounds_segmenter(device="cpu", size=96, prompter=no_marks).begin(clip)
    overlaps = [
        iou_of_masks(masks.ids == 1, sequence.read_ids(masks.index) == 1)
        for masks in work.propagate(fixed, range(FIX - 10, FIX))
    ]
    assert len(overlaps) == 10
    assert np.mean(overlaps) >= 0.9
