"""The rows of Table 1: each with its tracker, and the paper's figures beside."""

from __future__ import annotations

import pytest

from shibori.errors import InputError
from shibori.nn.weights import save_state
from shibori.systems.trackprop.ablation import ROWS, ablation_rows
from shibori.systems.trackprop.model import build_trackprop
from shibori.systems.trackprop.rule import RULES


def test_the_papers_figures_stand_beside_its_rows():
    rows = ablation_rows("compact")
    assert [published for _, published, _ in rows[:3]] == [(0.635, 0.670), (0.702, 0.731), (0.766, 0.780)]
    assert all(published is None for _, published, _ in rows[3:])
    assert len(rows) == len(ROWS)
    assert len(ablation_rows("paper")) == 3


def test_a_row_is_a_segmenter(tmp_path):
    weights = tmp_path / "weights.safetensors"
    save_state(weights, build_trackprop("tiny").own_state(), "trackprop", "tiny")
    rows = {text: build for text, _, build in ablation_rows("tiny", "cpu", weights)}
    alone, matched = rows["without tracker"](), rows["without tracker + matches of the pixel tracker (ours)"]()
    assert not alone.rule.propagation.matching
    assert matched.rule.propagation.matching
    assert (alone.rule.propagation.inertia, matched.rule.propagation.inertia) == (0, RULES["tiny"].propagation.inertia)
    assert alone.tracker is None


def test_another_preset_is_refused():
    with pytest.raises(InputError, match="preset of trackprop"):
        ablation_rows("huge")
