"""The rows: each differs from the one before in what it says."""

from __future__ import annotations

import torch

from shibori.nn.weights import save_state
from shibori.systems.strnn.ablation import LAST_ROUND, PAPER_FIGURES, ablation_rows
from shibori.systems.strnn.hybrid import HybridSegmenter
from shibori.systems.strnn.inference import StrnnSegmenter
from shibori.systems.strnn.model import build_strnn
from shibori.tracking.shipped import load_shipped

from ...holder import Holder


def test_every_row_is_what_it_says(tmp_path):
    network = build_strnn("compact")
    load_shipped(network)
    save_state(tmp_path / "w.safetensors", network.own_state(), "strnn", "compact")
    refiner = object()
    rows = ablation_rows("compact", "cpu", tmp_path / "w.safetensors", Holder, lambda: refiner)
    built = [build() for _, _, build in rows]
    plain, spatial, temporal, resampled, carried, ours, every, painted, whole = built
    for row in (plain, spatial, temporal, resampled):
        assert isinstance(row, StrnnSegmenter)
        assert row.rule.kernel is None
        assert row.rule.approved_samples == 0
    assert [row.rule.resample for row in built[:4]] == [False, False, False, True]
    assert (spatial.linked, temporal.linked) == (False, True)
    assert isinstance(ours, StrnnSegmenter)
    assert ours.rule.kernel is not None
    for row in (carried, every, painted, whole):
        assert isinstance(row, HybridSegmenter)
    assert (carried.first_round, every.first_round) == (LAST_ROUND, 1)
    assert [row.prompts for row in (carried, every, painted, whole)] == [False, False, True, True]
    assert [row.refiner for row in (carried, every, painted, whole)] == [None, None, None, refiner]
    assert carried.pixels.rule.kernel is None
    assert [figures for _, figures, _ in rows].count(PAPER_FIGURES) == 1
    images = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        features, _ = plain.network(images)
        key = plain.network.tracker.encode(images).key
    wide = torch.nn.functional.interpolate(key, scale_factor=2.0, mode="bilinear")
    assert (features * torch.nn.functional.normalize(wide, dim=1)).sum(1).min() > 0.98
