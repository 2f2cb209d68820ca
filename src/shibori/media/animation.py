"""Animated WebP files as clips; FFmpeg's own decoder does not know them."""

from __future__ import annotations

import io
import threading
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from shibori.errors import InputError
from shibori.media.folder import ImageClip


def clip_of_webp(path: Path) -> ImageClip:
    """An animated WebP as a clip with the times it states. The file is in memory, packed. InputError if damaged."""
    frames = _Frames(path)
    milliseconds = [frames.lasting(index) for index in range(frames.count)]
    times = [Fraction(sum(milliseconds[:index]), 1000) for index in range(frames.count)]
    names = [f"{index:05d}" for index in range(frames.count)]
    rate = Fraction(1000 * frames.count, max(1, sum(milliseconds)))
    return ImageClip(path, path.stem, frames.size_hw, names, frames.read, times=times, frame_rate=rate)


class _Frames:
    """Frames build on those before: reading on is quick, going back begins anew."""

    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, threading.Lock()
        try:
            self._image = Image.open(io.BytesIO(path.read_bytes()))
        except (OSError, UnidentifiedImageError) as error:
            raise InputError(f"{path} is not a picture that can be read") from error
        self.count = int(getattr(self._image, "n_frames", 1))
        self.size_hw = self._image.height, self._image.width

    def read(self, index: int) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 RGB."""
        with self._lock:
            self._go_to(index)
            return np.asarray(self._image.convert("RGB"))

    def lasting(self, index: int) -> int:
        """Milliseconds for which a frame shows."""
        with self._lock:
            self._go_to(index)
            return int(self._image.info.get("duration") or 0)

    def _go_to(self, index: int) -> None:
        try:
            self._image.seek(index)
            self._image.load()
        except (OSError, EOFError, SyntaxError, ValueError) as error:
            raise InputError(f"frame {index} of {self._path} is damaged: {error}") from error
