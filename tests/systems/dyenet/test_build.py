"""From a name and a file to a system: what is refused, and that a file gives what is in memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from shibori.errors import InputError
from shibori.nn.weights import save_state
from shibori.systems import PROPAGATORS
from shibori.systems.dyenet.build import build_dyenet_propagator, propagator_from_state, with_tracker
from shibori.systems.dyenet.inference import DyeNetPropagator
from shibori.systems.dyenet.rule import DyeNetRule
from shibori.tracking.propagator import MaskPropagator

from .made import CREDULOUS, frames, made_propagator, rectangle, strong_state

ONE = {0: {1: rectangle(5, 5, 30, 30)}}


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "w.safetensors"
    save_state(path, strong_state(), "dyenet", "tiny")
    return path


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"preset": "huge"}, "expected a preset of dyenet"),
        ({"size": 8}, "working size of at least 64"),
        ({"device": "abacus"}, "expected a device"),
        ({"preset": "compact"}, "expected weights of dyenet/compact, found dyenet/tiny"),
        ({"online_steps": -1}, "expected 0 or more steps of online training"),
        ({"weights": Path("nowhere.safetensors")}, "expected weights at nowhere.safetensors"),
    ],
)
def test_bad_options_are_refused(weights: Path, options: dict, message: str):
    with pytest.raises(InputError, match=message) as caught:
        build_dyenet_propagator(**{"preset": "tiny", "device": "cpu", "weights": weights} | options)
    assert "\n" not in str(caught.value)


def test_a_variant_that_is_not_there():
    with pytest.raises(InputError, match=r"expected a variant of dyenet \(msk, .*, combined\), found 'best'"):
        propagator_from_state(strong_state(), "tiny", "cpu", "best")


def test_parameters_that_do_not_fit():
    with pytest.raises(InputError, match="expected weights of this preset"):
        propagator_from_state({}, "tiny", "cpu")


def test_weights_from_a_file_follow_like_those_in_memory(weights: Path):
    state = {k: v.half().float() if v.is_floating_point() else v for k, v in strong_state().items()}
    from_file = list(
        PROPAGATORS["dyenet"](preset="tiny", device="cpu", weights=weights).propagate(frames(3), ONE).masks()
    )
    in_memory = list(propagator_from_state(state, "tiny", "cpu").propagate(frames(3), ONE).masks())
    for one, other in zip(from_file, in_memory, strict=True):
        np.testing.assert_array_equal(one.ids, other.ids)
        assert one.statuses == other.statuses


def test_a_tracker_goes_ahead_where_the_variant_has_one():
    plain, ahead = made_propagator(), made_propagator()
    led = with_tracker(lambda: ahead, plain)
    assert led.tracker is ahead
    assert led.recurrent is plain.recurrent
    assert with_tracker(None, plain) is plain
    for variant in ("matched", "advanced", "reid"):
        assert with_tracker(lambda: ahead, made_propagator(variant=variant)).tracker is None


def test_the_system_by_its_name_has_the_pixel_tracker_ahead(weights: Path):
    assert isinstance(PROPAGATORS["dyenet"](device="cpu").tracker, MaskPropagator)
    assert PROPAGATORS["dyenet"](device="cpu", size=256).tracker.tracker.config.window.area_side == 256
    assert PROPAGATORS["dyenet"](preset="tiny", device="cpu", weights=weights).tracker is None


def test_the_working_side_is_that_of_the_patches(weights: Path):
    built = [build_dyenet_propagator("tiny", "cpu", size, weights) for size in (None, 96)]
    sides = [propagator.recurrent.config.window.area_side for propagator in built]
    assert sides == [DyeNetRule().tracker.window.area_side, 96]


def test_nothing_of_a_system_can_be_trained_any_more():
    network = made_propagator().recurrent.network
    assert not any(parameter.requires_grad for parameter in network.parameters())
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d)]
    assert norms
    assert not any(norm.training for norm in norms)


def test_online_training_starts_with_the_first_masks_and_changes_what_follows(monkeypatch: pytest.MonkeyPatch):
    """What it is given, that it happens once a run, and that other runs do not feel it."""
    given = []

    def trained(network, image, masks, variant, steps, device):
        given.append((image, dict(masks), steps))
        with torch.no_grad():
            network.propagation.output[2].bias += 50

    monkeypatch.setattr("shibori.systems.dyenet.online.train_online", trained)
    propagator = propagator_from_state(strong_state(), "tiny", "cpu", rule=CREDULOUS, online_steps=7)
    assert isinstance(propagator, DyeNetPropagator)
    source, references = frames(4), {1: ONE[0], 3: {1: rectangle(8, 5, 33, 30)}}
    masks = list(propagator.propagate(source, references).masks())
    ((image, first, steps),) = given
    np.testing.assert_array_equal(image, source.read(1))
    np.testing.assert_array_equal(first[1], ONE[0][1])
    assert steps == 7
    plain = list(made_propagator(CREDULOUS).propagate(source, references).masks())
    assert (masks[2].ids == 1).sum() > (plain[2].ids == 1).sum()
    run = propagator.begin(source.size_hw)
    run.step(source.read(0))
    assert len(given) == 1
    run.step(source.read(1), ONE[0])
    run.step(source.read(2))
    assert len(given) == 2
