"""Video files as clips: every frame at its place, forward, backward and at random, whatever the container."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from shibori.errors import InputError
from shibori.media import video
from shibori.media.clip import Clip
from shibori.media.reader import read_clip

B_FRAMES = {"g": "7", "bf": "3"}
# A stream shorter than its delay of B-frames gets decode times out of memory that x265 never set: no B-frames, then.
X265_FOR_FEW_FRAMES = "bframes=0:log-level=none"
FILES = {
    "b_frames.mp4": {"options": B_FRAMES},
    "b_frames.mkv": {"options": B_FRAMES},
    "b_frames.mov": {"options": B_FRAMES},
    "stream.ts": {"options": B_FRAMES, "container": "mpegts"},
    "no_display_times.avi": {"options": B_FRAMES},
    "asp.avi": {"codec": "mpeg4", "options": {"bf": "2", "g": "7"}},
    "no_times.h264": {"options": B_FRAMES, "container": "h264"},
    "program.mpg": {"codec": "mpeg2video", "options": {"bf": "2", "g": "7"}},
    "vp9.webm": {"codec": "libvpx-vp9", "options": {"cpu-used": "8", "g": "7"}},
    "vp8.webm": {
        "codec": "libvpx",
        "options": {"auto-alt-ref": "1", "lag-in-frames": "16", "b:v": "300k", "cpu-used": "8"},
    },
    "open_gop.mp4": {"codec": "libx265", "options": {"x265-params": "keyint=7:open-gop=1:log-level=none"}},
    "animated.gif": {"codec": "gif", "pixels": "rgb8"},
    "lossless.mkv": {"codec": "ffv1"},
}


@pytest.mark.parametrize("name", FILES)
def test_every_frame_is_found_from_every_side(name, make_video, numbers):
    clip = read_clip(make_video(name, 20, **FILES[name]))
    assert (clip.num_frames, clip.size_hw, clip.shortfall) == (20, (48, 96), None)
    assert [(f.index, numbers(f.image)) for f in clip.frames()] == [(i, i) for i in range(20)]
    assert [numbers(f.image) for f in clip.frames(5, 17, 3)] == [5, 8, 11, 14]
    assert [(f.index, numbers(f.image)) for f in clip.backward(18, 3)] == [(i, i) for i in range(18, 3, -1)]
    order = [13, 2, 3, 19, 0, 7, 6, 6, 18]
    assert [numbers(clip.frame(i).image) for i in order] == order
    assert clip.shortfall is None


@pytest.mark.parametrize("name", FILES)
def test_times_follow_the_rate(name, make_video):
    clip = read_clip(make_video(name, 12, **FILES[name]))
    times = [frame.time for frame in clip.frames()]
    assert times[0] == 0
    assert clip.frame_rate == 25
    assert times == [Fraction(i, 25) for i in range(12)]


def test_backward_holds_few_frames(make_video, numbers, monkeypatch):
    monkeypatch.setattr(video, "_HELD_BYTES", 0)  # the smallest allowance: 8 frames, within a GOP of 40
    clip = read_clip(make_video("long_gop.mp4", 40, options={"g": "250"}))
    assert [numbers(f.image) for f in clip.backward(39)] == list(range(39, -1, -1))


def test_variable_frame_rate_keeps_its_times(make_video):
    ticks = [7 + i * i * 100 for i in range(10)]
    clip = read_clip(make_video("vfr.mp4", 10, pts=ticks, time_base=Fraction(1, 90000)))
    assert [frame.time for frame in clip.frames()] == [Fraction(t - 7, 90000) for t in ticks]
    assert clip.frame(4).time == Fraction(1600, 90000)


def test_two_streams_run_at_once(make_video, numbers):
    clip = read_clip(make_video("a.mp4", 10))
    pairs = [(numbers(a.image), numbers(b.image)) for a, b in zip(clip.frames(), clip.backward(9), strict=True)]
    assert pairs == [(i, 9 - i) for i in range(10)]


def test_one_frame(make_video, numbers):
    clip = read_clip(make_video("one.mp4", 1))
    assert [f.index for f in clip.frames()] == [0] == [f.index for f in clip.backward(0)]
    assert list(clip.frames(1)) == []


@pytest.mark.parametrize("size_hw", [(37, 53), (1, 2), (2, 201)])
def test_odd_sizes(size_hw, make_video):
    clip = read_clip(make_video("odd.mkv", 3, size_hw, codec="ffv1"))
    assert clip.size_hw == size_hw
    assert clip.frame(2).image.shape == (*size_hw, 3)


def test_4k(encoder, tmp_path):
    image = np.zeros((2160, 3840, 3), np.uint8)
    image[:, 1920:] = 200
    clip = read_clip(encoder(tmp_path / "4k.mp4", [image] * 2, options={"preset": "ultrafast"}))
    assert clip.size_hw == (2160, 3840)
    assert np.abs(clip.frame(1).image.astype(int) - image).max() <= 3


@pytest.mark.parametrize("rotation", [90, 180, -90])
def test_display_rotation_is_applied(rotation, encoder, tmp_path):
    image = np.full((32, 64, 3), 50, np.uint8)
    image[:8, :8] = 250  # the top left corner of the stored picture
    clip = read_clip(encoder(tmp_path / "turned.mp4", [image] * 3, rotation=rotation))
    upright = np.rot90(image, rotation // 90)  # positive is counter-clockwise, for both
    assert clip.size_hw == upright.shape[:2]
    for frame in (clip.frame(1), *clip.frames(2)):
        assert np.abs(frame.image.astype(int) - upright).mean() < 3


@pytest.mark.parametrize("matrix", [1, 5, 9])
@pytest.mark.parametrize("values", [1, 2])
@pytest.mark.parametrize(("pixels", "codec"), [("yuv444p", "libx264"), ("yuv444p10le", "libx265")])
def test_colours_follow_matrix_range_and_depth(matrix, values, pixels, codec, encoder, tmp_path):
    image = np.zeros((32, 96, 3), np.uint8)
    for place, colour in enumerate(
        [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (128, 128, 128), (10, 200, 90)]
    ):
        image[:, 16 * place : 16 * place + 16] = colour
    options = {"crf": "2"} | ({"x265-params": X265_FOR_FEW_FRAMES} if codec == "libx265" else {})
    tags = {"colorspace": matrix, "color_range": values}
    clip = read_clip(encoder(tmp_path / "c.mkv", [image] * 2, codec=codec, pixels=pixels, options=options, tags=tags))
    shown = clip.frame(0).image.astype(int)
    assert np.abs(shown[:, 8::16] - image[:, 8::16]).max() <= 3


@pytest.mark.parametrize("pixels", ["yuv420p", "yuv422p10le", "yuv444p"])
def test_exact_colours_are_as_bright_as_they_were(pixels, encoder, tmp_path):
    coarse = np.random.default_rng(0).integers(30, 220, (4, 6, 3)).astype(np.uint8)
    image = cv2.resize(coarse, (288, 192), interpolation=cv2.INTER_LINEAR)
    clip = read_clip(
        encoder(tmp_path / "c.mkv", [image], codec="ffv1", pixels=pixels, tags={"colorspace": 1}), exact=True
    )
    difference = clip.frame(0).image.astype(int) - image
    assert np.abs(difference.mean(axis=(0, 1))).max() < 0.6  # without haste; else 1 to 2 levels darker
    assert np.abs(difference).mean() < 1.5


def test_an_unstated_matrix_depends_on_the_size(encoder, tmp_path):
    red = np.zeros((64, 1280, 3), np.uint8)
    red[..., 0] = 255
    tags = {"colorspace": 2, "color_range": 1}
    coded = [(np.array([81, 90, 240], np.uint8), 64), (np.array([63, 102, 240], np.uint8), 1280)]  # BT.601, BT.709
    for yuv, width in coded:
        path = tmp_path / f"{width}.mkv"
        with av.open(str(path), "w") as out:
            stream = out.add_stream("ffv1", rate=25)
            stream.width, stream.height, stream.pix_fmt = width, 64, "yuv444p"
            stream.codec_context.color_range = tags["color_range"]
            planes = np.broadcast_to(yuv[:, None, None], (3, 64, width)).copy()
            out.mux(stream.encode(av.VideoFrame.from_ndarray(planes, format="yuv444p")))
            out.mux(stream.encode(None))
        assert np.abs(read_clip(path).frame(0).image.astype(int) - red[:, :width]).max() <= 3


def test_high_dynamic_range_comes_to_ordinary_white(tmp_path):
    signal = np.array([0, 9826, 28853, 38055, 42766])  # PQ: 0, 1, 50, 203 (diffuse white) and 400 cd/m2, in 16 bits
    image = np.broadcast_to(signal.repeat(16)[None, :, None], (32, 80, 3)).astype(np.uint16)
    path = tmp_path / "pq.mkv"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx265", rate=25, options={"x265-params": X265_FOR_FEW_FRAMES, "crf": "4"})
        stream.width, stream.height, stream.pix_fmt = 80, 32, "yuv420p10le"
        context = stream.codec_context
        context.color_primaries, context.color_trc, context.colorspace, context.color_range = 9, 16, 9, 1
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb48le")
        out.mux(stream.encode(frame.reformat(format="yuv420p10le", dst_colorspace=9, dst_color_range=1)))
        out.mux(stream.encode(None))
    levels = read_clip(path).frame(0).image[16, 8::16].mean(axis=1)
    assert levels[0] <= 3
    assert all(a <= b for a, b in pairwise(levels))
    assert 125 < levels[2] < 160  # a quarter of white, in BT.709
    assert levels[3] > 245


def test_alpha_leaves_the_colours_alone(encoder, tmp_path):
    image = np.full((32, 32, 4), 180, np.uint8)
    image[:, 16:, 3] = 0
    clip = read_clip(encoder(tmp_path / "alpha.mov", [image] * 2, codec="qtrle", pixels="argb"))
    assert clip.frame(1).image.shape == (32, 32, 3)
    assert (clip.frame(1).image == 180).all()


def remuxed_with_index_first(source: Path, target: Path) -> Path:
    with av.open(str(source)) as read, av.open(str(target), "w", options={"movflags": "faststart"}) as write:
        stream = write.add_stream_from_template(read.streams.video[0])
        for packet in read.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                write.mux(packet)
    return target


def cut(source: Path, share: float) -> Path:
    data = source.read_bytes()
    target = source.with_name("cut_" + source.name)
    target.write_bytes(data[: int(len(data) * share)])
    return target


def streamed(clip: Clip) -> int:
    return sum(1 for _ in clip.frames())


def test_a_truncated_mp4_gives_what_it_has_and_says_what_is_missing(make_video, tmp_path, numbers):
    whole = make_video("whole.mp4", 40, size_hw=(96, 192), options={"g": "10", "crf": "4"})
    clip = read_clip(cut(remuxed_with_index_first(whole, tmp_path / "first.mp4"), 0.7))
    read = [numbers(frame.image) for frame in clip.frames()]
    assert 5 < len(read) < 40
    assert read == sorted(read)
    assert clip.shortfall.startswith("cut_first.mp4 is incomplete: of 40 frames the last ")
    assert f"{len(read)} frames can be read" in clip.shortfall


@pytest.mark.parametrize("name", ["whole.mkv", "whole.webm"])
def test_a_truncated_matroska_file_says_where_it_stops(name, make_video):
    codec = {"codec": "libvpx-vp9", "options": {"cpu-used": "8"}} if name.endswith("webm") else {}
    clip = read_clip(cut(make_video(name, 40, **codec), 0.6))
    assert 0 < streamed(clip) < 40
    assert "it stops after" in clip.shortfall
    assert "of 1.60 s" in clip.shortfall


def test_damage_inside_is_passed_over_and_told(make_video):
    path = make_video("damaged.mkv", 20, codec="ffv1", options={"slicecrc": "0", "level": "1"})
    with av.open(str(path)) as container:
        packet = [p for p in container.demux(video=0) if p.size][10]
        content = bytes(packet)
    data = path.read_bytes()
    start = data.index(content)
    path.write_bytes(data[:start] + b"\xff" * len(content) + data[start + len(content) :])
    clip = read_clip(path)
    indices = [frame.index for frame in clip.frames()]
    if len(indices) < 20:  # a decoder may also conceal the damage
        missing = sorted(set(range(20)) - set(indices))
        assert str(missing[0]) in clip.shortfall
        with pytest.raises(InputError, match=f"frame {missing[0]} of .* cannot be decoded"):
            clip.frame(missing[0])


def test_ranges_are_checked(make_video):
    clip = read_clip(make_video("a.mp4", 4))
    for call in (
        lambda: clip.frames(0, 5),
        lambda: clip.frames(-1),
        lambda: clip.frames(step=0),
        lambda: clip.backward(4),
    ):
        with pytest.raises(ValueError, match=r"step|leave the clip"):
            call()
    with pytest.raises(IndexError):
        clip.frame(4)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("noise.mp4", bytes(range(256)) * 40, "is not a video that can be read"),
        ("empty.mp4", b"", "is an empty file"),
        ("notes.txt", b"words, not pictures\n" * 50, "is a text file, not a video"),
        ("cut.mp4", b"\0\0\0\x20ftypisom" + bytes(500), "was cut off before its table of frames"),
    ],
)
def test_what_is_no_video_is_refused_in_a_sentence(name, content, sentence, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=sentence):
        read_clip(tmp_path / name)


def test_sound_alone_is_refused(tmp_path):
    path = tmp_path / "sound.wav"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("pcm_s16le", rate=8000, layout="mono")
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.int16), format="s16", layout="mono")
        sound.sample_rate = 8000
        out.mux(stream.encode(sound))
        out.mux(stream.encode(None))
    with pytest.raises(InputError, match="only sound"):
        read_clip(path)


def test_odd_file_names_are_files_not_protocols(make_video):
    assert read_clip(make_video("http:50%03d take.mp4", 3)).num_frames == 3


def test_a_clip_says_what_it_is(make_video):
    assert repr(read_clip(make_video("run.mp4", 3))) == "<VideoClip run: 3 frames, 96x48>"
