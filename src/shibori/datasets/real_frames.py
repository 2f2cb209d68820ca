"""Real clips in memory, and chosen frames of one as the base of a scene."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from shibori.datasets.davis import DavisSequence, read_davis
from shibori.datasets.stills import Still
from shibori.datasets.synthesis import OTHERS, cut_out


@dataclass(frozen=True)
class RealSequence:
    """A real clip with the masks of one object, kept in memory."""

    name: str
    images: tuple[NDArray[np.uint8], ...]
    masks: tuple[NDArray[np.uint8], ...]
    """1 the object, 2 the other objects that are marked, 0 the rest."""


def read_real_sequences(root: Path, split: str) -> list[RealSequence]:
    """The sequences of a split of a DAVIS 2016 folder, by name, all frames decoded.

    Raises:
        InputError: if there is no such split, or what it lists is not there or cannot be read.
    """
    sequences = sorted(read_davis(root, 2016, split), key=lambda sequence: sequence.name)
    return [_decoded(sequence) for sequence in sequences]


def read_multi_sequences(root: Path, split: str) -> list[RealSequence]:
    """As ``read_real_sequences``, of a DAVIS 2017 folder: each object of each sequence once, its annotated frames.

    The sequences of one clip have the same name and share their frames.
    """
    return [one for sequence in read_davis(root, 2017, split) for one in _each_object(sequence)]


def _each_object(sequence: DavisSequence) -> list[RealSequence]:
    frames = [frame for frame in range(sequence.num_frames) if sequence.has_ids(frame)]
    images = tuple(map(sequence.read_image, frames))
    maps = [sequence.read_ids(frame) for frame in frames]
    ids = sorted({int(value) for ids in maps for value in np.unique(ids)} - {0})
    labelled = [tuple(np.where(m == i, 1, np.where(m > 0, OTHERS, 0)).astype(np.uint8) for m in maps) for i in ids]
    return [RealSequence(sequence.name, images, labels) for labels in labelled]


def _decoded(sequence: DavisSequence) -> RealSequence:
    frames = range(sequence.num_frames)
    return RealSequence(sequence.name, tuple(map(sequence.read_image, frames)), tuple(map(sequence.read_ids, frames)))


@dataclass(frozen=True)
class RealFrames:
    """Chosen frames of a real sequence as the base of a scene."""

    sequence: RealSequence
    frames: tuple[int, ...]
    flipped: bool

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width of the frames."""
        height, width = self.sequence.images[0].shape[:2]
        return height, width

    def render(self, frame: int, window: NDArray[np.float64], size: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """See ``shibori.datasets.synthesis.Base``."""
        image, mask = self.sequence.images[self.frames[frame]], self.sequence.masks[self.frames[frame]]
        left, top, right, bottom = np.round(window).astype(int).tolist()
        if self.flipped:
            left, right = image.shape[1] - right, image.shape[1] - left
        rows, columns = slice(top, max(bottom, top + 2)), slice(left, max(right, left + 2))
        mode = _interpolation(right - left, size)
        small = cv2.resize(image[rows, columns], (size, size), interpolation=mode)
        step = -1 if self.flipped else 1
        labels = _shrunk_labels(mask[rows, columns], size, mode)[:, ::step]
        return np.ascontiguousarray(np.asarray(small)[:, ::step]), np.ascontiguousarray(labels)

    def start(self) -> tuple[NDArray[np.float64], float]:
        """Centre (2,) of the object in the first frame, and the root of its box's area, in pixels."""
        left, top, width, height = cv2.boundingRect((self._first_labels() == 1).astype(np.uint8))
        return np.array([left + width / 2, top + height / 2]), float(np.sqrt(max(width * height, 1)))

    def as_still(self) -> NDArray[np.uint8] | None:
        """(h, w, 4) the object of the first frame, cut out; None where it is not there or tiny."""
        labels = self._first_labels()
        if np.count_nonzero(labels == 1) < 100:
            return None
        step = -1 if self.flipped else 1
        image = np.ascontiguousarray(self.sequence.images[self.frames[0]][:, ::step])
        return cut_out(Still(image, labels, (1,), regions=False), 1)

    def _first_labels(self) -> NDArray[np.uint8]:
        return np.ascontiguousarray(self.sequence.masks[self.frames[0]][:, :: -1 if self.flipped else 1])


def _shrunk_labels(labels: NDArray[np.uint8], size: int, mode: int) -> NDArray[np.uint8]:
    """(h, w) labels 0, 1, 2 -> (size, size): each where it covers more than half."""
    target, others = (
        np.asarray(cv2.resize((labels == value).astype(np.uint8) * 255, (size, size), interpolation=mode)) > 127
        for value in (1, OTHERS)
    )
    return np.where(target, 1, np.where(others, OTHERS, 0)).astype(np.uint8)


def _interpolation(source: int, target: int) -> int:
    return cv2.INTER_AREA if source > target else cv2.INTER_LINEAR
