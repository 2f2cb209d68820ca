"""OpenEXR files: linear light, half floats, a layer for each object."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shibori.errors import InputError
from shibori.media.transfer import linear_from_srgb, srgb_from_linear

ALPHA_NOTE = "shibori/alpha"
"""Header attribute that says whether colours are multiplied by opacity."""


def open_exr_library() -> Any:
    """The module OpenEXR. InputError where it is not installed."""
    try:
        import OpenEXR
    except ImportError as error:
        raise InputError("EXR files need the package OpenEXR: pip install shibori[exchange]") from error
    return OpenEXR


def write_exr(path: Path, channels: Mapping[str, NDArray[Any]], notes: Mapping[str, Any]) -> None:
    """Write (H, W) float16 or float32 channels by name, with attributes of the header, ZIP-compressed.

    Raises:
        OSError: the disk refuses.
    """
    library = open_exr_library()
    header = {"compression": library.ZIP_COMPRESSION, "type": library.scanlineimage, **notes}
    file = library.File(header, {name: np.ascontiguousarray(values) for name, values in channels.items()})
    try:
        file.write(str(path))
    except RuntimeError as error:  # the library tells what the system said in words alone
        number = errno.ENOSPC if os.strerror(errno.ENOSPC) in str(error) else errno.EIO
        raise OSError(number, str(error)) from error


def read_exr(path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Channels by name, (H, W) float16, float32 or uint32, and the header. InputError where it is no EXR file."""
    library = open_exr_library()
    try:
        with library.File(str(path), separate_channels=True) as file:
            return {name: np.array(channel.pixels) for name, channel in file.channels().items()}, dict(file.header())
    except (RuntimeError, OSError, ValueError) as error:
        raise InputError(f"{path} is not an EXR file that can be read: {error}") from error


def exr_size(path: Path) -> tuple[int, int]:
    """Height and width of an EXR file's pixels, from its header alone."""
    library = open_exr_library()
    try:
        with library.File(str(path), header_only=True) as file:
            low, high = file.header()["dataWindow"]
    except (RuntimeError, OSError, ValueError) as error:
        raise InputError(f"{path} is not an EXR file that can be read: {error}") from error
    return int(high[1] - low[1]) + 1, int(high[0] - low[0]) + 1


def exr_image(path: Path) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB for display: linear light through the sRGB curve, clipped at diffuse white."""
    channels, _ = read_exr(path)
    names = ("R", "G", "B") if {"R", "G", "B"} <= set(channels) else ("Y", "Y", "Y")
    if names[0] not in channels:
        raise InputError(f"{path} has no colours: it has the channels {', '.join(sorted(channels))}")
    return srgb_from_linear(np.stack([channels[name].astype(np.float32) for name in names], axis=-1))


def linear_channels(image: NDArray[np.uint8]) -> dict[str, NDArray[np.float16]]:
    """R, G and B of a (H, W, 3) display picture in linear light."""
    linear = linear_from_srgb(image)
    return {name: linear[..., place] for place, name in enumerate("RGB")}
