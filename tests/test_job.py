"""The short form ``segment``, and how marks may be given."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import shibori
import shibori.systems as systems
from shibori.media.palette import write_palette_png
from shibori.media.writer import write_video

from .holder import Holder

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


def test_one_mark_is_for_the_first_frame(clip):
    assert [m.index for m in shibori.segment(shibori.read_clip(clip), IDS, Holder(), start=2)] == [2, 3, 4, 5]
    assert len(list(shibori.segment(str(clip), "first.png", Holder(), every=2))) == 3


def test_a_system_by_name(clip, monkeypatch):
    built = []
    monkeypatch.setattr(systems, "PROPAGATORS", {"pixel": lambda **options: built.append(options) or Holder()})
    list(shibori.segment(clip, "first.png", device="cpu", size=100))
    assert built == [{"preset": "compact", "device": "cpu", "size": 100, "weights": None}]
    with pytest.raises(shibori.InputError, match="no system 'sam'"):
        shibori.segment(clip, "first.png", "sam")


def test_pushed_frames_give_the_same_masks(clip):
    propagation = Holder().begin((32, 48))
    pushed = [
        propagation.step(frame.image, {1: IDS == 1} if frame.index == 0 else None).ids
        for frame in shibori.read_clip(clip).frames()
    ]
    for ids, masks in zip(pushed, shibori.segment(clip, IDS, Holder()), strict=True):
        np.testing.assert_array_equal(ids, masks.ids)
