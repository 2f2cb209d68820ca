"""The presets of the trackers' networks and their trunks."""

from __future__ import annotations

import pytest
import torch

from shibori.boxtracking.atom.estimation import estimation_regions
from shibori.boxtracking.presets import (
    SIZES,
    build_iou_network,
    build_siamese,
    build_trunk,
)
from shibori.boxtracking.views import Features
from shibori.nn.frozen import state_digest

ONE = torch.zeros(1, dtype=torch.int64)
BOX = torch.tensor([[30.0, 20.0, 70.0, 60.0]])


@pytest.mark.parametrize("preset", ["paper", "tiny"])
def test_heads_take_what_their_trunk_gives(preset: str):
    """``paper`` is the published architecture: the pixel tracker's embedding takes no part in it."""
    trunk = build_trunk(preset, pretrained=False)
    features: Features = trunk.see(torch.rand(1, 3, 96, 128))
    assert trunk.channels == SIZES[preset].estimation.channels == SIZES[preset].siamese.channels
    network, siamese = build_iou_network(preset).eval(), build_siamese(preset).eval()
    with torch.no_grad():
        modulation = network.refer(features, BOX, ONE)
        tested = network.look(
            features, estimation_regions(torch.tensor([[50.0, 40.0]]), torch.tensor([40.0])), ONE, modulation
        )
        boxes = torch.tensor([[[4.0, 4.0, 9.0, 9.0], [5.0, 3.0, 12.0, 9.5]]])
        assert network.predict(tested, modulation, boxes).shape == (1, 2)
        response = siamese.respond(
            features, siamese.refer(features, BOX, ONE), torch.tensor([[50.0, 40.0]]), torch.tensor([40.0]), ONE, 8
        )
    assert response.logits.shape == (1, 5, 8, 8)
    assert hasattr(network, "judge_match") == (preset == "tiny")


def test_a_trunk_is_frozen_and_always_the_same():
    trunk = build_trunk("tiny")
    assert not trunk.training
    assert not any(parameter.requires_grad for parameter in trunk.parameters())
    assert torch.equal(state_digest(trunk.state_dict()), state_digest(build_trunk("tiny").state_dict()))


def test_building_one_leaves_chance_as_it_was():
    torch.manual_seed(3)
    wanted = torch.rand(2)
    torch.manual_seed(3)
    build_trunk("tiny")
    assert torch.equal(torch.rand(2), wanted)
