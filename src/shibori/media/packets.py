"""The packets of a video file: opening it, decoding them, and an index of its frames made without decoding."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.stream import Discard, Disposition
from av.video.stream import VideoStream
from numpy.typing import NDArray

from shibori.errors import InputError

_NO_SEEK_FORMATS = {"gif", "apng", "webp_anim"}
"""Every packet calls itself a key frame, yet draws over the one before."""
_TEXT_FORMATS = {"tty", "srt", "ass", "webvtt", "subviewer", "microdvd"}


@dataclass(frozen=True, eq=False)
class PacketIndex:
    """Where every frame of a stream is, learnt from its packets without decoding."""

    times: NDArray[np.int64]
    """(F,) presentation times in units of the stream's time base, ascending."""
    keys: NDArray[np.int64]
    """(K,) indices of frames at which decoding can start, ascending, the first one 0."""
    key_seeks: NDArray[np.int64]
    """(K,) time to seek to for each of them."""
    timed: bool
    """Whether decoded frames carry ``times``; if not (raw streams, AVI with B-frames), they are counted."""
    num_damaged: int
    """Packets that the file holds in part only."""
    num_hidden: int
    """Packets that never show: cut away by the file's edit list, or reference pictures of VP8."""

    def key_before(self, index: int) -> int:
        """Position in ``keys`` of the last one at or before a frame."""
        return int(np.searchsorted(self.keys, index, side="right")) - 1

    def from_time(self, first: int) -> PacketIndex:
        """The index without frames before a time (leading pictures no decoder can build)."""
        drop = int(np.searchsorted(self.times, first)) if self.timed else 0
        if drop == 0:
            return self
        keep = self.keys >= drop
        keys, seeks = self.keys[keep] - drop, self.key_seeks[keep]
        if not len(keys) or keys[0] != 0:
            keys, seeks = np.insert(keys, 0, 0), np.insert(seeks, 0, self.key_seeks[0])
        return PacketIndex(self.times[drop:], keys, seeks, self.timed, self.num_damaged, self.num_hidden + drop)


def open_video(path: Path) -> InputContainer:
    """Open a file for reading. InputError where it is none that can be read."""
    try:
        # "file:" so that no part of a name is read as a protocol; the whitelist so that no playlist leads elsewhere.
        return av.open(f"file:{path}", options={"protocol_whitelist": "file"})
    except av.FFmpegError as error:
        raise InputError(_why_not_opened(path, error)) from error


def _why_not_opened(path: Path, error: av.FFmpegError) -> str:
    if isinstance(error, PermissionError):
        return f"{path} may not be read: permission denied"
    with path.open("rb") as file:
        head = file.read(12)
    if not head:
        return f"{path} is an empty file, not a video"
    if head[4:8] in (b"ftyp", b"mdat", b"wide"):
        return (
            f"{path} cannot be opened: it was cut off before its table of frames was written, so nothing in it can "
            "be decoded; copy or record it again"
        )
    return f"{path} is not a video that can be read: {error.strerror or error}"


def video_stream(container: InputContainer, path: Path) -> VideoStream:
    """The file's video, cover pictures of sound files aside. Other streams are not read."""
    if container.format.name in _TEXT_FORMATS:
        raise InputError(f"{path} is a text file, not a video")
    videos = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not videos:
        kinds = "only sound" if container.streams.audio else "no moving picture"
        raise InputError(f"{path} holds {kinds}: a video or a folder of images is needed")
    for stream in container.streams:
        if stream.index != videos[0].index:
            stream.discard = Discard.all
    return videos[0]


_ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
"""Codecs whose opacity travels beside the picture -> the decoders that look at it; FFmpeg's own do not."""


def decode(container: InputContainer, stream: VideoStream, with_alpha: bool = False) -> Iterator[av.VideoFrame]:
    """Every frame that decodes, in display order. Damaged packets are passed over; the caller sees the gaps.

    Args:
        container: an open file.
        stream: its video.
        with_alpha: also decode opacity that is stored beside the picture (WebM); it takes another decoder.
    """
    packets = container.demux(stream)
    decoder = _decoder(stream) if with_alpha else stream.codec_context
    while True:
        try:
            packet = next(packets, None)
        except av.FFmpegError:
            return  # the rest of the file cannot be read
        if packet is None:
            return
        if packet.is_corrupt and packet.size:
            continue
        try:
            frames = decoder.decode(packet)
        except av.FFmpegError:
            continue
        yield from frames


def _decoder(stream: VideoStream) -> Any:
    name = _ALPHA_DECODERS.get(stream.codec_context.name)
    if name is None or stream.metadata.get("alpha_mode") != "1":
        return stream.codec_context
    decoder = av.CodecContext.create(name, "r")
    decoder.extradata = stream.codec_context.extradata
    return decoder


@dataclass
class _Found:
    """What a walk over the packets has seen so far."""

    times: list[int] = field(default_factory=list)
    keys: dict[int, int] = field(default_factory=dict)
    """Presentation time of each key frame -> the time to seek to."""
    num_packets: int = 0
    num_damaged: int = 0
    num_hidden: int = 0

    def add(self, packet: av.Packet[Any], *, hidden: bool, seeks_by_pts: bool) -> None:
        if packet.is_corrupt:
            self.num_damaged += 1
        elif packet.is_discard or hidden:
            self.num_hidden += 1
        else:
            self.num_packets += 1
            if packet.pts is not None:
                self.times.append(packet.pts)
                if packet.is_keyframe:
                    self.keys[packet.pts] = packet.pts if seeks_by_pts or packet.dts is None else packet.dts


def scan(container: InputContainer, stream: VideoStream) -> PacketIndex:
    """Index a freshly opened stream by reading it through."""
    found = _Found()
    matroska = "matroska" in container.format.name  # whose index of key frames goes by display time
    for packet in _packets(container, stream):
        found.add(packet, hidden=_is_hidden(packet, stream), seeks_by_pts=matroska)
    # AVI stores no display times, and those made up for it are wrong where frames are coded out of order.
    reorders_untold = container.format.name == "avi" and stream.codec_context.has_b_frames
    distinct = len(set(found.times)) == found.num_packets
    lost = found.num_damaged, found.num_hidden
    if reorders_untold or not distinct:
        counted = np.arange(found.num_packets, dtype=np.int64)
        return PacketIndex(counted, counted[:1], counted[:1], False, *lost)
    times = np.sort(np.asarray(found.times, np.int64))
    usable = {} if container.format.name in _NO_SEEK_FORMATS else found.keys
    key_times = sorted({*usable, *times[:1].tolist()})  # decoding can start with the file, key frame or not
    seeks = np.asarray([found.keys.get(time, time) for time in key_times], np.int64)
    return PacketIndex(times, np.searchsorted(times, key_times), seeks, True, *lost)


def _packets(container: InputContainer, stream: VideoStream) -> Iterator[av.Packet[Any]]:
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except av.FFmpegError:
            return
        if packet is None:
            return
        if packet.size:
            yield packet


def _is_hidden(packet: av.Packet[Any], stream: VideoStream) -> bool:
    """A VP8 picture that is only referred to: bit 4 of its first byte is its show_frame flag (RFC 6386, 9.1)."""
    return stream.codec_context.name == "vp8" and not (bytes(packet)[0] >> 4) & 1


def stated_end(container: InputContainer, stream: VideoStream) -> Fraction | None:
    """Seconds at which a Matroska or WebM file says its video ends; other containers state a number of frames."""
    stated = stream.metadata.get("DURATION")
    if stated:
        hours, minutes, seconds = stated.split(":")
        return int(hours) * 3600 + int(minutes) * 60 + Fraction(seconds)
    if "matroska" in container.format.name and len(container.streams) == 1 and container.duration:
        return Fraction(container.duration, av.time_base)
    return None
