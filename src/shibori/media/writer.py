"""Masks on their way to disk: one table of formats, and the function that opens a writer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from shibori.errors import InputError
from shibori.media.annotation.formats import ANNOTATION_FORMATS
from shibori.media.annotation.writer import AnnotationWriter
from shibori.media.clip import Clip
from shibori.media.exr_writer import ExrWriter
from shibori.media.mask_writer import ONE_FILE_NAMES, MaskWriter, Target
from shibori.media.matte import (
    Ffv1Writer,
    MatteWriter,
    OutlineWriter,
    ProResWriter,
    ScreenWriter,
    SideBySideWriter,
    WebmWriter,
)
from shibori.media.overlay import overlay_image
from shibori.media.picture_writers import AlphaWriter, BinaryWriter, Ids16Writer, PaletteWriter, RgbaWriter, TiffWriter
from shibori.media.rle_writer import RleWriter
from shibori.media.sheet import SheetWriter, contact_sheet
from shibori.media.timeline import TimelineWriter
from shibori.media.video_writer import OverlayWriter, write_video
from shibori.media.writer_options import PLAIN, WriterOptions

__all__ = [
    "FORMATS",
    "ONE_FILE_NAMES",
    "MaskWriter",
    "WriterOptions",
    "contact_sheet",
    "open_writer",
    "overlay_image",
    "write_video",
]

_TABLE: dict[str, Callable[[Target], MaskWriter]] = {
    "palette": PaletteWriter,
    "ids16": Ids16Writer,
    "binary": BinaryWriter,
    "rle": RleWriter,
    "overlay": OverlayWriter,
    "rgba": RgbaWriter,
    "alpha": AlphaWriter,
    "tiff": TiffWriter,
    "exr": ExrWriter,
    "sheet": SheetWriter,
    "prores": ProResWriter,
    "webm": WebmWriter,
    "ffv1": Ffv1Writer,
    "matte": MatteWriter,
    "screen": ScreenWriter,
    "side-by-side": SideBySideWriter,
    "outline": OutlineWriter,
    "otio": TimelineWriter,
}
FORMATS: dict[str, str] = {name: (writer.__doc__ or "").split("\n")[0] for name, writer in _TABLE.items()}
_TABLE |= {name: partial(AnnotationWriter, form=form) for name, form in ANNOTATION_FORMATS.items()}
FORMATS |= {name: form.about for name, form in ANNOTATION_FORMATS.items()}
"""Name of a format -> what it writes, in one sentence."""


def open_writer(
    format: str,
    out: Path,
    clip: Clip,
    object_ids: Sequence[int],
    *,
    resume: bool = False,
    overwrite: bool = False,
    options: WriterOptions = PLAIN,
) -> MaskWriter:
    """A writer of a format of ``FORMATS`` for the masks of ``clip`` into ``out``.

    Args:
        format: a key of ``FORMATS``.
        out: a folder; the formats of one file of ``ONE_FILE_NAMES`` also take a file of their suffix.
        clip: whose masks they are; results are named like its frames.
        object_ids: every object that will come, in the order that gives colours.
        resume: go on where an interrupted run stopped (``MaskWriter.done`` says which frames are there).
        overwrite: replace results that are there; other files in the folder stay.
        options: what several formats have in common.

    Raises:
        InputError: unknown format, unwritable place, a place that holds other results (unless resume or overwrite),
            ids the format cannot hold.
    """
    if format not in _TABLE:
        raise InputError(f"there is no format {format!r}: choose one of {', '.join(FORMATS)}")
    return _TABLE[format](Target(Path(out), clip, tuple(object_ids), resume, overwrite, options))
