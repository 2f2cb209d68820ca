"""A video file as a clip: an index of the packets once, then decoding on demand from any frame."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from fractions import Fraction
from itertools import takewhile
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream

from shibori.errors import InputError
from shibori.media.clip import Clip, Frame
from shibori.media.color import RgbConverter, orientation_of
from shibori.media.deinterlace import deinterlaced
from shibori.media.packets import PacketIndex, decode, open_video, scan, stated_end, video_stream

_HELD_BYTES = 128 << 20
"""Decoded (not yet RGB) frames kept at once to play backward; about 200 frames of 854x480."""


class VideoClip(Clip):
    """A video file. Built by ``read_clip``.

    Opening reads the file's packets once (no decoding) and keeps 8 bytes a frame. Times are those of the file, from
    the first frame on; ``begin`` is the first frame's in the file's own clock. Pixels stay as they are stored:
    non-square ones are not resampled.

    Args:
        path: of the file.
        deinterlace: make whole pictures of interlaced ones.
        exact: bring colours to RGB without haste, see ``RgbConverter``.
        with_alpha: pictures also have opacity that WebM stores beside them.
    """

    def __init__(self, path: Path, *, deinterlace: bool = False, exact: bool = False, with_alpha: bool = False) -> None:
        self.path = path
        self.name = path.stem
        self._exact, self._with_alpha = exact, with_alpha
        self._deinterlace = deinterlace
        self._lock = threading.Lock()
        self._cursor: _Cursor | None = None
        self._undecodable: set[int] = set()
        with open_video(path) as container:
            stream = video_stream(container, path)
            index = scan(container, stream)
            self._stated_frames = stream.frames
            self._stated_end = stated_end(container, stream)
            self.timecode = _stated_timecode(container)
            self.has_sound = bool(container.streams.audio)
            rate = stream.average_rate or stream.guessed_rate
            self._unit = Fraction(stream.time_base) if index.timed and stream.time_base else 1 / Fraction(rate or 25)
        first = self._first_frame(index)
        if first.interlaced_frame and not deinterlace:
            self.remarks = (f"{path.name} is interlaced: its frames are combed where things move; see --deinterlace",)
        self._index = index.from_time(first.pts) if index.timed and first.pts is not None else index
        self.orientation, self._stored_wh = orientation_of(first), (first.width, first.height)
        self._held_frames = max(8, _HELD_BYTES // max(1, sum(plane.buffer_size for plane in first.planes)))
        self.size_hw = self.orientation.size_hw(self._stored_wh)
        self.num_frames = len(self._index.times)
        self.frame_rate = Fraction(rate) if rate else None
        self.time_base = self._unit
        self.begin = int(self._index.times[0]) * self._unit if self._index.timed else Fraction(0)

    def _first_frame(self, index: PacketIndex) -> av.VideoFrame:
        with open_video(self.path) as container:
            stream = video_stream(container, self.path)
            stream.thread_type = "SLICE"  # frame threads would decode several frames ahead just to show one
            first = next(decode(container, stream), None) if len(index.times) else None
        if first is None:
            raise InputError(
                f"no picture can be decoded from {self.path} (video codec {stream.codec_context.name}): the file is "
                "damaged or empty; export it again"
            )
        return first

    @property
    def shortfall(self) -> str | None:
        """What the file announces or holds but nobody can decode; complete once the clip was streamed."""
        expected = self._stated_frames - self._index.num_hidden
        lost = max(expected - self.num_frames, self._index.num_damaged)
        parts = []
        if lost > 0:
            tail = f"the last {lost} are" if lost > 1 else "the last one is"
            parts.append(f"of {self.num_frames + lost} frames {tail} missing")
        elif (cut := self._stops_early()) is not None:
            parts.append(f"it stops after {float(cut[0]):.2f} s of {float(cut[1]):.2f} s")
        if self._undecodable:
            shown = ", ".join(map(str, sorted(self._undecodable)[:5])) + (", ..." if len(self._undecodable) > 5 else "")
            parts.append(f"frames {shown} ({len(self._undecodable)} in all) cannot be decoded")
        if not parts:
            return None
        num_read = self.num_frames - len(self._undecodable)
        return f"{self.path.name} is incomplete: {' and '.join(parts)}; {num_read} frames can be read"

    def _stops_early(self) -> tuple[Fraction, Fraction] | None:
        """Seconds held and seconds stated, where the file states more than a frame too many."""
        if self._stated_end is None or not self._index.timed:
            return None
        period = 1 / (self.frame_rate or Fraction(25))
        end = int(self._index.times[-1]) * self._unit + period
        return (end, self._stated_end) if self._stated_end - end > period * Fraction(3, 2) else None

    def frames(self, start: int = 0, stop: int | None = None, step: int = 1) -> Iterator[Frame]:
        start, stop = self.check_range(start, stop, step)
        return self._stream(start, stop, step)

    def _stream(self, start: int, stop: int, step: int) -> Iterator[Frame]:
        if start >= stop:
            return
        wanted, converter = start, self._new_converter()
        for index, picture in self._decoded(start):
            if index >= stop:
                break
            self._undecodable.update(range(wanted, index))
            wanted = index + 1
            if (index - start) % step == 0:
                yield self._frame(index, picture, converter)
        else:
            self._undecodable.update(range(wanted, stop))

    def frame(self, index: int) -> Frame:
        if not 0 <= index < self.num_frames:
            raise IndexError(f"frame {index} of {self.name}, which has frames 0..{self.num_frames - 1}")
        with self._lock:
            if self._cursor is None or not self._cursor.reaches(index, self._index):
                if self._cursor is not None:
                    self._cursor.close()
                self._cursor = _Cursor(self._decoded(self._key_of(index)), self._new_converter())
            picture = self._cursor.advance(index)
            if picture is None:
                self._undecodable.add(index)
                raise InputError(f"frame {index} of {self.path} cannot be decoded: the file is damaged there")
            return self._frame(index, picture, self._cursor.converter)

    def backward(self, start: int, stop: int = -1) -> Iterator[Frame]:
        self.check_backward_range(start, stop)
        return self._stream_backward(start, stop)

    def _stream_backward(self, start: int, stop: int) -> Iterator[Frame]:
        last, converter = start, self._new_converter()
        while last > stop:
            first = max(stop + 1, self._key_of(last), last - self._held_frames + 1)
            held = list(takewhile(lambda item, last=last: item[0] <= last, self._decoded(first)))  # type: ignore[misc]
            self._undecodable.update(set(range(first, last + 1)) - {index for index, _ in held})
            while held:
                yield self._frame(*held.pop(), converter)
            last = first - 1

    def _new_converter(self) -> RgbConverter:
        return RgbConverter(self.orientation, self._stored_wh, self._exact)

    def _frame(self, index: int, picture: av.VideoFrame, converter: RgbConverter) -> Frame:
        time = int(self._index.times[index] - self._index.times[0]) * self._unit
        return Frame(index, time, converter.convert(picture), picture)

    def _key_of(self, index: int) -> int:
        return int(self._index.keys[self._index.key_before(index)])

    def _decoded(self, start: int) -> Iterator[tuple[int, av.VideoFrame]]:
        """(index, frame) from ``start`` to the end, ascending; frames that cannot be decoded are left out."""
        if not self._deinterlace:
            return self._as_stored(start)
        # The frame before lends its fields as well.
        whole = deinterlaced(self._as_stored(max(0, start - 1)))
        return (each for each in whole if each[0] >= start)

    def _as_stored(self, start: int) -> Iterator[tuple[int, av.VideoFrame]]:
        last = start - 1
        with open_video(self.path) as container:
            stream = video_stream(container, self.path)
            stream.thread_type = "AUTO"
            for index, picture in self._numbered(container, stream, start):
                if index > last:
                    last = index
                    yield index, picture

    def _numbered(
        self, container: InputContainer, stream: VideoStream, start: int
    ) -> Iterator[tuple[int, av.VideoFrame]]:
        """(index, frame) from some frame at or before ``start`` on, in decoding output order."""
        if not self._index.timed:
            yield from enumerate(decode(container, stream, self._with_alpha))
            return
        key = self._index.key_before(start)
        while key > 0:
            container.seek(int(self._index.key_seeks[key]), stream=stream)
            numbered = self._timed(decode(container, stream, self._with_alpha))
            first = next(numbered, None)
            if first is not None and first[0] <= start:
                yield first
                yield from numbered
                return
            key -= 1  # the seek went too far (damaged file, coarse index): try from the key frame before
        container.close()
        with open_video(self.path) as fresh:
            again = video_stream(fresh, self.path)
            again.thread_type = "AUTO"
            yield from self._timed(decode(fresh, again, self._with_alpha))

    def _timed(self, pictures: Iterator[av.VideoFrame]) -> Iterator[tuple[int, av.VideoFrame]]:
        times = self._index.times
        for picture in pictures:
            if picture.pts is None:
                continue
            index = int(np.searchsorted(times, picture.pts))
            if index < len(times) and times[index] == picture.pts:
                yield index, picture


def _stated_timecode(container: InputContainer) -> str | None:
    """Of the video's own track, of a timecode track, or of the file."""
    for place in (*container.streams, container):
        for name, value in place.metadata.items():
            if name.lower() == "timecode" and value:
                return str(value)
    return None


class _Cursor:
    """A decoder that stands somewhere in the clip and can only walk on."""

    def __init__(self, decoded: Iterator[tuple[int, av.VideoFrame]], converter: RgbConverter) -> None:
        self.converter = converter
        self._decoded = decoded
        self._current = next(decoded, None)

    def reaches(self, index: int, packets: PacketIndex) -> bool:
        """Whether walking on is the shortest way to a frame: it is not behind, nor past another key frame."""
        if self._current is None:
            return False
        here = self._current[0]
        return here <= index and packets.keys[packets.key_before(index)] <= max(here, 0)

    def advance(self, index: int) -> av.VideoFrame | None:
        while self._current is not None and self._current[0] < index:
            self._current = next(self._decoded, None)
        return self._current[1] if self._current is not None and self._current[0] == index else None

    def close(self) -> None:
        if hasattr(self._decoded, "close"):
            self._decoded.close()
