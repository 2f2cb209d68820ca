"""The folder of training data: photographs are needed, real clips are not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from shibori.datasets.training_folder import read_multi_objects, read_training_folder
from shibori.errors import InputError

from .made import made_still, moving_disk, write_davis, write_objects, write_still


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    still = made_still(0)
    write_still(tmp_path / "stills" / "made", "photo", still.image, still.ids)
    return tmp_path


def test_photographs_are_enough(folder: Path):
    stills, sequences = read_training_folder(folder, "train")
    assert len(stills) == 1
    assert sequences == []


def test_sequences_of_the_split(folder: Path):
    write_davis(folder / "davis2016", {"disk": moving_disk(3)}, "train")
    assert [sequence.name for sequence in read_training_folder(folder, "train")[1]] == ["disk"]
    with pytest.raises(InputError, match="no list of split dev"):
        read_training_folder(folder, "dev")


def test_clips_alone_are_not(tmp_path: Path):
    write_davis(tmp_path / "davis2016", {"disk": moving_disk(3)}, "train")
    with pytest.raises(InputError, match="expected a folder stills/"):
        read_training_folder(tmp_path, "train")


def test_objects_of_both_folders_that_have_several(folder: Path):
    assert read_multi_objects(folder, "train") == []
    ids = np.zeros((2, 20, 30), np.uint8)
    ids[:, 3:9, 3:9], ids[:, 3:9, 15:21] = 1, 2
    for root, names in (("multi", ("cat", "dog")), ("davis2017-multi", ("hen",))):
        for name in names:
            write_objects(folder / root, name, list(ids))
    lists = folder / "multi" / "ImageSets" / "2017"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("dog\n")
    found = read_multi_objects(folder, "train")
    assert [sequence.name for sequence in found] == ["dog", "dog", "hen", "hen"]
    assert [int((sequence.masks[0] == 1).argmax()) % 30 for sequence in found] == [3, 15, 3, 15]
    with pytest.raises(InputError, match="no list of split dev"):
        read_multi_objects(folder, "dev")
