"""Masks as a sequence of OpenEXR files."""

from __future__ import annotations

from typing import Any

import numpy as np

from shibori.media.atomic import disk_errors, whole_file
from shibori.media.clip import Frame
from shibori.media.cryptomatte import cryptomatte_channels, cryptomatte_notes
from shibori.media.exr import ALPHA_NOTE, linear_channels, open_exr_library, write_exr
from shibori.media.mask import FrameMasks
from shibori.media.mask_writer import FolderWriter, Target, object_layer


class ExrWriter(FolderWriter):
    """OpenEXR file for each frame: linear RGBA of all objects, straight alpha, and a layer with each one's opacity."""

    suffix = ".exr"

    def __init__(self, target: Target) -> None:
        open_exr_library()
        super().__init__(target)

    def _write(self, frame: Frame, masks: FrameMasks) -> None:
        path = self.target.out / self.naming.path(frame.index)
        alphas = {object_layer(i): masks.opacity((i,)) for i in self.target.object_ids}
        together = masks.opacity(self.target.object_ids)
        channels: dict[str, Any] = dict(linear_channels(frame.image))
        if self.target.options.premultiplied:
            channels = {name: (values * together).astype(np.float16) for name, values in channels.items()}
        channels |= {"A": together.astype(np.float16)}
        channels |= {f"{name}.A": alpha.astype(np.float16) for name, alpha in alphas.items()}
        if self.target.options.cryptomatte:
            channels |= cryptomatte_channels(alphas, self.target.clip.size_hw)
        with disk_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as partial:
            write_exr(partial, channels, self._notes(frame))

    def _notes(self, frame: Frame) -> dict[str, Any]:
        clip, options = self.target.clip, self.target.options
        kind = "premultiplied" if options.premultiplied else "straight"
        notes: dict[str, Any] = {
            ALPHA_NOTE: kind,
            "comments": f"{kind} alpha; linear light, BT.709 primaries (sRGB curve undone)",
            "shibori/clip": clip.name,
            "shibori/frame": self.naming.number(frame.index),
        }
        if clip.frame_rate is not None:
            notes["framesPerSecond"] = clip.frame_rate
        if options.cryptomatte:
            notes |= cryptomatte_notes([object_layer(i) for i in self.target.object_ids])
        return notes
