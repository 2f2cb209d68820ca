"""Formats with a file of shapes for each frame: LabelMe (masks, without loss) and YOLO segmentation (polygons)."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shibori.errors import InputError
from shibori.media.annotation.annotations import Annotations, AnnotationsBuilder
from shibori.media.atomic import write_whole
from shibori.media.box import boxes_from_masks
from shibori.media.instances import read_json
from shibori.media.picture import encode_flat_png


def write_labelme(folder: Path, annotations: Annotations) -> None:
    """A JSON file for each frame with shapes of the type mask; ``group_id`` is the object's id."""
    height, width = annotations.size_hw
    for index, name in enumerate(annotations.frame_names):
        shapes = [
            _labelme_shape(each.name, each.object_id, shape.mask, shape.occluded)
            for each, shape in annotations.in_frame(index)
        ]
        content: dict[str, Any] = {
            "version": "5.4.1",
            "flags": {},
            "shapes": shapes,
            "imagePath": f"{name}.jpg",
            "imageData": None,
            "imageHeight": height,
            "imageWidth": width,
        }
        write_whole(folder / f"{name}.json", json.dumps(content).encode())


def _labelme_shape(label: str, object_id: int, mask: NDArray[np.bool_], occluded: bool) -> dict[str, Any]:
    left, top, right, bottom = boxes_from_masks(mask[None])[0].tolist()
    part = mask[top:bottom, left:right].astype(np.uint8)
    return {
        "label": label,
        "points": [[left, top], [right - 1, bottom - 1]],
        "group_id": object_id,
        "description": "",
        "shape_type": "mask",
        "flags": {"occluded": occluded},
        "mask": base64.b64encode(encode_flat_png(part)).decode("ascii"),
    }


def read_labelme(folder: Path) -> Annotations:
    """Masks, polygons and rectangles of the JSON files of a folder; those without a group are known by their label."""
    files = sorted(path for path in folder.glob("*.json") if not path.name.startswith("."))
    contents = [read_json(path) for path in files]
    sizes = set()
    for path, content in zip(files, contents, strict=True):
        if not isinstance(content, dict) or not {"shapes", "imageHeight", "imageWidth"} <= set(content):
            raise InputError(f"{path} is no file of LabelMe: expected shapes, imageHeight and imageWidth")
        sizes.add((content["imageHeight"], content["imageWidth"]))
    if len(sizes) != 1:
        raise InputError(f"{folder} holds LabelMe files of {len(sizes)} sizes: expected those of one clip")
    builder = AnnotationsBuilder(folder.name, next(iter(sizes)), [path.stem for path in files])
    numbers: dict[str, int] = {}
    for index, content in enumerate(contents):
        for shape in content["shapes"]:
            object_id = shape.get("group_id") or numbers.setdefault(shape["label"], len(numbers) + 1)
            occluded = bool((shape.get("flags") or {}).get("occluded"))
            builder.add_mask(object_id, shape["label"], index, _labelme_mask(shape, builder.size_hw), occluded)
    return builder.built()


def _labelme_mask(shape: dict[str, Any], size_hw: tuple[int, int]) -> NDArray[np.bool_]:
    mask, points = np.zeros(size_hw, np.uint8), np.array(shape["points"], float)
    if shape.get("shape_type") == "mask":
        left, top = np.round(points[0]).astype(int).tolist()
        part = np.asarray(Image.open(io.BytesIO(base64.b64decode(shape["mask"])))) > 0
        mask[top : top + part.shape[0], left : left + part.shape[1]] = part
    elif shape.get("shape_type") == "rectangle":
        (left, top), (right, bottom) = np.round(points).astype(int).tolist()
        mask[top:bottom, left:right] = 1
    else:
        cv2.fillPoly(mask, [np.round(points - 0.5).astype(np.int32)], 1)
    return mask.astype(bool)


YOLO_LIST = "data.yaml"


def write_yolo(folder: Path, annotations: Annotations) -> None:
    """A text file for each frame: a class and an outline of each part. Each object is a class of its own.

    Outlines run through the centres of the outermost pixels. Holes are filled.
    """
    height, width = annotations.size_hw
    for index, name in enumerate(annotations.frame_names):
        lines = []
        for number, each in enumerate(annotations.objects):
            for outline in _outlines(each.shapes[index].mask) if index in each.shapes else []:
                shares = (outline + 0.5) / np.array([width, height])
                lines.append(f"{number} " + " ".join(f"{share:.6f}" for share in shares.ravel()))
        write_whole(folder / "labels" / f"{name}.txt", "".join(line + "\n" for line in lines).encode())
    classes = [f"  {n}: {json.dumps(f'{each.name} {each.object_id}')}" for n, each in enumerate(annotations.objects)]
    listed = "names:\n" + "\n".join(classes) if classes else "names: {}"
    text = f"# {annotations.clip}\npath: .\ntrain: images\nval: images\nshibori_size: [{height}, {width}]\n{listed}\n"
    write_whole(folder / YOLO_LIST, text.encode())


def _outlines(mask: NDArray[np.bool_]) -> list[NDArray[np.float64]]:
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    # A line or a dot goes back and forth, so that it has the three points of a polygon.
    return [np.resize(contour[:, 0], (max(3, len(contour)), 2)).astype(float) for contour in contours]


def read_yolo(folder: Path, size_hw: tuple[int, int] | None = None) -> Annotations:
    """The polygons of a folder of labels; each class is an object, numbered from 1 unless its name ends in a number.

    Args:
        folder: with ``data.yaml`` and ``labels``.
        size_hw: of the pictures; None where our ``data.yaml`` says it.
    """
    text = (folder / YOLO_LIST).read_text(encoding="utf-8") if (folder / YOLO_LIST).is_file() else ""
    stated = next((line.split(":")[1] for line in text.splitlines() if line.startswith("shibori_size:")), None)
    size_hw = size_hw or (None if stated is None else tuple(json.loads(stated)))
    if size_hw is None:
        raise InputError(
            f"{folder} does not say how large the pictures are, and YOLO's polygons are shares: give --clip"
        )
    names = _yolo_names(text)
    files = sorted((folder / "labels").glob("*.txt"))
    builder = AnnotationsBuilder(folder.name, size_hw, [path.stem for path in files])
    for name, object_id in names.values():
        builder.names[object_id], builder.shapes[object_id] = name, {}
    for index, path in enumerate(files):
        for line in path.read_text().splitlines():
            first, *shares = line.split()
            number = int(first)
            name, object_id = names.get(number, (f"object{number + 1}", number + 1))
            points = np.array(shares, float).reshape(-1, 2) * np.array(size_hw[::-1]) - 0.5
            mask = np.zeros(size_hw, np.uint8)
            cv2.fillPoly(mask, [np.round(points).astype(np.int32)], 1)
            builder.add_mask(object_id, name, index, mask.astype(bool))
    return builder.built()


def _yolo_names(text: str) -> dict[int, tuple[str, int]]:
    """Class -> name and object id, of the list ``names`` of a data.yaml."""
    found: dict[int, tuple[str, int]] = {}
    listed = text.partition("names:")[2].splitlines()
    for line in listed[1:]:
        number, colon, name = line.strip().removeprefix("- ").partition(":")
        if not colon or not number.isdecimal():
            break
        label = name.strip().strip("\"'") if not name.strip().startswith('"') else str(json.loads(name))
        word, _, last = label.rpartition(" ")
        found[int(number)] = (word, int(last)) if word and last.isdecimal() else (label, int(number) + 1)
    return found
