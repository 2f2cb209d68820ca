"""How the samples of an interactive session begin: the truth of a sequence, and the first scribbles drawn on it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from shibori.datasets.annotated_sequence import AnnotatedSequence
from shibori.errors import InputError
from shibori.evaluation import robot
from shibori.media.mask import object_ids
from shibori.media.scribble import Scribbles, Stroke, read_scribbles

Ids = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Truth:
    """The ground truth of a sequence, all of it."""

    sequence: AnnotatedSequence
    ids: tuple[Ids, ...]
    """T maps (H, W)."""
    object_ids: tuple[int, ...]
    """Of all frames, ascending."""


def read_truth(sequence: AnnotatedSequence) -> Truth:
    """Read every mask of a sequence. InputError where one is missing or none shows an object."""
    ids = tuple(sequence.read_ids(index) for index in range(sequence.num_frames))
    found = sorted({object_id for frame in ids for object_id in object_ids(frame)})
    if not found:
        raise InputError(f"the ground truth of {sequence.name} shows no object in any frame: there is nothing to mark")
    return Truth(sequence, ids, tuple(found))


def starting_scribbles(truth: Truth, folder: Path | None, num_starts: int, seed: int) -> list[Scribbles]:
    """The first scribbles of a sequence: one of each file that people drew, or ``num_starts`` by the robot.

    Raises:
        InputError: a file is damaged or has marks of frames or objects that the sequence does not have.
    """
    sequence = truth.sequence
    files = scribble_files(sequence, folder)
    if files:
        return [_read_start(path, truth) for path in files]
    starts = []
    for start in range(1, num_starts + 1):
        rng = np.random.default_rng((seed, crc32(sequence.name.encode()), start))
        strokes = robot.start(truth.ids, truth.object_ids, rng)
        starts.append(scribbles_of(truth, strokes, next(iter(strokes))))
    return starts


def scribble_files(sequence: AnnotatedSequence, folder: Path | None) -> list[Path]:
    """The first scribbles that people drew for a sequence: ``<sequence>/001.json`` and so on."""
    return sorted((folder / sequence.name).glob("*.json")) if folder is not None else []


def _read_start(path: Path, truth: Truth) -> Scribbles:
    scribbles = read_scribbles(path, truth.sequence.num_frames)
    drawn = {stroke.object_id for frame in scribbles.strokes for stroke in frame}
    unknown = sorted(drawn - {0, *truth.object_ids})
    if unknown or not drawn - {0}:
        found = f"object {unknown[0]}" if unknown else "no object"
        raise InputError(
            f"{path} marks {found}, but the ground truth of {truth.sequence.name} has objects "
            f"{', '.join(map(str, truth.object_ids))}: give scribbles for these"
        )
    return scribbles


def scribbles_of(truth: Truth, strokes: dict[int, tuple[Stroke, ...]], annotated_frame: int) -> Scribbles:
    """Strokes of some frames of a sequence as its scribbles."""
    frames = tuple(strokes.get(index, ()) for index in range(truth.sequence.num_frames))
    return Scribbles(truth.sequence.name, frames, annotated_frame)
