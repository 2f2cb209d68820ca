"""What is scored against what: an annotated sequence, and a folder of results for it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shibori.datasets.annotated_sequence import AnnotatedSequence
from shibori.datasets.davis import IMAGE_SUFFIXES
from shibori.errors import InputError
from shibori.media.clip import Clip
from shibori.media.folder import ImageClip
from shibori.media.mask import read_ids
from shibori.media.picture import read_image

PAPER_GREY = 96


@dataclass(frozen=True)
class MaskFolder:
    """A folder of mask PNGs taken as ground truth, with pictures of the same names where there are some."""

    name: str
    mask_paths: tuple[Path, ...]
    image_folder: Path | None = None

    @property
    def num_frames(self) -> int:
        """How many frames it has."""
        return len(self.mask_paths)

    def frame_name(self, index: int) -> str:
        """File name of a frame without suffix."""
        return self.mask_paths[index].stem

    def has_ids(self, index: int) -> bool:
        """Every frame of the folder is a mask."""
        return True

    def read_ids(self, index: int, *, keep_void: bool = False) -> NDArray[Any]:
        """(H, W) object ids of a frame."""
        return read_ids(self.mask_paths[index], keep_void=keep_void)

    def read_image(self, index: int) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 RGB: the picture, or plain grey where there is none."""
        path = self._images.get(self.frame_name(index))
        if path is not None:
            return read_image(path)
        return np.full((*self.read_ids(index).shape, 3), PAPER_GREY, np.uint8)

    @cached_property
    def _images(self) -> dict[str, Path]:
        if self.image_folder is None or not self.image_folder.is_dir():
            return {}
        return {path.stem: path for path in self.image_folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES}


def sequence_clip(sequence: AnnotatedSequence) -> Clip:
    """An annotated sequence as a clip, for systems that read frames themselves; its path is its name."""
    size_hw = sequence.read_image(0).shape[:2]
    frame_names = [sequence.frame_name(index) for index in range(sequence.num_frames)]
    return ImageClip(Path(sequence.name), sequence.name, size_hw, frame_names, sequence.read_image)


@dataclass(frozen=True)
class ResultFolder:
    """A folder that holds one mask PNG per frame of a sequence."""

    path: Path

    def read_ids(self, frame_name: str, size_hw: tuple[int, int]) -> NDArray[Any]:
        """(H, W) object ids of a frame, void made background.

        Raises:
            InputError: the file is missing, is no mask, or has another size than its ground truth.
        """
        path = self.path / f"{frame_name}.png"
        ids = read_ids(path)
        if ids.shape != size_hw:
            raise InputError(
                f"{path} is {ids.shape[1]}x{ids.shape[0]} pixels, but its ground truth is {size_hw[1]}x{size_hw[0]} "
                "(width x height): results must have the ground truth's size"
            )
        return ids

    def require(self, frame_names: list[str]) -> None:
        """InputError where the folder lacks one of these frames."""
        missing = [name for name in frame_names if not (self.path / f"{name}.png").is_file()]
        if missing:
            raise InputError(
                f"{self.path} has no {missing[0]}.png ({len(missing)} of {len(frame_names)} frames are missing): "
                "every frame needs a result, even if no object is in it"
            )


def require_truth(sequence: AnnotatedSequence) -> None:
    """InputError where a frame of a sequence has no ground truth."""
    lacking = [index for index in range(sequence.num_frames) if not sequence.has_ids(index)]
    if lacking:
        raise InputError(
            f"{sequence.name} has no ground truth for frame {lacking[0]} ({len(lacking)} of {sequence.num_frames} "
            "frames lack it), so it cannot be scored"
        )


def find_truth(ground_truth: Path) -> dict[str, MaskFolder]:
    """The sequences of a ground truth by name.

    Args:
        ground_truth: a DAVIS folder, a folder of sequence folders (such as its ``Annotations/480p``), or the folder of
            one sequence's masks.

    Raises:
        InputError: it is missing or holds no mask PNGs.
    """
    if not ground_truth.is_dir():
        raise InputError(f"there is no ground truth folder {ground_truth}")
    if (ground_truth / "Annotations").is_dir():
        ground_truth = _resolution(ground_truth / "Annotations")
    folders = [ground_truth] if holds_masks(ground_truth) else _mask_folders(ground_truth)
    if not folders:
        raise InputError(f"{ground_truth} holds no mask PNGs, neither by itself nor one folder per sequence")
    return {folder.name: _mask_folder(folder) for folder in folders}


def find_results(results: Path, truth: dict[str, MaskFolder]) -> dict[str, ResultFolder]:
    """The result folders by sequence name, for sequences of the truth.

    Args:
        results: a folder of sequence folders, or the masks of the one sequence of the truth.
        truth: what ``find_truth`` gives.

    Raises:
        InputError: it is missing or empty, or holds a sequence the truth does not know.
    """
    if not results.is_dir():
        raise InputError(f"there is no results folder {results}")
    if holds_masks(results):
        name = results.name if results.name in truth else next(iter(truth))
        if len(truth) > 1 and results.name not in truth:
            raise InputError(
                f"{results} holds the masks of one sequence, and {results.name} is none of the {len(truth)} of the "
                "ground truth: give the ground truth of that sequence"
            )
        return {name: ResultFolder(results)}
    found = {folder.name: ResultFolder(folder) for folder in _mask_folders(results)}
    unknown = sorted(set(found) - set(truth))
    if unknown:
        raise InputError(f"{results / unknown[0]} is no sequence of the ground truth ({_some(sorted(truth))})")
    if not found:
        raise InputError(f"{results} holds no mask PNGs, neither by itself nor one folder per sequence")
    return found


def holds_masks(folder: Path) -> bool:
    """Whether there are PNG files in a folder itself."""
    return any(path.suffix == ".png" for path in folder.iterdir())


def _mask_folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and holds_masks(path))


def _resolution(annotations: Path) -> Path:
    """480p where there is one, otherwise the only folder, otherwise the sequences are in ``Annotations`` itself."""
    folders = [path for path in annotations.iterdir() if path.is_dir()]
    preferred = [path for path in folders if path.name == "480p"] or folders
    return preferred[0] if len(preferred) == 1 and not holds_masks(preferred[0]) else annotations


def _mask_folder(folder: Path) -> MaskFolder:
    masks = tuple(sorted(path for path in folder.iterdir() if path.suffix == ".png"))
    images = [
        Path(*folder.parts[:place], "JPEGImages", *folder.parts[place + 1 :])
        for place, part in enumerate(folder.parts)
        if part == "Annotations"
    ]
    return MaskFolder(folder.name, masks, images[-1] if images else None)


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
