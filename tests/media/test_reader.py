"""Folders of images and single images as clips."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from shibori.errors import InputError
from shibori.media.picture import encode_jpeg, encode_png, image_size, read_image
from shibori.media.reader import read_clip


def save(path, value=100, size_hw=(20, 30), **options):
    Image.fromarray(np.full((*size_hw, 3), value, np.uint8)).save(path, **options)


def test_images_come_in_natural_order(tmp_path):
    for number in (10, 9, 1, 100):
        save(tmp_path / f"frame{number}.png", number)
    (tmp_path / ".hidden.png").write_bytes(b"x")
    (tmp_path / "notes.txt").write_text("x")
    clip = read_clip(tmp_path)
    assert [frame.image[0, 0, 0] for frame in clip.frames()] == [1, 9, 10, 100]
    assert [clip.frame_name(i) for i in range(4)] == ["frame1", "frame9", "frame10", "frame100"]
    assert [frame.index for frame in clip.backward(2, 0)] == [2, 1]
    assert (clip.frame(3).time, clip.frame_rate, clip.shortfall) == (None, None, None)


@pytest.mark.parametrize("suffix", ["jpg", "JPEG", "png", "bmp", "webp", "tif"])
def test_image_formats(suffix, tmp_path):
    save(tmp_path / f"a.{suffix}", 90)
    clip = read_clip(tmp_path)
    assert clip.size_hw == (20, 30)
    assert abs(int(clip.frame(0).image.mean()) - 90) <= 2


def test_one_image_is_a_clip_of_one_frame(tmp_path):
    save(tmp_path / "photo.jpg")
    clip = read_clip(tmp_path / "photo.jpg")
    assert (clip.name, clip.num_frames, clip.frame_name(0)) == ("photo", 1, "photo")


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
def test_exif_orientation_is_applied(suffix, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: display needs a quarter turn clockwise
    image = np.full((20, 30, 3), 40, np.uint8)
    image[:10, :10] = 240
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(image).save(path, exif=exif, **({"lossless": True} if suffix == "webp" else {}))
    assert image_size(path) == (30, 20)
    upright = np.rot90(image, -1)
    assert np.abs(read_image(path).astype(int) - upright).mean() < 3


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "LA", "CMYK", "1"])
def test_other_modes_become_rgb(mode, tmp_path):
    path = tmp_path / ("a.tif" if mode == "CMYK" else "a.png")
    Image.fromarray(np.full((6, 7, 3), 255, np.uint8)).convert(mode).save(path)
    assert (read_image(path) == 255).all()


def test_16_bit_grey_is_scaled(tmp_path):
    (tmp_path / "a.png").write_bytes(encode_png(np.full((4, 5), 0x8000, np.uint16)))
    assert (read_image(tmp_path / "a.png") == 0x80).all()


def test_pictures_survive_their_coding(tmp_path):
    rng = np.random.default_rng(0)
    for shape in ((9, 7), (9, 7, 3), (9, 7, 4)):
        image = rng.integers(0, 256, shape, np.uint8)
        (tmp_path / "a.png").write_bytes(encode_png(image))
        assert (np.asarray(Image.open(tmp_path / "a.png")) == image).all()
    smooth = np.full((16, 16, 3), (200, 60, 90), np.uint8)
    (tmp_path / "a.jpg").write_bytes(encode_jpeg(smooth))
    assert np.abs(read_image(tmp_path / "a.jpg").astype(int) - smooth).max() <= 4


def test_mixed_sizes_are_refused_by_name(tmp_path):
    for name, size in (("a.png", (20, 30)), ("b.png", (20, 30)), ("odd.png", (21, 30))):
        save(tmp_path / name, size_hw=size)
    with pytest.raises(InputError, match=r"2 of 30x20, such as a.png; 1 of 30x21, such as odd.png"):
        read_clip(tmp_path)


def test_two_images_of_one_name_are_refused(tmp_path):
    save(tmp_path / "0.png")
    save(tmp_path / "0.jpg")
    with pytest.raises(InputError, match=r"0\.\w+, 0\.\w+"):
        read_clip(tmp_path)


def test_missing_and_empty_are_refused(tmp_path):
    with pytest.raises(InputError, match="there is no file or folder"):
        read_clip(tmp_path / "none.mp4")
    with pytest.raises(InputError, match="it is empty"):
        read_clip(tmp_path)
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(InputError, match=r"notes\.txt"):
        read_clip(tmp_path)


def test_damaged_pictures_are_refused(tmp_path):
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match="not a picture"):
        read_clip(tmp_path)
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    (tmp_path / "a.png").write_bytes(encode_png(noise)[:2000])
    with pytest.raises(InputError, match="damaged picture"):
        read_clip(tmp_path).frame(0)
    with pytest.raises(InputError, match="there is no file"):
        read_image(tmp_path / "none.png")
