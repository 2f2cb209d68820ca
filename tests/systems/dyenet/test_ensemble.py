"""Several variants at once: an ensemble of one variant with itself is that variant, another's voice counts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from shibori.errors import InputError
from shibori.systems.dyenet.build import build_dyenet_propagator
from shibori.systems.dyenet.ensemble import Ensemble
from shibori.systems.dyenet.frame import FrameView

from .made import CREDULOUS, SIZE_HW, frame, frames, made_propagator, rectangle

ONE = rectangle(5, 5, 30, 30)


def logits_of(variant: str) -> list[np.ndarray]:
    """Log-odds of one object in three frames."""
    propagator = made_propagator(CREDULOUS, variant)
    run = propagator.begin(SIZE_HW).run
    run.step(frame(0), {1: ONE})
    return [run.step(frame(t), {}).seen[0].answer.logits for t in (1, 2, 3)]


def test_an_ensemble_of_a_variant_with_itself_is_that_variant() -> None:
    for alone, twice in zip(logits_of("combined"), logits_of("combined+combined"), strict=True):
        np.testing.assert_allclose(twice, alone, atol=1e-4)


def test_the_log_odds_are_the_mean_of_the_members() -> None:
    """In the first frame, before their common mask has changed what either carries."""
    one, other, both = (logits_of(variant)[0] for variant in ("combined", "advanced", "combined+advanced"))
    np.testing.assert_allclose(both, (one + other) / 2, atol=1e-4)
    assert np.abs(one - other).max() > 0.1


def test_members_that_look_at_regions_of_another_size_meet_on_one_grid() -> None:
    """``reid`` sees a square of m x m, ``combined`` a patch of the window's shape."""
    masks = list(made_propagator(CREDULOUS, "combined+reid").propagate(frames(5), {0: {1: ONE}}).masks())
    assert len(masks) == 5
    assert all(found.ids.shape == SIZE_HW for found in masks)


def test_each_network_computes_its_features_once_a_frame() -> None:
    recurrent = made_propagator(CREDULOUS, "combined+advanced").recurrent
    assert isinstance(recurrent, Ensemble)
    partner = recurrent.partners[0]
    view = FrameView(recurrent.network, frame(0), frame(1), made_propagator().flow, recurrent.device)
    assert view.under(recurrent.network) is view
    assert view.under(partner.network) is view.under(partner.network)
    assert view.under(partner.network).flow_backward is view.flow_backward


def test_a_file_of_weights_is_for_one_preset() -> None:
    with pytest.raises(InputError, match="one preset with a file of weights"):
        build_dyenet_propagator("compact+tiny", weights=Path("some.safetensors"))


def test_an_unknown_member() -> None:
    with pytest.raises(InputError, match="expected a variant of dyenet"):
        made_propagator(CREDULOUS, "combined+nothing")
