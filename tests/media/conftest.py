"""Fabricated footage: every frame tells its own number, so that a wrong frame cannot pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from shibori.media.clip import Clip
from shibori.media.reader import read_clip

BITS = 6


def numbered_image(number: int, size_hw: tuple[int, int] = (48, 96)) -> NDArray[np.uint8]:
    """(H, W, 3): six bright or dark bars that spell a number in binary, on grey."""
    height, width = size_hw
    image = np.full((height, width, 3), 100, np.uint8)
    bar = width // BITS
    for bit in range(BITS):
        image[height // 4 : 3 * height // 4, bit * bar : (bit + 1) * bar] = 220 if number >> bit & 1 else 30
    return image


def number_in(image: NDArray[np.uint8]) -> int:
    """The number a coded and decoded ``numbered_image`` spells."""
    height, width = image.shape[:2]
    bar = width // BITS
    middle = image[height // 2, [bit * bar + bar // 2 for bit in range(BITS)]].mean(axis=1)
    return sum(1 << bit for bit in range(BITS) if middle[bit] > 125)


def encode(path: Path, images: Sequence[NDArray[np.uint8]], **settings: Any) -> Path:
    """Write a video. Settings: codec, pixels, rate, options, pts, time_base, rotation, container, tags."""
    rate = settings.get("rate", 25)
    base = settings.get("time_base", Fraction(1, rate))
    with av.open(str(path), "w", format=settings.get("container")) as out:
        stream = out.add_stream(settings.get("codec", "libx264"), rate=rate, options=settings.get("options", {}))
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = settings.get("pixels", "yuv420p")
        stream.codec_context.time_base = base
        for name, value in settings.get("tags", {}).items():
            setattr(stream.codec_context, name, value)
        if "rotation" in settings:
            stream.set_display_rotation(settings["rotation"])
        for number, image in enumerate(images):
            layout = "rgba" if image.shape[2] == 4 else "rgb24"
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format=layout)
            if stream.pix_fmt.startswith("yuv"):
                matrix, values = (
                    settings.get("tags", {}).get("colorspace", 5),
                    settings.get("tags", {}).get("color_range", 1),
                )
                frame = frame.reformat(format=stream.pix_fmt, dst_colorspace=matrix, dst_color_range=values)
            frame.pts = settings["pts"][number] if "pts" in settings else number
            frame.time_base = base
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


@pytest.fixture
def make_video(tmp_path: Path) -> Callable[..., Path]:
    """``make_video("a.mp4", 20, size_hw=..., **settings of encode)``: a clip of numbered frames."""

    def make(name: str, num_frames: int = 20, size_hw: tuple[int, int] = (48, 96), **settings: Any) -> Path:
        return encode(tmp_path / name, [numbered_image(i, size_hw) for i in range(num_frames)], **settings)

    return make


@pytest.fixture
def image_clip(tmp_path: Path) -> Clip:
    """A folder of five 48x96 PNG frames named 00000.png ..."""
    folder = tmp_path / "source"
    folder.mkdir()
    for number in range(5):
        Image.fromarray(numbered_image(number)).save(folder / f"{number:05d}.png")
    return read_clip(folder)


@pytest.fixture
def numbers() -> Callable[[NDArray[np.uint8]], int]:
    return number_in


@pytest.fixture
def encoder() -> Callable[..., Path]:
    return encode
