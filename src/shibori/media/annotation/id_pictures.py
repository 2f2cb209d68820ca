"""Formats with a picture of ids for each frame: DAVIS (palette) and MOTS (16 bits, class and instance)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from shibori.errors import InputError
from shibori.media.annotation.annotations import Annotations, AnnotationsBuilder, check_ids
from shibori.media.atomic import write_whole
from shibori.media.mask import ids_to_masks, read_ids
from shibori.media.palette import LARGEST_PALETTE_ID, davis_palette
from shibori.media.picture import encode_flat_png

MOTS_LIST = "labels.txt"
_PER_CLASS = 1000
_IGNORE = 10000


def write_davis(folder: Path, annotations: Annotations) -> None:
    """``Annotations/480p/<clip>/00000.png`` ..., index = object id. Names and occlusion have no place in it."""
    check_ids(annotations, LARGEST_PALETTE_ID, "a palette PNG")
    for index, name in enumerate(annotations.frame_names):
        ids = annotations.ids(index).astype(np.uint8)
        place = folder / "Annotations" / "480p" / annotations.clip
        write_whole(place / f"{name}.png", encode_flat_png(ids, davis_palette()))


def read_davis_folder(folder: Path) -> Annotations:
    """The palette pictures of one clip, in the DAVIS layout or right in the folder."""
    inner = sorted(path for path in folder.glob("Annotations/*/*") if path.is_dir())
    if len(inner) > 1:
        raise InputError(f"{folder} holds {len(inner)} sequences: give the folder of one, such as {inner[0]}")
    place = inner[0] if inner else folder
    files = _pictures(place)
    builder: AnnotationsBuilder | None = None
    for index, path in enumerate(files):
        ids = read_ids(path)
        builder = builder or AnnotationsBuilder(place.name, (ids.shape[0], ids.shape[1]), [file.stem for file in files])
        for object_id, mask in ids_to_masks(ids).items():
            builder.add_mask(object_id, f"object{object_id}", index, mask)
    assert builder is not None
    return builder.built()


def write_mots(folder: Path, annotations: Annotations) -> None:
    """``000000.png`` ... of 16 bits, class * 1000 + instance; line n of ``labels.txt`` names class n."""
    check_ids(annotations, _PER_CLASS - 1, "MOTS")
    classes = {label: number for number, label in enumerate(annotations.labels, 1)}
    numbers = np.zeros(_PER_CLASS, np.uint16)
    for each in annotations.objects:
        numbers[each.object_id] = classes[each.name] * _PER_CLASS + each.object_id
    for index in range(annotations.num_frames):
        name = f"{annotations.number(index):06d}.png"
        write_whole(folder / name, encode_flat_png(numbers[annotations.ids(index)]))
    write_whole(folder / MOTS_LIST, "".join(f"{label}\n" for label in classes).encode())


def read_mots(folder: Path) -> Annotations:
    """Instances of all classes; where two classes share an instance's number, the whole number is the id."""
    labels = folder / MOTS_LIST
    names = labels.read_text(encoding="utf-8").splitlines() if labels.is_file() else ["car", "pedestrian"]
    files = _pictures(folder)
    pictures = [read_ids(path) for path in files]
    values = sorted({int(value) for ids in pictures for value in np.unique(ids)} - {0, _IGNORE})
    instances = [value % _PER_CLASS for value in values]
    is_clear = len(set(instances)) == len(values) and 0 not in instances
    size_hw = (pictures[0].shape[0], pictures[0].shape[1])
    numbers = [int(path.stem) if path.stem.isdecimal() else index for index, path in enumerate(files)]
    builder = AnnotationsBuilder(folder.name, size_hw, [path.stem for path in files], numbers)
    for index, ids in enumerate(pictures):
        for value in sorted({int(value) for value in np.unique(ids)} & set(values)):
            number = value // _PER_CLASS
            name = names[number - 1] if 0 < number <= len(names) else f"class{number}"
            builder.add_mask(value % _PER_CLASS if is_clear else value, name, index, ids == value)
    return builder.built()


def _pictures(folder: Path) -> list[Path]:
    files = sorted(path for path in folder.glob("*.png") if not path.name.startswith("."))
    if not files:
        raise InputError(f"{folder} holds no mask pictures (.png)")
    return files
