"""Masks as values and as files: what is clear is read, what is not is refused with a way out."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from shibori.errors import InputError
from shibori.media.mask import check_size, ids_to_masks, masks_to_ids, object_ids, read_ids, require_objects
from shibori.media.mask_file import convert_mask_colours, rgb_to_ids
from shibori.media.palette import davis_palette, write_palette_png
from shibori.media.picture import encode_flat_png

SQUARES = np.zeros((40, 60), np.uint8)
SQUARES[5:20, 5:25] = 1
SQUARES[15:35, 30:50] = 2
SQUARES[0, :] = 255


def test_palette_is_the_davis_one():
    palette = davis_palette()
    assert palette[:8].tolist() == [
        [0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0], [0, 0, 128], [128, 0, 128], [0, 128, 128], [128, 128, 128],
    ]  # fmt: skip
    assert palette[8].tolist() == [64, 0, 0]
    assert palette[255].tolist() == [224, 224, 192]
    assert len({tuple(colour) for colour in palette.tolist()}) == 256


def test_palette_png_round_trip(tmp_path):
    path = tmp_path / "a.png"
    write_palette_png(path, SQUARES)
    with Image.open(path) as image:
        assert image.mode == "P"
        assert (np.asarray(image) == SQUARES).all()
        assert (np.asarray(image.getpalette()).reshape(-1, 3) == davis_palette()).all()
    assert (read_ids(path, keep_void=True) == SQUARES).all()
    assert read_ids(path).max() == 2
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_16_bit_round_trip(tmp_path):
    ids = SQUARES.astype(np.uint16) * 200
    (tmp_path / "a.png").write_bytes(encode_flat_png(ids))
    read = read_ids(tmp_path / "a.png")
    assert read.dtype == np.uint16
    assert (read == ids).all()
    (tmp_path / "small.png").write_bytes(encode_flat_png(np.minimum(SQUARES, 2).astype(np.uint16)))
    assert read_ids(tmp_path / "small.png").dtype == np.uint8


def test_id_255_of_a_16_bit_file_is_an_object_not_void(tmp_path):
    (tmp_path / "a.png").write_bytes(encode_flat_png(np.array([[0, 255]], np.uint16)))
    assert object_ids(read_ids(tmp_path / "a.png")) == [255]


def test_an_id_above_254_does_not_fit_a_palette(tmp_path):
    with pytest.raises(InputError, match="ids16"):
        write_palette_png(tmp_path / "a.png", np.array([[255]], np.uint16))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0, 255], [0, 1]),
        ([0, 0], [0, 0]),
        ([255, 255], [1, 1]),
        ([0, 1], [0, 1]),
        ([0, 3], [0, 3]),
        ([0, 1, 2, 255], [0, 1, 2, 0]),
        (list(range(60)), list(range(60))),
    ],
)
def test_grey_masks(values, expected, tmp_path):
    Image.fromarray(np.array([values], np.uint8)).save(tmp_path / "a.png")
    ids = read_ids(tmp_path / "a.png")
    assert ids.dtype == np.uint8
    assert ids.tolist() == [expected]


def test_void_can_be_kept(tmp_path):
    Image.fromarray(np.array([[0, 1, 255]], np.uint8)).save(tmp_path / "a.png")
    assert read_ids(tmp_path / "a.png", keep_void=True).tolist() == [[0, 1, 255]]


@pytest.mark.parametrize("mode", ["1", "P", "LA"])
def test_black_and_white_in_other_modes_is_one_object(mode, tmp_path):
    grey = Image.fromarray((SQUARES == 1).astype(np.uint8) * 255)
    grey.convert(mode).save(tmp_path / "a.png")
    assert (read_ids(tmp_path / "a.png") == (SQUARES == 1)).all()


def test_white_at_a_low_palette_index_is_one_object(tmp_path):
    image = Image.fromarray(np.array([[0, 3]], np.uint8), "L").convert("P")
    image.putpalette([0, 0, 0, 9, 9, 9, 7, 7, 7, 255, 255, 255])
    image.save(tmp_path / "a.png")
    assert read_ids(tmp_path / "a.png").tolist() == [[0, 1]]


def test_a_foreign_palette_of_a_few_colours_holds_ids(tmp_path):
    image = Image.fromarray(np.minimum(SQUARES, 2)).convert("P")
    image.putpalette([0, 0, 0, 250, 120, 10, 20, 90, 240])
    image.save(tmp_path / "a.png")
    assert (read_ids(tmp_path / "a.png") == np.minimum(SQUARES, 2)).all()


def palette_image():
    image = Image.fromarray(SQUARES % 255).convert("P")
    image.putpalette(davis_palette().tobytes())
    return image


def refused(image, path):
    image.save(path)
    with pytest.raises(InputError) as caught:
        read_ids(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_rgb_with_davis_colours_is_refused_with_a_conversion(tmp_path):
    sentence = refused(palette_image().convert("RGB"), tmp_path / "a.png")
    assert "3 colours" in sentence
    assert "(128, 0, 0)" in sentence
    assert "DAVIS palette" in sentence
    assert "convert_mask_colours" in sentence
    convert_mask_colours(tmp_path / "a.png", tmp_path / "b.png")
    assert (read_ids(tmp_path / "b.png") == SQUARES % 255).all()


def test_other_colour_modes_are_refused(tmp_path):
    assert "RGBA" in refused(palette_image().convert("RGBA"), tmp_path / "a.png")
    black_white = Image.fromarray(np.repeat((SQUARES == 1)[..., None], 3, 2).astype(np.uint8) * 255)
    assert "2 colours" in refused(black_white, tmp_path / "b.png")


def test_antialiased_masks_are_refused(tmp_path):
    smooth = palette_image().convert("RGB").resize((90, 63), Image.Resampling.BILINEAR)
    assert "antialiasing" in refused(smooth, tmp_path / "rgb.png")
    assert "antialiasing" in refused(smooth.quantize(64), tmp_path / "many.png")
    assert "antialiasing" in refused(smooth.quantize(12), tmp_path / "few.png")
    grey = Image.fromarray((SQUARES == 1).astype(np.uint8) * 255)
    assert "grey levels" in refused(grey.resize((90, 63), Image.Resampling.BILINEAR), tmp_path / "grey.png")
    assert "grey levels" in refused(grey.resize((90, 63), Image.Resampling.BILINEAR).convert("P"), tmp_path / "p.png")


def test_jpeg_and_grey_of_colours_are_refused(tmp_path):
    grey = Image.fromarray((SQUARES == 1).astype(np.uint8) * 255)
    assert "JPEG" in refused(grey, tmp_path / "a.jpg")
    assert "0, 38, 75" in refused(palette_image().convert("L"), tmp_path / "b.png")


def test_a_reordered_palette_is_refused(tmp_path):
    colours = davis_palette()[[0, 2, 1]]
    image = Image.fromarray(SQUARES % 255).convert("P")
    image.putpalette(colours.tobytes())
    assert "index 1 has the DAVIS colour of object 2" in refused(image, tmp_path / "a.png")


def test_unreadable_files_are_refused(tmp_path):
    with pytest.raises(InputError, match="there is no file"):
        read_ids(tmp_path / "none.png")
    (tmp_path / "a.png").write_text("no picture")
    with pytest.raises(InputError, match="not a picture"):
        read_ids(tmp_path / "a.png")
    write_palette_png(tmp_path / "b.png", SQUARES)
    (tmp_path / "b.png").write_bytes((tmp_path / "b.png").read_bytes()[:850])
    with pytest.raises(InputError, match="damaged"):
        read_ids(tmp_path / "b.png")
    frames = [Image.fromarray(SQUARES), Image.fromarray(SQUARES.T.copy().reshape(40, 60))]
    frames[0].save(tmp_path / "c.gif", save_all=True, append_images=frames[1:])
    with pytest.raises(InputError, match="several pictures"):
        read_ids(tmp_path / "c.gif")


def test_colours_can_be_given():
    rgb = np.array([[[0, 0, 0], [9, 9, 9], [200, 0, 0]]], np.uint8)
    assert rgb_to_ids(rgb, {4: (9, 9, 9), 7: (200, 0, 0)}).tolist() == [[0, 4, 7]]
    assert rgb_to_ids(rgb).tolist() in ([[0, 1, 2]], [[0, 2, 1]])
    with pytest.raises(InputError, match=r"\(200, 0, 0\)"):
        rgb_to_ids(rgb, {4: (9, 9, 9)})
    with pytest.raises(InputError, match="shades"):
        rgb_to_ids(np.random.default_rng(0).integers(0, 256, (10, 30, 3), np.uint8))


def test_masks_and_ids_are_two_forms_of_one_thing():
    ids = np.where(SQUARES == 255, 0, SQUARES).astype(np.uint8)
    masks = ids_to_masks(SQUARES)
    assert list(masks) == [1, 2]
    assert (masks_to_ids(masks, ids.shape) == ids).all()
    assert masks_to_ids({300: masks[1]}, ids.shape).dtype == np.uint16
    assert not masks_to_ids({}, (2, 3)).any()
    with pytest.raises(ValueError, match=r"1\.\.65535"):
        masks_to_ids({0: masks[1]}, ids.shape)


def test_masks_are_checked_against_their_clip():
    with pytest.raises(InputError, match=r"first.png is 60x40 pixels, but the clip is 854x480"):
        check_size(SQUARES, (480, 854), "first.png")
    check_size(SQUARES, (40, 60), "first.png")
    with pytest.raises(InputError, match="shows no object"):
        require_objects(np.full((4, 4), 255, np.uint8), "first.png")
