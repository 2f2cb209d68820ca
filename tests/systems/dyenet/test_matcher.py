"""The pixel tracker inside DyeNet: which one it is, is noted and checked."""

from __future__ import annotations

import pytest
import torch

from shibori.errors import InputError
from shibori.nn.weights import DIGEST_BYTES, load_state, state_digest
from shibori.systems.dyenet.matcher import load_matcher
from shibori.systems.dyenet.model import build_dyenet
from shibori.tracking.compact import build_pixel_tracker
from shibori.weights import locate_weights

from .made import own_trunk_network, tiny_network


def test_the_digest_tells_states_apart_and_nothing_else():
    state = build_pixel_tracker("tiny").state_dict()
    digest = state_digest(state)
    assert digest.shape == (DIGEST_BYTES,)
    assert digest.dtype == torch.uint8
    assert state_digest(dict(reversed(state.items()))).equal(digest)
    assert state_digest({name: value.clone() for name, value in state.items()}).equal(digest)
    name = next(name for name, value in state.items() if value.numel() > 1)
    assert not state_digest(state | {name: state[name] + 1}).equal(digest)
    renamed = {("x" if other == name else other): value for other, value in state.items()}
    assert not state_digest(renamed).equal(digest)


def test_the_digest_is_noted_and_checked():
    network, again = tiny_network(1), tiny_network(2)
    load_matcher(network)
    noted = network.matcher_digest.clone()
    assert noted.any()
    assert noted.equal(state_digest(network.matcher.state_dict()))
    again.load_own_state(network.own_state())
    load_matcher(again)  # the same tracker, whatever it was built with
    assert again.matcher_digest.equal(noted)
    again.matcher_digest[0] += 1
    with pytest.raises(InputError, match="trained with this version's pixel tracker"):
        load_matcher(again)


def test_a_network_with_a_trunk_of_its_own_has_no_pixel_tracker_to_note():
    network = own_trunk_network()
    load_matcher(network)
    assert not network.matcher_digest.any()


def test_compact_stands_on_the_shipped_tracker():
    network = build_dyenet("compact")
    load_matcher(network)
    shipped = load_state(locate_weights("pixel", "compact"), "pixel", "compact")
    assert network.matcher_digest.equal(state_digest(shipped))
    for name, value in network.matcher.state_dict().items():
        torch.testing.assert_close(value, shipped[name], rtol=0, atol=0)


def test_tinys_tracker_is_always_the_same_and_leaves_chance_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first, second = tiny_network(1), tiny_network(2)
    torch.manual_seed(5)
    load_matcher(first)
    assert torch.rand(3).equal(expected)
    load_matcher(second)
    assert state_digest(first.matcher.state_dict()).equal(state_digest(second.matcher.state_dict()))
