"""Open a clip from disk."""

from __future__ import annotations

from pathlib import Path

from shibori.media.clip import Clip


def read_clip(path: str | Path) -> Clip:
    """Open a video file (anything PyAV decodes), a folder of images or a single image.

    Raises:
        InputError: missing, not a video, audio only, empty folder, images of mixed sizes.
    """
    raise NotImplementedError
