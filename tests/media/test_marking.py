"""Marks in the words of a command line, and a sentence for each way in which they can be wrong."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from shibori.errors import InputError
from shibori.media.clip import Clip
from shibori.media.marking import read_rounds
from shibori.media.marks import Marks
from shibori.media.palette import write_palette_png
from shibori.media.reader import read_clip
from shibori.media.rounds import Absence, GivenMask, Mark, Round, marks_of
from shibori.media.scribble import Scribbles, Stroke, scribbles_to_json
from shibori.media.writer import write_video

SIZE_HW = (40, 80)


@pytest.fixture
def clip(tmp_path, monkeypatch) -> Clip:
    monkeypatch.chdir(tmp_path)
    write_video("clip.mp4", [np.full((*SIZE_HW, 3), 9 * index, np.uint8) for index in range(6)], rate=5)
    return read_clip("clip.mp4")


def scribble_file(*strokes: Stroke, frame: int = 2, num_frames: int = 6) -> Path:
    frames = [strokes if index == frame else () for index in range(num_frames)]
    Path("s.json").write_text(json.dumps(scribbles_to_json(Scribbles("clip", tuple(map(tuple, frames))))))
    return Path("s.json")


def read_marks(clip: Clip, scribbles=(), clicks=(), boxes=()) -> Marks:
    said = [("scribbles", path) for path in scribbles] + [("box", text) for text in boxes]
    return marks_of(read_rounds(clip, said + [("click", text) for text in clicks]))


def test_a_click_is_a_pixel(clip):
    marks = read_marks(clip, clicks=["3:10,20", "0.2s:79,39:7", "3:11,20:0"])
    assert marks.frames == (1, 3)
    assert marks.object_ids == (1, 7)
    drawn = marks.rasterise(3, SIZE_HW)
    assert (drawn[20, 10], drawn[20, 11], (drawn >= 0).sum()) == (1, 0, 2)
    assert np.argwhere(marks.rasterise(1, SIZE_HW) == 7).tolist() == [[39, 79]]


def test_a_box_is_half_open(clip):
    marks = read_marks(clip, boxes=["0:0,0,80,40", "5:10,20,30,25:2"])
    assert marks.boxes[0][0].pixels(SIZE_HW) == (0, 0, 80, 40)
    assert marks.boxes[5][0].pixels(SIZE_HW) == (10, 20, 30, 25)
    assert [box.object_id for boxes in marks.boxes.values() for box in boxes] == [1, 2]


def test_the_later_mark_wins(clip):
    path = scribble_file(Stroke(1, ((0.0, 0.5), (1.0, 0.5))))
    marks = read_marks(clip, [path], ["2:40,20:2", "2:9,9:2", "2:40,20:3"])
    assert marks.rasterise(2, SIZE_HW)[20, 40] == 3
    assert marks.rasterise(2, SIZE_HW)[20, 41] == 1
    assert marks.object_ids == (1, 2, 3)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"clicks": ["3:80,20"]}, "outside the frame: columns go from 0 to 79, rows from 0 to 39"),
        ({"clicks": ["3:-1,20"]}, "outside the frame"),
        ({"clicks": ["6:1,2"]}, "there is no frame 6 in clip"),
        ({"clicks": ["9s:1,2"]}, "9"),
        ({"clicks": ["1,2"]}, "expected a click such as"),
        ({"clicks": ["3:1"]}, "expected a click such as"),
        ({"clicks": ["3:1,nan"]}, "expected a click such as"),
        ({"clicks": ["x:1,2"]}, "expected a frame index"),
        ({"clicks": ["3:1,2:-4"]}, "expected an object id from 0"),
        ({"clicks": ["3:1,2:99999"]}, "expected an object id from 0"),
        ({"clicks": ["3:1,2:0"]}, "found marks on the background alone"),
        ({"clicks": ["3:1,2", "3:1,2:0"]}, "later marks cover every mark on object 1"),
        ({"clicks": ["3:1,2", "3:1,2:2"]}, "later marks cover every mark on object 1"),
        ({"boxes": ["3:10,10,10,20"]}, "is no rectangle in the frame"),
        ({"boxes": ["3:10,10,90,20"]}, "is no rectangle in the frame: expected 0 <= x0 < x1 <= 80"),
        ({"boxes": ["3:1,2,3,4:0"]}, "around object 0, the background"),
        ({"boxes": ["3:1,2,3"]}, "expected a box such as"),
        ({"scribbles": ["none.json"]}, "there is no scribble file none.json"),
    ],
)
def test_what_is_refused(clip, given, message):
    with pytest.raises(InputError, match=message):
        read_marks(clip, **given)


def test_scribbles_that_do_not_fit(clip):
    with pytest.raises(InputError, match="is for 4 frames, but the clip has 6"):
        read_marks(clip, [scribble_file(Stroke(1, ((0, 0),)), num_frames=4)])
    with pytest.raises(InputError, match="holds no stroke"):
        read_marks(clip, [scribble_file()])
    path = scribble_file(Stroke(1, ((0.5, 0.5),)))
    path.write_text(path.read_text().replace("0.5", "1.5"))
    with pytest.raises(InputError, match=r"lie in 0\.\.1 of the frame"):
        read_marks(clip, [path])


def test_everything_together_in_the_order_in_which_it_is_said(clip):
    ids = np.zeros(SIZE_HW, np.uint8)
    ids[2:6, 2:6], ids[10:20, 10:20] = 1, 4
    write_palette_png("both.png", ids)
    said = [
        ("absent", "2-4:4"), ("mask", "1:both.png"), ("click", "3:50,30:2"), ("absent", "5"), ("box", "0:1,1,4,4:4"),
        ("mask", "both.png"), ("absent", "0.4s-:2"),
    ]  # fmt: skip
    rounds = read_rounds(clip, said, start=2)
    assert [(each.frame, each.object_id, type(each.what)) for each in rounds] == [
        (2, 4, Absence), (1, 1, GivenMask), (1, 4, GivenMask), (3, 2, Mark), (5, 1, Absence), (0, 4, Mark),
        (2, 1, GivenMask), (2, 4, GivenMask), (2, 2, Absence),
    ]  # fmt: skip
    assert [[*each.frames] for each in rounds if isinstance(each.what, Absence)] == [[2, 3, 4], [5], [2, 3, 4, 5]]
    assert rounds[0] == Round(2, 4, Absence(4))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("4-2:1", "ends before it begins"),
        ("2-9:1", "there is no frame 9"),
        ("6:1", "there is no frame 6"),
        ("2:0", "object 0, the background, is absent"),
        ("2:x", "expected an object id"),
        ("-3:1", "expected frames without an object such as"),
        ("", "expected frames without an object such as"),
        ("2:7", "object 7 is only ever said to be absent"),
    ],
)
def test_absences_that_are_refused(clip, text, message):
    with pytest.raises(InputError, match=message):
        read_rounds(clip, [("click", "0:3,3"), ("absent", text)])
