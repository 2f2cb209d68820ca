"""Cut-outs as the video files editors open: the objects' own pixels with a transparent background."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shibori.media.clip import Frame
from shibori.media.mask import FrameMasks
from shibori.media.mask_writer import ONE_FILE_NAMES
from shibori.media.video_writer import Coding, VideoFileWriter

PRORES_4444 = Coding("mov", "prores_ks", "yuva444p10le", options={"profile": "4444", "vendor": "apl0"})
VP9_ALPHA = Coding(
    "webm",
    "libvpx-vp9",
    "yuva420p",
    even_sizes=True,
    options={"crf": "18", "b:v": "0", "cpu-used": "5", "row-mt": "1", "auto-alt-ref": "0"},
)


class ProResWriter(VideoFileWriter):
    """ProRes 4444 video (mov) of all objects together on transparency, straight alpha."""

    coding = PRORES_4444
    file_name = ONE_FILE_NAMES["prores"]

    def _picture(self, frame: Frame, masks: FrameMasks) -> NDArray[np.uint8]:
        return np.dstack([frame.image, masks.alpha(self.target.object_ids)])


class WebmWriter(VideoFileWriter):
    """VP9 video (webm) of all objects together on transparency, for web pages."""

    coding = VP9_ALPHA
    file_name = ONE_FILE_NAMES["webm"]

    def _picture(self, frame: Frame, masks: FrameMasks) -> NDArray[np.uint8]:
        return np.dstack([frame.image, masks.alpha(self.target.object_ids)])
