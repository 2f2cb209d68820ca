"""Mattes and cut-outs as the video files editors open."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from shibori.media.clip import Frame
from shibori.media.color import Orientation
from shibori.media.mask import FrameMasks
from shibori.media.mask_writer import ONE_FILE_NAMES, Target
from shibori.media.overlay import outline_image
from shibori.media.video_writer import H264, Coding, Picture, VideoFileWriter
from shibori.media.yuva import grey_picture, picture_with_alpha

PRORES_4444 = Coding("mov", "prores_ks", "yuva444p10le", options={"profile": "4444", "vendor": "apl0"})
VP9_ALPHA = Coding(
    "webm",
    "libvpx-vp9",
    "yuva420p",
    even_sizes=True,
    options={"crf": "18", "b:v": "0", "cpu-used": "5", "row-mt": "1", "auto-alt-ref": "0"},
)
FFV1 = Coding("matroska", "ffv1", "yuva444p", options={"level": "3", "slicecrc": "1", "slices": "4"})

_SUBSAMPLING = {(1, 1): "420", (1, 2): "422"}
"""Columns and rows of colour for two of brightness -> what the formats without loss call it."""


class _CutOutWriter(VideoFileWriter):
    """The objects' own pixels with an opacity. What a video's pictures state of their colours stays as it is."""

    def _picture(self, frame: Frame, masks: FrameMasks) -> Picture:
        alpha, premultiplied = masks.opacity(self.target.object_ids), self.target.options.premultiplied
        orientation = getattr(self.target.clip, "orientation", Orientation())
        if frame.picture is not None:
            alpha = _even(alpha) if self.coding.even_sizes else alpha
            return picture_with_alpha(frame.picture, alpha, self._pixel_format(frame), orientation, premultiplied)
        image = np.rint(frame.image * alpha[..., None]).astype(np.uint8) if premultiplied else frame.image
        return np.dstack([image, masks.alpha(self.target.object_ids)])

    def _pixel_format(self, frame: Frame) -> str:
        return self.coding.pixel_format


class ProResWriter(_CutOutWriter):
    """ProRes 4444 video (mov) of all objects together on transparency, straight alpha."""

    coding = PRORES_4444
    file_name = ONE_FILE_NAMES["prores"]


class WebmWriter(_CutOutWriter):
    """VP9 video (webm) of all objects together on transparency, for web pages."""

    coding = VP9_ALPHA
    file_name = ONE_FILE_NAMES["webm"]


class Ffv1Writer(_CutOutWriter):
    """FFV1 video (mkv) of all objects together on transparency, without loss."""

    coding = FFV1
    file_name = ONE_FILE_NAMES["ffv1"]

    def _pixel_format(self, frame: Frame) -> str:
        stored = frame.picture.format
        bits = max(component.bits for component in stored.components)
        halved = "444" if stored.is_rgb else _SUBSAMPLING.get((stored.chroma_width(2), stored.chroma_height(2)), "444")
        return f"yuva{halved}p" + ("" if bits <= 8 else "10le" if bits <= 10 else "16le")


class MatteWriter(VideoFileWriter):
    """H.264 video (mp4) of the opacity of all objects together, in grey: white is opaque."""

    coding = H264
    file_name = ONE_FILE_NAMES["matte"]

    def _picture(self, frame: Frame, masks: FrameMasks) -> Picture:
        return grey_picture(_even(masks.opacity(self.target.object_ids)), self.coding.pixel_format)


class ScreenWriter(VideoFileWriter):
    """H.264 video (mp4) of all objects together before a screen of one colour."""

    coding = H264
    file_name = ONE_FILE_NAMES["screen"]

    def __init__(self, target: Target) -> None:
        self._screen = np.array(target.options.screen_rgb, np.float32)
        super().__init__(target)

    def _picture(self, frame: Frame, masks: FrameMasks) -> Picture:
        alpha = masks.opacity(self.target.object_ids)[..., None]
        return np.rint(alpha * frame.image + (1 - alpha) * self._screen).astype(np.uint8)


class SideBySideWriter(VideoFileWriter):
    """H.264 video (mp4) of the footage on the left and the opacity of all objects on the right."""

    coding = H264
    file_name = ONE_FILE_NAMES["side-by-side"]

    def _picture(self, frame: Frame, masks: FrameMasks) -> Picture:
        matte = masks.alpha(self.target.object_ids)
        return np.hstack([frame.image, np.repeat(matte[..., None], 3, axis=2)])


class OutlineWriter(VideoFileWriter):
    """H.264 video (mp4) of the footage with a line around every object in its colour."""

    coding = H264
    file_name = ONE_FILE_NAMES["outline"]

    def _picture(self, frame: Frame, masks: FrameMasks) -> Picture:
        return outline_image(frame.image, masks.ids, self.target.object_ids)


def _even(alpha: NDArray[np.float32]) -> NDArray[Any]:
    """The opacity with its last column and row once more where their number is odd."""
    bottom, right = alpha.shape[0] % 2, alpha.shape[1] % 2
    return np.asarray(cv2.copyMakeBorder(alpha, 0, bottom, 0, right, cv2.BORDER_REPLICATE))
