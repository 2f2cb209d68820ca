"""Pictures as a clip, and those of a folder."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shibori.errors import InputError
from shibori.media.clip import Clip, Frame
from shibori.media.picture import IMAGE_SUFFIXES, image_size, read_image
from shibori.media.sequence import gaps_in_numbers


class ImageClip(Clip):
    """Pictures that are read one by one, and have no clock unless they are given times.

    Args:
        path: where they are; a name for people.
        name: of the clip.
        size_hw: of every picture.
        frame_names: one for each picture.
        read: gives the picture of an index, (H, W, 3) uint8 RGB.
        times: of the pictures, in whole milliseconds; with ``frame_rate``.
        frame_rate: pictures per second on average.
    """

    def __init__(
        self,
        path: Path,
        name: str,
        size_hw: tuple[int, int],
        frame_names: Sequence[str],
        read: Callable[[int], NDArray[np.uint8]],
        *,
        times: Sequence[Fraction] | None = None,
        frame_rate: Fraction | None = None,
    ) -> None:
        self.path, self.name, self.size_hw = path, name, size_hw
        self.num_frames = len(frame_names)
        self.frame_rate = frame_rate
        self.time_base = None if times is None else Fraction(1, 1000)
        self._times = times
        gaps = gaps_in_numbers(frame_names)
        self.remarks = () if gaps is None else (gaps,)
        self._frame_names, self._read = tuple(frame_names), read

    @property
    def shortfall(self) -> str | None:
        return None

    def frames(self, start: int = 0, stop: int | None = None, step: int = 1) -> Iterator[Frame]:
        start, stop = self.check_range(start, stop, step)
        return map(self.frame, range(start, stop, step))

    def frame(self, index: int) -> Frame:
        if not 0 <= index < self.num_frames:
            raise IndexError(f"frame {index} of {self.name}, which has frames 0..{self.num_frames - 1}")
        return Frame(index, None if self._times is None else self._times[index], self._read(index))

    def backward(self, start: int, stop: int = -1) -> Iterator[Frame]:
        self.check_backward_range(start, stop)
        return map(self.frame, range(start, stop, -1))

    def frame_name(self, index: int) -> str:
        return self._frame_names[index]


def clip_of_images(path: Path, image_paths: Sequence[Path]) -> ImageClip:
    """Image files of one size, in this order, as a clip; ``path`` is their folder or the only one of them.

    Raises:
        InputError: their sizes differ, or one is no picture.
    """
    name = path.stem if path.is_file() else path.resolve().name
    frame_names = [image_path.stem for image_path in image_paths]
    size_hw = _common_size(path, image_paths)
    return ImageClip(path, name, size_hw, frame_names, lambda index: read_image(image_paths[index]))


def find_images(folder: Path) -> list[Path]:
    """The images of a folder in natural order; hidden files are passed over. InputError where there are none."""
    entries = [path for path in folder.iterdir() if not path.name.startswith(".")]
    images = sorted((p for p in entries if p.suffix.lower() in IMAGE_SUFFIXES and p.is_file()), key=natural_key)
    if not images:
        found = "it is empty" if not entries else f"found {len(entries)} other entries, such as {entries[0].name}"
        raise InputError(f"{folder} is a folder without images ({', '.join(sorted(IMAGE_SUFFIXES))}): {found}")
    stems = Counter(path.stem for path in images)
    name, count = stems.most_common(1)[0]
    if count > 1:
        twins = ", ".join(path.name for path in images if path.stem == name)
        raise InputError(f"{folder} holds several images of one name ({twins}): keep one per frame")
    return images


def natural_key(path: Path) -> list[tuple[int, int, str]]:
    """Sort key that reads digits in a file name as numbers."""
    parts = re.split(r"(\d+)", path.name)
    return [(0, int(part), part) if part.isdigit() else (1, 0, part.lower()) for part in parts if part]


def _common_size(path: Path, image_paths: Sequence[Path]) -> tuple[int, int]:
    sizes = [image_size(image_path) for image_path in image_paths]
    counts = Counter(sizes).most_common()
    if len(counts) > 1:
        named = "; ".join(
            f"{count} of {size[1]}x{size[0]}, such as {image_paths[sizes.index(size)].name}"
            for size, count in counts[:4]
        )
        raise InputError(f"the images in {path} have different sizes ({named}): a clip needs one size")
    return sizes[0]
