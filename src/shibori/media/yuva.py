"""A decoded picture with an opacity, for encoding: its own depth, matrix and transfer function stay as they are."""

from __future__ import annotations

from typing import Any

import av
import cv2
import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from numpy.typing import NDArray

from shibori.media.color import Orientation, matrix_of

_PRIMARIES_AND_TRANSFER = {1: (1, 1), 5: (5, 6), 6: (6, 6), 9: (9, 14)}
"""Matrix -> primaries and transfer function it goes with (H.273), where a source does not state them."""
_UNSTATED = (0, 2, 3)


def picture_with_alpha(
    picture: av.VideoFrame,
    alpha: NDArray[np.float32],
    pixel_format: str,
    orientation: Orientation,
    premultiplied: bool = False,
) -> av.VideoFrame:
    """A picture as decoded, turned upright, in limited range, with an opacity.

    Args:
        picture: as stored.
        alpha: (H, W) in [0, 1], upright.
        pixel_format: planar YUV with alpha (yuva420p, yuva444p10le ...).
        orientation: of the stored picture.
        premultiplied: colours are multiplied by the opacity.
    """
    matrix = int(Colorspace.ITU709) if picture.format.is_rgb else matrix_of(picture)
    stored = picture.reformat(
        format=pixel_format,
        src_colorspace=matrix_of(picture),
        dst_colorspace=matrix,
        dst_color_range=ColorRange.MPEG,
        threads=1,
    )
    upright = av.VideoFrame(alpha.shape[1], alpha.shape[0], pixel_format)
    bits = upright.format.components[0].bits
    for place in range(3):
        values = orientation.apply(plane_values(stored, place))
        if premultiplied:
            values = _multiplied(values, alpha, neutral=(16 if place == 0 else 128) << (bits - 8))
        target = plane_values(upright, place)
        target[:] = _padded(values, target.shape)
    plane_values(upright, 3)[:] = np.rint(alpha * ((1 << bits) - 1))
    primaries, transfer = _PRIMARIES_AND_TRANSFER.get(matrix, (2, 2))
    upright.colorspace, upright.color_range = matrix, ColorRange.MPEG
    upright.color_primaries = _stated(picture.color_primaries, primaries)
    upright.color_trc = _stated(picture.color_trc, transfer)
    return upright


def _stated(value: Any, otherwise: int) -> int:
    return otherwise if int(value) in _UNSTATED else int(value)


def plane_values(frame: av.VideoFrame, place: int) -> NDArray[Any]:
    """(h, w) view of a plane of a planar frame: uint8, or uint16 where it is deeper."""
    plane = frame.planes[place]
    dtype = np.dtype(np.uint16 if frame.format.components[0].bits > 8 else np.uint8)
    rows = np.frombuffer(memoryview(plane), dtype)[: plane.height * (plane.line_size // dtype.itemsize)]
    return rows.reshape(plane.height, -1)[:, : plane.width]


def _multiplied(values: NDArray[Any], alpha: NDArray[np.float32], neutral: int) -> NDArray[Any]:
    height, width = values.shape
    share = alpha if alpha.shape == values.shape else np.asarray(cv2.resize(alpha, (width, height), interpolation=3))
    return np.asarray(np.rint(neutral + (values.astype(np.float32) - neutral) * share)).astype(values.dtype)


def _padded(values: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    return np.pad(values, [(0, want - have) for have, want in zip(values.shape, shape, strict=True)], mode="edge")


def grey_picture(alpha: NDArray[np.float32], pixel_format: str) -> av.VideoFrame:
    """An opacity as the brightness of a BT.709 limited-range picture of 8 bits: 16 nothing, 235 opaque."""
    frame = av.VideoFrame(alpha.shape[1], alpha.shape[0], pixel_format)
    plane_values(frame, 0)[:] = np.rint(16 + 219 * alpha)
    for place in (1, 2):
        plane_values(frame, place)[:] = 128
    frame.colorspace, frame.color_range, frame.color_primaries, frame.color_trc = 1, ColorRange.MPEG, 1, 1
    return frame
