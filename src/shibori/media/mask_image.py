"""A picture that shows masks by opacity, brightness or colour: what a file or a frame of a video has of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shibori.errors import InputError
from shibori.media.clip import Frame
from shibori.media.color import Orientation
from shibori.media.edges import Alpha
from shibori.media.picture import open_image, read_image

_MOST_COLOUR = 24
"""Levels by which red, green and blue of a grey picture may differ: what coding leaves."""
_OBJECT_LAYER = "object"
"""What the layers of our own EXR files begin with, before the object's id."""


@dataclass(frozen=True, eq=False)
class MaskImage:
    """One picture."""

    what: str
    """Names it in a sentence."""
    rgb: NDArray[np.uint8]
    """(H, W, 3), as stored: mattes in EXR files are shares, no light, and go through no curve."""
    alphas: Mapping[int, Alpha]
    """object_id -> opacity; one alpha channel is that of object 1, and without any there is none."""

    def opacities(self, kind: str) -> Mapping[int, Alpha]:
        """object_id -> (H, W) opacity of the kind ``alpha`` or ``grey``. InputError where the picture has none."""
        if kind == "alpha":
            if not self.alphas:
                raise InputError(f"{self.what} has no alpha channel: expected opacity there, as alpha: says")
            return self.alphas
        spread = self.rgb.max(axis=2).astype(np.int16) - self.rgb.min(axis=2)
        if (spread > _MOST_COLOUR).mean() > 0.001:
            raise InputError(f"{self.what} has colours, but grey: is for masks in grey; colours: reads colours")
        return {1: _shares(self.rgb[..., 1])}


def image_of_file(path: Path) -> MaskImage:
    """Of a picture file. InputError where it is none."""
    if path.suffix.lower() == ".exr":
        return _image_of_exr(path)
    rgb = read_image(path)
    with open_image(path) as image:
        has_alpha = "A" in image.getbands() or "transparency" in image.info
        alpha = _shares(np.asarray(image.convert("RGBA"))[..., 3]) if has_alpha else None
    return MaskImage(str(path), rgb, {} if alpha is None else {1: alpha})


def _image_of_exr(path: Path) -> MaskImage:
    from shibori.media.exr import read_exr

    channels, _ = read_exr(path)
    values = {name: each.astype(np.float32).clip(0, 1) for name, each in channels.items()}
    layers = {
        int(number): values[name]
        for name in values
        if name.endswith(".A") and (number := name[len(_OBJECT_LAYER) : -2]).isdecimal()
    }
    shown = [values.get(name, values.get("Y")) for name in "RGB"]
    blank = np.zeros_like(next(iter(values.values())))
    rgb = np.stack([blank if each is None else each for each in shown], axis=-1)
    alone = {1: values["A"]} if "A" in values else {}
    return MaskImage(str(path), np.rint(255 * rgb).astype(np.uint8), layers or alone)


def image_of_frame(frame: Frame, what: str, orientation: Orientation) -> MaskImage:
    """Of a frame of a video; ``orientation`` is that of its stored pictures."""
    picture: Any = frame.picture
    if picture is None or not any(component.is_alpha for component in picture.format.components):
        return MaskImage(what, frame.image, {})
    deep = picture.reformat(format="rgba64le", threads=1).to_ndarray()[..., 3]
    return MaskImage(what, frame.image, {1: _shares(orientation.apply(deep))})


def _shares(values: NDArray[Any]) -> Alpha:
    return np.asarray(values / np.float32(np.iinfo(values.dtype).max), np.float32)
