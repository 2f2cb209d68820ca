"""``shibori segment`` from scribbles, clicks and boxes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import shibori as package
import shibori.systems as systems
from shibori.media.marks import Marks, click
from shibori.media.mask import read_ids
from shibori.media.rounds import rounds_from_marks
from shibori.media.scribble import Scribbles, Stroke, scribbles_to_json

from ..squares import Squares

RUN = "segment clip.mp4 --out out"


@pytest.fixture
def squares(monkeypatch) -> list[dict]:
    """The only interactive system; the list fills with the options it is built with."""
    built: list[dict] = []
    monkeypatch.setattr(systems, "INTERACTIVE_SEGMENTERS", {"squares": lambda **o: built.append(o) or Squares()})
    return built


def test_clicks_and_boxes_give_masks_of_all_frames(shibori, place, squares):
    result = shibori(f"{RUN} --click 3:10,10 --click 0.5s:50,30:2 --box 7:20,2,30,12:3 --size 99")
    assert result.exit_code == 0, result.stderr
    assert "12 frames, 3 objects" in result.stdout
    ids = read_ids("out/00000.png")
    assert [int((ids == object_id).sum()) for object_id in (1, 2, 3)] == [49, 49, 100]
    assert squares == [{"preset": "compact", "device": "auto", "size": 99, "weights": None}]
    tracks = json.loads(Path("out/tracks.json").read_text())
    assert tracks["system"] == "squares"
    assert len(tracks["frames"]) == 12


def test_a_click_on_the_background_takes_away(shibori, place, squares):
    assert shibori(f"{RUN} --box 0:10,10,30,30 --click 0:13,13:0").exit_code == 0
    ids = read_ids("out/00005.png")
    assert (ids == 1).sum() == 400 - 49
    assert shibori("segment clip.mp4 --out two --click 0:13,13 --click 1:15,13:0").exit_code == 0
    assert (read_ids("two/00005.png") == 1).sum() == 49 - 35


def test_a_scribble_file_in_every_format(shibori, place, squares):
    strokes = [() for _ in range(12)]
    strokes[4] = (Stroke(2, ((0.5, 0.5), (0.6, 0.5))),)
    Path("s.json").write_text(json.dumps(scribbles_to_json(Scribbles("clip", tuple(strokes)))))
    result = shibori(f"{RUN} --scribbles s.json --format palette --format rle --format overlay --json")
    summary = json.loads(result.stdout)
    assert result.stderr == ""
    assert (summary["frames"], summary["objects"]) == (12, [2])
    assert sorted(path.name for path in Path("out").iterdir())[-4:] == [
        "00011.png", "masks.json", "overlay.mp4", "tracks.json",
    ]  # fmt: skip


def test_a_part_of_the_clip(shibori, place, squares):
    assert shibori(f"{RUN} --click 11:10,10 --start 2 --end 9 --every 3").exit_code == 0
    assert sorted(path.name for path in Path("out").glob("0*.png")) == ["00002.png", "00005.png", "00008.png"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("", "nothing to start from: give --mask, --from instances.json, --click, --box or --scribbles"),
        ("--click 3:10,10 --forward-only", "are for masks"),
        ("--click 3:10,10 --absent 4:2", "object 2 is only ever said to be absent"),
        ("--click 3:10,10 --mask first.png", "clicks, boxes and strokes alone, found a mask of object 1"),
        ("--click 3:10,10 --both-ways", "are for masks"),
        ("--click 3:10,10 --online-steps 4", "are for masks"),
        ("--click 3:10,10 --system pixel", "there is no system 'pixel': choose one of squares"),
        ("--click 12:10,10", "there is no frame 12"),
        ("--click 3:64,10", "is outside the frame"),
        ("--click 3:10,10:0", "background alone"),
        ("--click 3:10,10 --click 3:10,10:2", "later marks cover every mark on object 1"),
        ("--box 3:10,10,5,20", "no rectangle in the frame"),
        ("--scribbles none.json", "there is no scribble file"),
        ("--click 3:10,10 --start 5 --end 5", "No frames to segment"),
    ],
)
def test_what_is_refused(shibori, place, squares, options, message):
    result = shibori(f"{RUN} {options}")
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())
    assert len(result.stderr.splitlines()) == 1
    assert not list(place.glob("out/*.png"))


def test_marks_through_the_short_form(place, squares):
    marks = Marks({3: (click(5, 0.5, 0.5),)})
    found = list(package.segment("clip.mp4", marks, start=2, every=4))
    assert [masks.index for masks in found] == [2, 6, 10]
    assert set(np.unique(found[0].ids).tolist()) == {0, 5}
    system = Squares()
    assert len(list(package.segment("clip.mp4", marks, system))) == 12
    assert system.told == [rounds_from_marks(marks)]
