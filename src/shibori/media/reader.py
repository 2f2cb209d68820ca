"""Open a clip from disk."""

from __future__ import annotations

from pathlib import Path

from shibori.errors import InputError
from shibori.media.clip import Clip
from shibori.media.folder import clip_of_images, find_images
from shibori.media.picture import IMAGE_SUFFIXES


def read_clip(path: str | Path) -> Clip:
    """Open a video file (anything PyAV decodes), a folder of images or a single image (a clip of one frame).

    Raises:
        InputError: missing, not a video, audio only, empty folder, images of mixed sizes.
    """
    path = Path(path)
    try:
        if path.is_dir():
            return clip_of_images(path, find_images(path))
        if not path.exists():
            raise InputError(f"there is no file or folder {path}")
        if path.suffix.lower() in IMAGE_SUFFIXES:
            return clip_of_images(path, [path])
    except PermissionError as error:
        raise InputError(f"{path} may not be read: permission denied") from error
    from shibori.media.video import VideoClip  # PyAV takes a while to import and a folder of images does without it

    return VideoClip(path)
