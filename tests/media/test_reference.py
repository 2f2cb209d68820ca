"""Which mask belongs to which frame."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from shibori.errors import InputError
from shibori.media.clip import Clip, Frame
from shibori.media.palette import write_palette_png
from shibori.media.reference import frame_index, read_references


class BlankClip(Clip):
    def __init__(self, times: list[Fraction | None]) -> None:
        self.name, self.path, self.size_hw = "blank", Path("blank.mp4"), (6, 8)
        self.times, self.num_frames, self.time_base = times, len(times), None
        self.frame_rate = Fraction(10) if times[0] is not None else None

    @property
    def shortfall(self) -> str | None:
        return None

    def frame(self, index: int) -> Frame:
        return Frame(index, self.times[index], np.zeros((6, 8, 3), np.uint8))

    def frames(self, start: int = 0, stop: int | None = None, step: int = 1) -> Iterator[Frame]:
        raise NotImplementedError

    def backward(self, start: int, stop: int = -1) -> Iterator[Frame]:
        raise NotImplementedError


@pytest.fixture
def clip() -> BlankClip:
    return BlankClip([Fraction(index, 10) for index in range(30)])


def mask_file(path: Path, object_id: int = 1, size_hw: tuple[int, int] = (6, 8)) -> Path:
    path.parent.mkdir(exist_ok=True)
    ids = np.zeros(size_hw, np.uint8)
    ids[1:3, 1:4] = object_id
    write_palette_png(path, ids)
    return path


def test_a_file_is_for_the_first_frame_unless_it_says_otherwise(clip, tmp_path):
    first, fix = mask_file(tmp_path / "first.png"), mask_file(tmp_path / "fix.png", 2)
    assert list(read_references(clip, [first])) == [0]
    assert list(read_references(clip, [first], start=4)) == [4]
    found = read_references(clip, [first, f"12:{fix}", f"2.5s:{fix}"])
    assert list(found) == [0, 12, 25]
    assert found[12].max() == 2


def test_a_folder_names_its_frames(clip, tmp_path):
    mask_file(tmp_path / "masks" / "00000.png")
    mask_file(tmp_path / "masks" / "7.png", 2)
    assert list(read_references(clip, [tmp_path / "masks"])) == [0, 7]


@pytest.mark.parametrize(("when", "index"), [("0", 0), ("29", 29), ("0s", 0), ("0.33s", 3), ("2.99s", 29)])
def test_index_or_seconds(clip, when, index):
    assert frame_index(clip, when) == index


def test_seconds_follow_the_clock_where_the_rate_varies():
    clip = BlankClip([Fraction(0), Fraction(1, 10), Fraction(2), Fraction(3)])
    assert [frame_index(clip, when) for when in ("0.5s", "2s", "2.9s", "3.05s")] == [1, 2, 2, 3]


@pytest.mark.parametrize(
    ("mark", "expected"),
    [
        ("missing.png", "missing.png"),
        ("30:first.png", "no frame 30 in blank: it has 30 frames"),
        ("99s:first.png", "lasts 3.00 s"),
        ("wide.png", "9x6 pixels, but the clip is 8x6"),
        ("empty.png", "shows no object"),
        ("masks", "frame that blank does not have"),
        ("nothing", "no mask files"),
    ],
)
def test_wrong_marks_are_named(clip, tmp_path, monkeypatch, mark, expected):
    monkeypatch.chdir(tmp_path)
    mask_file(tmp_path / "first.png")
    mask_file(tmp_path / "wide.png", 1, (6, 9))
    mask_file(tmp_path / "empty.png", 0)
    mask_file(tmp_path / "masks" / "00031.png")
    (tmp_path / "nothing").mkdir()
    with pytest.raises(InputError, match=expected):
        read_references(clip, [mark])


def test_two_masks_for_a_frame(clip, tmp_path):
    first = mask_file(tmp_path / "first.png")
    with pytest.raises(InputError, match="second mask for frame 0"):
        read_references(clip, [first, f"0:{first}"])


def test_no_seconds_without_a_clock():
    with pytest.raises(InputError, match="no clock"):
        frame_index(BlankClip([None, None]), "1s")


@pytest.mark.parametrize("when", ["x", "1.5", "-3", ""])
def test_neither_index_nor_seconds(clip, when):
    with pytest.raises(InputError, match="expected a frame index"):
        frame_index(clip, when)
