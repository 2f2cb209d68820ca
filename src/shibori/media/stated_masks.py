"""Masks of which it is said how they show objects (``alpha:``, ``grey:``, ``colours:``): pictures, folders, videos."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from shibori.errors import InputError
from shibori.media.clip import Clip
from shibori.media.colour_ids import ColourIds
from shibori.media.edges import Alpha, with_opacities
from shibori.media.mask import FrameMasks, check_size
from shibori.media.mask_file import KINDS
from shibori.media.mask_folder import hard_masks, mask_files
from shibori.media.mask_image import MaskImage, image_of_file, image_of_frame
from shibori.media.mask_source import MaskSource
from shibori.media.picture import IMAGE_SUFFIXES, is_animated
from shibori.media.video import VideoClip

VIDEO_SUFFIXES = {".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".mxf", ".mpg", ".mpeg", ".gif"}


def stated_masks(path: Path, kind: str, clip: Clip, first: int = 0) -> MaskSource:
    """The masks in a picture, a folder of pictures named by frames or of such folders by object, or a video.

    Args:
        path: of it.
        kind: ``alpha``, its opacity; ``grey``, its brightness; ``colours``, a flat colour for each object on black. The
            first two are soft edges of one object, id 1, unless there are folders or EXR layers for several.
        clip: whose masks they are.
        first: the clip's frame that a picture or the first frame of a video belongs to.

    Raises:
        InputError: missing, another size than the clip's, more frames than it has, or nothing of the kind.
    """
    if not path.exists():
        raise InputError(f"there is no file or folder {path}")
    if path.is_dir():
        inner = sorted((p for p in path.iterdir() if p.is_dir() and p.name.isdecimal()), key=lambda p: int(p.name))
        if inner and kind != "colours":
            return _FoldersOfObjects(path, kind, clip, inner)
        return _Pictures(path, kind, clip, dict(mask_files(clip, path, IMAGE_SUFFIXES)))
    if path.suffix.lower() in IMAGE_SUFFIXES and not is_animated(path):
        return _Pictures(path, kind, clip, {first: path})
    return _Video(path, kind, clip, first)


def unstated_video(path: Path) -> InputError:
    """A video was given as masks, and nobody said how it shows them."""
    ways = ", ".join(f"{kind}:{path.name}" for kind in KINDS)
    return InputError(
        f"{path} is a video: say how it shows its masks: {ways} (opacity, brightness, colours of objects)"
    )


class _StatedMasks(MaskSource):
    """Frames that each have one picture."""

    def __init__(self, path: Path, kind: str, clip: Clip) -> None:
        self.path, self.kind, self.size_hw = path, kind, clip.size_hw
        self.names: Mapping[int, str] = {}
        self.is_soft = kind != "colours"
        self._colours = ColourIds()

    @abstractmethod
    def _image(self, index: int) -> MaskImage:
        """Of one of ``frames``."""

    def _learn(self) -> None:
        """Look at what is there; all of it where ids depend on colours."""
        if self.is_soft:
            self.object_ids = tuple(sorted(self._opacities(self.frames[0])))
            return
        for index in self.frames:
            image = self._image(index)
            self._colours.learn(image.rgb, image.what)
        self.object_ids = self._colours.object_ids

    def masks(self, index: int) -> FrameMasks | None:
        if index not in self.frames:
            return None
        if self.is_soft:
            return soft_masks(index, self._opacities(index), self.object_ids, self.size_hw)
        image = self._image(index)
        return hard_masks(index, self._colours.ids(_checked(image, self.size_hw).rgb), self.object_ids)

    def _opacities(self, index: int) -> Mapping[int, Alpha]:
        return _checked(self._image(index), self.size_hw).opacities(self.kind)


class _Pictures(_StatedMasks):
    def __init__(self, path: Path, kind: str, clip: Clip, files: dict[int, Path]) -> None:
        super().__init__(path, kind, clip)
        self._files = files
        self._learn()

    @property
    def frames(self) -> list[int]:
        return sorted(self._files)

    def _image(self, index: int) -> MaskImage:
        return image_of_file(self._files[index])


class _Video(_StatedMasks):
    def __init__(self, path: Path, kind: str, clip: Clip, first: int) -> None:
        super().__init__(path, kind, clip)
        self._clip = VideoClip(path, with_alpha=kind == "alpha")
        self._frames = range(first, first + self._clip.num_frames)
        if self._frames[-1] >= clip.num_frames:
            raise InputError(
                f"{path} has {self._clip.num_frames} frames of masks from frame {first} on, but {clip.name} has "
                f"{clip.num_frames} frames: they go together frame by frame"
            )
        self._learn()

    @property
    def frames(self) -> list[int]:
        return list(self._frames)

    def _image(self, index: int) -> MaskImage:
        place = index - self._frames[0]
        return image_of_frame(self._clip.frame(place), f"frame {place} of {self.path}", self._clip.orientation)


class _FoldersOfObjects(MaskSource):
    """A folder of pictures for each object, called by its id."""

    def __init__(self, path: Path, kind: str, clip: Clip, folders: list[Path]) -> None:
        self.path, self.size_hw, self.is_soft = path, clip.size_hw, True
        self.names: Mapping[int, str] = {}
        self._kind = kind
        self._files = {int(each.name): dict(mask_files(clip, each, IMAGE_SUFFIXES)) for each in folders}
        self.object_ids = tuple(self._files)

    @property
    def frames(self) -> list[int]:
        return sorted({index for files in self._files.values() for index in files})

    def masks(self, index: int) -> FrameMasks | None:
        alphas = {
            object_id: _checked(image_of_file(files[index]), self.size_hw).opacities(self._kind)[1]
            for object_id, files in self._files.items()
            if index in files
        }
        return soft_masks(index, alphas, self.object_ids, self.size_hw) if alphas else None


def soft_masks(index: int, alphas: Mapping[int, Alpha], known: tuple[int, ...], size_hw: tuple[int, int]) -> FrameMasks:
    """Opacities as the masks of a frame."""
    there = {object_id: alpha for object_id, alpha in alphas.items() if alpha.any()}
    ids = with_opacities(FrameMasks(index, np.zeros(size_hw, np.uint8)), there).ids
    return replace(hard_masks(index, ids, known), shaped=there)


def _checked(image: MaskImage, size_hw: tuple[int, int]) -> MaskImage:
    check_size(image.rgb[..., 0], size_hw, image.what)
    return image
