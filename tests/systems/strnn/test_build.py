"""From names and files to a segmenter, or a sentence about what is wrong."""

from __future__ import annotations

import pytest
import torch

from shibori.errors import InputError
from shibori.nn.weights import load_state, save_state
from shibori.systems.strnn.build import build_strnn_segmenter
from shibori.systems.strnn.model import build_strnn


@pytest.fixture
def weights(tmp_path):
    torch.manual_seed(0)
    save_state(tmp_path / "w.safetensors", build_strnn("tiny").state_dict(), "strnn", "tiny")
    return tmp_path / "w.safetensors"


def test_a_size_of_ones_own(weights):
    assert build_strnn_segmenter("tiny", "cpu", 128, weights).rule.short_side == 128
    assert build_strnn_segmenter("tiny", "cpu", None, weights).rule.short_side == 96


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"preset": "giant"}, "expected a preset of strnn"),
        ({"preset": "compact"}, "expected weights of strnn/compact, found strnn/tiny"),
        ({"device": "abacus"}, "expected a device"),
        ({"size": 10}, "expected a working size of at least 64 pixels, found 10"),
    ],
)
def test_what_is_refused(weights, options, message):
    with pytest.raises(InputError, match=message):
        build_strnn_segmenter(**({"preset": "tiny", "device": "cpu", "weights": weights} | options))


def test_parameters_that_do_not_fit(weights):
    state = load_state(weights, "strnn")
    state.pop("rnn.spatial")
    save_state(weights, state, "strnn", "tiny")
    with pytest.raises(InputError, match="found parameters that do not fit it"):
        build_strnn_segmenter("tiny", "cpu", None, weights)
