"""The curve, the area under it and the rest, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from shibori.errors import InputError
from shibori.evaluation.interactive_scores import InteractiveRules, InteractiveScores, RoundScores, SampleScores

RULES = InteractiveRules(num_interactions=3, seconds=10.0, threshold=15.0)


def round_scores(seconds: float, *values: float, marked: tuple[int, ...] = (0,)) -> RoundScores:
    """Two frames, each with J and F the object's value plus and minus a tenth: its J&F is the value itself."""
    j = np.array([[value + 0.1, value - 0.1] for value in values])
    return RoundScores(marked, seconds, j, j[:, ::-1])


@pytest.fixture
def scores() -> InteractiveScores:
    """One object in time in all rounds; two objects that ran out of time after two."""
    first = SampleScores("a", 1, (1,), (round_scores(2, 0.2), round_scores(4, 0.6), round_scores(6, 0.8)))
    second = SampleScores("b", 1, (1, 2), (round_scores(20, 0.4, 0.6), round_scores(10, 0.7, 0.2)))
    return InteractiveScores(RULES, (first, second))


def test_curve(scores):
    # Rounds after: (.2, .4, .6), (.6, .7, .2), (.8, .7, .2); seconds (2, 20), (4, 10), (6, none).
    np.testing.assert_allclose(scores.curve.seconds, [0, 11, 18, 21, 1.5 * 30])
    np.testing.assert_allclose(scores.curve.j_and_f, [0, 0.4, 0.5, 1.7 / 3, 1.7 / 3])
    assert scores.j_and_f == pytest.approx(1.7 / 3)


def test_area_and_value_at_a_time(scores):
    area = 11 * 0.4 / 2 + 7 * 0.45 + 3 * (0.5 + 1.7 / 3) / 2 + 24 * 1.7 / 3
    assert scores.auc == pytest.approx(area / 45)
    assert scores.at_threshold == pytest.approx(0.4 + 4 / 7 * 0.1)


def test_a_sample_without_an_answer_counts_as_zero():
    there = SampleScores("a", 1, (1,), (round_scores(3, 0.6),) * 3)
    missing = SampleScores("b", 1, (1,), ())
    scores = InteractiveScores(RULES, (there, missing))
    np.testing.assert_allclose(scores.curve.seconds, [0, 1.5, 3, 4.5, 30])
    np.testing.assert_allclose(scores.curve.j_and_f, [0, 0.3, 0.3, 0.3, 0.3])


def test_perfect_at_once_is_an_area_of_one():
    sample = SampleScores("a", 1, (1,), (round_scores(0, 1.0),) * 3)
    assert InteractiveScores(RULES, (sample,)).auc == pytest.approx(1.0)


def test_objects_are_averaged_over_sequences_for_the_time_there_is():
    rounds = (round_scores(1, 0.5),) * 3
    samples = (SampleScores("a", 1, (1,), rounds), SampleScores("a", 2, (1,), rounds))
    three = SampleScores("b", 1, (1, 2, 3), (round_scores(1, 0.5, 0.5, 0.5),) * 3)
    assert InteractiveScores(RULES, (*samples, three)).curve.seconds[-1] == 30 * 2


def test_rises_and_changes_of_marked_frames(scores):
    # Means of samples: .2 .6 .8, and .5 .45.
    assert scores.rise_share == pytest.approx(2 / 3)
    np.testing.assert_allclose(scores.marked_changes, [0.4, 0.2, -0.05])
    nothing_drawn = SampleScores("a", 1, (1,), (round_scores(1, 0.2), round_scores(1, 0.1, marked=())))
    alone = InteractiveScores(RULES, (nothing_drawn,))
    assert alone.rise_share is None
    assert alone.marked_changes.shape == (0,)


@pytest.mark.parametrize("wrong", [{"num_interactions": 0}, {"num_starts": 0}, {"seconds": 0.0}])
def test_rules_that_allow_nothing(wrong):
    with pytest.raises(InputError, match="at least one interaction, one start and some time"):
        InteractiveRules(**wrong)


def test_means_of_a_round():
    entry = RoundScores((1,), 1.0, np.array([[0.0, 1.0], [0.5, 0.5]]), np.array([[0.5, 0.5], [0.0, 0.2]]))
    np.testing.assert_allclose(entry.object_scores, [0.5, 0.3])
    np.testing.assert_allclose(entry.frame_scores, [0.25, 0.55])
