"""The DAVIS reader, on folders made here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shibori.datasets.davis import read_davis
from shibori.errors import InputError
from shibori.media.palette import davis_palette

SIZE_HW = (12, 20)


def save_frame(root: Path, name: str, index: int, ids: np.ndarray, *, grey: bool, resolution: str = "480p") -> None:
    images, masks = root / "JPEGImages" / resolution / name, root / "Annotations" / resolution / name
    images.mkdir(parents=True, exist_ok=True)
    masks.mkdir(parents=True, exist_ok=True)
    picture = np.full((*SIZE_HW, 3), 10 * index, np.uint8)
    Image.fromarray(picture).save(images / f"{index:05d}.jpg", quality=100)
    if grey:
        Image.fromarray(np.where(ids > 0, 255, 0).astype(np.uint8)).save(masks / f"{index:05d}.png")
    else:
        mask = Image.fromarray(ids)
        mask.putpalette(davis_palette().ravel().tolist())
        mask.save(masks / f"{index:05d}.png")


def two_objects(index: int) -> np.ndarray:
    ids = np.zeros(SIZE_HW, np.uint8)
    ids[2:6, 1 + index : 5 + index] = 1
    ids[7:10, 10:14] = 3
    ids[0, :3] = 255
    return ids


def make(root: Path, names: list[str], *, grey: bool, num_frames: int = 3, resolution: str = "480p") -> Path:
    for name in names:
        for index in range(num_frames):
            save_frame(root, name, index, two_objects(index), grey=grey, resolution=resolution)
    return root


def write_list(root: Path, path: str, lines: list[str]) -> None:
    target = root / "ImageSets" / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("".join(f"{line}\n" for line in lines))


def pair_lines(name: str, count: int = 3) -> list[str]:
    return [f"/JPEGImages/480p/{name}/{i:05d}.jpg /Annotations/480p/{name}/{i:05d}.png" for i in range(count)]


def test_2017_names_keep_ids_and_void(tmp_path: Path):
    root = make(tmp_path, ["swing", "bear", "walk"], grey=False)
    write_list(root, "2017/val.txt", ["swing", "bear", ""])
    swing, bear = read_davis(root)
    assert (swing.name, bear.name, swing.num_frames) == ("swing", "bear", 3)
    assert swing.object_ids == (1, 3)
    assert swing.size_hw == SIZE_HW
    assert swing.frame_name(2) == "00002"
    np.testing.assert_array_equal(swing.read_ids(1, keep_void=True), two_objects(1))
    without = two_objects(1)
    without[without == 255] = 0
    np.testing.assert_array_equal(swing.read_ids(1), without)
    assert swing.read_image(2).shape == (*SIZE_HW, 3)
    np.testing.assert_allclose(swing.read_image(2), 20, atol=1)


@pytest.mark.parametrize("folder", ["480p", "2016"])
def test_2016_pairs_make_one_object(tmp_path: Path, folder: str):
    root = make(tmp_path, ["bear", "camel"], grey=True)
    write_list(root, f"{folder}/dev.txt", pair_lines("camel") + pair_lines("bear", 2))
    camel, bear = read_davis(root, split="dev")
    assert (camel.name, camel.num_frames, bear.num_frames) == ("camel", 3, 2)
    assert camel.object_ids == (1,)
    assert camel.read_ids(0).dtype == np.uint8
    expected = two_objects(2) > 0  # 255 is the object in 2016, so the row of "void" is object as well
    np.testing.assert_array_equal(camel.read_ids(2), expected.astype(np.uint8))


def test_2016_merges_the_objects_of_2017_masks(tmp_path: Path):
    root = make(tmp_path, ["bear"], grey=False)
    write_list(root, "2016/val.txt", ["bear"])
    (bear,) = read_davis(root, 2016)
    assert bear.object_ids == (1,)
    ids = bear.read_ids(0, keep_void=True)
    assert set(np.unique(ids)) == {0, 1, 255}
    assert (ids == 1).sum() == np.isin(two_objects(0), (1, 3)).sum()


def test_the_list_of_2017_comes_first_unless_the_year_is_given(tmp_path: Path):
    root = make(tmp_path, ["a", "b"], grey=False)
    write_list(root, "2017/val.txt", ["a"])
    write_list(root, "2016/val.txt", ["b"])
    assert [s.name for s in read_davis(root)] == ["a"]
    assert [s.name for s in read_davis(root, 2016)] == ["b"]
    assert read_davis(root)[0].object_ids == (1, 3)
    assert read_davis(root, 2016)[0].object_ids == (1,)


def test_a_list_of_480p_is_of_2016_unless_2017_is_asked_for(tmp_path: Path):
    root = make(tmp_path, ["a"], grey=False)
    write_list(root, "480p/dev.txt", ["a"])
    assert [read_davis(root, year, "dev")[0].object_ids for year in (None, 2016, 2017)] == [(1,), (1,), (1, 3)]


def test_without_lists_every_folder_is_a_sequence(tmp_path: Path):
    root = make(tmp_path, ["b", "a"], grey=False, resolution="240p")
    assert [s.name for s in read_davis(root)] == ["a", "b"]
    assert read_davis(root)[1].object_ids == (1, 3)


def test_frames_without_annotation_are_known_but_cannot_be_read(tmp_path: Path):
    root = make(tmp_path, ["a"], grey=False)
    (root / "Annotations/480p/a/00001.png").unlink()
    (sequence,) = read_davis(root)
    assert [sequence.has_ids(i) for i in range(3)] == [True, False, True]
    with pytest.raises(InputError, match="frame 1 of a has no annotation"):
        sequence.read_ids(1)


def test_bad_input_is_said_clearly(tmp_path: Path):
    with pytest.raises(InputError, match="no folder JPEGImages"):
        read_davis(tmp_path)
    root = make(tmp_path, ["a"], grey=False)
    with pytest.raises(InputError, match="not 2018"):
        read_davis(root, 2018)
    write_list(root, "2017/val.txt", ["a", "ghost"])
    with pytest.raises(InputError, match="sequence ghost has no folder"):
        read_davis(root)
    with pytest.raises(InputError, match=r"no list of split train: its lists are ImageSets/2017/val\.txt"):
        read_davis(root, split="train")
    with pytest.raises(InputError, match="split val of DAVIS 2016"):
        read_davis(root, 2016)
    write_list(root, "2017/none.txt", [])
    with pytest.raises(InputError, match="is empty"):
        read_davis(root, split="none")
    write_list(root, "2016/odd.txt", [*pair_lines("a"), "lonely"])
    with pytest.raises(InputError, match=r"line 4: expected a picture and its mask, found 'lonely'"):
        read_davis(root, split="odd")
    write_list(root, "2016/more.txt", pair_lines("a", 5))
    with pytest.raises(InputError, match=r"00003\.jpg is listed but not there \(4 files of a"):
        read_davis(root, split="more")


def test_a_sequence_needs_its_first_mask_and_no_strays(tmp_path: Path):
    root = make(tmp_path, ["a"], grey=False)
    (root / "JPEGImages/480p/a/00002.jpg").unlink()
    with pytest.raises(InputError, match=r"00002\.png is a mask of a frame that"):
        read_davis(root)
    (root / "Annotations/480p/a/00002.png").unlink()
    (root / "Annotations/480p/a/00000.png").unlink()
    with pytest.raises(InputError, match="no mask of its first frame"):
        read_davis(root)


def test_two_resolutions_without_480p_are_refused(tmp_path: Path):
    root = make(tmp_path, ["a"], grey=False, resolution="240p")
    make(tmp_path, ["a"], grey=False, resolution="1080p")
    with pytest.raises(InputError, match="found 1080p, 240p"):
        read_davis(root)


def test_real_lists(shared: Path):
    dev = read_davis(shared / "data" / "davis2016", split="dev")
    assert [s.name for s in dev] == sorted(s.name for s in dev)
    assert len(dev) == 8
    assert all(s.object_ids == (1,) for s in dev)
    assert len(read_davis(shared / "data" / "davis2016", 2016, "train")) == 22
    (schoolgirls,) = read_davis(shared / "data" / "davis2017-multi")
    assert schoolgirls.object_ids == (1, 2, 3, 4, 5, 6, 7)
    assert schoolgirls.num_frames == 80
