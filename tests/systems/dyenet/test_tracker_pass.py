"""Behind a tracker that follows a script: what stands, what is looked for, what is doubted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pytest

from shibori.interfaces import Propagation, Propagator
from shibori.media.mask import FrameMasks, ObjectStatus
from shibori.media.track import Tracklet
from shibori.systems.dyenet.inference import DyeNetPropagator
from shibori.systems.dyenet.offline import OfflinePropagation
from shibori.systems.dyenet.rule import DyeNetRule
from shibori.systems.dyenet.score_policy import ScorePolicy
from shibori.systems.dyenet.tracker_pass import SURE, TrackerPass, hard_answer

from ...soft import assert_soft
from ...tracking.test_propagator import made_propagator as made_tracker
from .made import CREDULOUS, DOUBTFUL, FICKLE, QUICK, SIZE_HW, ArrayFrames, changed, frames, made_propagator, rectangle
from .test_inference import ONE, TWO, References, assert_sound, states

Script = Mapping[int, Mapping[int, np.ndarray]]
"""Frame -> object_id -> mask; an object that is not named is lost."""
ANYTHING = changed(FICKLE, margin_low=-4, margin_high=-3, full_area=1e-6, excess_area=1e6, lost_threshold=-1)
EAGER = replace(ANYTHING, seed_share=0.0, end_share=-1, candidate_similarity=-1.1, search_every=1)
"""Looks at every frame, and keeps whatever it finds."""
BLIND = changed(EAGER, seed_share=2.0, lost_threshold=2)
"""Finds nothing."""
RULES = {"eager": EAGER, "blind": BLIND, "credulous": CREDULOUS, "doubtful": DOUBTFUL, "as shipped": QUICK}


@dataclass(frozen=True)
class ScriptedTracker(Propagator):
    """Gives the masks it was given, and says 'lost' where it has none."""

    script: Script

    def begin(self, size_hw: tuple[int, int]) -> Propagation:
        return ScriptedRun(self.script, size_hw)


class ScriptedRun(Propagation):
    def __init__(self, script: Script, size_hw: tuple[int, int]) -> None:
        self.script, self.size_hw, self.index, self.known = script, size_hw, -1, dict[int, None]()

    def step(self, image: np.ndarray, references: Mapping[int, np.ndarray] | None = None) -> FrameMasks:
        self.index += 1
        references = references or {}
        self.known.update(dict.fromkeys(references))
        ids, statuses = np.zeros(self.size_hw, np.uint16), []
        for object_id in self.known:
            mask = references.get(object_id, self.script.get(self.index, {}).get(object_id))
            if mask is None:
                statuses.append(ObjectStatus(object_id, 0.1, "lost"))
                continue
            ids[mask] = object_id
            statuses.append(ObjectStatus(object_id, 0.9, "tracked"))
        return FrameMasks(self.index, ids, tuple(statuses))


def moving(object_id: int, start: int, stop: int, left: int = 5) -> dict[int, dict[int, np.ndarray]]:
    """A square that moves a pixel a frame."""
    return {t: {object_id: rectangle(left + t, 5, left + 25 + t, 30)} for t in range(start, stop)}


def run(
    script: Script,
    references: References = ONE,
    rule: DyeNetRule = EAGER,
    variant: str = "combined",
    both_ways: bool = False,
    source: ArrayFrames | None = None,
) -> tuple[list[FrameMasks], tuple[Tracklet, ...]]:
    """Masks and tracklets of a clip; what must hold of any is asserted on the way."""
    plain = made_propagator(rule, variant)
    propagator = DyeNetPropagator(plain.recurrent, plain.flow, None, ScriptedTracker(script))
    source = source or frames(10)
    propagation = propagator.propagate(source, references, both_ways)
    assert isinstance(propagation, OfflinePropagation)
    assert isinstance(propagation.forward_pass, TrackerPass)
    assert propagation.tracklets == ()
    results = list(propagation.masks())
    assert_sound(results, propagation.tracklets, source, references)
    return results, propagation.tracklets


def test_edges_are_as_soft_as_the_tracker_knows_them():
    plain = made_propagator(EAGER)
    source = frames(5)
    results = list(DyeNetPropagator(plain.recurrent, plain.flow, None, made_tracker()).propagate(source, TWO).masks())
    assert_soft(results, hard=[0])


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
@pytest.mark.parametrize("variant", ["combined", "combined-no-reid", "combined+advanced"])
def test_what_a_tracker_follows_from_a_given_mask_stands(rule: DyeNetRule, variant: str):
    script = moving(1, 1, 10)
    results, tracklets = run(script, rule=rule, variant=variant)
    for masks in results[1:]:
        np.testing.assert_array_equal(masks.ids == 1, script[masks.index][1])
        assert masks.statuses[0].confidence == 0.9
    assert [(t.first, t.last, t.origin, t.linked) for t in tracklets] == [(0, 9, "given", True)]


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
@pytest.mark.parametrize("both_ways", [False, True])
def test_any_numbers_and_any_gaps(rule: DyeNetRule, both_ways: bool):
    script = {**moving(1, 3, 4), 5: {1: rectangle(50, 30, 80, 58), 2: rectangle(0, 0, 9, 9)}, **moving(2, 7, 9, 40)}
    nowhere = np.zeros(SIZE_HW, bool)
    references = {1: TWO[0], 6: {1: nowhere, 3: rectangle(2, 2, 20, 20)}, 8: {1: rectangle(8, 5, 33, 30)}}
    results, _ = run(script, references, rule, both_ways=both_ways, source=frames(10, damaged={4}))
    kept = {masks.index: masks for masks in results}
    assert next(status.state for status in kept[6].statuses if status.object_id == 1) == "absent"
    np.testing.assert_array_equal(kept[8].ids == 1, references[8][1])


def test_what_fills_a_gap_meets_what_is_known_and_leaves_it_as_it_is():
    script = {**moving(1, 1, 4), **moving(1, 7, 10)}
    results, tracklets = run(script, variant="combined")
    for index in (1, 2, 3):
        np.testing.assert_array_equal(results[index].ids == 1, script[index][1])
    assert states(results, 1) == ["tracked"] * 10
    given = next(t for t in tracklets if t.origin == "given")
    assert (given.first, given.linked) == (0, True)
    assert given.last > 3


def test_a_tracker_that_found_something_is_not_believed_without_re_identification():
    script = {**moving(1, 1, 4), **moving(1, 7, 10)}
    _, tracklets = run(script, variant="combined-no-reid", rule=BLIND)
    assert [(t.first, t.last, t.origin, t.linked) for t in tracklets] == [
        (0, 3, "given", True),
        (7, 9, "found", False),
    ]
    results, tracklets = run(script, rule=BLIND)
    assert [(t.first, t.last, t.origin, t.linked) for t in tracklets] == [(0, 3, "given", True), (7, 9, "found", True)]
    assert states(results, 1) == ["tracked"] * 4 + ["lost"] * 3 + ["tracked"] * 3


def test_a_starting_point_that_leads_to_where_the_object_is_not_was_something_else(monkeypatch: pytest.MonkeyPatch):
    """What is carried back to the last frame in which the object is known, and is not there, is dropped."""
    script, linked = moving(1, 1, 5), {}
    for met in ("itself", "elsewhere"):
        monkeypatch.setattr(
            ScorePolicy, "encounter", lambda _self, holder, *_rest, met=met: met if holder else "nothing"
        )
        results, tracklets = run(script)
        found = [t for t in tracklets if t.origin == "found" and t.object_id == 1]
        assert found
        linked[met] = any(t.linked for t in found)
        for index in range(1, 5):
            np.testing.assert_array_equal(results[index].ids == 1, script[index][1])
    assert linked == {"itself": True, "elsewhere": False}


def test_the_same_run_gives_the_same_masks():
    script = {**moving(1, 1, 3), **moving(2, 1, 5, 40)}
    (first, tracklets), (second, again) = (run(script, TWO) for _ in range(2))
    assert tracklets == again
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.ids, other.ids)


def test_a_mask_of_a_tracker_is_kept_pixel_by_pixel():
    mask = rectangle(10, 20, 30, 25) | rectangle(60, 50, 61, 52)
    answer = hard_answer(4, mask)
    assert answer.object_id == 4
    assert set(np.unique(answer.logits).tolist()) == {-SURE, SURE}
    area, logits = answer.in_frame()
    shown = np.zeros(SIZE_HW, bool)
    shown[area] = logits > 0
    np.testing.assert_array_equal(shown, mask)


def test_frame_by_frame_no_tracker_goes_ahead():
    plain = made_propagator(CREDULOUS)
    behind = DyeNetPropagator(plain.recurrent, plain.flow, None, ScriptedTracker({}))
    one, other = (each.begin(SIZE_HW) for each in (plain, behind))
    for t in range(3):
        np.testing.assert_array_equal(
            one.step(frames(3).read(t), ONE.get(t)).ids, other.step(frames(3).read(t), ONE.get(t)).ids
        )
