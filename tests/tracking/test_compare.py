"""What a frame has in common with a memory, against loops over positions."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from shibori.tracking.network import Comparison, Encoded, Memory, PixelNetwork
from shibori.tracking.paper import PaperTracker, PaperTrackerSize
from shibori.tracking.presets import build_pixel_tracker


@pytest.fixture(scope="module", params=["tiny", "paper"])
def seen(request: pytest.FixtureRequest) -> tuple[PixelNetwork, Encoded, Memory, Comparison]:
    """A network, a frame, a memory of another one whose left half is the object, and their comparison."""
    torch.manual_seed(0)
    paper = PaperTrackerSize("tu-resnet18", feature_channels=16, key_channels=6, head_channels=16, local_radius=3)
    network = build_pixel_tracker("tiny").eval() if request.param == "tiny" else PaperTracker(paper).eval()
    first, second = torch.randn(2, 1, 3, 64, 96)
    mask = torch.zeros(1, 1, 64, 96)
    mask[..., :48] = 1
    with torch.inference_mode():
        memory = network.remember(network.encode(first), mask, 1 - mask)
        encoded = network.encode(second)
        return network, encoded, memory, network.compare(encoded, memory)


def nearest(query: Tensor, others: Tensor) -> float:
    """Largest of one minus half the squared distance: the cosine, for unit vectors."""
    return max(1 - float((query - other).square().sum()) / 2 for other in others)


def test_the_foreground_share_is_a_share(seen: tuple[PixelNetwork, Encoded, Memory, Comparison]) -> None:
    comparison = seen[-1]
    assert ((comparison.foreground_share >= 0) & (comparison.foreground_share <= 1)).all()


def test_the_similarity_margin_is_the_own_cosine_and_its_lead(
    seen: tuple[PixelNetwork, Encoded, Memory, Comparison],
) -> None:
    network, encoded, memory, comparison = seen
    keys = memory.key[0].T.float()
    own, other = keys[memory.label[0] > 0.5], keys[memory.label[0] <= 0.5]
    assert len(own) > 0
    assert len(other) > 0
    queries = encoded.key if isinstance(network, PaperTracker) else encoded.features[-1]
    height, width = queries.shape[2:]
    for row, column in [(0, 0), (height // 2, width // 3), (height - 1, width - 1)]:
        query = queries[0, :, row, column].float()
        expected = 2 * nearest(query, own) - nearest(query, other)
        assert float(comparison.similarity_margin[0, row, column]) == pytest.approx(max(min(expected, 3), -3), abs=1e-3)
