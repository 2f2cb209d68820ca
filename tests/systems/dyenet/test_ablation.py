"""The rows of Table 1 as systems."""

from __future__ import annotations

from pathlib import Path

import pytest

from shibori.errors import InputError
from shibori.nn.weights import save_state
from shibori.systems.dyenet.ablation import ROWS, ablation_rows
from shibori.systems.dyenet.ensemble import Ensemble
from shibori.systems.dyenet.inference import DyeNetPropagator
from shibori.systems.dyenet.variant import VARIANTS

from .made import made_propagator, strong_state


def test_the_papers_table_1():
    """J&F on DAVIS 2017 test-dev, and what each row adds: attention +3.0, Re-ID +7.2, the rest +1.1."""
    published = {variant: score for variant, _, score in ROWS}
    assert list(published) == [*VARIANTS, "combined+advanced"]
    assert published["remp"] - published["remp-no-attention"] == pytest.approx(0.030)
    assert published["reid"] - published["remp"] == pytest.approx(0.072)
    assert published["advanced"] - published["reid"] == pytest.approx(0.011)
    assert {published[ours] for ours in ("matched", "combined-no-reid", "combined", "combined+advanced")} == {None}


def test_each_row_builds_its_variant_with_the_same_weights(tmp_path: Path):
    save_state(tmp_path / "w.safetensors", strong_state(), "dyenet", "tiny")
    rows = ablation_rows("tiny", "cpu", tmp_path / "w.safetensors")
    assert [(text, published) for text, published, _ in rows] == [(text, published) for _, text, published in ROWS]
    for (_, _, build), variant in zip(rows, [*VARIANTS.values(), VARIANTS["combined"]], strict=True):
        propagator = build()
        assert isinstance(propagator, DyeNetPropagator)
        assert propagator.recurrent.variant == variant
    assert isinstance(propagator.recurrent, Ensemble)  # the last row's
    assert [partner.variant for partner in propagator.recurrent.partners] == [VARIANTS["advanced"]]


def test_no_preset_and_no_weights(tmp_path: Path):
    with pytest.raises(InputError, match="expected a preset of dyenet"):
        ablation_rows("giant")
    with pytest.raises(InputError, match="expected weights at"):
        ablation_rows("tiny", weights=tmp_path / "none.safetensors")


def test_the_rows_that_are_tracked_have_the_tracker_ahead(tmp_path: Path):
    save_state(tmp_path / "w.safetensors", strong_state(), "dyenet", "tiny")
    ahead = made_propagator()
    rows = ablation_rows("tiny", "cpu", tmp_path / "w.safetensors", lambda: ahead)
    built = [build() for _, _, build in rows]
    assert [propagator.tracker is ahead for propagator in built if isinstance(propagator, DyeNetPropagator)] == [
        variant.startswith("combined") for variant, _, _ in ROWS
    ]
