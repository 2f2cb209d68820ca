"""Photographs with classes, as far as anybody says."""

from __future__ import annotations

import json

import numpy as np
import pytest

from shibori.datasets.classed_stills import read_classed_objects, read_classed_stills
from shibori.datasets.classes import COARSE_OF, KIND_OF_SET
from shibori.errors import InputError

from .made import made_still, write_still


@pytest.fixture
def root(tmp_path):
    for folder in ("plain", "bottles", "bsds500"):
        still = made_still()
        write_still(tmp_path / folder, "one", still.image, still.ids)
    (tmp_path / "plain" / "classes.json").write_text(json.dumps({"one": {"2": "dog"}}))
    return tmp_path


def test_each_object_has_the_class_that_somebody_gave_it(root):
    plain, bottles = sorted(read_classed_stills(root), key=lambda still: still.set_name != "plain")
    assert (plain.kind_of(1), plain.kind_of(2)) == (None, "dog")
    assert (bottles.kind_of(1), bottles.kind_of(2)) == ("bottle", "bottle")


def test_pictures_and_masks_are_read_as_they_were_written(root):
    still, photograph = read_classed_stills(root)[0], made_still()
    assert np.array_equal(still.read_image(), photograph.image)
    assert np.array_equal(still.read_ids(), photograph.ids)


def test_every_set_of_one_kind_has_a_coarse_class():
    assert set(KIND_OF_SET.values()) <= set(COARSE_OF)


def test_the_held_out_tenth_is_that_of_the_composites(shared):
    folder = shared / "data" / "stills"
    held = {still.image_path.stem: still.is_held_out for still in read_classed_stills(folder)}
    objects = read_classed_objects(folder / "voc_seg")
    assert len(objects) > 1000
    assert all(held[each.still.image_path.stem] == each.is_held_out for each in objects)


def test_what_is_not_there_is_said(tmp_path, root):
    with pytest.raises(InputError, match="expected folders"):
        read_classed_stills(tmp_path / "nothing")
    still = read_classed_stills(root)[0]
    still.image_path.write_bytes(b"no picture")
    still.mask_path.write_bytes(b"no mask")
    with pytest.raises(InputError, match="not a picture"):
        still.read_image()
    with pytest.raises(InputError, match="no mask"):
        still.read_ids()
