"""What people bring: other picture formats, film, animations, numbered sequences with gaps, fields, addresses."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import fsspec
import numpy as np
import pytest
from PIL import Image

from shibori.errors import InputError
from shibori.media.exr import write_exr
from shibori.media.reader import read_clip
from shibori.media.sequence import gaps_in_numbers
from shibori.media.transfer import linear_from_cineon, linear_from_srgb

SMOOTH = cv2.resize(
    np.random.default_rng(0).integers(20, 230, (4, 6, 3)).astype(np.uint8), (96, 64), interpolation=cv2.INTER_CUBIC
)


@pytest.mark.parametrize("suffix", [".jp2", ".avif", ".heic"])
def test_picture_formats(suffix, tmp_path):
    if suffix == ".heic":
        import pillow_heif

        pillow_heif.register_heif_opener()
    folder = tmp_path / "shot"
    folder.mkdir()
    for number in range(2):
        Image.fromarray(SMOOTH).save(folder / f"{number:03d}{suffix}", quality=95)
    clip = read_clip(folder)
    assert (clip.num_frames, clip.size_hw) == (2, (64, 96))
    assert np.abs(clip.frame(1).image.astype(int) - SMOOTH).mean() < 4


def test_exr_sequences_are_brought_to_the_display(tmp_path):
    light = linear_from_srgb(SMOOTH).astype(np.float32)
    for number in (7, 8):
        write_exr(tmp_path / f"plate.{number:04d}.exr", {c: light[..., i] for i, c in enumerate("RGB")}, {})
    clip = read_clip(tmp_path / "plate.####.exr")
    assert (clip.num_frames, clip.size_hw) == (2, (64, 96))
    assert clip.frame_name(0) == "plate.0007"
    assert np.abs(clip.frame(0).image.astype(int) - SMOOTH).max() <= 1
    (tmp_path / "bad.exr").write_bytes(b"v/1\x01")
    with pytest.raises(InputError, match="not an EXR file"):
        read_clip(tmp_path / "bad.exr")


def write_dpx(path: Path, transfer: int) -> None:
    codec = av.CodecContext.create("dpx", "w")
    codec.width, codec.height, codec.pix_fmt, codec.time_base = 96, 64, "gbrp10le", Fraction(1, 25)
    frame = av.VideoFrame.from_ndarray(SMOOTH, format="rgb24").reformat(format="gbrp10le")
    data = bytearray(b"".join(bytes(packet) for packet in (*codec.encode(frame), *codec.encode(None))))
    data[801] = transfer
    path.write_bytes(data)


def test_dpx_is_shown_by_what_its_header_says(tmp_path):
    for transfer in (2, 3, 6):
        write_dpx(tmp_path / f"{transfer}.dpx", transfer)
    plain = read_clip(tmp_path / "6.dpx")
    assert plain.size_hw == (64, 96)
    assert np.abs(plain.frame(0).image.astype(int) - SMOOTH).max() <= 1
    linear = read_clip(tmp_path / "2.dpx").frame(0).image
    assert np.abs(linear_from_srgb(linear).astype(float) - SMOOTH / 255).max() < 0.01
    film = read_clip(tmp_path / "3.dpx").frame(0).image
    expected = linear_from_cineon(SMOOTH / 255).clip(0, 1)
    assert np.abs(linear_from_srgb(film).astype(float) - expected).max() < 0.02
    assert linear_from_cineon(np.array([95, 685]) / 1023) == pytest.approx([0, 1], abs=1e-6)
    (tmp_path / "bad.dpx").write_bytes(b"SDPX")
    with pytest.raises(InputError, match="not a DPX file"):
        read_clip(tmp_path / "bad.dpx")


@pytest.mark.parametrize("suffix", [".png", ".webp"])
def test_animations_are_clips_with_times(suffix, tmp_path):
    pictures = [Image.fromarray(np.full((32, 48, 3), 40 * number, np.uint8)) for number in range(4)]
    how = {"lossless": True} if suffix == ".webp" else {}
    pictures[0].save(
        tmp_path / f"loop{suffix}", save_all=True, append_images=pictures[1:], duration=[40, 80, 40, 200], **how
    )
    clip = read_clip(tmp_path / f"loop{suffix}")
    assert (clip.num_frames, clip.size_hw) == (4, (32, 48))
    assert [frame.time for frame in clip.frames()] == [Fraction(ms, 1000) for ms in (0, 40, 120, 160)]
    assert [int(frame.image[0, 0, 0]) for frame in clip.backward(3)] == [120, 80, 40, 0]
    Image.fromarray(SMOOTH).save(tmp_path / f"still{suffix}")
    assert read_clip(tmp_path / f"still{suffix}").num_frames == 1


def test_gaps_are_told_and_numbers_kept(tmp_path):
    for number in (1, 2, 5, 6, 9):
        Image.fromarray(SMOOTH).save(tmp_path / f"plate.{number:04d}.png")
    for path in (tmp_path, tmp_path / "plate.%04d.png"):
        clip = read_clip(path)
        assert clip.remarks == (
            "4 frames are missing in the numbers of the sequence (3 to 4, 7 to 8); the others keep theirs",
        )
        assert [clip.frame_name(index) for index in (2, 4)] == ["plate.0005", "plate.0009"]
    with pytest.raises(InputError, match=r"there is no file like .*other"):
        read_clip(tmp_path / "other.###.png")
    assert gaps_in_numbers(["00000", "00005", "00010"]) is None  # every fifth frame
    assert gaps_in_numbers(["first", "second"]) is None


def interlaced(path: Path) -> Path:
    """A bar that moves eight pixels a frame, each line of a picture from one of two times."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=25, options={"flags": "+ilme+ildct", "crf": "5"})
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        for number in range(8):
            image = np.full((96, 128, 3), 40, np.uint8)
            for field in (0, 1):
                left = 8 * number + 4 * field + 8
                image[field::2, left : left + 24] = 220
            frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format="yuv420p")
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def combing(image: np.ndarray) -> float:
    lines = image[..., 1].astype(float)
    return float(np.abs(2 * lines[1:-1] - lines[:-2] - lines[2:]).mean())


def test_fields_are_told_and_woven_by_option(tmp_path):
    path = interlaced(tmp_path / "tape.mkv")
    clip, whole = read_clip(path), read_clip(path, deinterlace=True)
    assert "interlaced" in clip.remarks[0]
    assert whole.remarks == ()
    assert [frame.index for frame in whole.frames()] == list(range(clip.num_frames))
    assert combing(whole.frame(4).image) < 0.4 * combing(clip.frame(4).image)
    streamed = [frame.image for frame in whole.frames(3, 6)]
    assert np.abs(streamed[1].astype(int) - whole.frame(4).image).mean() < 1
    assert [frame.index for frame in whole.backward(5, 2)] == [5, 4, 3]


def test_an_address_is_fetched(make_video):
    data = make_video("a.mp4", 3).read_bytes()
    with fsspec.open("memory://clips/take 1.mp4", "wb") as file:
        file.write(data)
    for address in ("memory://clips/take 1.mp4", Path("memory://clips/take 1.mp4")):
        clip = read_clip(address)
        assert (clip.name, clip.num_frames) == ("take 1", 3)
    with pytest.raises(InputError, match="cannot be fetched"):
        read_clip("memory://clips/none.mp4")
    with pytest.raises(InputError, match="cannot be fetched"):
        read_clip("nonsense://clips/none.mp4")
