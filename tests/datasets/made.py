"""Fabricated photographs, real clips and training folders for the tests of training data."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from shibori.datasets.real_frames import RealSequence
from shibori.datasets.stills import Still


def disk(size_hw: tuple[int, int], centre_xy: tuple[float, float], radius: float) -> np.ndarray:
    """(H, W) bool: pixels whose centre lies within ``radius`` of ``centre_xy``."""
    ys, xs = np.mgrid[: size_hw[0], : size_hw[1]] + 0.5
    return (xs - centre_xy[0]) ** 2 + (ys - centre_xy[1]) ** 2 <= radius**2


def texture(rng: np.random.Generator, size_hw: tuple[int, int], tone: tuple[int, int, int]) -> np.ndarray:
    """(H, W, 3) uint8 smooth noise around a colour."""
    noise = cv2.GaussianBlur(rng.normal(0, 60, (*size_hw, 3)), (0, 0), 1.5)
    return np.clip(noise + tone, 0, 255).astype(np.uint8)


def made_still(seed: int = 0, size_hw: tuple[int, int] = (90, 120)) -> Still:
    """A grey photograph with a red disk (id 1) and a blue one (id 2)."""
    rng = np.random.default_rng(seed)
    image, ids = texture(rng, size_hw, (120, 120, 120)), np.zeros(size_hw, np.uint8)
    places = [(1, (0.3, 0.5), 0.22, (220, 30, 30)), (2, (0.75, 0.4), 0.16, (30, 30, 220))]
    for object_id, (x, y), share, tone in places:
        inside = disk(size_hw, (x * size_hw[1], y * size_hw[0]), share * size_hw[0])
        image[inside] = texture(rng, size_hw, tone)[inside]
        ids[inside] = object_id
    return Still(image, ids, (1, 2), regions=False)


def moving_disk(
    num_frames: int, size_hw: tuple[int, int] = (96, 128), speed: float = 2.0, radius: float = 16.0, seed: int = 0
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """RGB frames and bool masks of a red disk that crosses a grey background from left to right."""
    rng = np.random.default_rng(seed)
    background, paint = texture(rng, size_hw, (110, 120, 110)), texture(rng, size_hw, (220, 40, 40))
    images, masks = [], []
    for t in range(num_frames):
        inside = disk(size_hw, (30 + speed * t, size_hw[0] / 2 + 4 * np.sin(t / 3)), radius)
        image = background.copy()
        image[inside] = paint[inside]
        images.append(image)
        masks.append(inside)
    return images, masks


def made_sequence(num_frames: int = 12) -> RealSequence:
    """A real clip of one moving disk."""
    images, masks = moving_disk(num_frames)
    return RealSequence("disk", tuple(images), tuple(mask.astype(np.uint8) for mask in masks))


def write_still(folder: Path, stem: str, image: np.ndarray, ids: np.ndarray) -> None:
    """Write one photograph and its ids into a set's folder."""
    for name, picture in (("images", image[..., ::-1]), ("masks", ids)):
        (folder / name).mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(folder / name / f"{stem}.png"), picture)


def write_davis(root: Path, sequences: dict[str, tuple[list[np.ndarray], list[np.ndarray]]], split: str) -> None:
    """Write a DAVIS 2016 folder with one split."""
    lines = []
    for name, (images, masks) in sequences.items():
        for kind in ("JPEGImages", "Annotations"):
            (root / kind / "480p" / name).mkdir(parents=True)
        for t, (image, mask) in enumerate(zip(images, masks, strict=True)):
            image_path = f"JPEGImages/480p/{name}/{t:05d}.jpg"
            mask_path = f"Annotations/480p/{name}/{t:05d}.png"
            cv2.imwrite(str(root / image_path), image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 98])
            cv2.imwrite(str(root / mask_path), mask.astype(np.uint8) * 255)
            lines.append(f"/{image_path} /{mask_path}")
    (root / "ImageSets" / "480p").mkdir(parents=True, exist_ok=True)
    (root / "ImageSets" / "480p" / f"{split}.txt").write_text("\n".join(lines) + "\n")


def write_objects(root: Path, name: str, ids: list[np.ndarray], annotated: tuple[int, ...] | None = None) -> None:
    """Write one clip of several objects as DAVIS 2017 has it, without lists; frame t is of grey 40 * (t + 1)."""
    for kind in ("JPEGImages", "Annotations"):
        (root / kind / "480p" / name).mkdir(parents=True)
    for t, labels in enumerate(ids):
        picture = np.full((*labels.shape, 3), 40 * (t + 1), np.uint8)
        cv2.imwrite(str(root / "JPEGImages" / "480p" / name / f"{t:05d}.jpg"), picture)
        if annotated is None or t in annotated:
            cv2.imwrite(str(root / "Annotations" / "480p" / name / f"{t:05d}.png"), labels)


class Painted:
    """An annotated sequence of flat colours: a square that moves over its own background of another level."""

    def __init__(self, name: str, level: int, num_frames: int = 5, size_hw: tuple[int, int] = (72, 128)) -> None:
        self.name, self.level, self.num_frames, self.size_hw = name, level, num_frames, size_hw

    def read_ids(self, index: int) -> np.ndarray:
        ids = np.zeros(self.size_hw, np.uint8)
        ids[20:52, 30 + 4 * index : 62 + 4 * index] = 1
        return ids

    def read_image(self, index: int) -> np.ndarray:
        picture = np.full((*self.size_hw, 3), 10, np.uint8)
        picture[self.read_ids(index) == 1] = self.level
        return picture
