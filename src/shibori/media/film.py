"""Pictures of film and rendering, EXR and DPX, brought from linear or logarithmic values to the display."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shibori.errors import InputError
from shibori.media.transfer import linear_from_cineon, srgb_from_linear

FILM_SUFFIXES = {".exr", ".dpx"}
_LINEAR, _LOGARITHMIC = 2, (1, 3)
"""Transfer characteristics of a DPX header (SMPTE 268M, table 5A): linear; printing density and logarithmic."""


def film_image(path: Path) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB for display.

    EXR, and DPX that says it is linear, go through the sRGB curve, diffuse white at 255, brighter values clipped. DPX
    of printing density or logarithmic values is taken for Cineon (10 bits, black 95, white 685) and made linear first.
    Other DPX is shown as it is stored.

    Raises:
        InputError: no such file, or damaged.
    """
    if path.suffix.lower() == ".exr":
        from shibori.media.exr import exr_image

        return exr_image(path)
    values = _dpx_values(path)
    transfer = _dpx_header(path)[2]
    if transfer == _LINEAR:
        return srgb_from_linear(values)
    if transfer in _LOGARITHMIC:
        return srgb_from_linear(linear_from_cineon(values))
    return np.rint(255 * values).astype(np.uint8)


def film_size(path: Path) -> tuple[int, int]:
    """Height and width, from the header alone."""
    if path.suffix.lower() == ".exr":
        from shibori.media.exr import exr_size

        return exr_size(path)
    return _dpx_header(path)[:2]


def _dpx_header(path: Path) -> tuple[int, int, int]:
    """Height, width and transfer characteristic."""
    try:
        with path.open("rb") as file:
            head = file.read(804)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error
    order = {b"SDPX": "big", b"XPDS": "little"}.get(head[:4])
    if order is None or len(head) < 804:
        raise InputError(f"{path} is not a DPX file that can be read")
    endian: str = ">" if order == "big" else "<"
    width, height = np.frombuffer(head, endian + "u4", 2, 772).tolist()
    return height, width, head[801]


def _dpx_values(path: Path) -> NDArray[np.float32]:
    """(H, W, 3) stored values in [0, 1]."""
    import av  # takes a while to import, and other pictures do without it

    try:
        with av.open(f"file:{path}", format="image2", options={"pattern_type": "none"}) as container:
            frame = next(container.decode(video=0))
    except (av.FFmpegError, StopIteration, OSError) as error:
        raise InputError(f"{path} is a damaged picture: {error}") from error
    values = frame.reformat(format="rgb48le").to_ndarray().astype(np.float32)
    return values * np.float32(1 / 65535)
