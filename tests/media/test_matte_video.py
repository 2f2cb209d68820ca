"""Videos for editors, decoded again: count, times, size, colours, opacity, sound and timecode are the source's."""

from __future__ import annotations

import json
import shutil
import subprocess
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from shibori.errors import InputError
from shibori.media.clip import Clip, Frame
from shibori.media.mask import FrameMasks
from shibori.media.mask_writer import ONE_FILE_NAMES
from shibori.media.reader import read_clip
from shibori.media.timecode import frames_to_timecode, timecode_later, timecode_to_frames
from shibori.media.writer import open_writer
from shibori.media.writer_options import PLAIN, WriterOptions
from shibori.media.yuva import plane_values

CUT_OUTS = {"prores": "prores", "webm": "libvpx-vp9", "ffv1": "ffv1"}
VIDEOS = [*CUT_OUTS, "matte", "screen", "side-by-side", "overlay", "outline"]
COLOURS = {
    "bt601": ("yuv420p", {"colorspace": 6, "color_primaries": 6, "color_trc": 6}),
    "bt709": ("yuv420p", {"colorspace": 1, "color_primaries": 1, "color_trc": 1}),
    "full range": ("yuv420p", {"colorspace": 1, "color_range": 2}),
    "10 bit": ("yuv422p10le", {"colorspace": 1, "color_primaries": 1, "color_trc": 1}),
    "PQ": ("yuv420p10le", {"colorspace": 9, "color_primaries": 9, "color_trc": 16}),
    "HLG": ("yuv420p10le", {"colorspace": 9, "color_primaries": 9, "color_trc": 18}),
    "unstated": ("yuv420p", {}),
}


def soft_masks(index: int, size_hw: tuple[int, int]) -> FrameMasks:
    ramp = np.linspace(0, 1, size_hw[1], dtype=np.float32)
    alpha = np.tile(ramp, (size_hw[0], 1))
    return FrameMasks(index, (alpha > 0.5).astype(np.uint8), (), None, {1: alpha})


def opaque(index: int, size_hw: tuple[int, int]) -> FrameMasks:
    return FrameMasks(index, np.ones(size_hw, np.uint8))


def write(name: str, out: Path, clip: Clip, masks=soft_masks, options=PLAIN) -> Path:
    with open_writer(name, out, clip, (1,), options=options) as writer:
        for frame in clip.frames():
            writer.write(frame, masks(frame.index, clip.size_hw))
    return out / ONE_FILE_NAMES[name]


def decoded_rgba(path: Path, codec: str) -> list[np.ndarray]:
    """Pictures with their opacity, (H, W, 4) uint8, whatever the stored bits."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        decoder = av.CodecContext.create(codec, "r")
        decoder.extradata = stream.codec_context.extradata
        decoder.width, decoder.height = stream.width, stream.height
        if codec == "prores":
            decoder.codec_tag = stream.codec_context.codec_tag
        packets = [packet for packet in container.demux(stream) if packet.size]
        frames = [frame for packet in (*packets, None) for frame in decoder.decode(packet)]
    return [frame.reformat(format="rgba64le").to_ndarray() >> 8 for frame in frames]


TAGS = ("colorspace", "color_primaries", "color_trc")
HDR = ("PQ", "HLG")
"""It takes seconds to bring one to the display."""


def smooth_source(colours: str, path: Path, encoder) -> Path:
    rng = np.random.default_rng(0)
    flat = cv2.resize(rng.integers(30, 220, (4, 6, 3)).astype(np.uint8), (288, 192), interpolation=cv2.INTER_LINEAR)
    pixels, tags = COLOURS[colours]
    return encoder(path, [flat] * 2, codec="ffv1", pixels=pixels, tags=tags)


def colour_tags(path: Path) -> dict[str, int]:
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        return {key: int(getattr(context, key)) for key in (*TAGS, "color_range")}


@pytest.mark.parametrize("name", [*CUT_OUTS, "screen"])
@pytest.mark.parametrize("colours", [colours for colours in COLOURS if colours not in HDR])
def test_opaque_pixels_keep_their_colours(name, colours, encoder, tmp_path):
    clip = read_clip(smooth_source(colours, tmp_path / "a.mkv", encoder), exact=True)
    path = write(name, tmp_path / "out", clip, opaque)
    assert np.abs(read_clip(path, exact=True).frame(1).image.astype(int) - clip.frame(1).image).mean() < 1.5
    stated = COLOURS["bt709" if name == "screen" else colours][1] | {"color_range": 1}
    found = colour_tags(path)
    assert found == found | stated


@pytest.mark.parametrize("name", CUT_OUTS)
@pytest.mark.parametrize("colours", HDR)
def test_high_dynamic_range_is_kept_as_it_is_coded(name, colours, encoder, tmp_path):
    source = smooth_source(colours, tmp_path / "a.mkv", encoder)
    clip, stored = read_clip(source), list(stored_pictures(source))
    with open_writer(name, tmp_path / "out", clip, (1,)) as writer:
        for index, picture in enumerate(stored):
            blank = np.zeros((*clip.size_hw, 3), np.uint8)  # cut-outs are made of the stored picture
            writer.write(Frame(index, Fraction(index, 25), blank, picture), opaque(index, clip.size_hw))
    path = tmp_path / "out" / ONE_FILE_NAMES[name]
    assert colour_tags(path) == COLOURS[colours][1] | {"color_range": 1}
    (before, _), (after, _) = ([codes(picture) for picture in stored_pictures(each)] for each in (source, path))
    for place, values in enumerate(before):
        resized = cv2.resize(after[place], values.shape[::-1], interpolation=cv2.INTER_AREA)
        assert np.abs(resized - values).mean() < 1.5


def stored_pictures(path: Path):
    with av.open(str(path)) as container:
        yield from container.decode(video=0)


def codes(picture: av.VideoFrame) -> list[np.ndarray]:
    """Y, Cb and Cr as of 8 bits."""
    bits = picture.format.components[0].bits
    return [plane_values(picture, place).astype(np.float32) / (1 << bits - 8) for place in range(3)]


@pytest.mark.parametrize(("name", "colours"), [("ffv1", "PQ"), ("prores", "HLG")])
def test_high_dynamic_range_is_displayed_alike(name, colours, encoder, tmp_path):
    clip = read_clip(smooth_source(colours, tmp_path / "a.mkv", encoder))
    path = write(name, tmp_path / "out", clip, opaque)
    assert np.abs(read_clip(path).frame(1).image.astype(int) - clip.frame(1).image).mean() < 2


@pytest.mark.parametrize(("name", "codec"), CUT_OUTS.items())
def test_opacity_comes_back(name, codec, make_video, tmp_path):
    clip = read_clip(make_video("a.mp4", 4))
    pictures = decoded_rgba(write(name, tmp_path, clip), codec)
    assert len(pictures) == 4
    expected = soft_masks(0, clip.size_hw).alpha((1,))
    assert np.abs(pictures[2][..., 3].astype(int) - expected).mean() < 2


def test_premultiplied_colours_fade_to_black(make_video, tmp_path):
    clip = read_clip(make_video("a.mp4", 2))
    options = WriterOptions(premultiplied=True)
    picture = decoded_rgba(write("ffv1", tmp_path, clip, options=options), "ffv1")[1]
    expected = clip.frame(1).image * soft_masks(1, clip.size_hw).opacity((1,))[..., None]
    assert np.abs(picture[..., :3] - expected).mean() < 2


@pytest.mark.parametrize("name", VIDEOS)
@pytest.mark.parametrize("rotation", [90, 180])
def test_turned_footage_stands_upright(name, rotation, make_video, tmp_path):
    clip = read_clip(make_video("phone.mp4", 2, rotation=rotation))
    copy = read_clip(write(name, tmp_path / "out", clip, opaque))
    width = clip.size_hw[1] * (2 if name == "side-by-side" else 1)
    assert copy.size_hw == (clip.size_hw[0], width)
    if name in CUT_OUTS:
        assert np.abs(copy.frame(1).image.astype(int) - clip.frame(1).image).mean() < 3


@pytest.mark.parametrize("name", VIDEOS)
def test_variable_times_odd_sizes_and_one_frame(name, make_video, tmp_path):
    ticks = [0, 100, 250, 300]
    clip = read_clip(make_video("vfr.mkv", 4, (37, 97), pts=ticks, time_base=Fraction(1, 1000), codec="ffv1"))
    copy = read_clip(write(name, tmp_path / "out", clip))
    assert [frame.time for frame in copy.frames()] == [Fraction(tick, 1000) for tick in ticks]
    assert copy.num_frames == 4
    single = read_clip(make_video("one.mp4", 1))
    assert read_clip(write(name, tmp_path / "single", single)).num_frames == 1


def test_a_grey_matte_is_the_opacity(make_video, tmp_path):
    clip = read_clip(make_video("a.mp4", 2))
    picture = read_clip(write("matte", tmp_path, clip)).frame(1).image
    assert np.abs(picture[..., 1].astype(int) - soft_masks(1, clip.size_hw).alpha((1,))).mean() < 3


def test_screens_side_by_side_and_outlines(make_video, tmp_path):
    clip = read_clip(make_video("a.mp4", 2))
    screen = read_clip(write("screen", tmp_path, clip, options=WriterOptions(screen="#102030"))).frame(0).image
    assert np.abs(screen[:, 2].astype(int) - [0x10, 0x20, 0x30]).max() < 8
    both = read_clip(write("side-by-side", tmp_path, clip)).frame(0).image
    assert np.abs(both[:, :90].astype(int) - clip.frame(0).image[:, :90]).mean() < 3
    assert both[20, 100].max() < 20
    assert both[20, -4].min() > 235
    lined = read_clip(write("outline", tmp_path, clip)).frame(0).image
    assert np.abs(lined[:, :40].astype(int) - clip.frame(0).image[:, :40]).mean() < 3
    assert np.abs(lined[20, 44:54].astype(int) - clip.frame(0).image[20, 44:54]).max() > 60


def with_sound(path: Path, codec: str = "aac", num_frames: int = 50, timecode: str | None = None) -> Path:
    """Two seconds of numbered frames and of a tone."""
    with av.open(str(path), "w") as out:
        video = out.add_stream("mpeg4" if path.suffix != ".webm" else "libvpx", rate=25)
        video.width, video.height, video.pix_fmt = 96, 48, "yuv420p"
        if timecode:
            video.metadata["timecode"] = timecode
        sound = out.add_stream(codec, rate=48000, layout="mono")
        for number in range(num_frames):
            frame = av.VideoFrame.from_ndarray(np.full((48, 96, 3), 4 * number, np.uint8), format="rgb24")
            out.mux(video.encode(frame))
        tone = (8000 * np.sin(np.arange(num_frames * 1920) * 0.06)).astype(np.int16)[None]
        for start in range(0, tone.shape[1], 960):
            frame = av.AudioFrame.from_ndarray(tone[:, start : start + 960], format="s16", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = 48000, start, Fraction(1, 48000)
            out.mux(sound.encode(frame))
        out.mux(video.encode(None))
        out.mux(sound.encode(None))
    return path


def sound_packets(path: Path) -> list[tuple[Fraction, bytes]]:
    with av.open(str(path)) as container:
        if not container.streams.audio:
            return []
        stream = container.streams.audio[0]
        return [(p.pts * p.time_base, bytes(p)) for p in container.demux(stream) if p.size]


@pytest.mark.parametrize("name", ["prores", "ffv1", "matte", "overlay"])
def test_sound_is_copied_packet_by_packet(name, tmp_path):
    clip = read_clip(with_sound(tmp_path / "talk.mp4"))
    assert clip.has_sound
    source = sound_packets(clip.path)
    copied = sound_packets(write(name, tmp_path / "out", clip))
    data = [content for _, content in source]
    kept = [content for _, content in copied]
    assert kept == data[len(data) - len(kept) :]  # a container without edit lists begins with the picture
    assert len(data) - len(kept) <= 2
    assert abs(copied[-1][0] - source[-1][0]) < Fraction(1, 500)
    assert sound_packets(write(name, tmp_path / "mute", clip, options=WriterOptions(sound=False))) == []


def test_sound_that_a_container_does_not_take_is_named(tmp_path):
    clip = read_clip(with_sound(tmp_path / "talk.mp4"))
    with open_writer("webm", tmp_path / "out", clip, (1,)) as writer:
        for frame in clip.frames():
            writer.write(frame, opaque(frame.index, clip.size_hw))
    assert writer.remarks == ("cutout.webm has no sound: webm takes no aac",)
    assert sound_packets(tmp_path / "out" / "cutout.webm") == []


def test_sound_of_a_part_begins_with_its_picture(tmp_path):
    clip = read_clip(with_sound(tmp_path / "talk.mp4"))
    with open_writer("prores", tmp_path / "part", clip, (1,)) as writer:
        for frame in clip.frames(10, 30):
            writer.write(frame, opaque(frame.index, clip.size_hw))
    packets = sound_packets(tmp_path / "part" / "cutout.mov")
    assert packets[0][0] <= Fraction(1, 40)
    assert Fraction(7, 10) < packets[-1][0] < Fraction(9, 10)
    data = [content for _, content in sound_packets(clip.path)]
    assert packets[5][1] in data


@pytest.mark.parametrize("name", ["prores", "matte", "ffv1"])
def test_timecode_is_kept(name, tmp_path):
    clip = read_clip(with_sound(tmp_path / "talk.mov", timecode="01:02:03:04"))
    assert clip.timecode == "01:02:03:04"
    path = write(name, tmp_path / "out", clip)
    assert read_clip(path).timecode == "01:02:03:04"
    if shutil.which("ffprobe"):
        command = ["ffprobe", "-v", "error", "-of", "json", "-show_streams", "-show_format", str(path)]
        told = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        assert "01:02:03:04" in json.dumps(told)
        if name == "prores":
            assert [stream["codec_tag_string"] for stream in told["streams"]] == ["ap4h", "mp4a", "tmcd"]


def test_ffmpeg_reads_the_same_pictures(make_video, tmp_path):
    if not shutil.which("ffmpeg"):
        pytest.skip("no ffmpeg on this machine")
    clip = read_clip(make_video("a.mp4", 5))
    for name in ("prores", "ffv1"):
        path = write(name, tmp_path / name, clip)
        command = ["ffmpeg", "-v", "error", "-i", str(path), "-f", "rawvideo", "-pix_fmt", "rgba", "-"]
        data = subprocess.run(command, capture_output=True, check=True).stdout
        pictures = np.frombuffer(data, np.uint8).reshape(5, *clip.size_hw, 4)
        assert np.abs(pictures[3][..., 3].astype(int) - soft_masks(3, clip.size_hw).alpha((1,))).mean() < 2
        assert np.abs(pictures[3][..., :3].astype(int) - clip.frame(3).image).mean() < 3


def test_colours_of_screens():
    assert WriterOptions(screen="Blue").screen_rgb == (0, 71, 187)
    assert WriterOptions(screen="0a0B0c").screen_rgb == (10, 11, 12)
    with pytest.raises(InputError, match="expected a colour"):
        _ = WriterOptions(screen="grue").screen_rgb


@pytest.mark.parametrize(
    ("timecode", "rate", "count"),
    [
        ("00:00:00:00", Fraction(25), 0),
        ("01:00:00:00", Fraction(24000, 1001), 86400),
        ("00:01:00;02", Fraction(30000, 1001), 1800),
        ("00:10:00;00", Fraction(30000, 1001), 17982),
        ("01:00:00;00", Fraction(60000, 1001), 215784),
    ],
)
def test_timecodes_count_frames(timecode, rate, count):
    assert timecode_to_frames(timecode, rate) == count
    assert frames_to_timecode(count, rate, ";" in timecode) == timecode
    assert timecode_later(timecode, 0, rate) == timecode


def test_dropped_numbers_are_never_shown():
    rate = Fraction(30000, 1001)
    shown = [frames_to_timecode(count, rate, True) for count in range(40000)]
    assert len(set(shown)) == 40000
    assert [timecode_to_frames(timecode, rate) for timecode in shown] == list(range(40000))
    assert timecode_later("nonsense", 3, rate) is None
