"""Single pictures on and off disk.

PNG files of flat areas (ids, binary masks) are written here several times faster than picture encoders do.
"""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from shibori.errors import InputError
from shibori.media.film import FILM_SUFFIXES, film_image, film_size

_HEIF_SUFFIXES = {".heic", ".heif"}
_PLAIN_SUFFIXES = {".jpg", ".jpeg", ".png", ".apng", ".bmp", ".webp", ".tif", ".tiff", ".jp2", ".j2k", ".avif"}
IMAGE_SUFFIXES = _PLAIN_SUFFIXES | _HEIF_SUFFIXES | FILM_SUFFIXES
_EXIF_ORIENTATION = 0x0112
_PNG_GREY, _PNG_PALETTE = 0, 3


def read_image(path: str | Path) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB, upright: EXIF orientation is applied, as viewers do.

    Alpha is dropped (the stored colours are kept, composited on nothing); 16-bit grey is scaled to 8 bits; linear light
    is brought to the display (see ``film_image``).

    Raises:
        InputError: missing, no picture, or a damaged one.
    """
    if Path(path).suffix.lower() in FILM_SUFFIXES:
        return film_image(Path(path))
    with open_image(path) as image:
        try:
            upright = ImageOps.exif_transpose(image) if _may_be_turned(image) else image
            if upright.mode.startswith("I"):
                grey = (np.asarray(upright).astype(np.uint32) >> 8).clip(0, 255).astype(np.uint8)
                return np.repeat(grey[..., None], 3, axis=2)
            return np.asarray(upright if upright.mode == "RGB" else upright.convert("RGB"))
        except (OSError, SyntaxError, ValueError) as error:
            raise InputError(f"{path} is a damaged picture: {error}") from error


def image_size(path: str | Path) -> tuple[int, int]:
    """Height and width of a picture, upright, from its header alone. InputError where it is no picture."""
    if Path(path).suffix.lower() in FILM_SUFFIXES:
        return film_size(Path(path))
    with open_image(path) as image:
        turned = _may_be_turned(image) and image.getexif().get(_EXIF_ORIENTATION, 1) in (5, 6, 7, 8)
        return (image.width, image.height) if turned else (image.height, image.width)


def is_animated(path: str | Path) -> bool:
    """Whether a picture file holds several frames. InputError where it is no picture."""
    with open_image(path) as image:
        return getattr(image, "n_frames", 1) > 1


def open_image(path: str | Path) -> Image.Image:
    """A Pillow image whose pixels are not read yet, for ``with``. InputError where it is no picture."""
    if Path(path).suffix.lower() in _HEIF_SUFFIXES:
        _know_heif()
    try:
        return Image.open(path)
    except FileNotFoundError as error:
        raise InputError(f"there is no file {path}") from error
    except UnidentifiedImageError as error:
        raise InputError(f"{path} is not a picture that can be read") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error


def _know_heif() -> None:
    """Teach Pillow HEIC. InputError where what it takes is not installed."""
    try:
        import pillow_heif
    except ImportError as error:
        raise InputError("HEIC pictures need the package pillow-heif: pip install shibori[exchange]") from error
    pillow_heif.register_heif_opener()


def _may_be_turned(image: Image.Image) -> bool:
    # A PNG without the chunk would be decoded whole to look for it.
    return image.format in ("JPEG", "MPO", "TIFF", "WEBP") or "exif" in image.info


def encode_png(image: NDArray[Any], compress_level: int = 1) -> bytes:
    """PNG bytes of (H, W) grey or (H, W, 3) RGB or (H, W, 4) RGBA uint8, or of (H, W) uint16."""
    if image.ndim == 3:
        image = cv2.cvtColor(image, cv2.COLOR_RGBA2BGRA if image.shape[2] == 4 else cv2.COLOR_RGB2BGR)
    ok, data = cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, compress_level])
    if not ok:
        raise ValueError(f"no PNG of an array of shape {image.shape} and type {image.dtype}")
    return data.tobytes()


_EXTRA_SAMPLES = 338
"""TIFF tag of what the fourth channel means: 1 premultiplied alpha, 2 straight alpha."""


def encode_tiff(rgba: NDArray[np.uint8], premultiplied: bool) -> bytes:
    """TIFF bytes (deflate) of (H, W, 4) RGBA uint8."""
    buffer = io.BytesIO()
    Image.fromarray(rgba).save(buffer, "TIFF", compression="tiff_adobe_deflate")
    data = bytearray(buffer.getvalue())
    (directory,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, directory)
    for place in range(directory + 2, directory + 2 + 12 * count, 12):
        if struct.unpack_from("<H", data, place)[0] == _EXTRA_SAMPLES:  # Pillow always says straight
            struct.pack_into("<H", data, place + 8, 1 if premultiplied else 2)
    return bytes(data)


def encode_jpeg(image: NDArray[np.uint8], quality: int = 85) -> bytes:
    """JPEG bytes of (H, W, 3) RGB or (H, W) grey uint8."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def encode_flat_png(pixels: NDArray[Any], palette: NDArray[np.uint8] | None = None) -> bytes:
    """PNG bytes (ISO/IEC 15948) of (H, W) uint8 or uint16 grey, or of uint8 indices into a (256, 3) uint8 palette.

    No row filters; for 8 bits run-length deflate, which flat areas need no more than.
    """
    height, width = pixels.shape
    depth = pixels.dtype.itemsize
    rows = np.zeros((height, 1 + width * depth), np.uint8)  # each row begins with its filter type, 0: none
    rows[:, 1:] = np.ascontiguousarray(pixels.astype(f">u{depth}", copy=False)).view(np.uint8)
    deflate = zlib.compressobj(level=6 if depth == 1 else 1, strategy=zlib.Z_RLE if depth == 1 else 0)
    data = deflate.compress(rows.data) + deflate.flush()
    header = struct.pack(">IIBBBBB", width, height, 8 * depth, _PNG_GREY if palette is None else _PNG_PALETTE, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", data), (b"IEND", b"")]
    if palette is not None:
        parts.insert(1, (b"PLTE", palette.tobytes()))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, content) for kind, content in parts)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
