"""The annotation formats by name, and which of them a file or folder is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from shibori.errors import InputError
from shibori.media.annotation.annotations import Annotations
from shibori.media.annotation.brush import read_label_studio, write_label_studio
from shibori.media.annotation.coco import read_coco, read_youtube_vis, write_coco, write_youtube_vis
from shibori.media.annotation.cvat import read_cvat, write_cvat
from shibori.media.annotation.id_pictures import MOTS_LIST, read_davis_folder, read_mots, write_davis, write_mots
from shibori.media.annotation.polygon_files import YOLO_LIST, read_labelme, read_yolo, write_labelme, write_yolo
from shibori.media.instances import read_json


@dataclass(frozen=True)
class AnnotationFormat:
    """How annotations are written and read back."""

    about: str
    file_name: str
    """Of its file or, without a suffix, its folder."""
    write: Callable[[Path, Annotations], None]
    read: Callable[[Path], Annotations]
    loss: str = ""
    """What a file of it cannot hold, in a sentence; empty where it holds everything."""

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder of files."""
        return not Path(self.file_name).suffix


ANNOTATION_FORMATS = {
    "coco": AnnotationFormat(
        "COCO instance JSON: an image a frame, run-length codes, track ids.", "coco.json", write_coco, read_coco
    ),
    "youtube-vis": AnnotationFormat(
        "YouTube-VIS annotation JSON: a list of run-length codes for each object.",
        "youtube-vis.json",
        write_youtube_vis,
        read_youtube_vis,
        "occluded flags are lost",
    ),
    "cvat": AnnotationFormat(
        "CVAT for video 1.1 XML: a track of masks for each object.", "cvat.xml", write_cvat, read_cvat
    ),
    "label-studio": AnnotationFormat(
        "Label Studio JSON: a task a frame with brush masks.",
        "label-studio.json",
        write_label_studio,
        read_label_studio,
    ),
    "labelme": AnnotationFormat(
        "LabelMe JSON for each frame, shapes of the type mask.", "labelme", write_labelme, read_labelme
    ),
    "yolo": AnnotationFormat(
        "YOLO segmentation text for each frame: polygons, one class for each object.",
        "yolo",
        write_yolo,
        read_yolo,
        "polygons: holes are filled, and occluded flags are lost",
    ),
    "mots": AnnotationFormat(
        "MOTS 16-bit PNG for each frame, class * 1000 + instance.",
        "mots",
        write_mots,
        read_mots,
        "overlaps and occluded flags are lost",
    ),
    "davis": AnnotationFormat(
        "DAVIS folder of palette PNGs for each frame.",
        "davis",
        write_davis,
        read_davis_folder,
        "names, overlaps and occluded flags are lost",
    ),
}
"""Name of a format -> how it is written and read."""


def read_annotations(path: Path, name: str | None = None, size_hw: tuple[int, int] | None = None) -> Annotations:
    """The annotations of a file or folder.

    Args:
        path: of either.
        name: of its format; None: found out from its content.
        size_hw: of the clip, which YOLO's polygons need; others say it themselves.

    Raises:
        InputError: missing, of no known format, or damaged.
    """
    if not path.exists():
        raise InputError(f"there is no file or folder {path}")
    name = name or format_of(path)
    if name not in ANNOTATION_FORMATS:
        raise InputError(f"there is no annotation format {name!r}: choose one of {', '.join(ANNOTATION_FORMATS)}")
    try:
        return read_yolo(path, size_hw) if name == "yolo" else ANNOTATION_FORMATS[name].read(path)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise InputError(f"{path} is damaged or no {name} file: {type(error).__name__}: {error}") from error


def format_of(path: Path) -> str:
    """Which format a file or folder is. InputError where it is none."""
    found = _format_of_folder(path) if path.is_dir() else _format_of_file(path)
    if found is None:
        raise InputError(f"{path} is none of the annotation formats: {', '.join(ANNOTATION_FORMATS)}")
    return found


def _format_of_folder(folder: Path) -> str | None:
    if (folder / YOLO_LIST).is_file():
        return "yolo"
    if any(folder.glob("[!.]*.json")):
        return "labelme"
    if any(folder.glob("Annotations/*/*")):
        return "davis"
    if any(folder.glob("[!.]*.png")):
        return "mots" if (folder / MOTS_LIST).is_file() else "davis"
    return None


def _format_of_file(path: Path) -> str | None:
    if path.suffix.lower() == ".xml":
        return "cvat"
    content = read_json(path) if path.suffix.lower() == ".json" else None
    if isinstance(content, list):
        return "label-studio"
    if isinstance(content, dict):
        return "youtube-vis" if "videos" in content else "coco" if "images" in content else None
    return None
