"""Finding again, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from shibori.datasets.scene.episodes import Episode
from shibori.evaluation.reappearance import reappearances

from .made import ArraySequence


def frame(*blocks: tuple[int, slice]) -> np.ndarray:
    ids = np.zeros((4, 40), np.uint8)
    for object_id, columns in blocks:
        ids[:, columns] = object_id
    return ids


TRUTH = ArraySequence(
    "hides", tuple(frame((1, slice(0, 10)), *([] if 3 <= i < 15 else [(2, slice(20, 30))])) for i in range(24))
)
EPISODE = Episode(2, 3, 15)


def found_from(first: int, columns: slice, object_id: int = 2) -> list[np.ndarray]:
    return [frame((object_id, columns)) if i >= first else frame() for i in range(24)]


@pytest.mark.parametrize(
    ("results", "first_found"),
    [
        (found_from(15, slice(20, 30)), 15),
        (found_from(19, slice(20, 30)), 19),
        (found_from(20, slice(20, 30)), None),  # one frame too late
        (found_from(15, slice(20, 26)), 15),  # J 0.6
        (found_from(15, slice(20, 25)), None),  # J 0.5, which is not above
        (found_from(15, slice(20, 30), object_id=1), None),  # found, but under another's number
    ],
)
def test_when_it_is_found(results, first_found):
    (only,) = reappearances(TRUTH, results.__getitem__, [EPISODE])
    assert only.first_found == first_found
    assert len(only.j_values) == 5


def test_share_is_over_all():
    twice = reappearances(TRUTH, found_from(15, slice(20, 30)).__getitem__, [EPISODE, Episode(1, 3, 15)])
    assert [each.first_found is not None for each in twice] == [True, False]


def test_window_ends_with_the_clip():
    (only,) = reappearances(TRUTH, found_from(0, slice(20, 30)).__getitem__, [Episode(2, 3, 22)])
    assert only.j_values == (1.0, 1.0)
