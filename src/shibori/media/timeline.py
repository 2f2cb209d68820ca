"""OpenTimelineIO: the source below, a cut-out of each object above it, for any editor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from shibori.errors import InputError
from shibori.media.atomic import write_whole
from shibori.media.clip import Clip, Frame
from shibori.media.mask import FrameMasks
from shibori.media.mask_writer import MaskWriter, Target, object_layer
from shibori.media.matte import ProResWriter
from shibori.media.timecode import timecode_to_frames
from shibori.media.video_writer import DEFAULT_RATE


class TimelineWriter(MaskWriter):
    """OpenTimelineIO timeline in a folder with a ProRes 4444 cut-out of each object, the source below them."""

    def __init__(self, target: Target) -> None:
        open_timeline_library()
        self.target, self.path = target, target.out / "timeline.otio"
        self._writers = {
            object_id: ProResWriter(
                Target(
                    target.out / f"{object_layer(object_id)}.mov",
                    target.clip,
                    (object_id,),
                    target.resume,
                    target.overwrite,
                    target.options,
                )
            )
            for object_id in target.object_ids
        }
        finished = [writer.done for writer in self._writers.values()]
        self.done = set.intersection(*finished) if finished else set()
        self._written: list[int] = []

    @property
    def remarks(self) -> tuple[str, ...]:
        return tuple(remark for writer in self._writers.values() for remark in writer.remarks)

    def _write(self, frame: Frame, masks: FrameMasks) -> None:
        self._written.append(frame.index)
        for writer in self._writers.values():
            writer.write(frame, masks)

    def close(self) -> None:
        for writer in self._writers.values():
            writer.close()
        if self._written:
            files = {object_layer(object_id): writer.path.name for object_id, writer in self._writers.items()}
            write_whole(
                self.path, timeline_text(self.target.clip, files, self._written[0], len(self._written)).encode()
            )

    def discard(self) -> None:
        for writer in self._writers.values():
            writer.discard()


def timeline_text(clip: Clip, files: dict[str, str], first: int, count: int) -> str:
    """A timeline as JSON.

    Args:
        clip: the source.
        files: name -> video file beside the timeline, with as many frames as are shown.
        first: index of the clip's frame that is shown first.
        count: frames that are shown.
    """
    otio = open_timeline_library()
    rate = float(clip.frame_rate or DEFAULT_RATE)
    start = timecode_to_frames(clip.timecode, clip.frame_rate) if clip.timecode and clip.frame_rate else 0
    start = start or 0

    def span(begin: int, length: int) -> Any:
        return otio.opentime.TimeRange(
            otio.opentime.RationalTime(begin, rate), otio.opentime.RationalTime(length, rate)
        )

    def track(name: str, url: str, available: Any) -> Any:
        media = otio.schema.ExternalReference(target_url=url, available_range=available)
        shown = otio.schema.Clip(name=name, media_reference=media, source_range=span(start + first, count))
        return otio.schema.Track(name=name, kind=otio.schema.TrackKind.Video, children=[shown])

    timeline = otio.schema.Timeline(name=clip.name, global_start_time=otio.opentime.RationalTime(start + first, rate))
    timeline.tracks.append(track(clip.name, Path(clip.path).resolve().as_uri(), span(start, clip.num_frames)))
    for name, file in files.items():
        timeline.tracks.append(track(name, file, span(start + first, count)))
    return str(otio.adapters.write_to_string(timeline, "otio_json"))


def open_timeline_library() -> Any:
    """The module opentimelineio. InputError where it is not installed."""
    try:
        import opentimelineio
    except ImportError as error:
        raise InputError("timelines need the package OpenTimelineIO: pip install shibori[exchange]") from error
    return opentimelineio
