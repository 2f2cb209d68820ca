from __future__ import annotations

import json

import numpy as np
import pytest

from shibori.media.rle import decode_rle, encode_rle, rle_area

MASK = np.random.default_rng(1).random((13, 17)) > 0.6


def counts_of(mask):
    """Uncompressed COCO runs, counted pixel by pixel down the columns."""
    runs, value = [0], False
    for pixel in mask.T.ravel():
        if pixel != value:
            runs.append(0)
            value = pixel
        runs[-1] += 1
    return runs


@pytest.mark.parametrize("mask", [MASK, np.zeros((3, 4), bool), np.ones((3, 4), bool)])
def test_round_trip_and_twin(mask):
    code = json.loads(json.dumps(encode_rle(mask)))
    assert code["size"] == list(mask.shape)
    assert (decode_rle(code) == mask).all()
    assert (decode_rle({"size": code["size"], "counts": counts_of(mask)}) == mask).all()
    assert (decode_rle({"size": code["size"], "counts": code["counts"].encode()}) == mask).all()
    assert rle_area(code) == mask.sum()


def test_runs_must_cover_the_mask():
    with pytest.raises(ValueError, match="runs of 5 pixels"):
        decode_rle({"size": [2, 3], "counts": [2, 3]})
