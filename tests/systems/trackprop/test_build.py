"""From names to a segmenter: presets, sizes, what is not there."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from shibori.errors import InputError
from shibori.nn.weights import save_state
from shibori.systems.trackprop.build import build_trackprop_segmenter, segmenter_from_state, sized
from shibori.systems.trackprop.model import build_trackprop
from shibori.systems.trackprop.rule import RULES


def test_a_file_becomes_a_segmenter(tmp_path):
    network = build_trackprop("tiny")
    save_state(tmp_path / "weights.safetensors", network.own_state(), "trackprop", "tiny")
    segmenter = build_trackprop_segmenter("tiny", "cpu", 96, tmp_path / "weights.safetensors")
    assert segmenter.rule.propagation.config.window.area_side == 96
    assert segmenter.tracker is None
    assert segmenter.network.matcher_digest.any()
    assert not segmenter.network.training


def test_the_working_size_is_that_of_the_regions():
    assert sized(RULES["paper"], 257).propagation.config.window.fixed_side == 257
    assert sized(RULES["compact"], 320).propagation.config.window.area_side == 320
    assert sized(RULES["compact"], None) is RULES["compact"]
    with pytest.raises(InputError, match="at least 64"):
        sized(RULES["compact"], 20)


def test_a_rule_can_be_given():
    rule = replace(RULES["tiny"], propagation=replace(RULES["tiny"].propagation, matching=False))
    state = build_trackprop("tiny").own_state()
    assert segmenter_from_state(state, "tiny", "cpu", rule=rule, dtype=torch.float32).rule is rule


def test_what_is_not_there_is_said(tmp_path):
    with pytest.raises(InputError, match="preset of trackprop"):
        build_trackprop_segmenter("huge")
    with pytest.raises(InputError, match="found no such file"):
        build_trackprop_segmenter("compact", weights=tmp_path / "none.safetensors")
    state = build_trackprop("compact").own_state()
    with pytest.raises(InputError, match="do not fit"):
        segmenter_from_state(state, "tiny", "cpu")
