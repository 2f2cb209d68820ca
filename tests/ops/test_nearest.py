"""The bounded searches of ``ops/matching.py`` against the whole matrix of distances."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from shibori.ops.matching import (
    ABSENT_DISTANCE,
    best_match,
    nearest_distances,
    nearest_in_window,
    similarity,
    window_offsets,
)

HEIGHT, WIDTH, CHANNELS = 5, 7, 3


def made(seed: int, batch: int = 2):
    """(B, D, H, W) query and memory, (B, 2, H, W) bool groups: object, everything else."""
    generator = torch.Generator().manual_seed(seed)
    query, memory = torch.randn(2, batch, CHANNELS, HEIGHT, WIDTH, generator=generator)
    is_object = torch.rand(batch, HEIGHT, WIDTH, generator=generator) > 0.6
    return query, memory, torch.stack([is_object, ~is_object], 1)


def all_distances(query, memory):
    """(B, Q, N)."""
    return (query.flatten(2)[:, :, :, None] - memory.flatten(2)[:, :, None, :]).square().sum(1)


def dense(query, memory, groups, near=None):
    """(B, G, Q) with the whole matrix in memory."""
    distances = all_distances(query, memory)
    if near is not None:
        distances = distances.masked_fill(~near, ABSENT_DISTANCE)
    groups = groups.flatten(2)
    return torch.stack([distances.masked_fill(~g[:, None], ABSENT_DISTANCE).amin(2) for g in groups.unbind(1)], 1)


@pytest.mark.parametrize("largest", [1, 100, 2 * 35 * 11, 1 << 20])
def test_chunks_change_nothing(largest):
    query, memory, groups = made(0)
    found = nearest_distances(query.flatten(2), memory.flatten(2), groups.flatten(2), largest)
    torch.testing.assert_close(found, dense(query, memory, groups))


def test_no_matrix_exceeds_the_limit(monkeypatch):
    sizes = []
    original = torch.baddbmm

    def watched(*args, **options):
        result = original(*args, **options)
        sizes.append(result.numel())
        return result

    monkeypatch.setattr(torch, "baddbmm", watched)
    query, memory, groups = made(1)
    nearest_distances(query.flatten(2), memory.flatten(2), groups.flatten(2), largest=500)
    nearest_in_window(query, memory, groups, radius=1, tile=2)
    assert len(sizes) > 10
    assert max(sizes) <= 500


def test_equals_best_match_for_unit_vectors():
    query, memory, groups = made(2)
    query, memory = functional.normalize(query, dim=1), functional.normalize(memory, dim=1).flatten(2)
    labels = groups[:, 0].flatten(1).float()
    expected = 2 - 2 * best_match(similarity(query, memory), labels)
    found = nearest_distances(query.flatten(2), memory, groups.flatten(2), largest=64)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("radius", [0, 1, 3, 10])
@pytest.mark.parametrize("tile", [1, 2, 4, 16])
def test_window(radius, tile):
    query, memory, groups = made(3)
    near = window_offsets(HEIGHT, WIDTH, radius, query.device)
    found = nearest_in_window(query, memory, groups, radius, tile)
    torch.testing.assert_close(found.flatten(2), dense(query, memory, groups, near))


def test_an_empty_group_is_far_and_has_no_gradient():
    query, memory, groups = made(4)
    groups[:] = torch.tensor([False, True])[None, :, None, None]
    query.requires_grad_(True)
    found = nearest_in_window(query, memory, groups, radius=2)
    assert (found[:, 0] == ABSENT_DISTANCE).all()
    found[:, 0].sum().backward()
    assert query.grad is not None
    assert not query.grad.any()


def test_gradient_is_that_of_the_minimum():
    query, memory, groups = made(5)
    near = window_offsets(HEIGHT, WIDTH, 2, query.device)
    gradients = []
    for bounded in (True, False):
        q, m = query.clone().requires_grad_(True), memory.clone().requires_grad_(True)
        parts = (
            nearest_distances(q.flatten(2), m.flatten(2), groups.flatten(2), 90),
            nearest_in_window(q, m, groups, 2),
        )
        whole = (dense(q, m, groups), dense(q, m, groups, near))
        answers = (parts[0], parts[1].flatten(2)) if bounded else whole
        sum((torch.tanh(answer / 2) * torch.arange(HEIGHT * WIDTH)).sum() for answer in answers).backward()
        gradients.append((q.grad, m.grad))
    torch.testing.assert_close(gradients[0], gradients[1])
