"""DAVIS folders, 2016 (one object) and 2017 (several), as sequences of pictures and ids maps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shibori.errors import InputError
from shibori.media.mask import VOID, object_ids, read_ids
from shibori.media.picture import read_image

YEARS = (2016, 2017)
IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png"}
# Newest first: a folder that lists its split in both years holds the annotations of 2017.
_LISTS = ((2017, "2017"), (2016, "2016"), (2016, "480p"))


@dataclass(frozen=True)
class DavisSequence:
    """One annotated clip of a DAVIS folder. Nothing is decoded before it is asked for."""

    name: str
    """Folder name, such as ``bmx-trees``."""
    image_paths: tuple[Path, ...]
    """One picture per frame, in order."""
    annotation_paths: tuple[Path | None, ...]
    """The mask file of each frame, or None for a frame without one (the test sets annotate only the first)."""
    one_object: bool = False
    """Whether all that is marked counts as object 1 (DAVIS 2016); otherwise ids are the file's."""

    @property
    def num_frames(self) -> int:
        """How many frames the sequence has."""
        return len(self.image_paths)

    @cached_property
    def object_ids(self) -> tuple[int, ...]:
        """The objects of the first frame, which are the ones the benchmark asks for; ascending. Decodes its mask."""
        return tuple(object_ids(self.read_ids(0)))

    @cached_property
    def size_hw(self) -> tuple[int, int]:
        """Height and width in pixels, decoded from the first picture."""
        height, width = self.read_image(0).shape[:2]
        return height, width

    def frame_name(self, index: int) -> str:
        """The name of a frame's files without suffix, such as ``00000``."""
        return self.image_paths[index].stem

    def read_image(self, index: int) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 RGB picture of a frame."""
        return read_image(self.image_paths[index])

    def has_ids(self, index: int) -> bool:
        """Whether the frame is annotated."""
        return self.annotation_paths[index] is not None

    def read_ids(self, index: int, *, keep_void: bool = False) -> NDArray[Any]:
        """(H, W) uint8 object ids of a frame, 0 background; 255 void if it is kept.

        Raises:
            InputError: the frame has no annotation, or a file that is no mask.
        """
        path = self.annotation_paths[index]
        if path is None:
            raise InputError(f"frame {index} of {self.name} has no annotation: only frames with one can be scored")
        ids = read_ids(path, keep_void=keep_void)
        return as_one_object(ids) if self.one_object else ids


def read_davis(root: str | Path, year: int | None = None, split: str = "val") -> list[DavisSequence]:
    """The sequences of one split of a DAVIS folder (``JPEGImages`` and ``Annotations``), in the order of its list.

    Args:
        root: the folder that holds ``JPEGImages``, ``Annotations`` and, unless every sequence is wanted, ``ImageSets``.
        year: 2016 takes all that is marked as object 1, 2017 takes the ids as they are. None: the year whose list of
            this split is there, 2017 first (lists in ``480p`` are of 2016 unless 2017 is asked for); without
            ``ImageSets`` the ids are taken as they are.
        split: ``train``, ``val`` or any other file of the lists. Ignored where there is no ``ImageSets`` folder:
            then every sequence folder is read.

    Raises:
        InputError: a folder or list is missing, the list names what is not there, or a sequence has no first mask.
    """
    root = Path(root)
    if year is not None and year not in YEARS:
        raise InputError(f"there is a DAVIS 2016 and a DAVIS 2017, not {year}: give one of these years")
    for name in ("JPEGImages", "Annotations"):
        if not (root / name).is_dir():
            raise InputError(f"{root} has no folder {name}: expected a DAVIS folder with JPEGImages and Annotations")
    resolution = _resolution(root)
    if not (root / "ImageSets").is_dir():
        names = sorted(path.name for path in (root / "Annotations" / resolution).iterdir() if path.is_dir())
        if not names:
            raise InputError(f"{root / 'Annotations' / resolution} holds no sequence folders")
        return [_read_folder(root, resolution, name, one_object=year == 2016) for name in names]
    listing, found_year = _find_list(root, year, split)
    return list(_read_list(root, resolution, listing, one_object=found_year == 2016))


def as_one_object(ids: NDArray[Any]) -> NDArray[Any]:
    """(H, W) uint8 map in which every object is object 1; void (in a uint8 map) stays void."""
    one = (ids > 0).astype(np.uint8)
    if ids.dtype == np.uint8:
        one[ids == VOID] = VOID
    return one


def _resolution(root: Path) -> str:
    """The folder between ``Annotations`` and the sequences: 480p where there is one, otherwise the only one."""
    found = sorted(path.name for path in (root / "Annotations").iterdir() if (root / "JPEGImages" / path.name).is_dir())
    if "480p" in found:
        return "480p"
    if len(found) != 1:
        raise InputError(
            f"{root}: expected sequences under JPEGImages/480p and Annotations/480p, or one other folder common to "
            f"both, found {', '.join(found) or 'none'}"
        )
    return found[0]


def _find_list(root: Path, year: int | None, split: str) -> tuple[Path, int]:
    """The list file of a split and the year it belongs to."""
    for candidate, folder in _LISTS if year is None else ((year, str(year)), (year, "480p")):
        path = root / "ImageSets" / folder / f"{split}.txt"
        if path.is_file():
            return path, candidate
    present = sorted(path.relative_to(root).as_posix() for path in (root / "ImageSets").glob("*/*.txt"))
    wanted = f"split {split}" if year is None else f"split {split} of DAVIS {year}"
    raise InputError(f"{root} has no list of {wanted}: its lists are {', '.join(present) or 'none'}")


def _read_list(root: Path, resolution: str, listing: Path, *, one_object: bool) -> Iterator[DavisSequence]:
    """Sequences of a list of names (2017), or of picture and mask pairs (2016)."""
    lines = [line.split() for line in listing.read_text().splitlines() if line.strip()]
    if not lines:
        raise InputError(f"{listing} is empty: expected a sequence name, or a picture and its mask, on each line")
    if all(len(line) == 1 for line in lines):
        for (name,) in lines:
            yield _read_folder(root, resolution, name, one_object=one_object)
        return
    pairs: dict[str, list[tuple[Path, Path]]] = {}
    for number, line in enumerate(lines, 1):
        if len(line) < 2:
            raise InputError(f"{listing}, line {number}: expected a picture and its mask, found {' '.join(line)!r}")
        image, mask = (root / entry.lstrip("/") for entry in line[:2])
        pairs.setdefault(image.parent.name, []).append((image, mask))
    for name, files in pairs.items():
        yield _read_pairs(name, files, one_object=one_object)


def _read_pairs(name: str, files: list[tuple[Path, Path]], *, one_object: bool) -> DavisSequence:
    missing = [path for pair in files for path in pair if not path.is_file()]
    if missing:
        raise InputError(f"{missing[0]} is listed but not there ({len(missing)} files of {name} are missing)")
    images, masks = zip(*files, strict=True)
    return DavisSequence(name, images, masks, one_object)


def _read_folder(root: Path, resolution: str, name: str, *, one_object: bool) -> DavisSequence:
    """A sequence by name: its pictures, and the masks of the same names."""
    image_folder, mask_folder = (root / kind / resolution / name for kind in ("JPEGImages", "Annotations"))
    for folder in (image_folder, mask_folder):
        if not folder.is_dir():
            raise InputError(f"sequence {name} has no folder {folder}")
    images = sorted(path for path in image_folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
    masks = {path.stem: path for path in mask_folder.glob("*.png")}
    if not images:
        raise InputError(f"{image_folder} holds no pictures (.jpg or .png)")
    if images[0].stem not in masks:
        raise InputError(
            f"sequence {name} has no mask of its first frame: expected {images[0].stem}.png in {mask_folder}"
        )
    stray = sorted(set(masks) - {path.stem for path in images})
    if stray:
        raise InputError(f"{masks[stray[0]]} is a mask of a frame that {image_folder} does not have")
    return DavisSequence(name, tuple(images), tuple(masks.get(path.stem) for path in images), one_object)
