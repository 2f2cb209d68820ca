"""Soft edges, and pieces laid over what is below: each way against the plain formula."""

from __future__ import annotations

import numpy as np

from shibori.datasets.scene.blending import feathered, over_in_8_bits, over_in_float, over_premultiplied


def test_all_ways_to_lay_over_say_the_same():
    rng = np.random.default_rng(0)
    coverage = rng.uniform(0, 1, (9, 7)).astype(np.float32)
    colours, below = (rng.integers(0, 256, (9, 7, 3), np.uint8) for _ in range(2))
    expected = colours * coverage[..., None].astype(float) + below * (1 - coverage[..., None].astype(float))
    np.testing.assert_allclose(over_in_8_bits(coverage, colours, below), expected, atol=0.51)
    np.testing.assert_allclose(over_in_float(coverage, colours, below.astype(np.float32)), expected, rtol=1e-5)
    rgba = np.dstack([colours * coverage[..., None], coverage]).astype(np.float32)
    np.testing.assert_allclose(over_premultiplied(rgba, below.astype(np.float32)), expected, rtol=1e-5)


def test_a_piece_over_a_piece_keeps_its_alpha():
    half = np.full((2, 2, 4), 0.5, np.float32)
    np.testing.assert_allclose(over_premultiplied(half, half)[..., 3], 0.75)


def test_feathered_edges_are_soft_and_the_inside_is_whole():
    coverage = np.zeros((20, 20), np.float32)
    coverage[5:15, 5:15] = 1
    soft = feathered(coverage)
    assert soft[10, 10] == 1
    assert soft[0, 0] == 0
    assert ((soft > 0) & (soft < 1)).any()
