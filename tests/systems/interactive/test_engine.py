"""Rounds in, masks of all frames out, with a propagator that rolls masks along as the clip's objects do."""

from __future__ import annotations

import numpy as np
import pytest

from shibori.errors import InputError
from shibori.media.rounds import Absence, Approval, GivenMask, Mark, Removal, Round, Rounds
from shibori.systems.interactive.engine import RoundsSegmenter
from shibori.systems.interactive.state import marks_on

from .rolling import NUM_FRAMES, SIZE_HW, NumberedClip, Rolling, interaction, squares


def square(left: int, top: int = 4, side: int = 3) -> GivenMask:
    mask = np.zeros(SIZE_HW, np.bool_)
    mask[top : top + side, left : left + side] = True
    return GivenMask.of(mask)


def click(column: int, row: int, is_object: bool = True) -> Mark:
    return Mark((((column / (SIZE_HW[1] - 1), row / (SIZE_HW[0] - 1)),),), is_object=is_object)


def lefts(rounds: Rounds, object_id: int = 1, **options) -> dict[int, int | None]:
    """Frame -> first column of an object, None where it is not."""
    found = {}
    for masks in interaction(**options).propagate(rounds):
        columns = np.flatnonzero((masks.ids == object_id).any(0))
        found[masks.index] = int(columns[0]) if len(columns) else None
    return dict(sorted(found.items()))


def states(rounds: Rounds, object_id: int = 1, **options) -> list[str]:
    answers = interaction(**options).propagate(rounds, in_order=True)
    return [next(s.state for s in masks.statuses if s.object_id == object_id) for masks in answers]


FIRST = Round(3, 1, square(5))


def test_an_object_is_carried_to_both_sides():
    assert lefts((FIRST,)) == {index: index + 2 for index in range(NUM_FRAMES)}


def test_frames_come_outward_from_the_last_round_or_in_order():
    assert [masks.index for masks in interaction().propagate((FIRST,))] == [3, 2, 4, 1, 5, 0, 6, 7, 8]
    assert [masks.index for masks in interaction().propagate((FIRST,), range(1, 8, 3), in_order=True)] == [1, 4, 7]


def test_a_later_mask_corrects_the_frames_before_it():
    wrong = Round(0, 1, square(9, top=0))
    found = lefts((wrong, Round(8, 1, square(10))))
    assert found[0] == 9
    assert [found[index] for index in range(5, 9)] == [7, 8, 9, 10]


def test_what_turned_out_wrong_at_the_other_end_counts_less():
    rounds = (Round(0, 1, square(2)), Round(6, 1, square(8)), Round(8, 1, square(2, top=8)))
    assert lefts(rounds)[3] == 5
    assert lefts((*rounds, Round(8, 1, Removal()), *rounds[:2])) == lefts(rounds[:2])


def test_an_object_that_is_not_there_before_its_first_frame_has_not_come_yet():
    gone = frozenset({0, 1})
    assert [*lefts((FIRST,), propagator=Rolling(gone)).values()][:3] == [None, None, 4]
    assert states((FIRST,), propagator=Rolling(gone))[:3] == ["absent", "absent", "tracked"]
    assert states((FIRST,), propagator=Rolling(frozenset({7})))[6:] == ["tracked", "lost", "tracked"]


def test_absences():
    found = lefts((FIRST, Round(5, 1, Absence(7))))
    assert [found[index] for index in range(4, 9)] == [6, None, None, None, None]
    found = lefts((FIRST, Round(5, 1, Absence(7)), Round(6, 1, square(1))))
    assert [found[index] for index in range(4, 9)] == [6, None, 1, None, None]
    assert states((FIRST, Round(5, 1, Absence())))[5] == "absent"


def test_a_mark_starts_from_what_was_shown_before_it():
    masks = interaction().preview((FIRST, Round(6, 1, click(12, 5))), 6)
    assert (masks.ids[4:7, 8:11] == 1).all()
    assert masks.ids[5, 12] == 1
    background = interaction().preview((FIRST, Round(6, 0, click(8, 4))), 6)
    assert background.ids[4, 8] == 0
    elsewhere = interaction().preview((FIRST, Round(6, 0, click(18, 0))), 6)
    np.testing.assert_array_equal(elsewhere.ids, interaction().preview((FIRST,), 6).ids)


def test_a_later_mark_on_a_frame_starts_from_the_answer_to_the_earlier_ones():
    heard = []

    def prompter(image, marks, object_id, before, earlier):
        heard.append((len(marks.strokes), None if before is None else int(before.sum()), earlier is not None))
        return squares(image, marks, object_id, before, earlier)

    work = RoundsSegmenter(prompter, Rolling()).begin(NumberedClip())
    work.preview((FIRST, Round(6, 1, click(12, 5)), Round(6, 1, click(14, 5)), Round(7, 1, click(3, 3))), 7)
    assert [(strokes, earlier) for strokes, _, earlier in heard] == [(1, False), (2, True), (1, False)]
    assert heard[0][1] == 9


def test_a_prompter_hears_of_a_mask_before_only_where_more_is_known_than_marks_on_the_frame():
    heard = []

    def prompter(image, marks, object_id, before, earlier):
        heard.append((before is not None, earlier is not None))
        return squares(image, marks, object_id, before, earlier)

    work = RoundsSegmenter(prompter, Rolling()).begin(NumberedClip())
    clicks = tuple(Round(6, 1, click(column, 5)) for column in (12, 14, 16))
    work.preview(clicks, 6)
    assert heard == [(False, False), (False, True), (False, True)]
    heard.clear()
    work.preview((FIRST, *clicks), 6)
    assert heard == [(True, False), (True, True), (True, True)]


def test_a_box_begins_anew():
    masks = interaction().preview((FIRST, Round(3, 1, Mark(box=(0.0, 0.0, 0.2, 0.5)))), 3)
    expected = np.zeros(SIZE_HW, np.uint8)
    expected[:6, :4] = 1
    np.testing.assert_array_equal(masks.ids, expected)


def test_what_is_said_later_of_a_frame_has_its_pixels():
    both = (FIRST, Round(3, 2, square(6)))
    assert (interaction().preview(both, 3).ids[4:7, 6:9] == 2).all()
    again = (*both, Round(3, 1, square(5)))
    assert (interaction().preview(again, 3).ids[4:7, 5:8] == 1).all()


def test_a_removed_object_is_gone_and_may_come_back():
    gone = (FIRST, Round(0, 1, Removal()))
    assert {int(masks.ids.max()) for masks in interaction().propagate(gone)} == {0}
    assert lefts((*gone, Round(0, 1, square(0)))) == {index: index for index in range(NUM_FRAMES)}


def test_it_can_be_stopped_and_goes_on_where_it_was():
    propagator = Rolling()
    work, reports = interaction(propagator), []
    first = [*work.propagate((FIRST,), report=lambda *far: reports.append(far), cancelled=lambda: len(reports) == 4)]
    assert [masks.index for masks in first] == [3, 2, 4, 1, 5]
    assert reports == [(done, 8) for done in range(1, 5)]
    assert len([*work.propagate((FIRST,))]) == NUM_FRAMES
    assert sorted(propagator.steps) == [0, 1, 2, 3, 3, 4, 5, 6, 7, 8]


def test_only_what_changes_is_carried_again():
    propagator = Rolling()
    work = interaction(propagator)
    rounds: Rounds = (FIRST, Round(0, 2, square(0, top=8)))
    assert len([*work.propagate(rounds)]) == NUM_FRAMES
    propagator.steps.clear()
    assert len([*work.propagate((*rounds, Round(8, 2, square(8, top=8))))]) == NUM_FRAMES
    # Object 2 back from its new mask, as far as its other one; what came from there stays.
    assert sorted(propagator.steps) == [*range(9)]


def test_frames_that_cannot_be_decoded_are_left_out():
    clip = NumberedClip(frozenset({5}))
    assert [*lefts((FIRST,), clip=clip)] == [0, 1, 2, 3, 4, 6, 7, 8]
    with pytest.raises(InputError, match="frame 5 of numbered cannot be decoded"):
        interaction(clip=clip).preview((FIRST,), 5)


def test_the_frame_to_look_at_next_is_where_it_is_least_sure():
    suggestion = interaction().suggestion((FIRST,))
    assert suggestion is not None
    assert (suggestion.frame, suggestion.object_id) == (8, 1)
    lost = interaction(Rolling(frozenset({1}))).suggestion((FIRST,))
    assert lost is not None
    assert (lost.frame, lost.doubt) == (1, 1)
    everywhere = tuple(Round(index, 1, square(3)) for index in range(NUM_FRAMES))
    assert interaction().suggestion(everywhere) is None


def test_approved_masks_keep_their_soft_edges_and_those_of_a_person_have_none():
    approved = (FIRST, Round(6, 0, Approval()))
    soft = interaction().preview(approved, 6).soft
    assert soft is not None
    assert [layer.object_id for layer in soft.layers] == [1]
    given = interaction().preview(approved, 3).soft
    assert given is not None
    assert [*given.given] == [1]


def test_marks_that_count():
    rounds = (
        Round(2, 1, click(1, 1)), Round(2, 2, click(2, 2)), Round(2, 0, click(3, 3)), Round(2, 2, click(4, 4, False)),
        Round(5, 1, click(5, 5)),
    )  # fmt: skip
    assert [stroke.object_id for stroke in marks_on(rounds, 1, 2).strokes] == [1, 2, 0]
    assert [stroke.object_id for stroke in marks_on(rounds, 2, 2).strokes] == [1, 2, 0, 0]
    assert [s.object_id for s in marks_on((*rounds, Round(0, 2, Removal())), 1, 2).strokes] == [1, 0]
    assert marks_on((*rounds, Round(2, 1, square(0))), 1, 2).strokes == ()


@pytest.mark.parametrize(
    ("rounds", "expected"),
    [
        ((), "found marks nowhere"),
        ((Round(9, 1, click(0, 0)),), "a mark on frame 9"),
        ((FIRST, Round(0, 1, Removal()), Round(0, 1, Removal())), "object 1 cannot be removed"),
    ],
)
def test_what_is_refused(rounds: Rounds, expected: str):
    with pytest.raises(InputError, match=expected):
        interaction().propagate(rounds)
    with pytest.raises(InputError, match="no frame 9"):
        interaction().preview((FIRST,), 9)


def test_more_objects_than_runs_that_are_kept_going_are_looked_at_once():
    propagator = Rolling()
    many = tuple(Round(0, number, square(number % 17, top=number % 9)) for number in range(1, 40))
    assert len([*interaction(propagator).propagate(many, in_order=True)]) == NUM_FRAMES
    assert len(propagator.steps) == len(many) * NUM_FRAMES


def test_a_run_is_no_surer_than_the_mask_it_starts_from():
    def unsure(*asked):
        return squares(*asked)._replace(confidence=0.5)

    work = RoundsSegmenter(unsure, Rolling()).begin(NumberedClip())
    rounds = (Round(3, 1, click(5, 5)),)
    marked, carried = (work.preview(rounds, frame).statuses[0].confidence for frame in (3, 4))
    approved = work.preview((*rounds, Round(3, 1, Approval())), 4).statuses[0].confidence
    assert (marked, approved) == (1.0, pytest.approx(2 * carried))
