"""Heads on a frozen part: what is saved, which part it was, and what is said where it is another one."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from shibori.errors import InputError
from shibori.nn.frozen import (
    DIGEST_BYTES,
    TRUNK_DIGEST,
    FrozenTrunkNetwork,
    part_of,
    state_digest,
    without_digest,
)
from shibori.nn.weights import load_fitting


class Heads(FrozenTrunkNetwork):
    system, frozen_name, digest_name = "heads", "trunk", "noted"

    def __init__(self, has_trunk: bool = True) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)) if has_trunk else None
        self.head = nn.Linear(2, 1)
        self.freeze()

    @property
    def frozen(self) -> nn.Module | None:
        return self.trunk

    @property
    def frozen_preset(self) -> str | None:
        return "tiny" if self.trunk is not None else None


def trunk_state(seed: int = 0) -> dict[str, Tensor]:
    torch.manual_seed(seed)
    return Heads().trunk.state_dict()


def test_the_digest_tells_states_apart_and_nothing_else():
    state = trunk_state()
    digest = state_digest(state)
    assert digest.shape == (DIGEST_BYTES,)
    assert digest.dtype == torch.uint8
    assert state_digest(dict(reversed(state.items()))).equal(digest)
    assert state_digest({name: value.clone() for name, value in state.items()}).equal(digest)
    assert not state_digest(state | {"0.weight": state["0.weight"] + 1}).equal(digest)
    renamed = {("x" if name == "0.weight" else name): value for name, value in state.items()}
    assert not state_digest(renamed).equal(digest)


def test_a_part_is_taken_by_its_name():
    state = Heads().state_dict()
    assert part_of(state, "head").keys() == {"weight", "bias"}
    assert part_of(state, "hea") == {}


def test_own_state_is_everything_but_the_frozen_part():
    network = Heads()
    assert set(network.own_state()) == {"noted", "head.weight", "head.bias"}
    alone = Heads(has_trunk=False)
    assert alone.own_state().keys() == alone.state_dict().keys()


def test_own_state_comes_back_and_leaves_the_frozen_part_alone():
    one, other = Heads(), Heads()
    before = {name: value.clone() for name, value in other.trunk.state_dict().items()}
    one.digest.fill_(7)
    other.load_own_state(one.own_state())
    assert all(value.equal(other.own_state()[name]) for name, value in one.own_state().items())
    assert all(value.equal(other.trunk.state_dict()[name]) for name, value in before.items())


@pytest.mark.parametrize(
    "change", [{"head.gain": torch.ones(1)}, {"head.bias": torch.ones(2)}, {"noted": torch.ones(1)}]
)
def test_what_does_not_fit_is_refused(change: dict[str, Tensor]):
    network = Heads()
    with pytest.raises(InputError, match="expected weights of this preset of heads, found parameters that do not fit"):
        network.load_own_state(network.own_state() | change)
    with pytest.raises(InputError, match="expected a thing, found parameters that do not fit it"):
        load_fitting(network, network.own_state(), "a thing")


def test_the_frozen_part_is_not_trained():
    network = Heads().train()
    assert network.head.training
    assert not network.trunk.training
    assert not any(parameter.requires_grad for parameter in network.trunk.parameters())
    assert all(parameter.requires_grad for parameter in network.head.parameters())
    assert Heads(has_trunk=False).train().training


def test_the_frozen_part_is_noted_and_checked():
    network, state = Heads(), trunk_state(1)
    assert not network.digest.any()
    network.load_frozen(state)
    assert network.digest.equal(state_digest(state))
    assert network.noted.equal(network.digest)
    network.load_frozen(state)  # the same again is no other
    with pytest.raises(InputError, match=r"heads weights .* this version's pixel tracker.*train heads --start"):
        network.load_frozen(trunk_state(2))


def test_weights_to_start_from_may_have_been_trained_with_another():
    old, new = Heads(), Heads()
    old.load_frozen(trunk_state(1))
    new.start_from(old.own_state())
    assert new.head.weight.equal(old.head.weight)
    new.load_frozen(trunk_state(2))
    assert new.digest.equal(state_digest(trunk_state(2)))


def test_heads_without_a_trunk_carry_its_digest():
    trunk, state = nn.Linear(2, 2), {"weight": torch.ones(1)}
    digest = state_digest(trunk.state_dict())
    assert set(without_digest(state | {TRUNK_DIGEST: digest}, trunk, "atom", "a page")) == {"weight"}
    for wrong in (state, state | {TRUNK_DIGEST: digest + 1}):
        with pytest.raises(InputError, match=r"of atom .* trained on this version's trunk.*see a page"):
            without_digest(wrong, trunk, "atom", "a page")
