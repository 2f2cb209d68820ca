"""Found instances on disk, field by field as YouTube-VIS wants them, and back; what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as coco

import shibori.systems as systems
from shibori.datasets.youtube_vis import InstanceDataset, Video, read_vis_results
from shibori.errors import InputError
from shibori.interfaces import InstanceSegmenter
from shibori.media.instances import Discovery, InstanceTrack
from shibori.media.mask import read_ids
from shibori.media.rle import encode_rle
from shibori.media.video import VideoClip
from shibori.media.writer import write_video
from shibori.run.discover import DiscoverJob, check_classes, chosen_tracks, frame_masks, run_discovery

SIZE, FRAMES = (48, 64), 5


def square(left: int, top: int = 8) -> np.ndarray:
    mask = np.zeros(SIZE, bool)
    mask[top : top + 16, left : left + 16] = True
    return mask


TRACKS = (
    InstanceTrack(1, 2, "dog", 0.75, tuple(encode_rle(square(4 + 2 * i)) if i != 2 else None for i in range(FRAMES))),
    InstanceTrack(2, 1, "person", 0.5, (None, *[encode_rle(square(12)) for _ in range(FRAMES - 1)])),
)


class Finder(InstanceSegmenter):
    def __init__(self, tracks=TRACKS, left_out: int = 0) -> None:
        self.tracks, self.left_out = tuple(tracks), left_out

    @property
    def categories(self) -> dict[int, str]:
        return {1: "person", 2: "dog"}

    def discover(self, frames, progress=None) -> Discovery:
        for index, image in frames.forward(0, frames.num_frames):
            assert image.shape == (*SIZE, 3)
            progress(index + 1)
        return Discovery(self.tracks, 30, len(self.tracks), self.left_out)


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    write_video(tmp_path / "clip.mp4", [np.full((*SIZE, 3), 20 * i, np.uint8) for i in range(FRAMES)], rate=5)
    monkeypatch.setattr(systems, "INSTANCE_SEGMENTERS", {"ipdt": lambda **options: Finder()})
    return tmp_path


def job(place: Path, out: str = "found.json", **options) -> DiscoverJob:
    return DiscoverJob(clip=place / "clip.mp4", out=place / out, **options)


def test_the_file_is_what_the_official_evaluator_reads(place):
    run_discovery(job(place))
    records = json.loads((place / "found.json").read_text())
    assert [type(record["video_id"]) for record in records] == [int, int]
    for record, track in zip(records, TRACKS, strict=True):
        # What pycocotools' and ytvostools' loadRes and the evaluator touch of a result.
        assert record["category_id"] == track.category_id
        assert isinstance(record["score"], float)
        assert record["score"] == track.score
        assert len(record["segmentations"]) == FRAMES
        for code, own in zip(record["segmentations"], track.segmentations, strict=True):
            if own is None:
                assert code is None
            else:
                assert code["size"] == list(SIZE)
                assert isinstance(code["counts"], str)
                assert code == own
                assert coco.area(code) == 16 * 16  # loadRes asks for areas and boxes of every code
                assert coco.toBbox(code).tolist()[2:] == [16, 16]


def test_the_file_reads_back_as_the_same_tracks(place):
    run_discovery(job(place))
    dataset = InstanceDataset(Path("truth.json"), {1: Video(1, SIZE, FRAMES)}, {1: "person", 2: "dog"}, ())
    assert read_vis_results(place / "found.json", dataset) == {1: list(TRACKS)}


def test_masks_and_overlay_lie_beside_it(place):
    reported = []
    summary = run_discovery(job(place), lambda done, total: reported.append((done, total)))
    assert reported == [(i + 1, FRAMES) for i in range(FRAMES)]
    assert summary.outputs == tuple(str(place / name) for name in ("found.json", "found/masks", "found/overlay.mp4"))
    ids = read_ids(place / "found" / "masks" / "00001.png")
    assert (ids[square(6)] == 1).all()  # the better one shows where they overlap
    assert (ids == 2).sum() == (square(12) & ~square(6)).sum()
    assert VideoClip(place / "found" / "overlay.mp4").num_frames == FRAMES
    first = summary.instances[0]
    assert (first.track_id, first.category, first.score, first.frames, first.first) == (1, "dog", 0.75, 4, 0)


def test_a_system_that_is_loaded(place, monkeypatch):
    monkeypatch.setattr(systems, "INSTANCE_SEGMENTERS", {})
    assert len(run_discovery(job(place), segmenter=Finder(TRACKS[:1])).instances) == 1


def test_a_folder_takes_all_three(place):
    summary = run_discovery(job(place, "all"))
    assert summary.outputs == tuple(str(place / "all" / name) for name in ("instances.json", "masks", "overlay.mp4"))


def test_nothing_found_is_an_empty_list(place, monkeypatch):
    monkeypatch.setattr(systems, "INSTANCE_SEGMENTERS", {"ipdt": lambda **options: Finder(())})
    summary = run_discovery(job(place))
    assert summary.instances == ()
    assert json.loads((place / "found.json").read_text()) == []
    assert not read_ids(place / "found" / "masks" / "00000.png").any()


def test_only_the_classes_asked_for_numbered_anew():
    found = Discovery(TRACKS, 9, 2, 0)
    assert [(t.track_id, t.category) for t in chosen_tracks(found, ("person",), 5)] == [(1, "person")]
    assert [(t.track_id, t.category) for t in chosen_tracks(found, (), 1)] == [(1, "dog")]
    assert chosen_tracks(found, (), 5) == list(TRACKS)


def test_a_frame_says_who_shows():
    masks = frame_masks(TRACKS, 0, SIZE)
    assert [(status.object_id, status.state) for status in masks.statuses] == [(1, "tracked"), (2, "absent")]


def test_what_is_refused(place):
    with pytest.raises(InputError, match=r"expected a class of this system \(person, dog\), found 'unicorn'"):
        check_classes(("dog", "unicorn"), Finder())
    with pytest.raises(InputError, match="no system 'other'"):
        run_discovery(job(place, system="other"))
    with pytest.raises(InputError, match="at least 1 instance"):
        run_discovery(job(place, most=0))
    with pytest.raises(InputError, match=r"ends in \.json, or a folder"):
        run_discovery(job(place, "found.csv"))
    run_discovery(job(place))
    with pytest.raises(InputError, match="is there already"):
        run_discovery(job(place))
    run_discovery(job(place, overwrite=True))
