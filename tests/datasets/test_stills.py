"""Reading folders of photographs that the test writes itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from shibori.datasets.stills import read_stills
from shibori.errors import InputError

from .made import made_still, write_still


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for set_name, seeds in (("first", (0, 1)), ("second", (2,))):
        for seed in seeds:
            still = made_still(seed)
            write_still(tmp_path / set_name, f"photo{seed}", still.image, still.ids)
    return tmp_path


def test_all_sets_or_the_named_ones(root: Path):
    assert len(read_stills(root)) == 3
    assert len(read_stills(root, ["second"])) == 1


def test_pixels_and_ids_are_exact(root: Path):
    (found,) = read_stills(root, ["second"])
    made = made_still(2)
    np.testing.assert_array_equal(found.image, made.image)
    np.testing.assert_array_equal(found.ids, made.ids)
    assert found.object_ids == (1, 2)
    assert not found.regions


def test_void_tiny_thin_and_huge_objects_are_not_followed(tmp_path: Path):
    still = made_still()
    ids = np.zeros((200, 200), np.uint8)
    ids[:, :160] = 9  # four fifths of the picture
    ids[10:14, 10:110] = 1  # thin
    ids[50:60, 10:20] = 2  # small
    ids[100:140, 10:50] = 3
    ids[150:190, 165:195] = 255  # void
    write_still(tmp_path / "set", "photo", np.resize(still.image, (200, 200, 3)), ids)
    (found,) = read_stills(tmp_path)
    assert found.object_ids == (3,)


def test_masks_that_cover_everything_are_regions(tmp_path: Path):
    ids = np.ones((80, 80), np.uint8)
    ids[:, 40:] = 2
    write_still(tmp_path / "set", "photo", np.zeros((80, 80, 3), np.uint8), ids)
    assert read_stills(tmp_path)[0].regions


def test_photographs_without_a_mask_or_an_object_are_left_out(root: Path):
    still = made_still()
    write_still(root / "second", "empty", still.image, np.zeros_like(still.ids))
    write_still(root / "second", "alone", still.image, still.ids)
    (root / "second" / "masks" / "alone.png").unlink()
    assert len(read_stills(root, ["second"])) == 1


@pytest.mark.parametrize("make", [lambda p: None, lambda p: (p / "set" / "images").mkdir(parents=True)])
def test_nothing_to_read(tmp_path: Path, make):
    make(tmp_path)
    with pytest.raises(InputError, match="found none"):
        read_stills(tmp_path)


@pytest.mark.parametrize("ids", [np.zeros((90, 120, 3), np.uint8), np.ones((45, 60), np.uint8)])
def test_mask_of_another_kind_or_size(tmp_path: Path, ids: np.ndarray):
    write_still(tmp_path / "set", "photo", made_still().image, ids)
    with pytest.raises(InputError, match=r"expected a one-channel mask of \(90, 120\) pixels.*photo.png"):
        read_stills(tmp_path)


@pytest.mark.parametrize("kind", ["images", "masks"])
def test_damaged_file_is_named(root: Path, kind: str):
    (root / "second" / kind / "photo2.png").write_bytes(b"\x89PNG nonsense")
    with pytest.raises(InputError, match=f"{kind}/photo2.png unreadable"):
        read_stills(root)
