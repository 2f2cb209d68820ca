"""Frames of a clip as JPEG, by index: the very frame that was asked for, those around it ahead of time."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from shibori.media.clip import Clip
from shibori.media.picture import encode_jpeg
from shibori.media.view import smaller, view_size

CACHED_BYTES = 192 << 20
AHEAD = 24
"""Frames after the one that was asked for, which are decoded in one go."""
THUMBNAIL_SIDE = 96
MOST_THUMBNAILS = 240
_THUMBNAILS_AT_ONCE = 20


class FrameCache:
    """Pictures of one clip; calls from several threads.

    Args:
        clip: where they come from.
        cached_bytes: of pictures that are kept in memory.
    """

    def __init__(self, clip: Clip, cached_bytes: int = CACHED_BYTES) -> None:
        self.clip, self.cached_bytes = clip, cached_bytes
        self._pictures: OrderedDict[tuple[int, int], bytes] = OrderedDict()
        self._bytes = 0
        self._guard = threading.Lock()
        self._decoding = threading.Lock()
        self._ahead = ThreadPoolExecutor(1, thread_name_prefix="frames-ahead")
        self._wanted = -1

    def picture(self, index: int, side: int) -> bytes:
        """JPEG bytes of a frame with a longest side of at most so many pixels.

        Raises:
            IndexError: there is no such frame.
            InputError: it cannot be decoded.
        """
        found = self._cached(index, side)
        if found is None:
            with self._decoding:  # two pages that ask for one frame wait for one decoder
                found = self._cached(index, side) or self._made(index, side)
        if self._cached(min(index + 1, self.clip.num_frames - 1), side) is None:
            self._wanted = index
            self._ahead.submit(self._go_ahead, index, side)
        return found

    def close(self) -> None:
        """Decode nothing more."""
        self._ahead.shutdown(wait=False, cancel_futures=True)

    def _made(self, index: int, side: int) -> bytes:
        return self._put(index, side, self.clip.frame(index).image)

    def _go_ahead(self, index: int, side: int) -> None:
        start, stop = index + 1, min(index + 1 + AHEAD, self.clip.num_frames)
        if self._wanted != index or start >= stop:  # somebody went elsewhere meanwhile
            return
        for frame in self.clip.frames(start, stop):
            if self._wanted != index and not start <= self._wanted < stop:
                return
            if self._cached(frame.index, side) is None:
                self._put(frame.index, side, frame.image)

    def _cached(self, index: int, side: int) -> bytes | None:
        with self._guard:
            found = self._pictures.get((index, side))
            if found is not None:
                self._pictures.move_to_end((index, side))
            return found

    def _put(self, index: int, side: int, image: NDArray[np.uint8]) -> bytes:
        picture = _encoded(image, side)
        with self._guard:
            self._bytes += len(picture) - len(self._pictures.pop((index, side), b""))
            self._pictures[index, side] = picture
            while self._bytes > self.cached_bytes and len(self._pictures) > 1:
                self._bytes -= len(self._pictures.popitem(last=False)[1])
        return picture


class Thumbnails:
    """Small pictures of some frames, made in one pass from the start; calls from several threads.

    Args:
        clip: where they come from.
        on_more: called with the number of frames that were passed, every now and then, in the thread that makes them.
    """

    def __init__(self, clip: Clip, on_more: Callable[[int], None]) -> None:
        self.clip, self.on_more = clip, on_more
        self.step = max(1, -(-clip.num_frames // MOST_THUMBNAILS))
        """From one to the next."""
        self.done = 0
        """Frames before this one have theirs, as far as they can be decoded."""
        self._pictures: dict[int, bytes] = {}
        self._closed = False
        threading.Thread(target=self._make, daemon=True, name="thumbnails").start()

    def picture(self, index: int) -> bytes | None:
        """JPEG bytes of the last one up to a frame; None where it is not made yet."""
        place = index - index % self.step
        return self._pictures.get(place)

    def close(self) -> None:
        """Make no more."""
        self._closed = True

    def _make(self) -> None:
        for number, frame in enumerate(self.clip.frames(step=self.step), 1):
            if self._closed:
                return
            self._pictures[frame.index] = _encoded(frame.image, THUMBNAIL_SIDE)
            self.done = frame.index + 1
            if number % _THUMBNAILS_AT_ONCE == 0:
                self.on_more(self.done)
        self.done = self.clip.num_frames
        self.on_more(self.done)


def _encoded(image: NDArray[np.uint8], side: int) -> bytes:
    quality = 70 if side <= THUMBNAIL_SIDE else 85
    return encode_jpeg(smaller(image, view_size((image.shape[0], image.shape[1]), side)), quality)
