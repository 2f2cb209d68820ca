"""Which pixel tracker is inside: the shipped one, or for tests always the same; noted, and compared."""

from __future__ import annotations

import torch

from shibori.nn.frozen import state_digest
from shibori.nn.weights import load_state
from shibori.systems.trackprop.model import build_trackprop
from shibori.tracking.shipped import load_shipped
from shibori.weights import locate_weights

from .rounds import ColourNetwork


def matcher_state(network) -> dict[str, torch.Tensor]:
    return {name: value for name, value in network.state_dict().items() if name.startswith("matcher.")}


def test_tiny_has_the_same_one_whatever_was_drawn_before():
    states = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        network = build_trackprop("tiny")
        before = torch.get_rng_state()
        load_shipped(network)
        assert torch.get_rng_state().equal(before)
        states.append((matcher_state(network), network.matcher_digest.clone()))
    assert states[0][1].equal(states[1][1])
    assert all(value.equal(states[1][0][name]) for name, value in states[0][0].items())


def test_compact_has_the_shipped_one_and_its_digest():
    network = build_trackprop("compact")
    assert not network.matcher_digest.any()
    load_shipped(network)
    shipped = load_state(locate_weights("matcher", "compact"), "matcher", "compact")
    assert network.matcher_digest.equal(state_digest(shipped))
    assert all(value.equal(network.state_dict()[f"matcher.{name}"]) for name, value in shipped.items())
    load_shipped(network)  # the same again is no other


def test_a_network_without_one_is_left_alone():
    network = ColourNetwork()
    load_shipped(network)
    assert not network.matcher_digest.any()
