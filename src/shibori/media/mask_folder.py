"""Folders of mask pictures, named by the clip's frames, as a source of masks."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shibori.errors import InputError
from shibori.media.clip import Clip
from shibori.media.mask import FrameMasks, ObjectStatus, check_size, masks_to_ids, object_ids, read_ids
from shibori.media.mask_source import MaskSource


class MaskFolder(MaskSource):
    """One picture of ids a frame. All files are read once to learn which objects there are.

    Args:
        folder: of the pictures.
        clip: whose frames they are named by.

    Raises:
        InputError: there is none, one is no mask, or its name is no frame of the clip.
    """

    def __init__(self, folder: Path, clip: Clip) -> None:
        self.path, self.size_hw, self.is_soft = folder, clip.size_hw, False
        self.names: Mapping[int, str] = {}
        self._files = dict(mask_files(clip, folder))
        found: set[int] = set()
        for path in self._files.values():
            found.update(object_ids(self._ids(path)))
        self.object_ids = tuple(sorted(found))

    @property
    def frames(self) -> list[int]:
        return sorted(self._files)

    def masks(self, index: int) -> FrameMasks | None:
        if index not in self._files:
            return None
        return hard_masks(index, self._ids(self._files[index]), self.object_ids)

    def _ids(self, path: Path) -> NDArray[Any]:
        ids = read_ids(path)
        check_size(ids, self.size_hw, str(path))
        return ids


class ObjectFolders(MaskSource):
    """A folder of black and white pictures for each object, called by its id; where two overlap, the higher id shows.

    Args:
        folder: that holds them.
        clip: whose frames the pictures are named by.
    """

    def __init__(self, folder: Path, clip: Clip) -> None:
        self.path, self.size_hw, self.is_soft = folder, clip.size_hw, False
        self.names: Mapping[int, str] = {}
        inner = {int(path.name): path for path in folder.iterdir() if path.is_dir() and path.name.isdecimal()}
        self._files = {object_id: dict(mask_files(clip, inner[object_id])) for object_id in sorted(inner)}
        self.object_ids = tuple(self._files)

    @property
    def frames(self) -> list[int]:
        return sorted({index for files in self._files.values() for index in files})

    def masks(self, index: int) -> FrameMasks | None:
        masks = {}
        for object_id, files in self._files.items():
            if index in files:
                ids = read_ids(files[index])
                check_size(ids, self.size_hw, str(files[index]))
                masks[object_id] = ids > 0
        return hard_masks(index, masks_to_ids(masks, self.size_hw), self.object_ids) if masks else None


def hard_masks(index: int, ids: NDArray[Any], known: tuple[int, ...]) -> FrameMasks:
    """Ids as the masks of a frame in which every object is there or absent."""
    there = set(object_ids(ids))
    statuses = tuple(ObjectStatus(i, 1.0, "tracked") if i in there else ObjectStatus(i, 0.0, "absent") for i in known)
    return FrameMasks(index, ids, statuses)


def no_masks(index: int, size_hw: tuple[int, int], known: tuple[int, ...]) -> FrameMasks:
    """The masks of a frame in which nothing shows."""
    return hard_masks(index, np.zeros(size_hw, np.uint8), known)


def mask_files(clip: Clip, folder: Path, suffixes: Collection[str] = (".png",)) -> list[tuple[int, Path]]:
    """Frame index and path of the picture files of a folder.

    Raises:
        InputError: there is none, or one is called like no frame of the clip.
    """
    entries = (path for path in folder.iterdir() if not path.name.startswith("."))
    files = sorted(path for path in entries if path.suffix.lower() in suffixes)
    if not files:
        raise InputError(f"{folder} holds no mask files ({', '.join(sorted(suffixes))})")
    index_of = {clip.frame_name(index): index for index in range(clip.num_frames)}
    # A video's frames are known by number, so 30.png will do as well as 00030.png.
    number_of = {int(name): index for name, index in index_of.items() if name.isdecimal()}
    found = []
    for path in files:
        index = index_of.get(path.stem)
        if index is None and path.stem.isdecimal():
            index = number_of.get(int(path.stem))
        if index is None:
            raise InputError(
                f"{path} is a mask for a frame that {clip.name} does not have: its frames are called "
                f"{clip.frame_name(0)} to {clip.frame_name(clip.num_frames - 1)}"
            )
        found.append((index, path))
    return found
