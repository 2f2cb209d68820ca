"""What is kept of a whole clip's proposals: the best of each stretch, and no more for a longer clip."""

from __future__ import annotations

import numpy as np
import torch

from shibori.systems.dyenet.candidates import KEPT, MAX_STRETCHES, CandidatePool
from shibori.systems.dyenet.search import Proposal


def proposals(count: int) -> list[Proposal]:
    vectors = torch.eye(count)
    return [Proposal(np.array([n, 0.0, n + 1, 1]), np.zeros((2, 2), np.float32), vectors[n]) for n in range(count)]


def test_the_most_similar_of_a_frame_are_kept() -> None:
    pool = CandidatePool(10)
    scores = torch.tensor([0.1, 0.9, 0.5, 0.7, 0.3])
    pool.put(7, 4, proposals(5), scores)
    kept = pool.of(7)
    assert [candidate.frame for candidate in kept] == [4] * KEPT
    assert [int(candidate.proposal.box[0]) for candidate in kept] == [1, 3, 2]
    assert torch.equal(kept[1].proposal.vector, torch.eye(5)[3])
    assert pool.of(8) == []


def test_each_object_has_its_own() -> None:
    pool = CandidatePool(10)
    pool.put(1, 0, proposals(1), torch.tensor([0.1]))
    pool.put(2, 0, proposals(1), torch.tensor([0.2]))
    assert len(pool.of(1)) == len(pool.of(2)) == 1


def test_a_short_clip_keeps_some_of_every_frame() -> None:
    pool = CandidatePool(MAX_STRETCHES)
    for frame in range(0, MAX_STRETCHES, 2):
        pool.put(1, frame, proposals(5), torch.rand(5))
    assert len(pool.of(1)) == KEPT * MAX_STRETCHES // 2


def test_what_is_kept_does_not_grow_with_the_clip() -> None:
    long = 20 * MAX_STRETCHES
    rng = np.random.default_rng(0)
    scores = torch.from_numpy(rng.random((long, 2), np.float32))
    pool = CandidatePool(long)
    for frame in range(long):
        pool.put(1, frame, proposals(2), scores[frame])
    assert len(pool.of(1)) == KEPT * MAX_STRETCHES
    by_stretch = scores.reshape(MAX_STRETCHES, -1).sort(1, descending=True).values[:, :KEPT]
    kept = [[score for score, _ in entries] for entries in pool.kept[1].values()]
    np.testing.assert_allclose(kept, by_stretch.numpy(), atol=1e-6)


def test_all_of_an_object_are_ranked_over_the_clip() -> None:
    pool = CandidatePool(10)
    pool.put(1, 6, proposals(2), torch.tensor([0.2, 0.8]))
    pool.put(1, 2, proposals(2), torch.tensor([0.8, 0.5]))
    ranked = pool.ranked(1)
    assert [(round(score, 3), candidate.frame) for score, candidate in ranked] == [
        (0.8, 2),
        (0.8, 6),
        (0.5, 2),
        (0.2, 6),
    ]
    assert pool.ranked(2) == []
