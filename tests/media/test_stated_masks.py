"""Masks by opacity, brightness or colour: pictures, folders and videos, as references and as results."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from shibori.errors import InputError
from shibori.media.colour_ids import ColourIds
from shibori.media.mask import FrameMasks
from shibori.media.palette import davis_palette
from shibori.media.reader import read_clip
from shibori.media.reference import read_references
from shibori.media.result import read_result
from shibori.media.writer import open_writer

SIZE_HW = (48, 96)


def opacity(index: int) -> np.ndarray:
    """A soft disk that moves; nothing in frame 0."""
    rows, columns = np.mgrid[:48, :96]
    distance = np.hypot(rows - 24, columns - 30 - 6 * index)
    return np.zeros(SIZE_HW, np.float32) if index == 0 else (14 - distance / 1.5).clip(0, 1).astype(np.float32)


def painted(index: int, colours: np.ndarray) -> np.ndarray:
    """Ids 0, 1, 2 painted in colours with antialiased edges: (H, W, 3)."""
    large = np.zeros((192, 384, 3), np.uint8)
    cv2.circle(large, (120 + 24 * index, 96), 60, colours[1].tolist(), -1)
    cv2.rectangle(large, (100 + 24 * index, 90), (300, 150), colours[2].tolist(), -1)
    return cv2.resize(large, (96, 48), interpolation=cv2.INTER_AREA)


def ids_of(index: int) -> np.ndarray:
    return painted(index, np.array([[0, 0, 0], [0, 0, 1], [0, 0, 2]])).max(axis=2)


@pytest.fixture
def clip(make_video, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return read_clip(make_video("clip.mp4", 4))


def exported(name: str, clip, out: str, object_ids=(1,)) -> Path:
    with open_writer(name, Path(out), clip, object_ids) as writer:
        for frame in clip.frames():
            alpha = opacity(frame.index)
            shares = {object_id: alpha * (place + 1) / len(object_ids) for place, object_id in enumerate(object_ids)}
            ids = (alpha > 0.5).astype(np.uint8) * np.uint8(object_ids[-1])
            writer.write(frame, FrameMasks(frame.index, ids, (), None, shares))
    return Path(out)


def grey_picture(path: str, index: int) -> Path:
    Image.fromarray(np.rint(255 * opacity(index)).astype(np.uint8)).save(path)
    return Path(path)


@pytest.mark.parametrize(
    ("name", "file", "kind"),
    [
        ("prores", "cutout.mov", "alpha"),
        ("webm", "cutout.webm", "alpha"),
        ("ffv1", "cutout.mkv", "alpha"),
        ("matte", "matte.mp4", "grey"),
        ("rgba", "", "alpha"),
        ("tiff", "", "alpha"),
        ("exr", "", "alpha"),
        ("alpha", "", "grey"),
    ],
)
def test_what_was_exported_is_a_soft_result(name, file, kind, clip):
    place = exported(name, clip, "out") / file
    source = read_result(f"{kind}:{place}", clip)
    assert (source.object_ids, source.frames, source.is_soft) == ((1,), [0, 1, 2, 3], True)
    for index in (3, 0, 2):
        masks = source.masks(index)
        assert np.abs(masks.opacity((1,)) - opacity(index)).mean() < 0.01
        assert ((masks.ids == 1) != (opacity(index) > 0.5)).mean() < 0.01


def test_folders_and_layers_of_objects(clip):
    for name, kind in (("rgba", "alpha"), ("alpha", "grey"), ("exr", "alpha")):
        source = read_result(f"{kind}:{exported(name, clip, name, (2, 5))}", clip)
        assert source.object_ids == (2, 5)
        for place, object_id in enumerate((2, 5)):
            expected = opacity(3) * (place + 1) / 2
            assert np.abs(source.masks(3).opacity((object_id,)) - expected).max() < 0.01


def test_a_turned_video_of_masks_stands_upright(clip, encoder):
    picture = np.zeros((96, 48, 4), np.uint8)
    picture[:30, :, 3] = 255
    encoder(Path("turned.mov"), [picture] * 4, codec="qtrle", pixels="argb", rotation=90)
    masks = read_result("alpha:turned.mov", clip).masks(1)
    assert (masks.ids[:, :30].all(), masks.ids[:, 31:].any()) in ((True, False), (False, True))
    assert masks.ids.shape == SIZE_HW


@pytest.mark.parametrize("codec", ["libx264", "ffv1"])
@pytest.mark.parametrize(
    ("colours", "numbers"), [(davis_palette()[[0, 3, 1]], (3, 1)), (np.diag([0, 255, 255])[[0, 2, 1]], (2, 1))]
)
def test_colours_are_ids_in_spite_of_coding(codec, colours, numbers, clip, encoder):
    options = {"crf": "16"} if codec == "libx264" else {}
    pixels = "yuv444p"
    pictures = [painted(index, colours.astype(np.uint8)) for index in range(4)]
    encoder(Path("colours.mkv"), pictures, codec=codec, pixels=pixels, options=options)
    source = read_result("colours:colours.mkv", clip)
    assert (source.object_ids, source.is_soft) == (tuple(sorted(numbers)), False)
    found = source.masks(2).ids
    truth = np.choose(ids_of(2), (0, *numbers))
    assert (found != truth).mean() < 0.03
    inside = cv2.erode(ids_of(2), np.ones((5, 5))) == cv2.dilate(ids_of(2), np.ones((5, 5)))
    assert (found[inside] == truth[inside]).all()
    assert set(np.unique(found)) == {0, *numbers}


def test_colours_keep_their_numbers_over_frames():
    first, second = np.zeros((2, 40, 40, 3), np.uint8)
    first[5:15, 5:15] = (250, 200, 10)
    second[5:35, 5:35], second[20:24, 20:24] = (10, 250, 250), (250, 200, 10)
    known = ColourIds()
    for picture in (first, second):
        known.learn(picture, "picture")
    assert known.object_ids == (1, 2)
    assert known.ids(second)[22, 22] == 1
    assert known.ids(second)[10, 10] == 2


def test_masks_to_start_from(clip):
    grey_picture("soft.png", 2)
    exported("matte", clip, "matte")
    exported("rgba", clip, "rgba")
    exported("cvat", clip, "boxes")
    assert list(read_references(clip, ["grey:soft.png"], start=1)) == [1]
    assert list(read_references(clip, ["3:grey:soft.png"])) == [3]
    assert list(read_references(clip, ["grey:matte/matte.mp4"])) == [1, 2, 3]
    assert list(read_references(clip, ["alpha:rgba"])) == [1, 2, 3]
    found = read_references(clip, ["alpha:rgba/00002.png"])
    assert list(found) == [0]
    assert ((found[0] == 1) == (opacity(2) > 0.5)).mean() > 0.99
    assert list(read_references(clip, ["boxes/cvat.xml"])) == [1, 2, 3]


def test_a_file_called_like_a_kind_is_a_file(clip):
    mask = np.zeros(SIZE_HW, np.uint8)
    mask[:5] = 255
    Image.fromarray(mask).save("grey:x.png")
    assert read_references(clip, ["grey:x.png"])[0].sum() == 5 * 96


@pytest.mark.parametrize(
    ("mark", "sentence"),
    [
        ("alpha:soft.png", "soft.png has no alpha channel"),
        ("alpha:clip.mp4", "frame 0 of clip.mp4 has no alpha channel"),
        ("grey:coloured.png", "coloured.png has colours, but grey:"),
        ("grey:small.png", "small.png is 48x24 pixels, but the clip is 96x48"),
        ("grey:none.png", "there is no file or folder none.png"),
        ("colours:noise.png", "more than 64 colours"),
        ("grey:empty.png", "empty.png shows no object in any of its 1 frames"),
        ("1:grey:matte.mp4", "4 frames of masks from frame 1 on, but clip has 4 frames"),
        ("matte.mp4", "say how it shows its masks: alpha:matte.mp4, grey:matte.mp4, colours:matte.mp4"),
        ("soft.png", "for one object whose edges they are give grey:soft.png"),
        ("cut.png", "for its opacity, alpha:cut.png"),
        ("grey:hollow", r"hollow holds no mask files \(.*.png"),
        ("alpha:text.mov", "text.mov is not a video"),
    ],
)
def test_each_bad_mask_is_one_clear_sentence(mark, sentence, clip):
    rng = np.random.default_rng(0)
    grey_picture("soft.png", 2)
    grey_picture("empty.png", 0)
    Image.fromarray(np.full((24, 48), 255, np.uint8)).save("small.png")
    Image.fromarray(painted(1, davis_palette())).save("coloured.png")
    Image.fromarray(rng.integers(0, 255, (*SIZE_HW, 4), np.uint8)).save("cut.png")
    blocks = rng.integers(0, 255, (8, 16, 3), np.uint8)
    Image.fromarray(cv2.resize(blocks, (96, 48), interpolation=cv2.INTER_NEAREST)).save("noise.png")
    exported("matte", clip, "out")
    Path("out/matte.mp4").rename("matte.mp4")
    Path("hollow").mkdir()
    Path("text.mov").write_text("no video")
    with pytest.raises(InputError, match=sentence) as caught:
        read_references(clip, [mark])
    assert "\n" not in str(caught.value)


def test_too_many_masks_to_start_from(clip, monkeypatch):
    monkeypatch.setattr("shibori.media.reference._MOST_PIXELS", 4 * 48 * 96 - 1)
    exported("matte", clip, "out")
    with pytest.raises(InputError, match="masks of 4 frames, too many to start from"):
        read_references(clip, ["grey:out/matte.mp4"])
