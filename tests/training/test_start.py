"""Where a run begins, with a made network on a frozen part."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from shibori.errors import InputError
from shibori.nn.frozen import FrozenTrunkNetwork
from shibori.nn.weights import save_state
from shibori.training.start import StartConfig, starting_network


class Head(FrozenTrunkNetwork):
    system, frozen_name, digest_name, frozen_preset = "head", "trunk", "trunk_digest", "one"

    def __init__(self) -> None:
        super().__init__()
        self.trunk, self.own = nn.Linear(2, 2), nn.Linear(2, 1)

    @property
    def frozen(self) -> nn.Module:
        return self.trunk


class Builds:
    """Notes whether public weights were asked for, and what the frozen part was given to."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, bool]] = []
        self.digests: list[bool] = []

    def build(self, preset: str, pretrained: bool) -> Head:
        self.asked.append((preset, pretrained))
        return Head()

    def load_frozen(self, head: Head) -> None:
        self.digests.append(bool(head.digest.any()))

    def start(self, config: StartConfig) -> Head:
        return starting_network(config, "head", ("one", "two"), self.build, self.load_frozen)


@pytest.fixture
def config(tmp_path: Path) -> StartConfig:
    return StartConfig(out=tmp_path / "run", steps=1, preset="one")


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """Trained on a frozen part of their own."""
    head = Head()
    head.digest.fill_(7)
    save_state(tmp_path / "head.safetensors", head.own_state(), "head", "one")
    return tmp_path / "head.safetensors"


def test_what_is_about_to_be_replaced_is_not_fetched(config: StartConfig, weights: Path):
    builds = Builds()
    for each in (
        config,
        replace(config, pretrained=False),
        replace(config, start=weights),
        replace(config, resume=True),
    ):
        builds.start(each)
    assert builds.asked == [("one", True), ("one", False), ("one", False), ("one", False)]


def test_weights_are_taken_up_and_go_on_with_this_versions_frozen_part(config: StartConfig, weights: Path):
    builds = Builds()
    first, second = (builds.start(replace(config, start=weights)) for _ in range(2))
    torch.testing.assert_close(first.own.weight, second.own.weight, rtol=0, atol=0)
    assert not first.trunk.weight.equal(second.trunk.weight)
    assert builds.digests == [False, False]


def test_what_is_refused(config: StartConfig, weights: Path):
    builds = Builds()
    with pytest.raises(InputError, match=r"expected a preset of head \(one, two\), found 'three'"):
        builds.start(replace(config, preset="three"))
    with pytest.raises(InputError, match="expected weights of head/two, found head/one"):
        builds.start(replace(config, preset="two", start=weights))
    save_state(weights, {"own.bias": torch.zeros(1)}, "head", "one")
    with pytest.raises(InputError, match="found parameters that do not fit"):
        builds.start(replace(config, start=weights))
