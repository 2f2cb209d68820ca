"""Found instances as starting points: which, from which frame, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from shibori.errors import InputError
from shibori.media.instance_reference import best_frame, kept_tracks, read_instance_references
from shibori.media.instances import InstanceTrack, write_instances
from shibori.media.reader import read_clip
from shibori.media.rle import encode_rle
from shibori.media.writer import write_video

SIZE, FRAMES = (32, 48), 6


def mask(width: int, left: int = 4, size=SIZE) -> dict:
    shown = np.zeros(size, bool)
    shown[4:20, left : left + width] = True
    return encode_rle(shown)


def track(number: int, codes) -> InstanceTrack:
    return InstanceTrack(number, 1, "person", 0.5, tuple(codes))


TRACKS = [
    track(1, [None, mask(2), mask(9), mask(10), mask(10), None]),
    track(2, [mask(8, 30), None, mask(9, 30), None, None, None]),
    track(4, [None, None, mask(5, 20), None, None, None]),
]


@pytest.fixture
def clip(tmp_path):
    write_video(tmp_path / "clip.mp4", [np.full((*SIZE, 3), 9 * i, np.uint8) for i in range(FRAMES)], rate=5)
    return read_clip(tmp_path / "clip.mp4")


@pytest.fixture
def found(tmp_path):
    write_instances(tmp_path / "found.json", {1: TRACKS})
    return tmp_path / "found.json"


def test_each_starts_where_it_first_shows_well(clip, found):
    references = read_instance_references(clip, found)
    assert {index: np.unique(ids).tolist() for index, ids in references.items()} == {0: [0, 2], 2: [0, 1, 4]}
    assert np.array_equal(references[2] == 1, TRACKS[0].mask(2))


def test_only_those_that_are_kept(clip, found):
    references = read_instance_references(clip, found, "1, 4")
    assert {index: np.unique(ids).tolist() for index, ids in references.items()} == {2: [0, 1, 4]}


def test_only_frames_of_the_range_are_used(clip, found):
    references = read_instance_references(clip, found, "1,2", start=3)
    assert {index: np.unique(ids).tolist() for index, ids in references.items()} == {3: [0, 1]}
    with pytest.raises(InputError, match="no instance that shows in the frames"):
        read_instance_references(clip, found, "4", start=3)


def test_the_best_frame_is_the_first_with_nearly_the_largest_area():
    assert best_frame(TRACKS[0], 0, FRAMES) == 2
    assert best_frame(TRACKS[0], 0, 2) == 1
    assert best_frame(TRACKS[0], 5, FRAMES) is None


@pytest.mark.parametrize(("keep", "sentence"), [("3", "no instance 3: it has 1, 2, 4"), ("one", "expected numbers")])
def test_numbers_that_mean_nothing(keep, sentence):
    with pytest.raises(InputError, match=sentence):
        kept_tracks(TRACKS, keep, "found.json")


def test_a_file_of_another_clip(clip, tmp_path):
    path = tmp_path / "other.json"
    write_instances(path, {1: [track(1, [mask(5)] * 9)]})
    with pytest.raises(InputError, match="a clip of 9 frames, but clip has 6"):
        read_instance_references(clip, path)
    write_instances(path, {1: [track(1, [mask(5, size=(20, 60))] * FRAMES)]})
    with pytest.raises(InputError, match="60x20 pixels, but clip has 48x32"):
        read_instance_references(clip, path)
    write_instances(path, {1: TRACKS, 2: TRACKS})
    with pytest.raises(InputError, match="instances of 2 videos"):
        read_instance_references(clip, path)
    write_instances(path, {1: []})
    with pytest.raises(InputError, match="no instance at all"):
        read_instance_references(clip, path)
