"""Segmentations of every COCO kind become the same code; what is damaged is refused by name."""

from __future__ import annotations

import numpy as np
import pytest

from shibori.errors import InputError
from shibori.media.rle import decode_rle, encode_rle
from shibori.media.segmentation_code import check_totals, mask_ious, run_totals, segmentation_to_rle

SIZE = (9, 14)


def masks(count: int = 30) -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    drawn = [rng.uniform(size=SIZE) < share for share in rng.uniform(0, 1, count)]
    return [*drawn, np.zeros(SIZE, bool), np.ones(SIZE, bool)]


def test_plain_runs_and_compressed_ones_are_the_same():
    for mask in masks():
        pixels = mask.T.ravel()
        changes = np.flatnonzero(pixels != np.concatenate([[False], pixels[:-1]]))
        counts = np.diff(np.concatenate([[0], changes, [pixels.size]])).tolist()
        code = segmentation_to_rle({"size": list(SIZE), "counts": counts}, SIZE, "x")
        np.testing.assert_array_equal(decode_rle(code), mask)
        assert segmentation_to_rle(encode_rle(mask), SIZE, "x") == encode_rle(mask)


def test_polygons_are_filled():
    code = segmentation_to_rle([[2, 1, 6, 1, 6, 5, 2, 5], [10, 2, 12, 2, 12, 4, 10, 4]], SIZE, "x")
    expected = np.zeros(SIZE, bool)
    expected[1:5, 2:6] = expected[2:4, 10:12] = True
    np.testing.assert_array_equal(decode_rle(code), expected)


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("abc", "no segmentation"),
        ({"size": [9, 14]}, "no segmentation"),
        ([[1, 2, 3]], "no segmentation"),
        ([], "no segmentation"),
        ({"size": [14, 9], "counts": "0"}, "is 9x14 pixels, but its video is 14x9"),
        ({"size": "big", "counts": "0"}, "expected .height, width."),
        ({"size": [9, 14], "counts": "a b"}, "no run-length code: 'a b'"),
        ({"size": [9, 14], "counts": "0o"}, "no run-length code"),  # says that it goes on, and does not
        ({"size": [9, 14], "counts": ""}, "no run-length code"),
        ({"size": [9, 14], "counts": [3, 4]}, "do not fill its 14x9 pixels"),
        ({"size": [9, 14], "counts": [-1, 127]}, "do not fill"),
    ],
)
def test_what_is_none_is_refused(value, sentence):
    with pytest.raises(InputError, match=f"result 3, frame 1 .*{sentence}"):
        segmentation_to_rle(value, SIZE, "result 3, frame 1")


def test_totals_are_all_pixels():
    codes = [encode_rle(mask)["counts"] for mask in masks()]
    assert run_totals(codes).tolist() == [SIZE[0] * SIZE[1]] * len(codes)
    large = np.zeros((1080, 1920), bool)
    large[200:900:7, 300:1500] = True
    assert run_totals([encode_rle(large)["counts"], "0", codes[0]]).tolist() == [1080 * 1920, 0, SIZE[0] * SIZE[1]]


def test_a_code_cut_short_is_named():
    codes = [encode_rle(mask) for mask in masks(4)]
    counts = codes[2]["counts"]
    cut = next(counts[:end] for end in range(len(counts) - 1, 0, -1) if counts[end - 1] < "P")
    codes[2] = {"size": list(SIZE), "counts": cut}
    with pytest.raises(InputError, match=r"^c has a run-length code for \d+ pixels, but is 14x9"):
        check_totals(codes, list("abcdef"))
    check_totals([], [])


def test_totals_are_checked_in_pieces(monkeypatch):
    monkeypatch.setattr("shibori.media.segmentation_code._CHUNK", 20)
    codes = [encode_rle(mask) for mask in masks(12)]
    check_totals(codes, [""] * len(codes))
    codes[-1] = {"size": [9, 15], "counts": codes[-1]["counts"]}
    with pytest.raises(InputError, match="last has"):
        check_totals(codes, [""] * (len(codes) - 1) + ["last"])


def test_overlaps_equal_pixels_and_nothing_meets_nothing():
    drawn = masks(6)
    codes = [encode_rle(mask) for mask in drawn]
    ious = mask_ious(codes, codes[2:])
    for row, one in zip(ious, drawn, strict=True):
        for iou, two in zip(row, drawn[2:], strict=True):
            together = (one | two).sum()
            assert iou == pytest.approx((one & two).sum() / together if together else 0)
    assert mask_ious([], codes).shape == (0, 8)
    assert mask_ious(codes, []).shape == (8, 0)
