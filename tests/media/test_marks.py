from __future__ import annotations

import numpy as np
import pytest

from shibori.errors import InputError
from shibori.media.marks import BoxMark, Marks, click, join_marks, marks_from_scribbles, require_known_objects
from shibori.media.scribble import Scribbles, Stroke, scribbles_to_json


def test_frames_and_objects_of_all_kinds_of_marks():
    marks = Marks({7: (click(2, 0.5, 0.5), click(0, 0, 0)), 4: ()}, {3: (BoxMark(1, (0, 0, 0.5, 0.5)),)})
    assert marks.frames == (3, 7)
    assert marks.object_ids == (1, 2)
    assert Marks().frames == Marks().object_ids == ()


def test_the_later_of_two_contradictory_marks_counts():
    marks = Marks({0: (click(1, 0.5, 0.5), Stroke(0, ((0.0, 0.5), (1.0, 0.5))), click(2, 1.0, 0.5))})
    drawn = marks.rasterise(0, (3, 5))
    assert drawn[1].tolist() == [0, 0, 0, 0, 2]
    assert set(np.delete(drawn, 1, 0).ravel().tolist()) == {-1}
    assert (marks.rasterise(1, (3, 5)) == -1).all()


def test_marks_of_a_scribble_file():
    strokes = (Stroke(1, ((0.1, 0.2), (0.3, 0.4))),)
    marks = marks_from_scribbles(Scribbles("x", ((), strokes, ()), 1))
    assert marks.frames == (1,)
    assert marks.strokes[1] == strokes


def test_a_mark_beyond_the_clip():
    marks = Marks({12: (click(1, 0, 0),)})
    marks.check(13)
    with pytest.raises(InputError, match="mark on frame 12, but the clip has 12 frames, numbered from 0 to 11"):
        marks.check(12)


def test_no_object_is_marked():
    require_known_objects(Marks(), (1,))
    require_known_objects(Marks({0: (click(1, 0, 0),)}), ())
    with pytest.raises(InputError, match="found marks on the background alone"):
        require_known_objects(Marks({0: (click(0, 0, 0),)}), ())
    with pytest.raises(InputError, match="found marks nowhere"):
        require_known_objects(Marks(), ())


@pytest.mark.parametrize(
    ("corners", "pixels"),
    [((0, 0, 1, 1), (0, 0, 20, 10)), ((0.5, 0.2, 0.75, 0.9), (10, 2, 15, 9)), ((0.99, 0.99, 1, 1), (19, 9, 20, 10))],
)
def test_a_box_in_pixels(corners, pixels):
    assert BoxMark(1, corners).pixels((10, 20)) == pixels


@pytest.mark.parametrize("corners", [(0.5, 0, 0.5, 1), (0.6, 0, 0.5, 1), (-0.1, 0, 1, 1), (0, 0, 1, 1.1)])
def test_a_box_that_is_none(corners):
    with pytest.raises(ValueError, match=r"lies in 0\.\.1"):
        BoxMark(1, corners)


def test_a_box_of_background():
    with pytest.raises(ValueError, match="around an object"):
        BoxMark(0, (0, 0, 1, 1))


def test_scribbles_add_up():
    first = Scribbles("x", ((Stroke(1, ((0, 0),)),), ()), 0)
    later = Scribbles("x", ((Stroke(0, ((1, 1),)),), (Stroke(2, ((0, 1),)),)), 1)
    both = first + later
    assert [stroke.object_id for stroke in both.strokes[0]] == [1, 0]
    assert both.frames == (0, 1)
    assert both.annotated_frame == 1
    assert scribbles_to_json(both)["scribbles"][1][0]["object_id"] == 2
    with pytest.raises(ValueError, match="one clip"):
        first + Scribbles("y", ((), ()))


def test_joined_marks_are_drawn_one_over_the_other():
    first = Marks({0: (click(1, 0, 0),)}, {2: (BoxMark(1, (0, 0, 1, 1)),)})
    later = Marks({0: (click(2, 0, 0),), 1: (click(1, 1, 1),)}, {2: (BoxMark(2, (0, 0, 1, 1)),)})
    both = join_marks(first, later)
    assert both.rasterise(0, (2, 2))[0, 0] == 2
    assert both.frames == (0, 1, 2)
    assert [box.object_id for box in both.boxes[2]] == [1, 2]
    assert first.frames == (0, 2)
