"""A folder of images as a clip."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from shibori.errors import InputError
from shibori.media.clip import Clip, Frame
from shibori.media.picture import IMAGE_SUFFIXES, image_size, read_image


class ImageClip(Clip):
    """Images of one size in natural order of their names (2 before 10). Built by ``read_clip``; it has no clock."""

    def __init__(self, path: Path, image_paths: Sequence[Path]) -> None:
        self.path = path
        self.name = path.stem if path.is_file() else path.resolve().name
        self.image_paths = tuple(image_paths)
        self.size_hw = _common_size(path, self.image_paths)
        self.num_frames = len(self.image_paths)
        self.frame_rate = None
        self.time_base = None

    @property
    def shortfall(self) -> str | None:
        return None

    def frames(self, start: int = 0, stop: int | None = None, step: int = 1) -> Iterator[Frame]:
        start, stop = self.check_range(start, stop, step)
        return map(self._read, range(start, stop, step))

    def frame(self, index: int) -> Frame:
        if not 0 <= index < self.num_frames:
            raise IndexError(f"frame {index} of {self.name}, which has frames 0..{self.num_frames - 1}")
        return self._read(index)

    def backward(self, start: int, stop: int = -1) -> Iterator[Frame]:
        self.check_backward_range(start, stop)
        return map(self._read, range(start, stop, -1))

    def frame_name(self, index: int) -> str:
        return self.image_paths[index].stem

    def _read(self, index: int) -> Frame:
        return Frame(index, None, read_image(self.image_paths[index]))


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
