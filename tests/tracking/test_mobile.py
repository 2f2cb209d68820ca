"""The network on MobileNetV2: shapes, independence of rows, what a memory means, thin objects."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from shibori.tracking.mobile import MobileTracker, own_positions
from shibori.tracking.network import Prediction, join_memories
from shibori.tracking.presets import SIZES, build_pixel_tracker

BATCH, HEIGHT, WIDTH = 3, 64, 96


@pytest.fixture(scope="module")
def tracker() -> MobileTracker:
    torch.manual_seed(0)
    return build_pixel_tracker("tiny").eval()


def made_inputs(batch: int = BATCH) -> tuple[Tensor, Tensor, Tensor]:
    """Two frames and a mask."""
    generator = torch.Generator().manual_seed(1)
    first, second = torch.randn(2, batch, 3, HEIGHT, WIDTH, generator=generator)
    mask = torch.zeros(batch, 1, HEIGHT, WIDTH)
    mask[..., 8:40, 16:60] = 1
    return first, second, mask


@torch.no_grad()
def predict(tracker: MobileTracker, first: Tensor, second: Tensor, mask: Tensor, copies: int = 1) -> Prediction:
    encoded = tracker.encode(first)
    memory = join_memories(*[tracker.remember(encoded, mask, torch.zeros_like(mask))] * copies)
    return tracker(tracker.encode(second), memory, encoded.key, mask, torch.zeros_like(mask))


def test_shapes(tracker: MobileTracker):
    first, second, mask = made_inputs()
    encoded, size = tracker.encode(first), tracker.size
    assert encoded.key.shape == (BATCH, size.key8_channels, HEIGHT // 8, WIDTH // 8)
    assert encoded.features[-1].shape == (BATCH, size.key16_channels, HEIGHT // 16, WIDTH // 16)
    memory = tracker.remember(encoded, mask, 1 - mask)
    count = HEIGHT // 16 * (WIDTH // 16)
    assert [part.shape[-1] for part in memory[:3]] == [count] * 3
    assert memory.traits.shape == (BATCH, count, size.trait_channels)
    prediction = predict(tracker, first, second, mask)
    assert prediction.logits.shape == (BATCH, 1, HEIGHT, WIDTH)
    assert prediction.quality.shape == prediction.presence.shape == (BATCH,)
    assert prediction.matched.shape == (BATCH, HEIGHT // 16, WIDTH // 16)
    assert tracker.compare(encoded, memory).similarity_margin.shape == prediction.matched.shape


def test_objects_do_not_see_each_other(tracker: MobileTracker):
    inputs = made_inputs()
    together = predict(tracker, *inputs)
    for row in range(BATCH):
        alone = predict(tracker, *(part[row : row + 1] for part in inputs))
        for part, single in zip(together, alone, strict=True):
            torch.testing.assert_close(single[0], part[row], atol=1e-4, rtol=1e-4)


def test_a_frame_remembered_twice_says_nothing_new(tracker: MobileTracker):
    inputs = made_inputs()
    for once, twice in zip(predict(tracker, *inputs), predict(tracker, *inputs, copies=2), strict=True):
        torch.testing.assert_close(twice, once, atol=1e-4, rtol=1e-4)


def test_the_same_frame_is_recognised(tracker: MobileTracker):
    first, _, mask = made_inputs()
    encoded = tracker.encode(first)
    comparison = tracker.compare(encoded, tracker.remember(encoded, mask, torch.zeros_like(mask)))
    inside = torch.nn.functional.avg_pool2d(mask, 16)[:, 0] == 1
    assert comparison.similarity_margin[inside].min() >= 1 - 1e-4  # its own position is its best match, cosine 1
    outside = torch.nn.functional.avg_pool2d(mask, 16)[:, 0] == 0
    assert comparison.similarity_margin[outside].max() <= 1 + 1e-4


def test_presets_we_designed_are_of_the_size_they_claim():
    counts = {name: sum(p.numel() for p in build_pixel_tracker(name).parameters()) for name in ("compact", "tiny")}
    assert counts["tiny"] < 400_000 < counts["compact"] < 3_000_000
    assert set(SIZES) == {"compact", "paper", "tiny"}


def test_a_thin_object_has_positions_of_its_own():
    label = torch.tensor([[0.0, 0.12, 0.2, 0.05], [0.0, 0.3, 1.0, 0.6], [0.0, 0.0, 0.0, 0.0]])
    expected = [[False, True, True, False], [False, False, True, True], [False] * 4]
    assert own_positions(label).tolist() == expected
