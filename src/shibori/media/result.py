"""What a run left on disk, opened again as a source of masks."""

from __future__ import annotations

from pathlib import Path

from shibori.errors import InputError
from shibori.media.annotation.annotations import AnnotatedMasks
from shibori.media.annotation.formats import read_annotations
from shibori.media.annotation.id_pictures import MOTS_LIST
from shibori.media.annotation.polygon_files import YOLO_LIST
from shibori.media.clip import Clip
from shibori.media.instances import read_json
from shibori.media.kept_masks import KeptMasks
from shibori.media.mask_file import stated_kind
from shibori.media.mask_folder import MaskFolder, ObjectFolders
from shibori.media.mask_source import MaskSource
from shibori.media.mask_writer import KEPT_NAME, ONE_FILE_NAMES
from shibori.media.rle_masks import RleMasks
from shibori.media.stated_masks import VIDEO_SUFFIXES, stated_masks, unstated_video

_FOLDERS = ("palette", "ids16")
"""Formats whose masks are as good as the run's, in folders of their names where a run wrote several."""


def read_result(path: str | Path, clip: Clip) -> MaskSource:
    """The masks that a run left: those with probabilities where it kept them, else hard ones.

    Args:
        path: ``masks.shibori``, ``masks.json``, or a folder with one of them, with palette or 16-bit PNGs of ids, or
            with a folder of black and white PNGs for each object; annotations, see ``read_annotations``; or
            ``alpha:``, ``grey:`` or ``colours:`` before a picture, a folder of pictures or a video, see
            ``stated_masks``.
        clip: that they were made for.

    Raises:
        InputError: nothing of the kind, or made for another clip.
    """
    kind, path = stated_kind(str(path))
    if not path.exists():
        raise InputError(f"there is no file or folder {path}")
    if kind is not None:
        return stated_masks(path, kind, clip)
    found = _of_folder(path, clip) if path.is_dir() else _of_file(path)
    if found.size_hw != clip.size_hw:
        raise InputError(
            f"{found.path} is for a clip of {found.size_hw[1]}x{found.size_hw[0]} pixels, but {clip.name} has "
            f"{clip.size_hw[1]}x{clip.size_hw[0]}: it was made for another clip"
        )
    if found.frames and found.frames[-1] >= clip.num_frames:
        raise InputError(
            f"{found.path} has masks of frame {found.frames[-1]}, but {clip.name} has {clip.num_frames} frames: it was "
            "made for another clip"
        )
    return found


def _of_file(path: Path) -> MaskSource:
    if path.suffix.lower() == Path(KEPT_NAME).suffix:
        return KeptMasks(path)
    if path.suffix.lower() == ".xml":
        return AnnotatedMasks(path, read_annotations(path))
    if path.suffix.lower() == ".json":
        return _of_json(path)
    if path.suffix.lower() in VIDEO_SUFFIXES:
        raise unstated_video(path)
    raise InputError(f"{path} is no result: expected a folder of masks, {KEPT_NAME} or {ONE_FILE_NAMES['rle']}")


def _of_json(path: Path) -> MaskSource:
    content = read_json(path)
    if isinstance(content, dict) and ({"images", "videos"} & set(content)):
        return AnnotatedMasks(path, read_annotations(path))
    if isinstance(content, list) and content and isinstance(content[0], dict) and "data" in content[0]:
        return AnnotatedMasks(path, read_annotations(path))
    return RleMasks(path)


def _of_folder(folder: Path, clip: Clip) -> MaskSource:
    for name in (KEPT_NAME, ONE_FILE_NAMES["rle"]):
        if (folder / name).is_file() and (name == KEPT_NAME or not any(folder.glob("*.png"))):
            return _of_file(folder / name)
    if (folder / MOTS_LIST).is_file():
        return AnnotatedMasks(folder, read_annotations(folder, "mots"))
    for place in (folder, *(folder / name for name in _FOLDERS)):
        if any(place.glob("[!.]*.png")):
            return MaskFolder(place, clip)
    for place in (folder, folder / "binary"):
        if place.is_dir() and any(entry.is_dir() and entry.name.isdecimal() for entry in place.iterdir()):
            return ObjectFolders(place, clip)
    if (folder / YOLO_LIST).is_file() or any(folder.glob("[!.]*.json")) or any(folder.glob("Annotations/*/*")):
        return AnnotatedMasks(folder, read_annotations(folder))
    raise InputError(f"{folder} holds no masks: expected {KEPT_NAME}, mask pictures (.png) or {ONE_FILE_NAMES['rle']}")
