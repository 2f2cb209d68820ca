"""Matching against a twin that visits every pair of positions in plain Python."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from shibori.ops.matching import (
    ABSENT_SIMILARITY,
    BLOCK,
    EXCLUDED_SIMILARITY,
    best_match,
    match_and_read,
    read_memory,
    similarity,
    window_offsets,
)

HEIGHT, WIDTH, CHANNELS, VALUES = 3, 4, 5, 2
GRID = HEIGHT * WIDTH
SHARPNESS = torch.tensor(6.0)


def made_inputs(seed: int, positions: int = GRID, batch: int = 1):
    generator = torch.Generator().manual_seed(seed)
    query = functional.normalize(torch.randn(batch, CHANNELS, HEIGHT, WIDTH, generator=generator), dim=1)
    memory = functional.normalize(torch.randn(batch, CHANNELS, positions, generator=generator), dim=1)
    values = torch.randn(batch, VALUES, positions, generator=generator)
    labels = torch.rand(batch, positions, generator=generator)
    return query, memory, values, labels


def slow_match(query, memory, values, labels, allowed):
    """(2, Q) best matches and (V + 1, Q) read values of one batch row; ``allowed(q, n)`` says who may meet."""
    vectors = query.flatten(1).T.tolist()
    positions = memory.T.tolist()
    best = [[ABSENT_SIMILARITY] * len(vectors) for _ in range(2)]
    read = []
    for q, vector in enumerate(vectors):
        weights, total = [], [0.0] * (values.shape[0] + 1)
        for n, position in enumerate(positions):
            if not allowed(q, n):
                continue
            cosine = sum(a * b for a, b in zip(vector, position, strict=True))
            side = 0 if labels[n] > 0.5 else 1
            best[side][q] = max(best[side][q], cosine)
            weight = math.exp(float(SHARPNESS) * cosine)
            weights.append(weight)
            for v, value in enumerate([*values[:, n].tolist(), float(labels[n])]):
                total[v] += weight * value
        read.append([part / sum(weights) for part in total])
    return torch.tensor(best), torch.tensor(read).T


def near_by_loops(radius: int):
    def allowed(q: int, n: int) -> bool:
        rows, columns = abs(q // WIDTH - n // WIDTH), abs(q % WIDTH - n % WIDTH)
        return rows <= radius and columns <= radius

    return allowed


def everywhere(_q: int, _n: int) -> bool:
    return True


@pytest.mark.parametrize("gradients", [True, False])
@pytest.mark.parametrize("positions", [1, 7, 30, 3 * BLOCK])
def test_global_matching_equals_its_loops(gradients: bool, positions: int):
    inputs = made_inputs(positions, positions)
    with torch.set_grad_enabled(gradients):
        best, read = match_and_read(*inputs, SHARPNESS)
    expected_best, expected_read = slow_match(*(part[0] for part in inputs), everywhere)
    torch.testing.assert_close(best[0], expected_best, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(read[0], expected_read, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("gradients", [True, False])
@pytest.mark.parametrize("radius", [0, 1, 2, 9])
def test_local_matching_equals_its_loops(gradients: bool, radius: int):
    inputs = made_inputs(10 + radius)
    with torch.set_grad_enabled(gradients):
        best, read = match_and_read(*inputs, SHARPNESS, radius)
    expected_best, expected_read = slow_match(*(part[0] for part in inputs), near_by_loops(radius))
    torch.testing.assert_close(best[0], expected_best, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(read[0], expected_read, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("radius", [0, 1, 3])
def test_window_is_a_square_around_each_position(radius: int):
    near = window_offsets(HEIGHT, WIDTH, radius, torch.device("cpu"))
    allowed = near_by_loops(radius)
    assert near.tolist() == [[allowed(q, n) for n in range(GRID)] for q in range(GRID)]


def test_rows_of_a_batch_do_not_meet():
    query, memory, values, labels = made_inputs(3, 9, batch=3)
    best, read = match_and_read(query, memory, values, labels, SHARPNESS)
    for row in range(3):
        alone = slice(row, row + 1)
        one_best, one_read = match_and_read(query[alone], memory[alone], values[alone], labels[alone], SHARPNESS)
        torch.testing.assert_close(best[alone], one_best)
        torch.testing.assert_close(read[alone], one_read)


@pytest.mark.parametrize("gradients", [True, False])
@pytest.mark.parametrize("share", [0.0, 1.0])
def test_one_sided_memory_says_what_is_absent(gradients: bool, share: float):
    query, memory, values, _ = made_inputs(4, 6)
    with torch.set_grad_enabled(gradients):
        best, read = match_and_read(query, memory, values, torch.full((1, 6), share), SHARPNESS)
    absent = 0 if share == 0 else 1
    assert best[0, absent].eq(ABSENT_SIMILARITY).all()
    assert best[0, 1 - absent].gt(ABSENT_SIMILARITY).all()
    torch.testing.assert_close(read[0, -1], torch.full((GRID,), share))


def test_excluded_positions_are_never_read():
    similarities = torch.tensor([[[0.9, 0.1, 0.5]]])
    labels = torch.tensor([[1.0, 1.0, 0.0]])
    similarities[0, 0, 0] = EXCLUDED_SIMILARITY
    assert best_match(similarities, labels)[0, :, 0].tolist() == pytest.approx([0.1, 0.5])
    read = read_memory(similarities, torch.tensor([[[1e6, 2.0, 2.0]]]), 4.0)
    assert read.item() == pytest.approx(2.0)


def test_similarity_is_the_cosine_of_feelvos_distance():
    query, memory, _, _ = made_inputs(5, 8)
    distance = torch.cdist(query.flatten(2).transpose(1, 2), memory.transpose(1, 2)) ** 2
    torch.testing.assert_close(2 - 2 * similarity(query, memory), distance, atol=1e-5, rtol=1e-5)


def test_gradients_reach_keys_values_and_sharpness_even_through_empty_windows():
    query, memory, values, labels = (part.requires_grad_() for part in made_inputs(6))
    sharpness = torch.tensor(6.0, requires_grad=True)
    best, read = match_and_read(query, memory, values, labels, sharpness, radius=0)
    (best.square().sum() + read.square().sum()).backward()
    for tensor in (query, memory, values, sharpness):
        assert tensor.grad is not None
        assert tensor.grad.isfinite().all()
    assert query.grad.abs().sum() > 0
    assert values.grad.abs().sum() > 0


def test_memory_joined_twice_gives_the_same_answer():
    query, memory, values, labels = made_inputs(7, 11)
    twice = [torch.cat([part, part], -1) for part in (memory, values, labels)]
    for gradients in (True, False):
        with torch.set_grad_enabled(gradients):
            once = match_and_read(query, memory, values, labels, SHARPNESS)
            double = match_and_read(query, *twice, SHARPNESS)
        torch.testing.assert_close(once, double, atol=1e-5, rtol=1e-5)


def test_bfloat16_values_stay_near_float32():
    query, memory, values, labels = made_inputs(8, 20)
    with torch.no_grad():
        best, read = match_and_read(query, memory, values, labels, SHARPNESS)
        low_best, low_read = match_and_read(query, memory, values.bfloat16(), labels, SHARPNESS)
    torch.testing.assert_close(low_best.float(), best, atol=0.02, rtol=0)
    torch.testing.assert_close(low_read.float(), read, atol=0.05, rtol=0.05)


class Multiplications(TorchDispatchMode):
    """The shapes of all matrix multiplications."""

    def __init__(self) -> None:
        super().__init__()
        self.shapes: set[tuple[torch.Size, ...]] = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func is torch.ops.aten.mm.default:
            self.shapes.add(tuple(arg.shape for arg in args))
        return func(*args, **(kwargs or {}))


def test_multiplications_have_the_same_shapes_whatever_the_object_covers():
    """A CPU's library compiles one for every shape, and keeps it."""
    query, memory, values, _ = made_inputs(9, 2 * BLOCK)
    with torch.no_grad(), Multiplications() as seen:
        for count in (0, 1, 100, BLOCK, BLOCK + 1, 2 * BLOCK):
            match_and_read(query, memory, values, (torch.arange(2 * BLOCK) < count).float()[None], SHARPNESS)
    assert len(seen.shapes) == 2
