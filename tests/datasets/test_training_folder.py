"""The folder of training data: photographs are needed, real clips are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from shibori.datasets.training_folder import read_training_folder
from shibori.errors import InputError

from .made import made_still, moving_disk, write_davis, write_still


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
