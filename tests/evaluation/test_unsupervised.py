"""The DAVIS unsupervised protocol with a system that finds what a test wants."""

from __future__ import annotations

import numpy as np
import pytest

from shibori.errors import InputError
from shibori.evaluation.unsupervised import evaluate_unsupervised
from shibori.interfaces import InstanceSegmenter
from shibori.media.instances import Discovery, InstanceTrack
from shibori.media.mask import read_ids
from shibori.media.rle import encode_rle

from .made import ArraySequence

SIZE, FRAMES = (40, 60), 4


def square(left: int, top: int = 8, side: int = 16) -> np.ndarray:
    mask = np.zeros(SIZE, bool)
    mask[top : top + side, left : left + side] = True
    return mask


class Finder(InstanceSegmenter):
    def __init__(self, *masks: np.ndarray) -> None:
        codes = [(encode_rle(mask),) * FRAMES for mask in masks]
        self.tracks = tuple(InstanceTrack(i, 1, "thing", 1 / i, code) for i, code in enumerate(codes, 1))

    @property
    def categories(self) -> dict[int, str]:
        return {1: "thing"}

    def discover(self, frames, progress=None) -> Discovery:
        assert frames.num_frames == FRAMES
        return Discovery(self.tracks, 9, len(self.tracks), 0)


@pytest.fixture
def truth() -> ArraySequence:
    ids = np.where(square(30), 1, 0).astype(np.uint8)
    return ArraySequence("clip", (ids,) * FRAMES)


def test_the_best_of_the_tracks_counts(truth, tmp_path):
    done = []
    scores = evaluate_unsupervised([truth], Finder(square(4), square(30)), tmp_path, progress=done.append)
    assert scores.j_and_f == 1
    assert scores.protocol == "unsupervised"
    assert scores.sequences[0].objects[0].result_id == 2
    assert [(each.frames_done, each.num_frames) for each in done] == [(FRAMES, FRAMES)]
    assert np.array_equal(read_ids(tmp_path / "clip" / "00000.png"), square(4) + 2 * square(30))


def test_tracks_beyond_the_number_asked_for_do_not_count(truth, tmp_path):
    assert evaluate_unsupervised([truth], Finder(square(4), square(30)), tmp_path, most=1).j_and_f == 0


def test_where_tracks_overlap_the_better_one_shows(truth, tmp_path):
    evaluate_unsupervised([truth], Finder(square(20), square(30)), tmp_path)
    ids = read_ids(tmp_path / "clip" / "00003.png")
    assert (ids[square(20)] == 1).all()
    assert (ids == 2).sum() == (square(30) & ~square(20)).sum()


def test_nothing_found_scores_nothing(truth, tmp_path):
    assert evaluate_unsupervised([truth], Finder(), tmp_path).j_and_f == 0


def test_what_is_refused(truth, tmp_path):
    with pytest.raises(InputError, match="expected 1 to 20 tracks"):
        evaluate_unsupervised([truth], Finder(), tmp_path, most=21)
    with pytest.raises(InputError, match="no sequence"):
        evaluate_unsupervised([], Finder(), tmp_path)
    evaluate_unsupervised([truth], Finder(), tmp_path)
    with pytest.raises(InputError, match="already holds PNGs"):
        evaluate_unsupervised([truth], Finder(), tmp_path)
    evaluate_unsupervised([truth], Finder(), tmp_path, overwrite=True)
