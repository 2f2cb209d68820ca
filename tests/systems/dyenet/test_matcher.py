"""The pixel tracker inside DyeNet: which one it is, is noted and checked."""

from __future__ import annotations

import pytest
import torch

from shibori.errors import InputError
from shibori.nn.frozen import state_digest
from shibori.nn.weights import load_state
from shibori.systems.dyenet.model import build_dyenet
from shibori.tracking.shipped import load_shipped
from shibori.weights import locate_weights

from .made import own_trunk_network, tiny_network


def test_the_digest_is_noted_and_checked():
    network, again = tiny_network(1), tiny_network(2)
    load_shipped(network)
    noted = network.matcher_digest.clone()
    assert noted.any()
    assert noted.equal(state_digest(network.matcher.state_dict()))
    again.load_own_state(network.own_state())
    load_shipped(again)  # the same tracker, whatever it was built with
    assert again.matcher_digest.equal(noted)
    again.matcher_digest[0] += 1
    with pytest.raises(InputError, match="trained with this version's pixel tracker"):
        load_shipped(again)


def test_a_network_with_a_trunk_of_its_own_has_no_pixel_tracker_to_note():
    network = own_trunk_network()
    load_shipped(network)
    assert not network.matcher_digest.any()


def test_compact_stands_on_the_shipped_tracker():
    network = build_dyenet("compact")
    load_shipped(network)
    shipped = load_state(locate_weights("matcher", "compact"), "matcher", "compact")
    assert network.matcher_digest.equal(state_digest(shipped))
    for name, value in network.matcher.state_dict().items():
        torch.testing.assert_close(value, shipped[name], rtol=0, atol=0)
