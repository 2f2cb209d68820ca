"""The short form ``segment``, and how marks may be given."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import shibori
import shibori.systems as systems
from shibori.errors import InputError
from shibori.media.mask import read_ids
from shibori.media.palette import write_palette_png
from shibori.media.track import read_tracklets
from shibori.media.writer import write_video
from shibori.run.job import SegmentJob, run_job, settled_job

from ..holder import Holder
from ..lookahead import Lookahead

IDS = np.zeros((32, 48), np.uint8)
IDS[4:12, 4:12] = 1
LATER = np.zeros((32, 48), np.uint8)
LATER[20:30, 20:40] = 2


@pytest.fixture
def clip(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_video("clip.mp4", [np.full((32, 48, 3), 9 * index, np.uint8) for index in range(6)], rate=5)
    write_palette_png("first.png", IDS)
    write_palette_png("later.png", LATER)
    return Path("clip.mp4")


@pytest.mark.parametrize(
    "marks",
    [
        ["first.png", "3:later.png"],
        {0: "first.png", 3: Path("later.png")},
        {0: IDS, 3: LATER},
        ("first.png", "0.6s:later.png"),
    ],
)
def test_marks_in_every_form(clip, marks):
    found = list(shibori.segment(clip, marks, Holder()))
    assert [masks.index for masks in found] == list(range(6))
    assert found[2].ids.max() == 1
    np.testing.assert_array_equal(found[5].ids, IDS + LATER)


def test_a_folder_of_given_masks_is_not_replaced(clip):
    Path("masks").mkdir()
    write_palette_png("masks/00000.png", IDS)
    job = SegmentJob(clip=clip, mask=("masks",), out=Path("masks"), overwrite=True)
    with pytest.raises(InputError, match="the masks that are given are in the output masks: choose another --out"):
        run_job(job)
    assert Path("masks/00000.png").exists()


def test_one_mark_is_for_the_first_frame(clip):
    assert [m.index for m in shibori.segment(shibori.read_clip(clip), IDS, Holder(), start=2)] == [2, 3, 4, 5]
    assert len(list(shibori.segment(str(clip), "first.png", Holder(), every=2))) == 3


def test_a_system_by_name(clip, monkeypatch):
    built = []
    monkeypatch.setattr(systems, "PROPAGATORS", {"pixel": lambda **options: built.append(options) or Holder()})
    list(shibori.segment(clip, "first.png", device="cpu", size=100))
    assert built == [{"preset": "compact", "device": "cpu", "size": 100, "weights": None, "online_steps": 0}]
    with pytest.raises(shibori.InputError, match="no system 'sam'"):
        shibori.segment(clip, "first.png", "sam")


@pytest.mark.parametrize(
    ("options", "name"),
    [({}, "pixel"), ({"preset": "paper"}, "pixel"), ({"weights": Path("own.safetensors")}, "pixel")],
)
def test_the_system_for_masks_where_none_is_named(clip, monkeypatch, options, name):
    built = []

    def builder(name):
        return lambda **options: built.append(name) or Holder()

    monkeypatch.setattr(systems, "PROPAGATORS", {name: builder(name) for name in systems.PROPAGATORS})
    list(shibori.segment(clip, "first.png", **options))
    assert built == [name]
    job = SegmentJob(clip=clip, mask=("first.png",), out=Path("out"), **options)
    assert settled_job(job, False).system == name
    assert settled_job(replace(job, system="pixel"), False).system == "pixel"
    assert settled_job(replace(job, mask=(), click=("0:3,3",)), True).system == "interactive"


def test_pushed_frames_give_the_same_masks(clip):
    propagation = Holder().begin((32, 48))
    pushed = [
        propagation.step(frame.image, {1: IDS == 1} if frame.index == 0 else None).ids
        for frame in shibori.read_clip(clip).frames()
    ]
    for ids, masks in zip(pushed, shibori.segment(clip, IDS, Holder()), strict=True):
        np.testing.assert_array_equal(ids, masks.ids)


# ---- a system that works on the clip as a whole


@pytest.fixture
def lookahead(clip, monkeypatch) -> Lookahead:
    propagator = Lookahead()
    monkeypatch.setattr(systems, "PROPAGATORS", {"whole": lambda **_options: propagator})
    return propagator


def whole_job(**options) -> SegmentJob:
    return SegmentJob(
        **{"system": "whole", "clip": Path("clip.mp4"), "mask": ("first.png",), "out": Path("out")} | options
    )


def test_tracklets_are_written_beside_the_tracks(lookahead):
    summary = run_job(whole_job(mask=("first.png", "3:later.png")))
    assert (summary.frames, summary.objects) == (6, (1, 2))
    found = read_tracklets("out/tracklets.json")
    assert (found.clip_name, found.num_frames) == ("clip", 6)
    assert [(t.object_id, t.start, t.first, t.last) for t in found.tracklets] == [(1, 0, 0, 5), (2, 3, 3, 5)]
    assert found.tracklets[0].confidences == (1.0, 0.99, 0.98, 0.97, 0.96, 0.95)
    assert sorted(path.name for path in Path("out").iterdir()) == [
        *(f"{index:05d}.png" for index in range(6)), "tracklets.json", "tracks.json",
    ]  # fmt: skip
    np.testing.assert_array_equal(read_ids("out/00005.png"), IDS + LATER)


def test_tracklets_of_a_part_with_a_stride_count_frames_of_the_clip(lookahead):
    run_job(whole_job(mask=("1:first.png", "4:later.png"), start="1", every=2))
    found = read_tracklets("out/tracklets.json")
    assert [(t.start, t.first, t.last) for t in found.tracklets] == [(1, 1, 5), (4, 4, 5)]
    assert found.tracklets[0].confidences == (1.0, 1.0, 0.99, 0.98, 0.97)  # frames 1, (2), 3, 4, 5


def test_tracklets_of_one_file_stand_beside_it(lookahead):
    run_job(whole_job(out=Path("masks.json"), format=("rle",)))
    assert Path("masks.tracks.json").is_file()
    assert len(read_tracklets("masks.tracklets.json").tracklets) == 1


def test_a_system_without_tracklets_writes_none(clip, monkeypatch):
    monkeypatch.setattr(systems, "PROPAGATORS", {"whole": lambda **_options: Holder()})
    run_job(whole_job())
    assert Path("out/tracks.json").is_file()
    assert not Path("out/tracklets.json").exists()


@pytest.mark.parametrize("both_ways", [False, True])
def test_progress_counts_each_frame_when_it_is_seen_and_when_it_is_written(lookahead, both_ways):
    reported: list[tuple[int, int]] = []
    run_job(whole_job(both_ways=both_ways), lambda done, total: reported.append((done, total)))
    assert reported == [(done, 12) for done in range(1, 13)]


@pytest.mark.parametrize(("both_ways", "total"), [(False, 6), (True, 10)])
def test_progress_counts_the_frames_of_the_backward_run_first(clip, both_ways, total):
    counts: list[tuple[int, int]] = []
    job = whole_job(mask=("3:first.png",), both_ways=both_ways)
    run_job(job, lambda *count: counts.append(count), Holder())
    assert counts == [(done, total) for done in range(1, total + 1)]


def test_both_ways_reaches_a_whole_clip_through_the_short_form(lookahead):
    found = list(shibori.segment("clip.mp4", {3: IDS}, "whole", both_ways=True))
    np.testing.assert_array_equal(found[0].ids, IDS)
    assert lookahead.runs[0].both_ways
