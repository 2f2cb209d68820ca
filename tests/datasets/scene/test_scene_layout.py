"""How scenes are drawn until one is good, and whose turn it is."""

from __future__ import annotations

import numpy as np
import pytest

from shibori.datasets.scene.cache import BoundedCache
from shibori.datasets.scene.renderer import Scene
from shibori.datasets.scene.scene_layout import MOST_TRIES, best_scene, clips_in_turn
from shibori.datasets.scene.sprite import Footage

from ..made import Painted


def scenes(count: int) -> list[Scene]:
    return [Scene(lambda index: np.zeros((2, 2, 3), np.uint8), (), (2, 2)) for _ in range(count)]


@pytest.mark.parametrize(
    ("scores", "enough", "tries", "chosen"),
    [
        ([1, 5, 9], 5, 9, 1),  # the first that is enough
        ([3, 4, 2, 9], 5, 3, 1),  # the best of so many tries
        ([None, None, None, 2, 9], 5, 2, 3),  # what cannot be drawn does not end the search
        ([4, 4], 4, 1, 0),
    ],
)
def test_the_first_that_is_enough_or_the_best_of_some(scores, enough, tries, chosen):
    made = scenes(len(scores))
    score_of = {id(scene): score for scene, score in zip(made, scores, strict=True)}
    drawn = iter([None if score is None else scene for scene, score in zip(made, scores, strict=True)])
    assert best_scene(lambda: next(drawn), lambda scene: score_of[id(scene)], enough, tries) is made[chosen]


def test_nothing_can_be_drawn():
    asked = []
    assert best_scene(lambda: asked.append(1), lambda scene: 0, 1, 3) is None
    assert len(asked) == MOST_TRIES


def test_grounds_come_in_turn_and_everything_else_is_shuffled():
    cache = BoundedCache(1)
    footage = [Footage(Painted(name, 9), cache) for name in "abcd"]
    turns = list(clips_in_turn(np.random.default_rng(0), footage[:2], footage, 5))
    assert [(index, ground.name) for index, ground, _ in turns] == [(0, "a"), (1, "b"), (2, "a"), (3, "b"), (4, "a")]
    assert {"".join(sorted(part.name for part in others)) for _, _, others in turns} == {"bcd", "acd"}
    assert len({"".join(part.name for part in others) for _, _, others in turns}) > 2
