"""The folder that most systems are trained on: photographs with masks, and real clips where there are any."""

from __future__ import annotations

from pathlib import Path

from shibori.datasets.real_frames import RealSequence, read_multi_sequences, read_real_sequences
from shibori.datasets.stills import Still, read_stills
from shibori.errors import InputError


def read_training_folder(folder: Path, split: str) -> tuple[list[Still], list[RealSequence]]:
    """Read ``stills/``, and of ``davis2016/``, if it is there, the sequences of a split.

    Raises:
        InputError: if there are no photographs, or there is no such split.
    """
    stills, davis = stills_folder(folder), folder / "davis2016"
    return read_stills(stills), read_real_sequences(davis, split) if davis.is_dir() else []


def stills_folder(folder: Path) -> Path:
    """Where the photographs of a training folder are. InputError if it has none."""
    stills = folder / "stills"
    if not stills.is_dir():
        raise InputError(f"expected a folder stills/ with photographs and masks under {folder}, found none")
    return stills


def read_multi_objects(folder: Path, split: str) -> list[RealSequence]:
    """Each object of the clips in ``multi/`` and ``davis2017-multi/``, where they are there.

    Of the folders with lists the split, of those without every clip.

    Raises:
        InputError: if there is no such split.
    """
    roots = [root for root in (folder / "multi", folder / "davis2017-multi") if root.is_dir()]
    return [sequence for root in roots for sequence in read_multi_sequences(root, split)]
