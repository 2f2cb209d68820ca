"""What holds for any rounds, whoever segments marked frames and whoever carries masks."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from shibori.media.rounds import Absence, Approval, GivenMask, Mark, Removal, Round, Rounds, known_objects

from .rolling import NUM_FRAMES, SIZE_HW, Rolling, interaction

OBJECTS = (1, 2, 3)
FRAMES = st.integers(0, NUM_FRAMES - 1)
PLACES = st.tuples(*[st.floats(0, 1, width=16)] * 2)
LOST = frozenset({2, 6})
quick = settings(max_examples=20, deadline=None, database=None, derandomize=True)


@st.composite
def masks(draw) -> GivenMask:
    left, top = draw(st.integers(0, SIZE_HW[1] - 4)), draw(st.integers(0, SIZE_HW[0] - 4))
    mask = np.zeros(SIZE_HW, np.bool_)
    mask[top : top + draw(st.integers(1, 4)), left : left + draw(st.integers(1, 4))] = True
    return GivenMask.of(mask)


@st.composite
def drawings(draw, is_object: bool = True) -> Mark:
    return Mark(tuple((place,) for place in draw(st.lists(PLACES, min_size=1, max_size=2))), is_object=is_object)


@st.composite
def rounds_about(draw, known: tuple[int, ...], frames=FRAMES, removals: bool = True) -> Round:
    """One more, about objects that are known; the first ones begin an object."""
    frame = draw(frames)
    object_id = draw(st.sampled_from(known or OBJECTS))
    kinds = ["mask", "mark"] + ["beside", "background", "absence", "approval"] * bool(known)
    kind = draw(st.sampled_from(kinds + ["removal"] * (removals and bool(known))))
    if kind == "background":
        return Round(frame, 0, draw(drawings()))
    if kind == "approval":
        return Round(frame, draw(st.sampled_from([0, object_id])), Approval())
    made = {"mask": masks(), "mark": drawings(), "beside": drawings(False), "absence": st.just(Absence())}
    return Round(frame, object_id, Removal() if kind == "removal" else draw(made[kind]))


@st.composite
def histories(draw, least: int = 1, most: int = 6, removals: bool = True) -> Rounds:
    rounds: Rounds = ()
    for _ in range(draw(st.integers(least, most))):
        begun = known_objects(rounds)
        fresh = [i for i in OBJECTS if i not in begun]
        if not begun or (fresh and draw(st.booleans())):
            kind = draw(st.sampled_from([masks(), drawings()]))
            rounds += (Round(draw(FRAMES), draw(st.sampled_from(fresh)), draw(kind)),)
        else:
            rounds += (draw(rounds_about(begun, removals=removals)),)
    return rounds


def maps(found) -> dict[int, np.ndarray]:
    return {each.index: each.ids for each in found}


def fresh_maps(rounds: Rounds) -> dict[int, np.ndarray]:
    return maps(interaction(Rolling(LOST)).propagate(rounds))


def assert_same(found: dict[int, np.ndarray], expected: dict[int, np.ndarray]) -> None:
    assert sorted(found) == sorted(expected)
    for index, ids in expected.items():
        np.testing.assert_array_equal(found[index], ids)


@quick
@given(st.data())
def test_no_answer_depends_on_what_was_asked_before(data):
    rounds = data.draw(histories())
    busy = interaction(Rolling(LOST))
    for _ in range(data.draw(st.integers(0, 3))):
        some = rounds[: data.draw(st.integers(1, len(rounds)))]
        some += (Round(data.draw(FRAMES), 1, data.draw(masks())),) * data.draw(st.booleans())
        if not any(each.begins for each in some):
            continue
        answers = busy.propagate(some)
        for _ in range(data.draw(st.integers(0, 4))):
            next(answers)
        busy.preview(some, data.draw(FRAMES))
    expected = fresh_maps(rounds)
    assert_same(maps(busy.propagate(rounds)), expected)
    frame = data.draw(FRAMES)
    np.testing.assert_array_equal(interaction(Rolling(LOST)).preview(rounds, frame).ids, expected[frame])


@quick
@given(st.data())
def test_a_correction_of_one_object_is_no_business_of_the_others(data):
    rounds = data.draw(histories(removals=False))
    object_id = data.draw(st.sampled_from(known_objects(rounds)))
    what = data.draw(st.one_of(masks(), drawings(), drawings(False), st.just(Absence())))
    before = fresh_maps(rounds)
    after = fresh_maps((*rounds, Round(data.draw(FRAMES), object_id, what)))
    for index, ids in before.items():
        elsewhere = (ids != object_id) & (after[index] != object_id)
        np.testing.assert_array_equal(after[index][elsewhere], ids[elsewhere])


@quick
@given(st.data())
def test_an_approved_frame_stays(data):
    rounds = data.draw(histories(removals=False))
    known = known_objects(rounds)
    frame = data.draw(FRAMES)
    rounds += (Round(frame, 0, Approval()),)
    approved = interaction(Rolling(LOST)).preview(rounds, frame).ids
    np.testing.assert_array_equal(approved, interaction(Rolling(LOST)).preview(rounds[:-1], frame).ids)
    for _ in range(data.draw(st.integers(1, 3))):
        elsewhere = FRAMES.filter(lambda index: index != frame)
        rounds += (data.draw(rounds_about(known, elsewhere, removals=False)),)
    np.testing.assert_array_equal(interaction(Rolling(LOST)).preview(rounds, frame).ids, approved)


@quick
@given(st.data())
def test_a_marked_frame_stays(data):
    rounds = data.draw(histories(removals=False))
    frame = data.draw(FRAMES)
    object_id = data.draw(st.sampled_from(known_objects(rounds)))
    rounds += (Round(frame, object_id, data.draw(st.one_of(masks(), drawings()))),)
    marked = interaction(Rolling(LOST)).preview(rounds, frame).ids == object_id
    assert marked.any()
    rounds += (data.draw(rounds_about(known_objects(rounds), FRAMES.filter(lambda i: i != frame), removals=False)),)
    assert ((interaction(Rolling(LOST)).preview(rounds, frame).ids == object_id) == marked).all()


@quick
@given(st.data())
def test_undo_leaves_no_trace(data):
    rounds = data.draw(histories())
    busy = interaction(Rolling(LOST))
    assert_same(maps(busy.propagate(rounds)), fresh_maps(rounds))
    if any(each.begins for each in rounds[:-1]):
        assert_same(maps(busy.propagate(rounds[:-1])), fresh_maps(rounds[:-1]))
