"""Every measure of YouTube-VIS equals the official one, and that of a slow twin on sets with all that is rare."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from shibori.datasets.youtube_vis import InstanceAnnotation, InstanceDataset, Video
from shibori.errors import InputError
from shibori.evaluation.instances import mean_or_none, score_instances, score_vis
from shibori.media.instances import InstanceTrack
from shibori.media.rle import encode_rle

from .slow_vis import slow_summary

SIZE = (300, 340)


def test_equals_the_official_figures(shared):
    folder = shared / "reference" / "ytvis"
    official = json.loads((folder / "official.json").read_text())
    scores = score_vis(folder / "annotations.json", folder / "results.json")
    for name, value in official["summary"].items():
        assert scores.summary[name] == (None if value == -1 else pytest.approx(value, abs=1e-9)), name
    assert set(scores.summary) == set(official["summary"])
    for category in scores.categories:
        value = official["AP_per_category"][category.name]
        assert category.ap == (None if value is None else pytest.approx(value, abs=1e-9))
    assert (scores.num_true, scores.num_found, scores.num_videos) == (47, 153, 24)


def boxes_track(rng: np.random.Generator, box: np.ndarray, jitter: int, num_frames: int):
    """Codes of a box that wanders; some frames are empty masks, some none."""
    codes = []
    for _ in range(num_frames):
        mask = np.zeros(SIZE, bool)
        x0, y0, x1, y1 = box + rng.integers(-jitter, jitter + 1, 4)
        if rng.uniform() > 0.1:
            mask[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)] = True
        codes.append(encode_rle(mask) if rng.uniform() > 0.15 else None)
    return tuple(codes)


def made_set(seed: int) -> tuple[InstanceDataset, dict[int, list[InstanceTrack]]]:
    """Objects of all sizes, crowds, equal scores, copies of tracks, videos and classes without either."""
    rng = np.random.default_rng(seed)
    videos = {number: Video(number, SIZE, int(rng.integers(1, 6))) for number in range(1, 7)}
    annotations, found = [], {}
    for video_id, video in videos.items():
        boxes = []
        for _ in range(int(rng.integers(0, 6))):
            side = int(rng.choice([30, 120, 140, 270]))
            x, y = rng.integers(0, SIZE[1] - side), rng.integers(0, SIZE[0] - side)
            boxes.append(np.array([x, y, x + side, y + side]))
            codes = boxes_track(rng, boxes[-1], 3, video.num_frames)
            areas = tuple(None if rng.uniform() < 0.5 else float(side**2) for _ in codes) if rng.uniform() < 0.3 else ()
            number = len(annotations) + 1
            is_crowd = bool(rng.uniform() < 0.2)
            annotations.append(
                InstanceAnnotation(number, video_id, int(rng.integers(1, 4)), codes, (), areas, is_crowd)
            )
        if video_id == 2:
            continue
        tracks = []
        for number in range(1, int(rng.integers(1, 14))):
            box = boxes[rng.integers(len(boxes))] if boxes and rng.uniform() < 0.8 else rng.integers(0, 200, 4)
            codes = boxes_track(rng, np.array(box), int(rng.integers(1, 14)), video.num_frames)
            score = float(rng.choice([0.2, 0.5, 0.9]))
            tracks.append(InstanceTrack(number, int(rng.integers(1, 5)), "", score, codes))
            if rng.uniform() < 0.2:
                tracks.append(replace(tracks[-1], track_id=100 + number))
        found[video_id] = tracks
    categories = {1: "one", 2: "two", 3: "three", 4: "nowhere"}
    return InstanceDataset(Path("made"), videos, categories, tuple(annotations)), found


@pytest.mark.parametrize("seed", range(12))
def test_equals_the_slow_twin(seed):
    dataset, found = made_set(seed)
    summary, expected = score_instances(dataset, found).summary, slow_summary(dataset, found)
    assert {name: value is None for name, value in summary.items()} == {k: v is None for k, v in expected.items()}
    for name, value in expected.items():
        if value is not None:
            assert summary[name] == pytest.approx(value, abs=1e-12), name


def test_more_than_a_hundred_tracks_do_not_count():
    rng = np.random.default_rng(0)
    box = np.array([10, 10, 60, 60])
    truth = boxes_track(rng, box, 0, 3)
    while all(code is None for code in truth):
        truth = boxes_track(rng, box, 0, 3)
    dataset = InstanceDataset(
        Path("made"), {1: Video(1, SIZE, 3)}, {1: "a"}, (InstanceAnnotation(1, 1, 1, truth, (), ()),)
    )
    far = boxes_track(rng, np.array([200, 200, 230, 230]), 0, 3)
    tracks = [InstanceTrack(n, 1, "a", 0.9, far) for n in range(100)] + [InstanceTrack(101, 1, "a", 0.1, truth)]
    assert score_instances(dataset, {1: tracks}).summary["AR100"] == 0
    assert score_instances(dataset, {1: tracks[1:]}).summary["AR100"] == 1


def test_nothing_found_is_zero_and_nothing_true_is_none():
    dataset, _ = made_set(0)
    empty = score_instances(dataset, {})
    assert empty.summary["AP"] == 0
    assert empty.summary["AR100"] == 0
    assert empty.num_found == empty.num_videos_found == 0
    nothing = score_instances(replace(dataset, annotations=()), {})
    assert set(nothing.summary.values()) == {None}
    assert nothing.categories[0].ap50 is None
    assert nothing.categories[0].average_recall(10) is None


def test_mean_or_none_passes_over_what_is_unknown():
    assert mean_or_none(np.array([np.nan, 1.0, 2.0])) == 1.5
    assert mean_or_none(np.array([np.nan])) is None


def test_files_that_do_not_belong_together(shared, tmp_path):
    folder = shared / "reference" / "ytvis"
    other = json.loads((folder / "annotations.json").read_text())
    other["videos"], other["annotations"] = other["videos"][:3], []
    (tmp_path / "other.json").write_text(json.dumps(other))
    with pytest.raises(InputError, match="tracks of video 4"):
        score_vis(tmp_path / "other.json", folder / "results.json")
