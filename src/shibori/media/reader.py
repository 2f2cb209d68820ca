"""Open a clip from disk."""

from __future__ import annotations

import re
from pathlib import Path

from shibori.errors import InputError
from shibori.media.clip import Clip
from shibori.media.folder import clip_of_images, find_images
from shibori.media.picture import IMAGE_SUFFIXES, is_animated
from shibori.media.sequence import files_of_pattern, is_pattern

_ADDRESS = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]+):/{1,2}")
CLIP_SUFFIXES = frozenset({".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".mpg", ".mpeg", ".mxf"})
"""Of video files, where a folder is looked through for clips."""
_ANIMATED = {".png", ".apng", ".webp"}


def read_clip(path: str | Path, *, deinterlace: bool = False, exact: bool = False) -> Clip:
    """Open a clip.

    Args:
        path: a video file (anything PyAV decodes), a folder of images, an image (a clip of one frame, or of several
            where it is animated), a numbered sequence (``plate.%04d.png``, ``plate.####.exr``), or the address of a
            file that fsspec opens (``https://...``, ``s3://...``), which is fetched whole first.
        deinterlace: make whole pictures of interlaced ones.
        exact: convert a video's colours without haste: 8 bits come out a level brighter, and right, in three times the
            time. Networks do not need it, exports do.

    Raises:
        InputError: missing, not a video, audio only, empty folder, images of mixed sizes.
    """
    if address := address_of(path):
        from shibori.media.address import fetched

        path = fetched(address)
    path = Path(path)
    try:
        clip = _clip_of_pictures(path)
    except PermissionError as error:
        raise InputError(f"{path} may not be read: permission denied") from error
    if clip is not None:
        return clip
    from shibori.media.video import VideoClip  # PyAV takes a while to import and a folder of images does without it

    return VideoClip(path, deinterlace=deinterlace, exact=exact)


def address_of(path: str | Path) -> str | None:
    """The address that a path is in truth, though it may have lost some of its slashes; None for a path."""
    found = _ADDRESS.match(str(path))
    if found is None:
        return None
    rest = str(path)[found.end() :]
    # Paths behind file:// begin at the root.
    return f"{found[1]}://{'/' + rest.lstrip('/') if found[1] == 'file' else rest}"


def _clip_of_pictures(path: Path) -> Clip | None:
    """A folder, a sequence or a picture as a clip; None for any other file. InputError where there is nothing."""
    if path.is_dir():
        return clip_of_images(path, find_images(path))
    if not path.exists():
        if not is_pattern(path):
            raise InputError(f"there is no file or folder {path}")
        files = files_of_pattern(path)
        return clip_of_images(path, files)
    if path.suffix.lower() not in IMAGE_SUFFIXES:
        return None
    if path.suffix.lower() not in _ANIMATED or not is_animated(path):
        return clip_of_images(path, [path])
    if path.suffix.lower() != ".webp":
        return None  # FFmpeg reads it
    from shibori.media.animation import clip_of_webp

    return clip_of_webp(path)
