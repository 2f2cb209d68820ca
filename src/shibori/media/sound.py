"""The sound of a clip, copied packet by packet beside its new pictures."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.container import OutputContainer
from av.stream import Discard

from shibori.media.packets import open_video

_MAY_BEGIN_EARLY = {"mov", "mp4"}
"""Containers whose edit list hides what lies before the first picture, as decoders need it to start."""


class SoundCopy:
    """Copies every sound track that a container takes, without decoding it.

    Args:
        path: of the clip.
        container: that is being written; its pictures' stream is there already, nothing is written yet.
        begin: of the first picture, in seconds of the clip: the new zero.
    """

    def __init__(self, path: Path, container: OutputContainer, begin: Fraction) -> None:
        self.left_out: list[str] = []
        """Codecs of tracks that the container does not take."""
        self._source, self._container, self._begin = open_video(path), container, begin
        self._copies: dict[int, Any] = {}
        for stream in self._source.streams:
            if stream.type != "audio":
                stream.discard = Discard.all
            elif (codec := _codec_name(stream)) in container.supported_codecs:
                self._copies[stream.index] = container.add_stream_from_template(stream)
            else:
                self.left_out.append(codec)
        self._packets = self._read() if self._copies else iter(())
        self._next = next(self._packets, None)

    def until(self, time: Fraction | None) -> None:
        """Write what is heard until a time of the clip; to the end where it is None."""
        while self._next is not None:
            start, packet = self._next
            if time is not None and start > time:
                return
            self._container.mux(packet)
            self._next = next(self._packets, None)

    def close(self) -> None:
        """Let go of the clip."""
        self._source.close()

    def _read(self) -> Iterator[tuple[Fraction, av.Packet[Any]]]:
        streams = [self._source.streams[index] for index in self._copies]
        for packet in self._source.demux(streams):
            if packet.dts is None or packet.pts is None or packet.time_base is None:
                continue
            start, end = packet.pts * packet.time_base, (packet.pts + (packet.duration or 0)) * packet.time_base
            is_early = start < self._begin
            if end <= self._begin or (is_early and self._container.format.name not in _MAY_BEGIN_EARLY):
                continue
            shift = round(self._begin / packet.time_base)
            index = packet.stream.index
            packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
            packet.stream = self._copies[index]
            yield start, packet


def _codec_name(stream: Any) -> str:
    return str(stream.codec_context.codec.canonical_name)
