from __future__ import annotations

import numpy as np
import pytest

from shibori.media.overlay import object_colour, overlay_image
from shibori.media.sheet import contact_sheet


def test_only_marked_places_change():
    image = np.full((60, 80, 3), 120, np.uint8)
    ids = np.zeros((60, 80), np.uint8)
    ids[20:40, 20:50] = 7
    drawn = overlay_image(image, ids, [2, 7])
    assert (image == 120).all()
    away = np.ones((60, 80), bool)
    away[16:44, 16:54] = False
    assert (drawn[away] == 120).all()
    expected = 0.58 * 120 + 0.42 * np.array(object_colour(1))
    assert np.abs(drawn[30, 35] - expected).max() <= 1


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_empty_and_void_are_left_alone(dtype):
    image = np.full((10, 12, 3), 9, np.uint8)
    assert (overlay_image(image, np.zeros((10, 12), dtype), [1]) == image).all()
    assert (overlay_image(image, np.full((10, 12), 255, dtype), [1, 2]) == image).all()
    assert (overlay_image(image, np.zeros((10, 12), dtype), []) == image).all()


def test_colours_are_distinct():
    colours = np.array([object_colour(slot) for slot in range(24)], int)
    distances = np.abs(colours[:, None] - colours[None]).sum(-1) + 999 * np.eye(24, dtype=int)
    assert distances[:10, :10].min() > 60
    assert distances.min() > 0


def test_contact_sheet_places_pictures_in_rows():
    pictures = [np.full((30, 40, 3), 50 * i, np.uint8) for i in range(1, 4)]
    sheet = contact_sheet(pictures, 2)
    assert sheet.shape == (10 + 2 * 40, 10 + 2 * 50, 3)
    assert (sheet[10:40, 10:50] == 50).all()
    assert (sheet[10:40, 60:100] == 100).all()
    assert (sheet[50:80, 10:50] == 150).all()
    labelled = contact_sheet(pictures, 2, ["0", "1", "2"])
    assert labelled.shape == sheet.shape
    assert labelled[10:40, 10:50].max() > 200
