from __future__ import annotations

import json

import numpy as np
import pytest

from shibori.errors import InputError
from shibori.media.marks import BoxMark, Marks, click
from shibori.media.rounds import (
    Absence,
    Approval,
    GivenMask,
    Mark,
    Removal,
    Round,
    Rounds,
    check_rounds,
    contradictions,
    known_objects,
    marks_of,
    rounds_from_ids,
    rounds_from_json,
    rounds_from_marks,
    rounds_to_json,
)
from shibori.media.scribble import Stroke

SIZE = (6, 8)
CLICK = Mark((((0.5, 0.5),),))


def square(left: int = 2) -> GivenMask:
    mask = np.zeros(SIZE, np.bool_)
    mask[1:4, left : left + 3] = True
    return GivenMask.of(mask)


EVERYTHING = (
    Round(0, 1, square()),
    Round(0, 2, Mark(box=(0.1, 0.2, 0.5, 0.75))),
    Round(3, 2, Mark((((0.0, 0.0), (1.0, 1.0)), ((0.25, 0.5),)), is_object=False)),
    Round(3, 0, CLICK),
    Round(4, 2, Absence()),
    Round(5, 1, Absence(last=8)),
    Round(2, 0, Approval()),
    Round(0, 1, Approval(last=3)),
    Round(0, 2, Removal()),
)


def test_a_mask_is_a_value():
    assert square() == square()
    assert hash(square()) == hash(square())
    assert square() != square(3)
    assert square().mask().sum() == 9
    assert square().mask()[1:4, 2:5].all()


def test_rounds_come_back_from_json():
    content = json.loads(json.dumps(rounds_to_json(EVERYTHING)))
    assert rounds_from_json(content) == EVERYTHING
    assert hash(rounds_from_json(content)) == hash(EVERYTHING)


def test_what_lasts_is_told_apart():
    assert Absence(4) != Approval(4)
    assert [*EVERYTHING[5].frames] == [5, 6, 7, 8]
    assert [*EVERYTHING[4].frames] == [4]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ([{"frame": 0, "object": 1, "kind": "wish"}], "no round of the kind 'wish'"),
        ([{"frame": 0, "object": 1}], "'kind' is missing"),
        (7, "not iterable"),
        ([{"frame": 0, "object": 1, "kind": "mask", "size": [6, 8], "counts": "`1"}], "shows its object"),
        ([{"frame": 0, "object": 1, "kind": "mark", "lines": [[[2, 0]]], "box": None, "is_object": True}], "in 0..1"),
        ([{"frame": 9, "object": 1, "kind": "absence", "last": 3}], "got 9 to 3"),
    ],
)
def test_other_json_is_refused(content: object, expected: str):
    with pytest.raises(InputError, match=expected):
        rounds_from_json(content)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Mark(),
        lambda: GivenMask.of(np.zeros(SIZE, np.bool_)),
        lambda: Mark(box=(0.5, 0, 0.5, 1)),
        lambda: Mark((((0.5, 1.5),),)),
        lambda: Round(-1, 1, CLICK),
        lambda: Round(0, 0, square()),
        lambda: Round(0, 0, Absence()),
        lambda: Round(0, 0, Removal()),
        lambda: Round(0, 0, Mark(box=(0, 0, 1, 1))),
        lambda: Round(0, 0, Mark((((0.5, 0.5),),), is_object=False)),
    ],
)
def test_what_means_nothing_is_no_round(make: object):
    with pytest.raises(ValueError, match=r"\w"):
        make()  # type: ignore[operator]


@pytest.mark.parametrize(
    ("rounds", "expected"),
    [
        ((), "found marks nowhere"),
        ((Round(0, 0, CLICK),), "on the background alone"),
        ((Round(10, 1, CLICK),), "a mark on frame 10, but the clip has 10 frames"),
        ((Round(0, 1, CLICK), Round(5, 1, Absence(12))), "an absence on frame 12"),
        ((Round(0, 1, GivenMask.of(np.ones((4, 4), np.bool_))),), "is 4x4 pixels, but the clip is 8x6"),
        ((Round(0, 1, CLICK), Round(4, 2, Absence())), "object 2 is only ever said to be absent"),
        ((Round(0, 1, CLICK), Round(0, 1, Removal()), Round(0, 1, Removal())), "object 1 cannot be removed"),
        ((Round(0, 1, CLICK), Round(0, 2, Approval())), "object 2 cannot be approved"),
        ((Round(0, 0, Approval()), Round(0, 1, CLICK)), "nothing to approve in frame 0"),
    ],
)
def test_what_does_not_fit_a_clip_is_refused(rounds: Rounds, expected: str):
    with pytest.raises(InputError, match=expected):
        check_rounds(rounds, 10, SIZE)


def test_what_fits_is_let_pass():
    check_rounds(EVERYTHING, 10, SIZE)
    check_rounds((Round(4, 1, Absence()), Round(0, 1, CLICK)), 10, SIZE)
    assert known_objects(EVERYTHING) == (1,)
    assert known_objects(EVERYTHING[:-1]) == (1, 2)


def test_contradictions_are_said():
    first, later = Round(3, 1, square()), Round(3, 1, square(3))
    assert contradictions((first, first)) == ()
    assert contradictions((Round(3, 1, CLICK), Round(3, 1, CLICK))) == ()
    assert contradictions((first, Round(3, 1, CLICK))) == ()
    assert contradictions((first, later)) == (
        "of object 1 in frame 3 the later one counts, a mask, and not the earlier one, a mask; if they "
        "are two objects give one mask with an id for each",
    )
    (sentence,) = contradictions((first, Round(2, 1, Absence(5))))
    assert "an absence, and not the earlier one, a mask" in sentence
    assert len(contradictions((Round(2, 1, Absence(5)), first))) == 1
    assert contradictions((first, Round(0, 1, Removal()), later)) == ()


def test_marks_that_contradict_each_other_are_said():
    beside = Mark(CLICK.lines, is_object=False)
    (sentence,) = contradictions((Round(3, 1, CLICK), Round(3, 1, beside), Round(3, 1, beside)))
    assert sentence == (
        "where two marks in frame 3 meet the later one counts, one beside object 1, and not one on object 1"
    )
    (sentence,) = contradictions((Round(3, 1, CLICK), Round(3, 0, CLICK)))
    assert "one on the background, and not one on object 1" in sentence
    (sentence,) = contradictions((Round(3, 0, CLICK), Round(3, 2, CLICK)))
    assert "one on object 2, and not one on the background" in sentence
    assert contradictions((Round(3, 1, CLICK), Round(4, 1, beside))) == ()
    away = Mark(tuple(tuple((x / 2, y / 2) for x, y in line) for line in CLICK.lines), is_object=False)
    assert contradictions((Round(3, 1, CLICK), Round(3, 1, away))) == ()


def test_marks_become_rounds_and_marks_again():
    line = Stroke(1, ((0.0, 0.0), (1.0, 1.0)))
    marks = Marks({2: (line, click(1, 0.5, 0.5), click(0, 0.1, 0.1), line)}, {0: (BoxMark(2, (0.0, 0.0, 0.5, 0.5)),)})
    rounds = rounds_from_marks(marks)
    assert [(each.frame, each.object_id) for each in rounds] == [(0, 2), (2, 1), (2, 0), (2, 1)]
    assert marks_of(rounds) == marks


def test_what_is_beside_an_object_is_background_for_systems_of_marks():
    beside = Round(0, 2, Mark((((0.5, 0.5),),), is_object=False))
    assert marks_of((beside,)) == Marks({0: (click(0, 0.5, 0.5),)})
    with pytest.raises(InputError, match="found a mask of object 1"):
        marks_of((Round(0, 1, square()),))


def test_a_map_of_ids_becomes_one_round_an_object():
    ids = np.zeros(SIZE, np.uint8)
    ids[0], ids[1] = 2, 7
    rounds = rounds_from_ids(5, ids)
    assert [(each.frame, each.object_id) for each in rounds] == [(5, 2), (5, 7)]
    assert isinstance(rounds[0].what, GivenMask)
    assert np.array_equal(rounds[0].what.mask(), ids == 2)
