"""Identity switches, against a twin that compares every pair of masks."""

from __future__ import annotations

import numpy as np
import pytest

from shibori.evaluation.identity import followed_by, identity_switches
from shibori.evaluation.measures import region_similarity


def slow_followers(pred_ids: np.ndarray, true_ids: np.ndarray, object_ids: list[int]) -> list[int | None]:
    found: list[int | None] = []
    for object_id in object_ids:
        ious = {
            i: region_similarity(pred_ids == i, true_ids == object_id) for i in set(pred_ids.ravel().tolist()) - {0}
        }
        best = max(ious, key=lambda i: ious[i], default=None)
        found.append(best if best is not None and ious[best] > 0.5 and (true_ids == object_id).any() else None)
    return found


@pytest.mark.parametrize("seed", range(8))
def test_followers_equal_their_twin(seed: int):
    rng = np.random.default_rng(seed)
    true_ids = np.repeat(np.repeat(rng.integers(0, 5, (5, 6)), 4, 0), 4, 1).astype(np.uint8)
    renamed = np.array([0, *rng.permutation([1, 2, 3, 7])], np.uint8)[true_ids]
    pred_ids = np.where(rng.random(true_ids.shape) < 0.2 * (seed % 4), 0, renamed).astype(np.uint8)
    assert followed_by(pred_ids, true_ids, [1, 2, 3, 4]) == slow_followers(pred_ids, true_ids, [1, 2, 3, 4])


def test_nobody_follows_an_object_that_is_half_covered_or_absent():
    true_ids = np.zeros((4, 8), np.uint8)
    true_ids[:, :4] = 1
    pred_ids = np.zeros_like(true_ids)
    pred_ids[:2, :4] = 3
    assert followed_by(pred_ids, true_ids, [1, 2]) == [None, None]  # exactly one half is not enough
    pred_ids[2, 0] = 3
    assert followed_by(pred_ids, true_ids, [1, 2]) == [3, None]
    assert followed_by(np.zeros_like(true_ids), true_ids, [1]) == [None]


def test_maps_must_agree_in_shape():
    with pytest.raises(ValueError, match="differ in shape"):
        followed_by(np.zeros((3, 4), np.uint8), np.zeros((4, 3), np.uint8), [1])


@pytest.mark.parametrize(
    ("matched_ids", "switches"),
    [
        ([], 0),
        ([1, 1, 1], 0),
        ([None, None, 1, None, 1], 0),
        ([1, 2, 2, 2], 1),
        ([2, 2], 1),
        ([1, None, 2], 1),
        ([1, 2, 1, 3], 3),
    ],
)
def test_switches(matched_ids: list[int | None], switches: int):
    assert identity_switches(1, matched_ids) == switches
