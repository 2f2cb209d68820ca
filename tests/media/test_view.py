from __future__ import annotations

import numpy as np
import pytest

from shibori.errors import InputError
from shibori.media.view import decode_runs, encode_runs, mask_from_view, mask_view, smaller, view_size


def test_views_are_never_larger():
    assert view_size((1080, 1920)) == (720, 1280)
    assert view_size((2000, 1000)) == (1280, 640)
    assert view_size((24, 32)) == (24, 32)
    assert view_size((1, 5000)) == (1, 1280)


def test_pictures_become_smaller_by_averages():
    image = np.zeros((4, 4, 3), np.uint8)
    image[:, ::2] = 100
    assert (smaller(image, (2, 2)) == 50).all()
    assert smaller(image, (4, 4)) is image


def test_masks_keep_their_area_through_a_view():
    rows, columns = np.mgrid[:300, :400]
    mask = (rows - 150) ** 2 + (columns - 200) ** 2 < 90**2
    back = mask_from_view(mask_view(mask, (120, 160)), (300, 400))
    assert (back != mask).sum() < 0.03 * mask.sum()


@pytest.mark.parametrize("seed", range(4))
def test_runs_row_by_row(seed):
    mask = np.random.default_rng(seed).random((7, 9)) > 0.5
    counts = encode_runs(mask)
    flat = [bool(place % 2) for place, count in enumerate(counts) for _ in range(count)]
    assert flat == mask.ravel().tolist()
    assert (decode_runs(counts, (7, 9)) == mask).all()


def test_runs_of_one_value():
    assert encode_runs(np.zeros((2, 3), bool)) == [6]
    assert encode_runs(np.ones((2, 3), bool)) == [0, 6]
    assert not decode_runs([6], (2, 3)).any()


@pytest.mark.parametrize("counts", [[], [5], [7], [8, -2]])
def test_other_runs_are_refused(counts):
    with pytest.raises(InputError, match="expected runs over 3x2"):
        decode_runs(counts, (2, 3))
