"""The network: Eq. 2 vertex by vertex, and what each preset gives."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec

import pytest
import torch

from shibori.nn.prepare import prepare_network
from shibori.systems.strnn.model import SpatioTemporalRnn, StrnnNetwork, build_strnn
from shibori.systems.strnn.size import SIZES, DeeplabSize

STEPS = ((1, 1), (1, -1), (-1, 1), (-1, -1))
"""Southeast, southwest, northeast, northwest: the way a sweep goes along rows and columns."""


def equation_2(rnn: SpatioTemporalRnn, features: torch.Tensor, before: torch.Tensor | None) -> torch.Tensor:
    """(C, h, w), (4, h, w, hidden) -> (D, h, w): the paper's sums, one vertex after the other."""
    _, height, width = features.shape
    size = rnn.temporal.shape[0]
    entering = rnn.enter.weight[:, :, 0, 0].view(4, size, -1)
    biases = rnn.enter.bias.view(4, size)
    leaving = rnn.leave.weight[:, :, 0, 0].view(-1, 4, size)
    out = rnn.leave.bias[:, None, None].repeat(1, height, width)
    for d, (down, right) in enumerate(STEPS):
        hidden = torch.zeros(height, width, size)
        for row in range(height)[::down]:
            for column in range(width)[::right]:
                total = entering[d] @ features[:, row, column] + biases[d]
                if before is not None:
                    total = total + before[d, row, column] @ rnn.temporal
                for y, x in ((row - down, column), (row, column - right), (row - down, column - right)):
                    if 0 <= y < height and 0 <= x < width:
                        total = total + hidden[y, x] @ rnn.spatial[d]
                hidden[row, column] = torch.tanh(total)
                out[:, row, column] += leaving[:, d] @ hidden[row, column]
    return out


@torch.no_grad()
@pytest.mark.parametrize("linked", [False, True])
def test_the_rnn_is_equation_2(linked: bool):
    torch.manual_seed(0)
    rnn = SpatioTemporalRnn(5, 3, 4, shortcut=False)
    rnn.spatial.add_(0.2 * torch.randn_like(rnn.spatial))
    rnn.temporal.add_(0.2 * torch.randn_like(rnn.temporal))
    features, before = torch.randn(2, 5, 4, 6), torch.randn(4, 2, 4, 6, 3)
    out, hidden = rnn(features, before if linked else None)
    assert hidden.shape == before.shape
    for b in range(2):
        torch.testing.assert_close(out[b], equation_2(rnn, features[b], before[:, b] if linked else None))


@torch.no_grad()
def test_the_shortcut_adds_the_projected_features():
    torch.manual_seed(0)
    rnn = SpatioTemporalRnn(5, 3, 4, shortcut=True)
    features = torch.randn(1, 5, 4, 6)
    with_it = rnn(features)[0]
    added = rnn.shortcut(features)
    rnn.shortcut = None
    torch.testing.assert_close(with_it - rnn(features)[0], added)


@torch.no_grad()
@pytest.mark.parametrize("preset", ["tiny", "compact"])
def test_features_of_a_preset(preset: str):
    torch.manual_seed(0)
    network = build_strnn(preset).eval()
    images = torch.randn(2, 3, 48, 64)
    features, hidden = network(images)
    size = SIZES[preset]
    assert features.shape == (2, size.feature_channels, 12, 16)
    assert hidden.shape == (4, 2, 6, 8, size.hidden_channels)
    torch.testing.assert_close(features.norm(dim=1), torch.ones(2, 12, 16))
    later, _ = network(images, hidden)
    assert not torch.allclose(later, features, atol=1e-3)  # the frame before has a say


@torch.no_grad()
def test_fused_and_in_bfloat16_the_features_stay():
    torch.manual_seed(0)
    network = build_strnn("tiny").eval()
    images = torch.randn(1, 3, 64, 64)
    exact, _ = network(images)
    prepare_network(network, torch.device("cpu"), torch.bfloat16)
    rounded, _ = network(images)
    assert rounded.dtype == torch.float32
    assert (exact * rounded).sum(1).min() > 0.99


@torch.no_grad()
@pytest.mark.skipif(
    any(find_spec(name) is None for name in ("segmentation_models_pytorch", "timm")),
    reason="the libraries of shibori[paper] are not installed",
)
def test_paper_has_deeplab_and_no_shortcut():
    assert SIZES["paper"].extractor == DeeplabSize("tu-xception65", 256)
    small = replace(SIZES["paper"], extractor=DeeplabSize("resnet18", 32), hidden_channels=4, feature_channels=6)
    network = StrnnNetwork(small).eval()
    assert network.rnn.shortcut is None
    assert network.stride == 4
    assert network(torch.randn(1, 3, 64, 64))[0].shape == (1, 6, 16, 16)
