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
from shibori.media.sound import SoundCopy
from shibori.media.timecode import timecode_later

DEFAULT_RATE = Fraction(24)
"""Frames per second of sources without a clock (DAVIS was filmed at 24)."""

Picture = NDArray[np.uint8] | av.VideoFrame
"""(H, W, 3) RGB or (H, W, 4) RGBA uint8, or a frame in the pixel format that is coded, which states its colours."""


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
    """Codes pictures at exact times into one file. The first picture's time becomes zero.

    Args:
        path: of the file.
        coding: how.
        rate: frames per second of pictures without a time.
        time_base: unit of the file's clock.
        sound: the clip whose sound is copied beside the pictures, and the time of its first frame in its own clock;
            None for none.
    """

    def __init__(
        self,
        path: Path,
        coding: Coding,
        rate: Fraction | None,
        time_base: Fraction | None,
        sound: tuple[Path, Fraction] | None = None,
    ) -> None:
        self._coding = coding
        self._rate = rate or DEFAULT_RATE
        self._time_base = time_base or 1 / self._rate
        self._container = av.open(
            str(path), "w", format=coding.container, container_options=dict(coding.container_options)
        )
        self._stream: Any = None
        self._first: Fraction | None = None
        self._count = 0
        self._sound_of = sound
        self._sound: SoundCopy | None = None

    def add(self, image: Picture, time: Fraction | None, timecode: str | None = None) -> None:
        """Code one picture: (H, W, 3) or (H, W, 4) uint8, or a frame ready to be coded.

        Args:
            image: the picture.
            time: in seconds; without one it follows the picture before at the rate.
            timecode: of the first picture; later ones' are not looked at.
        """
        if isinstance(image, np.ndarray):
            image = _padded_to_even(image) if self._coding.even_sizes else image
            image = yuv_from_rgb(image, self._coding.pixel_format)
        time = self._count / self._rate if time is None else time
        if self._stream is None:
            self._first = time
            self._stream = self._opened_stream(image, timecode)
        assert self._first is not None
        image.pts, image.time_base = round((time - self._first) / self._time_base), self._time_base
        self._container.mux(self._stream.encode(image))
        self._count += 1
        if self._sound is not None and self._sound_of is not None:
            self._sound.until(self._sound_of[1] + time)

    def _opened_stream(self, picture: av.VideoFrame, timecode: str | None) -> Any:
        stream: Any = self._container.add_stream(
            self._coding.codec, rate=self._rate, options=dict(self._coding.options)
        )
        stream.width, stream.height, stream.pix_fmt = picture.width, picture.height, picture.format.name
        stream.time_base = stream.codec_context.time_base = self._time_base
        context = stream.codec_context
        context.colorspace, context.color_range = picture.colorspace, picture.color_range
        context.color_primaries, context.color_trc = picture.color_primaries, picture.color_trc
        if timecode is not None:
            stream.metadata["timecode"] = timecode
        if self._sound_of is not None and self._first is not None:
            self._sound = SoundCopy(self._sound_of[0], self._container, self._sound_of[1] + self._first)
        return stream

    def finish(self, is_whole: bool = True) -> list[str]:
        """Code what is held back and write the end of the file. ``is_whole``: sound may last longer than the pictures.

        Returns:
            The codecs of sound that the container does not take.
        """
        if self._stream is None:
            self.abort()
            raise InputError("no picture was given, so there is no video to write")
        self._container.mux(self._stream.encode(None))
        left_out: list[str] = []
        if self._sound is not None:
            if is_whole:
                self._sound.until(None)
            self._sound.close()
            left_out = self._sound.left_out
        self._container.close()
        return left_out

    def abort(self) -> None:
        """Let go of the file, which is worthless then."""
        if self._sound is not None:
            self._sound.close()
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
        self._last = -1
        self._remarks: list[str] = []

    @property
    def remarks(self) -> tuple[str, ...]:
        return tuple(self._remarks)

    @abstractmethod
    def _picture(self, frame: Frame, masks: FrameMasks) -> Picture:
        """What to code for a frame."""

    def _write(self, frame: Frame, masks: FrameMasks) -> None:
        clip, timecode = self.target.clip, None
        with disk_errors(self.path):
            if self._encoder is None:
                self._encoder = self._opened_encoder()
                if clip.timecode is not None and clip.frame_rate is not None:
                    timecode = timecode_later(clip.timecode, frame.index, clip.frame_rate)
            self._encoder.add(self._picture(frame, masks), frame.time, timecode)
        self._last = frame.index

    def _opened_encoder(self) -> VideoEncoder:
        partial, clip = self._open.enter_context(whole_file(self.path)), self.target.clip
        is_heard = clip.has_sound and self.target.options.sound
        sound = (clip.path, getattr(clip, "begin", Fraction(0))) if is_heard else None
        coding = self.coding
        if coding.container == "mp4" and clip.timecode is not None:
            coding = replace(coding, container_options={**coding.container_options, "write_tmcd": "on"})
        encoder = VideoEncoder(partial, coding, clip.frame_rate, clip.time_base, sound)
        self._open.push(self._leave_encoder)
        return encoder

    def _leave_encoder(self, kind: object, error: object, trace: object) -> None:
        if self._encoder is None:
            return
        if kind is not None:
            self._encoder.abort()
            return
        left_out = self._encoder.finish(self._last == self.target.clip.num_frames - 1)
        self._remarks += [f"{self.path.name} has no sound: {self.coding.container} takes no {c}" for c in left_out]

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

    def _picture(self, frame: Frame, masks: FrameMasks) -> Picture:
        return overlay_image(frame.image, masks.ids, self.target.object_ids)
