"""Pictures on their way into a video file, at the source's times."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from shibori.errors import InputError
from shibori.media.atomic import disk_errors, whole_file
from shibori.media.clip import Frame
from shibori.media.color import yuv_from_rgb
from shibori.media.mask import FrameMasks
from shibori.media.mask_writer import ONE_FILE_NAMES, MaskWriter, Target, one_file
from shibori.media.overlay import overlay_image

_DEFAULT_RATE = Fraction(24)
"""Frames per second of sources without a clock (DAVIS was filmed at 24)."""


@dataclass(frozen=True)
class Coding:
    """A way to code video."""

    container: str
    codec: str
    pixel_format: str
    even_sizes: bool = False
    """Whether width and height must be even; odd pictures then get their last column and row once more."""
    options: Mapping[str, str] = field(default_factory=dict)
    container_options: Mapping[str, str] = field(default_factory=dict)


H264 = Coding("mp4", "libx264", "yuv420p", True, {"crf": "18", "preset": "veryfast"}, {"movflags": "+faststart"})


class VideoEncoder:
    """Codes pictures at exact times into one file. The first picture's time becomes zero."""

    def __init__(self, path: Path, coding: Coding, rate: Fraction | None, time_base: Fraction | None) -> None:
        self._coding = coding
        self._rate = rate or _DEFAULT_RATE
        self._time_base = time_base or 1 / self._rate
        self._container = av.open(
            str(path), "w", format=coding.container, container_options=dict(coding.container_options)
        )
        self._stream: Any = None
        self._first: Fraction | None = None
        self._count = 0

    def add(self, image: NDArray[np.uint8], time: Fraction | None) -> None:
        """Code one (H, W, 3) or (H, W, 4) uint8 picture; without a time it follows the one before at the rate."""
        if self._coding.even_sizes:
            image = _padded_to_even(image)
        if self._stream is None:
            self._stream = self._opened_stream(image.shape[1], image.shape[0])
        time = self._count / self._rate if time is None else time
        self._first = time if self._first is None else self._first
        picture = yuv_from_rgb(image, self._coding.pixel_format)
        picture.pts, picture.time_base = round((time - self._first) / self._time_base), self._time_base
        self._container.mux(self._stream.encode(picture))
        self._count += 1

    def _opened_stream(self, width: int, height: int) -> Any:
        stream: Any = self._container.add_stream(
            self._coding.codec, rate=self._rate, options=dict(self._coding.options)
        )
        stream.width, stream.height, stream.pix_fmt = width, height, self._coding.pixel_format
        stream.time_base = stream.codec_context.time_base = self._time_base
        context = stream.codec_context
        context.colorspace = context.color_primaries = context.color_trc = 1  # BT.709
        context.color_range = 1  # limited
        return stream

    def finish(self) -> None:
        """Code what is held back and write the end of the file."""
        if self._stream is not None:
            self._container.mux(self._stream.encode(None))
            self._container.close()
        else:
            self.abort()
            raise InputError("no picture was given, so there is no video to write")

    def abort(self) -> None:
        """Let go of the file, which is worthless then."""
        try:
            self._container.close()
        except (OSError, ValueError):
            return  # it was the disk that failed, and the file is removed anyway


def _padded_to_even(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    bottom, right = image.shape[0] % 2, image.shape[1] % 2
    if not (bottom or right):
        return image
    return np.asarray(cv2.copyMakeBorder(image, 0, bottom, 0, right, cv2.BORDER_REPLICATE), np.uint8)


def write_video(
    path: str | Path,
    images: Iterable[Frame | NDArray[np.uint8]],
    rate: Fraction | int = 25,
    time_base: Fraction | None = None,
) -> None:
    """Write pictures as an H.264 file (mp4, mov, mkv by suffix), atomically.

    Args:
        path: file to make; its folder is made too.
        images: ``Frame`` values, which keep their times, or (H, W, 3) uint8 RGB pictures.
        rate: frames per second of pictures without a time.
        time_base: unit of the file's clock, a clip's own to keep variable times exactly; by default about 1/90000 s.

    Raises:
        InputError: a suffix of no known container, no picture, or the disk refuses.
    """
    path = Path(path)
    containers = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska"}
    if path.suffix.lower() not in containers:
        raise InputError(f"{path} ends in {path.suffix or 'nothing'}: a video is written as .mp4, .mov or .mkv")
    coding = replace(H264, container=containers[path.suffix.lower()])
    rate = Fraction(rate)
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as partial:
        encoder = VideoEncoder(partial, coding, rate, time_base or Fraction(1, rate.numerator * _ticks(rate)))
        try:
            for image in images:
                picture, time = (image.image, image.time) if isinstance(image, Frame) else (image, None)
                encoder.add(picture, time)
        except BaseException:
            encoder.abort()
            raise
        encoder.finish()


def _ticks(rate: Fraction) -> int:
    """Ticks per 1 / numerator of a rate, so that a clock is fine enough for times that do not follow the rate."""
    return max(1, 90000 // rate.numerator)


class VideoFileWriter(MaskWriter):
    """Masks as one video file that keeps the source's times. What a picture shows is for the format to say."""

    coding: Coding
    file_name: str

    def __init__(self, target: Target) -> None:
        self.target = target
        self.path, finished = one_file(target, self.file_name)
        self.done = set(range(target.clip.num_frames)) if finished else set()
        self._open = ExitStack()
        self._encoder: VideoEncoder | None = None

    @abstractmethod
    def _picture(self, frame: Frame, masks: FrameMasks) -> NDArray[np.uint8]:
        """(H, W, 3) RGB or (H, W, 4) RGBA uint8 to code for a frame."""

    def _write(self, frame: Frame, masks: FrameMasks) -> None:
        if self._encoder is None:
            partial, clip = self._open.enter_context(whole_file(self.path)), self.target.clip
            self._encoder = VideoEncoder(partial, self.coding, clip.frame_rate, clip.time_base)
            self._open.push(self._leave_encoder)
        with disk_errors(self.path):
            self._encoder.add(self._picture(frame, masks), frame.time)

    def _leave_encoder(self, kind: object, error: object, trace: object) -> None:
        if self._encoder is not None:
            self._encoder.finish() if kind is None else self._encoder.abort()

    def close(self) -> None:
        self._open.close()

    def discard(self) -> None:
        interrupted = InterruptedError("the run was given up")
        with suppress(InputError):
            self._open.__exit__(InterruptedError, interrupted, None)


class OverlayWriter(VideoFileWriter):
    """H.264 video (mp4) of the footage with every object filled in its colour and outlined."""

    coding = H264
    file_name = ONE_FILE_NAMES["overlay"]

    def _picture(self, frame: Frame, masks: FrameMasks) -> NDArray[np.uint8]:
        return overlay_image(frame.image, masks.ids, self.target.object_ids)
