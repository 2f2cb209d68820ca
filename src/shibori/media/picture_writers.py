"""Masks as one PNG for each frame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from shibori.media.clip import Frame
from shibori.media.mask import FrameMasks
from shibori.media.mask_writer import FolderWriter, Target
from shibori.media.palette import check_palette_ids, davis_palette
from shibori.media.picture import encode_flat_png, encode_png, encode_tiff


class PaletteWriter(FolderWriter):
    """Palette PNG for each frame, index = object id, DAVIS colours (at most 254 objects)."""

    def __init__(self, target: Target) -> None:
        check_palette_ids(max(target.object_ids, default=0), len(target.object_ids))
        super().__init__(target)

    def _pictures(self, frame: Frame, masks: FrameMasks) -> Iterator[bytes]:
        if masks.ids.dtype != np.uint8:
            check_palette_ids(int(masks.ids.max()), 0)
        yield encode_flat_png(masks.ids.astype(np.uint8, copy=False), davis_palette())


class Ids16Writer(FolderWriter):
    """16-bit greyscale PNG for each frame, value = object id (up to 65534)."""

    def __init__(self, target: Target) -> None:
        super().__init__(target)

    def _pictures(self, frame: Frame, masks: FrameMasks) -> Iterator[bytes]:
        yield encode_flat_png(masks.ids.astype(np.uint16, copy=False))


class BinaryWriter(FolderWriter):
    """0/255 greyscale PNG for each frame; several objects get a folder each, named by object id."""

    def __init__(self, target: Target) -> None:
        super().__init__(target, folders_of_objects(target.object_ids))

    def _pictures(self, frame: Frame, masks: FrameMasks) -> Iterator[bytes]:
        for object_id in self.target.object_ids:
            yield encode_flat_png((masks.ids == object_id).astype(np.uint8) * np.uint8(255))


class AlphaWriter(FolderWriter):
    """Greyscale PNG of the opacity for each frame, soft edges; several objects get a folder each."""

    def __init__(self, target: Target) -> None:
        super().__init__(target, folders_of_objects(target.object_ids))

    def _pictures(self, frame: Frame, masks: FrameMasks) -> Iterator[bytes]:
        for object_id in self.target.object_ids:
            yield encode_png(masks.alpha((object_id,)))


class RgbaWriter(FolderWriter):
    """RGBA PNG cut-out for each frame (straight alpha); several objects get a folder each, named by object id.

    Wholly transparent pixels are black: what was cut away does not travel along.
    """

    def __init__(self, target: Target) -> None:
        super().__init__(target, folders_of_objects(target.object_ids))

    def _pictures(self, frame: Frame, masks: FrameMasks) -> Iterator[bytes]:
        for object_id in self.target.object_ids:
            rgba = cut_out(frame.image, masks.alpha((object_id,)))
            yield self._encoded(multiplied(rgba) if self.target.options.premultiplied else rgba)

    def _encoded(self, rgba: NDArray[np.uint8]) -> bytes:
        return encode_png(rgba)


class TiffWriter(RgbaWriter):
    """RGBA TIFF cut-out for each frame, which says whether its alpha is straight; several objects get a folder each."""

    suffix = ".tif"

    def _encoded(self, rgba: NDArray[np.uint8]) -> bytes:
        return encode_tiff(rgba, self.target.options.premultiplied)


def folders_of_objects(object_ids: Sequence[int]) -> tuple[str, ...]:
    """Folder names for objects: the output folder itself for one, else one each."""
    return ("",) if len(object_ids) == 1 else tuple(map(str, object_ids))


def cut_out(image: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W, 4) straight-alpha RGBA of a (H, W, 3) picture; black where (H, W) ``alpha`` is 0."""
    rgba = np.zeros((*alpha.shape, 4), np.uint8)
    cv2.copyTo(cv2.merge([*cv2.split(image), alpha]), (alpha > 0).view(np.uint8), rgba)
    return rgba


def multiplied(rgba: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W, 4) with its colours multiplied by its opacity."""
    shares = rgba[..., 3:].astype(np.float32) / 255
    return np.concatenate([np.rint(rgba[..., :3] * shares).astype(np.uint8), rgba[..., 3:]], axis=2)
