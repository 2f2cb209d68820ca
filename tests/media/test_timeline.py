"""Timelines: the library's own adapter reads source and cut-outs, at the clip's rate, from its timecode."""

from __future__ import annotations

import opentimelineio as otio

from shibori.media.mask import FrameMasks
from shibori.media.reader import read_clip
from shibori.media.writer import open_writer

from .test_matte_video import with_sound


def test_source_below_and_objects_above(tmp_path):
    clip = read_clip(with_sound(tmp_path / "take 1 – 山.mov", num_frames=12, timecode="01:00:00:05"))
    ids = FrameMasks(0, (clip.frame(0).image[..., 0] * 0 + 3))
    with open_writer("otio", tmp_path / "out", clip, (1, 3)) as writer:
        for frame in clip.frames(2):
            writer.write(frame, FrameMasks(frame.index, ids.ids))
    timeline = otio.adapters.read_from_file(str(tmp_path / "out" / "timeline.otio"))
    assert timeline.global_start_time == otio.opentime.RationalTime(90000 + 5 + 2, 25)
    assert [track.name for track in timeline.tracks] == ["take 1 – 山", "object1", "object3"]
    for track in timeline.tracks:
        assert track[0].source_range.duration.value == 10
        assert track[0].source_range.start_time.value == 90007
    for name in ("object1", "object3"):
        cut = read_clip(tmp_path / "out" / f"{name}.mov")
        assert (cut.num_frames, cut.timecode) == (10, "01:00:00:07")
    url = timeline.tracks[0][0].media_reference.target_url
    assert url == clip.path.resolve().as_uri()
