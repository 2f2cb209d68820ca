"""Decoded video frames to upright 8-bit RGB: matrix, range, bit depth, high dynamic range, display rotation."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import av
import cv2
import numpy as np
from av.sidedata.sidedata import Type as SideData
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, Interpolation, VideoReformatter
from numpy.typing import NDArray

# Values of ISO/IEC 23091-4 (H.273), as FFmpeg numbers them.
_MATRIX_UNSPECIFIED = (2, 3)
_TRANSFER_HDR = (ColorTrc.SMPTE2084, ColorTrc.ARIB_STD_B67)


@dataclass(frozen=True)
class Orientation:
    """How stored pixels are turned for display: by a quarter of a circle at a time, mirrored or not."""

    transposed: bool = False
    flip_rows: bool = False
    flip_columns: bool = False

    def size_hw(self, stored_wh: tuple[int, int]) -> tuple[int, int]:
        """Upright height and width of pictures stored with a width and height."""
        return stored_wh if self.transposed else stored_wh[::-1]

    def apply(self, image: NDArray[Any]) -> NDArray[Any]:
        """(H, W) or (H, W, 3) stored -> upright."""
        if self.transposed:
            image = np.asarray(cv2.transpose(image))
        if self.flip_rows or self.flip_columns:
            code = 0 if not self.flip_columns else (-1 if self.flip_rows else 1)
            image = np.asarray(cv2.flip(image, code))
        return image


def orientation_of(frame: av.VideoFrame) -> Orientation:
    """The display matrix of a decoded frame, rounded to quarter turns; upright where it has none.

    The matrix maps stored (x, y), y down, to displayed (a x + c y, b x + d y): ISO/IEC 14496-12, 6.2.2.
    """
    matrix = frame.side_data.get(SideData.DISPLAYMATRIX)  # type: ignore[call-overload]  # its stub says str
    if matrix is None:
        return Orientation()
    a, b, _, c, d = struct.unpack_from("<5i", bytes(matrix))
    if abs(b) + abs(c) > abs(a) + abs(d):
        return Orientation(True, flip_rows=b < 0, flip_columns=c < 0)
    return Orientation(False, flip_rows=d < 0, flip_columns=a < 0)


class RgbConverter:
    """Converts the frames of one stream. Holds the scaler, whose set-up is slow for high dynamic range sources.

    Matrix and range are those the stream states; an unstated matrix is BT.709 for HD sizes and BT.601 below, as
    players do. PQ and HLG are brought to BT.709 with diffuse white at full scale (highlights clip). Alpha is dropped:
    the colours are the stored ones, not composited on anything.

    Not for several threads at once: each stream makes its own.

    Args:
        orientation: of the stored pictures.
        stored_wh: width and height as stored, of every picture it shall return.
        exact: convert 8 bits without FFmpeg's fast path, which makes them one to one and a half levels of 255 too dark
            in a third of the time.
    """

    def __init__(self, orientation: Orientation, stored_wh: tuple[int, int], exact: bool = False) -> None:
        self._orientation = orientation
        self._stored_wh = stored_wh
        self._scaler = VideoReformatter()
        self._exact = exact

    def convert(self, frame: av.VideoFrame) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 RGB. A frame of another size (the stream changed it) is scaled to the first one's."""
        width, height = self._stored_wh
        hdr = frame.color_trc in _TRANSFER_HDR
        deep = frame.format.components[0].bits > 8
        rgb = self._scaler.reformat(
            frame,
            width=width,
            height=height,
            format="rgb24",
            src_colorspace=matrix_of(frame),
            dst_color_trc=ColorTrc.BT709 if hdr else None,
            dst_color_primaries=ColorPrimaries.BT709 if hdr else None,
            interpolation=_interpolation(hdr, deep or self._exact),
            threads=1,  # one conversion is too short to share out: a quarter of the time of the default
        )
        return self._orientation.apply(np.asarray(rgb.to_ndarray(), np.uint8))


def _interpolation(hdr: bool, exact: bool) -> Interpolation:
    """Without the last flag, colours of fewer columns than brightness come out one to two levels too dark.

    Together with a tone curve it makes other pictures altogether (FFmpeg 8.0).
    """
    if hdr:
        return Interpolation.BILINEAR | Interpolation.ACCURATE_RND
    if exact:
        return Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
    return Interpolation.BILINEAR


def matrix_of(frame: av.VideoFrame) -> int:
    """The matrix a frame states; an unstated one is BT.709 for HD sizes and BT.601 below."""
    stated = int(frame.colorspace)
    if stated not in _MATRIX_UNSPECIFIED or frame.format.is_rgb:
        return stated
    is_hd = frame.width >= 1280 or frame.height > 576
    return int(Colorspace.ITU709 if is_hd else Colorspace.ITU601)


def yuv_from_rgb(image: NDArray[np.uint8], pixel_format: str) -> av.VideoFrame:
    """(H, W, 3) RGB or (H, W, 4) RGBA uint8 -> a BT.709 limited-range frame in ``pixel_format``, for encoding."""
    stored = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgba" if image.shape[2] == 4 else "rgb24")
    frame = stored.reformat(
        format=pixel_format, dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG, threads=1
    )
    frame.colorspace, frame.color_range, frame.color_primaries, frame.color_trc = 1, ColorRange.MPEG, 1, 1
    return frame
