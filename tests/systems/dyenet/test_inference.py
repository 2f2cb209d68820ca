"""DyeNet at work, with random parameters: what must hold whatever the networks say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from shibori.media.mask import FrameMasks
from shibori.media.reader import read_clip
from shibori.media.track import ClipTracklets, Tracklet
from shibori.ops.window import GRID
from shibori.run.propagate import segment_clip
from shibori.systems.dyenet.inference import DyeNetPropagator
from shibori.systems.dyenet.offline import OfflinePropagation
from shibori.systems.dyenet.rule import DyeNetRule
from shibori.systems.dyenet.templates import MAX_REFERENCES
from shibori.systems.dyenet.variant import VARIANTS
from shibori.tracking.logit_store import Answer, LogitStore

from ...soft import assert_distribution, assert_soft
from .made import (
    CREDULOUS,
    DOUBTFUL,
    FICKLE,
    QUICK,
    SIZE_HW,
    ArrayFrames,
    frame,
    frames,
    made_propagator,
    rectangle,
)

RULES = {"credulous": CREDULOUS, "doubtful": DOUBTFUL, "fickle": FICKLE, "as shipped": QUICK}
References = dict[int, dict[int, np.ndarray]]
ONE: References = {0: {1: rectangle(5, 5, 30, 30)}}
TWO: References = {0: {1: rectangle(5, 5, 30, 30), 2: rectangle(40, 5, 70, 40)}}


@pytest.fixture(scope="module")
def propagator() -> DyeNetPropagator:
    return made_propagator()


def run(
    propagator: DyeNetPropagator, source: ArrayFrames | int, references: References, both_ways: bool = False
) -> tuple[list[FrameMasks], tuple[Tracklet, ...]]:
    """Masks and tracklets of a clip; what must hold of any is asserted on the way."""
    source = frames(source) if isinstance(source, int) else source
    propagation = propagator.propagate(source, references, both_ways)
    results = list(propagation.masks())
    assert_sound(results, propagation.tracklets, source, references)
    return results, propagation.tracklets


def assert_sound(
    results: list[FrameMasks], tracklets: tuple[Tracklet, ...], source: ArrayFrames, references: References
) -> None:
    objects = sorted({object_id for masks in references.values() for object_id in masks})
    assert [masks.index for masks in results] == [i for i in range(source.num_frames) if i not in source.damaged]
    for masks in results:
        assert masks.ids.shape == source.size_hw
        assert [status.object_id for status in masks.statuses] == objects
        assert all(0 <= status.confidence <= 1 for status in masks.statuses)
        assert set(np.unique(masks.ids).tolist()) <= {0, *objects}
        shown = set(np.unique(masks.ids).tolist()) - {0}
        assert_distribution(masks)
        assert shown <= {status.object_id for status in masks.statuses if status.state == "tracked"}
        given = references.get(masks.index, {})
        for object_id, mask in given.items():
            np.testing.assert_array_equal(masks.ids == object_id, mask)
    assert ClipTracklets("clip", source.num_frames, tracklets).tracklets == tracklets
    linked = {(t.object_id, i) for t in tracklets if t.linked for i in range(t.first, t.last + 1)}
    marked = {(object_id, i) for i, masks in references.items() for object_id, mask in masks.items() if mask.any()}
    tracked = {(s.object_id, m.index) for m in results for s in m.statuses if s.state == "tracked"}
    assert tracked == {pair for pair in linked | marked if pair[1] not in source.damaged} - unmarked(references)


def unmarked(references: References) -> set[tuple[int, int]]:
    """Object and frame where the user said that it is not there."""
    return {(object_id, i) for i, masks in references.items() for object_id, mask in masks.items() if not mask.any()}


def states(results: list[FrameMasks], object_id: int) -> list[str]:
    return [status.state for masks in results for status in masks.statuses if status.object_id == object_id]


@pytest.mark.parametrize("variant", [*VARIANTS, "combined+advanced", "advanced+reid"])
@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_every_variant_with_any_numbers(rule: DyeNetRule, variant: str):
    run(made_propagator(rule, variant), 4, TWO)


@pytest.mark.parametrize("both_ways", [False, True])
@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_objects_that_start_later(rule: DyeNetRule, both_ways: bool):
    references = {1: {3: rectangle(5, 5, 30, 30)}, 3: {1: rectangle(40, 20, 70, 50), 9: rectangle(0, 40, 10, 60)}}
    results, _ = run(made_propagator(rule), 5, references, both_ways)
    if not both_ways:
        assert states(results, 3)[0] == "absent"
        assert states(results, 9)[:3] == ["absent"] * 3
        assert not results[0].ids.any()


def test_both_ways_reaches_the_first_frame(propagator: DyeNetPropagator):
    references = {3: {1: rectangle(5, 5, 30, 30)}}
    forward, _ = run(propagator, 6, references)
    both, tracklets = run(propagator, 6, references, both_ways=True)
    assert states(forward, 1) == ["absent"] * 3 + ["tracked"] * 3
    assert states(both, 1) == ["tracked"] * 6
    assert [(t.first, t.start, t.last) for t in tracklets] == [(0, 3, 5)]
    assert any(masks.ids.any() for masks in both[:3])
    for one, other in zip(forward[3:], both[3:], strict=True):
        np.testing.assert_array_equal(one.ids, other.ids)


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_a_corrected_reference_is_obeyed(rule: DyeNetRule):
    """``run`` asserts that it is what its frame shows."""
    results, _ = run(made_propagator(rule), 4, {**TWO, 2: {1: rectangle(10, 30, 30, 55)}})
    assert states(results, 1)[2] == "tracked"


def test_a_corrected_reference_is_for_its_own_object(propagator: DyeNetPropagator):
    online = pushed(propagator, frames(4), {**TWO, 2: {1: rectangle(10, 30, 30, 55)}})
    before = pushed(propagator, frames(4), TWO)
    np.testing.assert_array_equal(online[1].ids, before[1].ids)
    assert not np.array_equal(online[2].ids, before[2].ids)
    np.testing.assert_array_equal((online[2].ids == 2)[:, 70:], (before[2].ids == 2)[:, 70:])


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_an_all_false_reference_says_the_object_is_not_there(rule: DyeNetRule):
    """In that frame. The whole clip may show it later, even before the first frame in which it is marked."""
    nowhere = np.zeros(SIZE_HW, bool)
    references = {0: {1: rectangle(5, 5, 30, 30), 2: nowhere}, 2: {1: nowhere}, 4: {2: rectangle(40, 20, 70, 50)}}
    results, _ = run(made_propagator(rule), 5, references)
    assert (states(results, 1)[2], states(results, 2)[0]) == ("absent", "absent")
    online = pushed(made_propagator(rule), frames(5), references)
    assert (states(online, 1)[2], states(online, 2)[:4]) == ("absent", ["absent"] * 4)
    assert not any((masks.ids == 2).any() for masks in online[:4])


@pytest.mark.parametrize("rule", [FICKLE, CREDULOUS], ids=["fickle", "credulous"])
def test_nothing_is_looked_for_of_an_object_of_which_nothing_was_ever_seen(rule: DyeNetRule):
    results, tracklets = run(made_propagator(rule), 5, {0: {1: np.zeros(SIZE_HW, bool)}})
    assert not any(masks.ids.any() for masks in results)
    assert tracklets == ()


AWKWARD = {
    "one pixel": rectangle(40, 30, 41, 31),
    "four pixels": rectangle(40, 30, 42, 32),
    "left border": rectangle(0, 0, 2, 60),
    "one row": rectangle(0, 0, 84, 1),
    "corner": rectangle(80, 56, 84, 60),
    "whole frame": rectangle(0, 0, 84, 60),
    "two corners": rectangle(0, 0, 20, 20) | rectangle(70, 50, 84, 60),
}


@pytest.mark.parametrize("mask", AWKWARD.values(), ids=AWKWARD)
@pytest.mark.parametrize(("rule", "variant"), [(CREDULOUS, "reid"), (FICKLE, "combined")])
def test_objects_of_awkward_shape(mask: np.ndarray, rule: DyeNetRule, variant: str):
    """Too small for a RoI, at the border, in pieces."""
    run(made_propagator(rule, variant), 3, {0: {1: mask, 2: rectangle(30, 20, 50, 40) & ~mask}})


@pytest.mark.parametrize("size_hw", [(1, 1), (3, 200), (16, 16), (300, 20), (400, 700)])
@pytest.mark.parametrize("variant", ["combined", "reid"])
def test_frames_of_awkward_size(size_hw: tuple[int, int], variant: str):
    height, width = size_hw
    left = rectangle(0, 0, (width + 1) // 2, height, size_hw)
    run(made_propagator(FICKLE, variant), frames(3, size_hw), {0: {1: left, 2: ~left}})


def test_thirty_objects():
    masks = {
        10 * i + 5: rectangle(14 * (i % 6), 12 * (i // 6), 14 * (i % 6) + 10, 12 * (i // 6) + 9) for i in range(30)
    }
    run(made_propagator(CREDULOUS), 2, {0: masks})
    results, _ = run(made_propagator(replace(FICKLE, max_candidates=1, max_iterations=1)), 2, {0: masks})
    assert len(set(np.unique(results[0].ids).tolist()) - {0}) == 30
    assert results[0].ids.dtype == np.uint16  # the last id is 295


def twins() -> tuple[ArrayFrames, References]:
    """Two squares with the same pixels, side by side on a flat ground."""
    picture = np.full((*SIZE_HW, 3), 90, np.uint8)
    left, right = rectangle(8, 20, 28, 40), rectangle(50, 20, 70, 40)
    square = np.random.default_rng(0).integers(0, 256, (20, 20, 3)).astype(np.uint8)
    picture[left], picture[right] = square.reshape(-1, 3), square.reshape(-1, 3)
    return ArrayFrames([picture] * 5), {0: {1: left, 2: right}}


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_two_identical_objects(rule: DyeNetRule):
    """Each may be found where the other is; a pixel goes to one of them, and both are accounted for in every frame."""
    source, references = twins()
    run(made_propagator(rule), source, references)


def test_an_object_that_never_reappears():
    results, tracklets = run(made_propagator(DOUBTFUL), 9, ONE)
    assert states(results, 1) == ["tracked"] + ["lost"] * 8
    assert not any(masks.ids.any() for masks in results[1:])
    assert [(t.first, t.last, t.origin, t.linked) for t in tracklets] == [(0, 0, "given", True)]


def test_one_that_is_lost_comes_back_with_a_reference():
    references = {**ONE, 3: {1: rectangle(8, 5, 33, 30)}}
    results, _ = run(made_propagator(DOUBTFUL), 5, references)
    assert states(results, 1) == ["tracked", "lost", "lost", "tracked", "lost"]


def test_one_that_is_found_again_starts_a_tracklet_of_its_own():
    _, tracklets = run(made_propagator(FICKLE, bias=1.0), 6, ONE)
    given, *found = tracklets
    assert (given.origin, given.start, given.similarity, given.iteration) == ("given", 0, 1.0, 0)
    assert found
    assert all(t.origin == "found" and abs(t.similarity) <= 1.001 and t.start > 0 for t in found)
    assert all(t.object_id == 1 for t in tracklets)


def test_without_re_identification_nothing_is_found():
    _, tracklets = run(made_propagator(FICKLE, "remp"), 6, ONE)
    assert {t.origin for t in tracklets} == {"given"}


def test_later_iterations_are_counted_and_bounded():
    """Iterations after the first propagate what the forward pass did not look at."""
    rule = replace(FICKLE, reid_every=3, max_iterations=3)
    _, tracklets = run(made_propagator(rule), 10, ONE)
    assert max(t.iteration for t in tracklets) < rule.max_iterations
    _, once = run(made_propagator(replace(rule, max_iterations=1)), 10, ONE)
    assert {t.iteration for t in once} == {0}


# ---- frame by frame


def pushed(propagator: DyeNetPropagator, source: ArrayFrames, references: References) -> list[FrameMasks]:
    propagation = propagator.begin(source.size_hw)
    return [propagation.step(source.read(t), references.get(t)) for t in range(source.num_frames)]


@pytest.fixture
def exact_masks(monkeypatch: pytest.MonkeyPatch):
    """Soft masks wait as they are, instead of rounded."""
    kept: dict[tuple[int, int], Answer] = {}
    monkeypatch.setattr(LogitStore, "put", lambda _self, index, number, answer: kept.update({(number, index): answer}))
    monkeypatch.setattr(LogitStore, "get", lambda _self, index, number: kept.get((number, index)))


@pytest.mark.usefixtures("exact_masks")
@pytest.mark.parametrize("variant", ["combined", "advanced", "reid", "msk"])
def test_frames_pushed_one_by_one_give_the_same_where_nothing_is_ever_lost(variant: str):
    propagator, references = made_propagator(CREDULOUS, variant), {**TWO, 2: {1: rectangle(10, 30, 30, 55)}}
    whole, _ = run(propagator, 6, references)
    online = pushed(propagator, frames(6), references)
    for one, other in zip(whole, online, strict=True):
        np.testing.assert_array_equal(one.ids, other.ids)
        assert one.statuses == other.statuses
        assert one.index == other.index


def test_edges_are_soft_frame_by_frame_and_over_the_clip(propagator: DyeNetPropagator):
    assert_soft(pushed(propagator, frames(4), TWO), hard=[0])
    assert_soft(run(propagator, 4, TWO)[0], hard=[0])


def test_rounding_moves_few_pixels(propagator: DyeNetPropagator):
    whole, _ = run(propagator, 4, ONE)
    for one, other in zip(whole, pushed(propagator, frames(4), ONE), strict=True):
        assert (one.ids == other.ids).mean() > 0.98


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_online_answers_are_sound_too(rule: DyeNetRule):
    nowhere = np.zeros(SIZE_HW, bool)
    references = {1: {3: rectangle(5, 5, 30, 30)}, 3: {1: rectangle(40, 20, 70, 50), 3: nowhere}, 5: {3: nowhere}}
    results = pushed(made_propagator(rule), frames(7), references)
    known: list[int] = []
    for t, masks in enumerate(results):
        known += [object_id for object_id in references.get(t, {}) if object_id not in known]
        assert [status.object_id for status in masks.statuses] == known
        assert set(np.unique(masks.ids).tolist()) <= {0, *known}
        for object_id, mask in references.get(t, {}).items():
            np.testing.assert_array_equal(masks.ids == object_id, mask)
    assert (results[0].statuses, results[0].ids.any()) == ((), False)
    assert [status.state for status in results[3].statuses] == ["absent", "tracked"]


def test_each_online_answer_depends_on_the_past_alone():
    propagator = made_propagator(FICKLE)
    short, long = pushed(propagator, frames(3), TWO), pushed(propagator, frames(6), TWO)
    for one, other in zip(short, long[:3], strict=True):
        np.testing.assert_array_equal(one.ids, other.ids)


def test_runs_side_by_side_do_not_meet(propagator: DyeNetPropagator):
    alone = pushed(propagator, frames(4), ONE)
    left, right = propagator.begin(SIZE_HW), propagator.begin((40, 50))
    for t in range(4):
        found = left.step(frame(t), ONE.get(t))
        right.step(frame(t, (40, 50)), {1: rectangle(t, 5, 20, 30, (40, 50))})
        np.testing.assert_array_equal(found.ids, alone[t].ids)


# ---- laws of the whole


@pytest.mark.parametrize("rule", [CREDULOUS, FICKLE], ids=["credulous", "fickle"])
def test_the_same_run_gives_the_same_masks(rule: DyeNetRule):
    (first, tracklets), (second, again) = (run(made_propagator(rule), 5, TWO) for _ in range(2))
    assert tracklets == again
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.ids, other.ids)
        assert one.statuses == other.statuses


def test_the_order_in_which_objects_are_named_does_not_matter(propagator: DyeNetPropagator):
    masks = {1: rectangle(5, 5, 30, 30), 2: rectangle(40, 5, 70, 40), 3: rectangle(20, 42, 60, 58)}
    forward, _ = run(propagator, 4, {0: masks})
    backward, _ = run(propagator, 4, {0: dict(reversed(masks.items()))})
    for one, other in zip(forward, backward, strict=True):
        np.testing.assert_array_equal(one.ids, other.ids)


@pytest.mark.parametrize("both_ways", [False, True])
def test_frames_that_do_not_come_are_left_out(both_ways: bool):
    references = {1: {1: rectangle(5, 5, 30, 30)}, 5: {2: rectangle(40, 5, 70, 40)}}
    run(made_propagator(), frames(8, damaged={3, 4, 7}), references, both_ways)


def test_progress_is_told_of_every_frame_of_the_first_pass(propagator: DyeNetPropagator):
    reported: list[int] = []
    list(propagator.propagate(frames(6), {2: ONE[0]}, progress=reported.append).masks())
    assert reported == [3, 4, 5, 6]
    reported.clear()
    list(propagator.propagate(frames(4), {2: ONE[0]}, True, reported.append).masks())
    assert reported == [1, 2, 3, 4]


def test_tracklets_are_known_with_the_first_masks_and_not_before(propagator: DyeNetPropagator):
    propagation = propagator.propagate(frames(4), ONE)
    assert propagation.tracklets == ()
    next(propagation.masks())
    assert len(propagation.tracklets) == 1


def test_a_file_gives_what_the_frames_give(propagator: DyeNetPropagator, tmp_path: Path):
    for t in range(5):
        Image.fromarray(frame(t)).save(tmp_path / f"{t:05d}.png")
    ids = TWO[0][1] * np.uint8(1) + TWO[0][2] * np.uint8(2)
    from_file = list(segment_clip(read_clip(tmp_path), {0: ids}, propagator))
    expected, _ = run(propagator, 5, TWO)
    for one, other in zip(from_file, expected, strict=True):
        np.testing.assert_array_equal(one.ids, other.ids)
        assert one.statuses == other.statuses


def test_what_is_kept_of_a_frame_for_later_iterations_does_not_hold_on_to_all_that_was_proposed():
    propagation = made_propagator(DOUBTFUL).propagate(frames(9), TWO)
    assert isinstance(propagation, OfflinePropagation)
    list(propagation.masks())
    for object_id in (1, 2):
        candidates = propagation.forward_pass.candidates.of(object_id)
        assert len({candidate.frame for candidate in candidates}) == 4  # every other one in which it was missing
        for candidate in candidates:
            vector, mask = candidate.proposal.vector, candidate.proposal.mask
            assert vector.untyped_storage().nbytes() == vector.nbytes
            assert mask.base is None or mask.base.nbytes == mask.nbytes


@pytest.mark.parametrize("rule", [CREDULOUS, DOUBTFUL], ids=["credulous", "doubtful"])
def test_what_is_held_of_an_object_stops_growing(rule: DyeNetRule):
    """Positions of the pixel tracker: of a reference its window and its surroundings, and of one frame since."""
    small = replace(rule, max_templates=3)
    propagation = made_propagator(small).begin(SIZE_HW)
    largest = (small.tracker.window.area_side + GRID) ** 2 // 8**2
    for t in range(16):
        propagation.step(frame(t), TWO[0] if t % 3 == 0 else None)
        for object_id, own in propagation.run.templates.items():
            assert len(own.found) <= 3
            assert sum(memory.label.shape[1] for memory in own.references) <= 2 * MAX_REFERENCES * largest
            state = propagation.run.states.get(object_id)
            remembered = [] if state is None else state.track.remembered
            assert sum(memory.label.shape[1] for memory in remembered) <= largest
    assert len(propagation.run.templates) == 2
    assert all(len(own.references) == MAX_REFERENCES for own in propagation.run.templates.values())


def test_another_number_format(propagator: DyeNetPropagator):
    results, _ = run(made_propagator(dtype=torch.bfloat16), 3, TWO)
    expected, _ = run(propagator, 3, TWO)
    assert (results[1].ids == expected[1].ids).mean() > 0.9
