"""Sequences for compositors: EXR, TIFF and grey mattes, under the names that were asked for."""

from __future__ import annotations

import json
import sys
from fractions import Fraction

import numpy as np
import OpenEXR
import pytest
from PIL import Image

from shibori.errors import InputError
from shibori.media.cryptomatte import murmur3, name_identifier
from shibori.media.exr import exr_image
from shibori.media.mask import FrameMasks
from shibori.media.mask_writer import Naming
from shibori.media.reader import read_clip
from shibori.media.transfer import linear_from_srgb, srgb_from_linear
from shibori.media.writer import open_writer
from shibori.media.writer_options import PLAIN, WriterOptions

SIZE_HW = (48, 96)


def masks_of(index: int) -> FrameMasks:
    """Two soft objects that share pixels; nothing in frame 3."""
    ramp = np.tile(np.linspace(0, 1, 96, dtype=np.float32), (48, 1))
    first, second = (0.8 * ramp, 0.8 * (1 - ramp)) if index != 3 else (0 * ramp, 0 * ramp)
    return FrameMasks(index, np.zeros(SIZE_HW, np.uint8), (), None, {1: first, 3: second})


def write(name, out, clip, options=PLAIN, object_ids=(1, 3)):
    with open_writer(name, out, clip, object_ids, options=options) as writer:
        for frame in clip.frames():
            writer.write(frame, masks_of(frame.index))
    return sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())


def channels_of(path):
    with OpenEXR.File(str(path), separate_channels=True) as file:
        return {name: channel.pixels.copy() for name, channel in file.channels().items()}, dict(file.header())


def test_exr_files_hold_light_and_a_layer_for_each_object(make_video, tmp_path):
    clip = read_clip(make_video("shot 1 – 山.mkv", 5, rate=30, codec="ffv1"))
    assert write("exr", tmp_path / "out", clip) == [f"{index:05d}.exr" for index in range(5)]
    for index in range(5):
        channels, header = channels_of(tmp_path / "out" / f"{index:05d}.exr")
        assert sorted(channels) == ["A", "B", "G", "R", "object1.A", "object3.A"]
        assert {values.dtype for values in channels.values()} == {np.dtype(np.float16)}
        assert header["shibori/alpha"] == "straight"
        assert header["framesPerSecond"] == Fraction(30)
        assert header["shibori/clip"] == "shot 1 – 山"
        for object_id in (1, 3):
            expected = masks_of(index).opacity((object_id,))
            np.testing.assert_allclose(channels[f"object{object_id}.A"], expected, atol=1e-3)
        np.testing.assert_allclose(channels["A"], masks_of(index).opacity((1, 3)), atol=1e-3)
        shown = exr_image(tmp_path / "out" / f"{index:05d}.exr")
        assert np.abs(shown.astype(int) - clip.frame(index).image).max() <= 1


def test_premultiplied_exr_says_so(make_video, tmp_path):
    clip = read_clip(make_video("a.mkv", 1, codec="ffv1"))
    write("exr", tmp_path / "out", clip, WriterOptions(premultiplied=True))
    channels, header = channels_of(tmp_path / "out" / "00000.exr")
    assert header["shibori/alpha"] == "premultiplied"
    expected = linear_from_srgb(clip.frame(0).image)[..., 0] * masks_of(0).opacity((1, 3))
    np.testing.assert_allclose(channels["R"], expected, atol=2e-3)


def test_cryptomatte_ranks_objects_by_coverage(make_video, tmp_path):
    clip = read_clip(make_video("a.mkv", 1, codec="ffv1"))
    write("exr", tmp_path / "out", clip, WriterOptions(cryptomatte=True))
    channels, header = channels_of(tmp_path / "out" / "00000.exr")
    (manifest,) = [json.loads(value) for key, value in header.items() if key.endswith("/manifest")]
    for name, object_id in (("object1", 1), ("object3", 3)):
        identifier = np.uint32(int(manifest[name], 16)).view(np.float32)
        assert identifier == np.float32(name_identifier(name))
        found = sum(
            channels[f"CryptoObject{rank:02d}.{share}"] * (channels[f"CryptoObject{rank:02d}.{which}"] == identifier)
            for rank in range(3)
            for which, share in ("RG", "BA")
        )
        np.testing.assert_allclose(found, masks_of(0).opacity((object_id,)), atol=1e-6)
    assert (channels["CryptoObject00.G"] >= channels["CryptoObject00.A"]).all()
    assert channels["CryptoObject00.R"].dtype == np.float32


def test_the_hash_is_the_official_one():
    # Values of the reference implementation.
    assert murmur3(b"") == 0
    assert murmur3(b"hello") == 0x248BFA47
    assert murmur3(b"hello, world") == 0x149BBB7F
    assert murmur3(b"The quick brown fox jumps over the lazy dog") == 0x2E4FF723


def test_exr_without_its_library_is_a_sentence(make_video, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "OpenEXR", None)
    with pytest.raises(InputError, match=r"pip install shibori\[exchange\]"):
        open_writer("exr", tmp_path, read_clip(make_video("a.mp4", 1)), (1,))


@pytest.mark.parametrize(("premultiplied", "code"), [(False, 2), (True, 1)])
def test_tiff_says_what_its_alpha_is(premultiplied, code, make_video, tmp_path):
    clip = read_clip(make_video("a.mkv", 1, codec="ffv1"))
    files = write("tiff", tmp_path / "out", clip, WriterOptions(premultiplied=premultiplied))
    assert files == ["1/00000.tif", "3/00000.tif"]
    with Image.open(tmp_path / "out" / "3" / "00000.tif") as image:
        assert image.tag_v2[338] == (code,)
        rgba = np.asarray(image.convert("RGBA") if image.mode != "RGBA" else image)
    assert (rgba[..., 3] == masks_of(0).alpha((3,))).all()
    if not premultiplied:
        inside = rgba[..., 3] > 0
        assert (rgba[inside][:, :3] == clip.frame(0).image[inside]).all()


def test_grey_mattes_are_soft(make_video, tmp_path):
    clip = read_clip(make_video("a.mp4", 1))
    assert write("alpha", tmp_path / "out", clip, object_ids=(3,)) == ["00000.png"]
    with Image.open(tmp_path / "out" / "00000.png") as image:
        assert (np.asarray(image) == masks_of(0).alpha((3,))).all()


def test_names_by_tokens_and_numbers(image_clip, tmp_path):
    options = WriterOptions(name="{clip}/{object}.{frame:04d}", number_from=1001)
    files = write("rgba", tmp_path / "out", image_clip, options)
    assert files == [f"source/{object_id}.{1001 + index}.png" for object_id in (1, 3) for index in range(5)]
    assert open_writer("rgba", tmp_path / "out", image_clip, (1, 3), resume=True, options=options).done == set(range(5))
    files = write("palette", tmp_path / "numbers", image_clip, WriterOptions(number_from=7))
    assert files == [f"{7 + index:05d}.png" for index in range(5)]


@pytest.mark.parametrize(
    ("pattern", "sentence"),
    [
        ("{clip}", "with {frame}"),
        ("{frame:04d}.{shot}", "expected a name"),
        ("{frame", "expected a name"),
        ("../{frame}{object}", "stays in the output folder"),
        ("{frame}", "expected {object} in the name"),
    ],
)
def test_names_that_do_not_do(pattern, sentence, image_clip):
    with pytest.raises(InputError, match=sentence):
        Naming(image_clip, ("1", "3"), ".png", pattern, None)
    with pytest.raises(InputError, match="expected --number-from"):
        Naming(image_clip, ("",), ".png", None, -1)


def test_the_curve_comes_back():
    values = np.arange(256, dtype=np.uint8)
    assert (srgb_from_linear(linear_from_srgb(values)) == values).all()
    assert srgb_from_linear(np.array([-1, 2, np.inf, np.nan])).tolist() == [0, 255, 255, 0]
