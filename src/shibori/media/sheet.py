"""A contact sheet: a clip's result at a glance."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from shibori.media.atomic import write_whole
from shibori.media.clip import Frame
from shibori.media.mask import FrameMasks
from shibori.media.mask_writer import ONE_FILE_NAMES, MaskWriter, Target, one_file
from shibori.media.overlay import overlay_image
from shibori.media.picture import encode_png

_PAPER = (20, 22, 27)
_GAP = 10
_MOST_PICTURES = 12
_LONG_SIDE = 480


def contact_sheet(images: Sequence[NDArray[np.uint8]], columns: int, labels: Sequence[str] = ()) -> NDArray[np.uint8]:
    """Pictures of one size in rows, with a label in the corner of each.

    Args:
        images: (H, W, 3) uint8 RGB each, at least one.
        columns: pictures in a row.
        labels: one for each picture, or none.

    Returns:
        (rows * (H + gap) + gap, columns * (W + gap) + gap, 3) uint8 RGB.
    """
    height, width = images[0].shape[:2]
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    sheet = np.full((rows * (height + _GAP) + _GAP, columns * (width + _GAP) + _GAP, 3), _PAPER, np.uint8)
    for place, image in enumerate(images):
        row, column = divmod(place, columns)
        y, x = _GAP + row * (height + _GAP), _GAP + column * (width + _GAP)
        labelled = _with_label(image, labels[place]) if labels else image
        sheet[y : y + height, x : x + width] = labelled
    return sheet


def _with_label(image: NDArray[np.uint8], label: str) -> NDArray[np.uint8]:
    picture = Image.fromarray(image)
    draw = ImageDraw.Draw(picture, "RGBA")
    font = ImageFont.load_default(max(10, round(min(image.shape[:2]) / 17)))
    left, top, right, bottom = draw.textbbox((0, 0), label, font=font)
    pad = max(4, (bottom - top) // 2)
    box = (pad, picture.height - (bottom - top) - 3 * pad, right - left + 3 * pad, picture.height - pad)
    draw.rounded_rectangle(box, radius=pad, fill=(*_PAPER, 190))
    draw.text((box[0] + pad - left, box[1] + pad - top), label, font=font, fill=(255, 255, 255, 255))
    return np.asarray(picture)


class SheetWriter(MaskWriter):
    """One PNG with up to 12 evenly spaced frames and their masks drawn over.

    How many frames will come is not known in advance: every ``stride``-th is kept, and the stride doubles when
    there are too many, so memory does not grow.
    """

    def __init__(self, target: Target) -> None:
        self.target = target
        self.path, finished = one_file(target, ONE_FILE_NAMES["sheet"])
        self.done = set(range(target.clip.num_frames)) if finished else set()
        self._finished = finished
        self._stride, self._seen = 1, 0
        self._kept: list[tuple[str, NDArray[np.uint8]]] = []

    def _write(self, frame: Frame, masks: FrameMasks) -> None:
        if self._seen % self._stride == 0:
            if len(self._kept) == 2 * _MOST_PICTURES:
                self._kept = self._kept[::2]
                self._stride *= 2
            self._kept.append((_label(frame), _thumbnail(frame, masks, self.target.object_ids)))
        self._seen += 1

    def close(self) -> None:
        if self._finished or not self._kept:
            return
        chosen = np.unique(
            np.linspace(0, len(self._kept) - 1, min(_MOST_PICTURES, len(self._kept))).round().astype(int)
        )
        labels, images = zip(*(self._kept[place] for place in chosen), strict=True)
        columns = 4 if self.target.clip.size_hw[0] <= self.target.clip.size_hw[1] else 6
        write_whole(self.path, encode_png(contact_sheet(images, columns, labels), compress_level=4))

    def discard(self) -> None:
        self._kept.clear()


def _label(frame: Frame) -> str:
    return f"{frame.index}" if frame.time is None else f"{frame.index}  ·  {float(frame.time):.2f} s"


def _thumbnail(frame: Frame, masks: FrameMasks, object_ids: Sequence[int]) -> NDArray[np.uint8]:
    """The overlay, drawn at twice the thumbnail's size and halved, so that its lines stay even."""
    height, width = frame.image.shape[:2]
    scale = min(1.0, 2 * _LONG_SIDE / max(height, width))
    large = max(1, round(width * scale)), max(1, round(height * scale))
    image = cv2.resize(frame.image, large, interpolation=cv2.INTER_AREA)
    ids = cv2.resize(masks.ids, large, interpolation=cv2.INTER_NEAREST)
    drawn = overlay_image(np.asarray(image, np.uint8), ids, object_ids)
    final = min(1.0, _LONG_SIDE / max(height, width))
    small = max(1, round(width * final)), max(1, round(height * final))
    return np.asarray(cv2.resize(drawn, small, interpolation=cv2.INTER_AREA), np.uint8)
