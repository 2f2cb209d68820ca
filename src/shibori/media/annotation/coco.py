"""COCO instance annotations, an image for each frame; and the same for videos, as YouTube-VIS has them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shibori.errors import InputError
from shibori.media.annotation.annotations import Annotations, AnnotationsBuilder
from shibori.media.atomic import write_whole
from shibori.media.instances import read_json
from shibori.media.rle import rle_area
from shibori.media.segmentation_code import segmentation_to_rle

_SUFFIX = ".jpg"
"""Of the file names: what they are called in both data sets."""


def write_coco(path: Path, annotations: Annotations) -> None:
    """One image a frame, empty ones too; every annotation says its track and whether it is occluded."""
    height, width = annotations.size_hw
    images: list[dict[str, Any]] = []
    records: list[dict[str, Any]] = []
    categories = {label: number for number, label in enumerate(annotations.labels, 1)}
    for index, name in enumerate(annotations.frame_names):
        image = {"id": index + 1, "file_name": name + _SUFFIX, "width": width, "height": height}
        images.append(image | {"frame_number": annotations.number(index)})
        for each, shape in annotations.in_frame(index):
            records.append(
                {
                    "id": len(records) + 1,
                    "image_id": index + 1,
                    "category_id": categories[each.name],
                    "segmentation": shape.code,
                    "area": rle_area(shape.code),
                    "bbox": shape.box_xywh,
                    "iscrowd": 0,
                    "attributes": {"track_id": each.object_id, "occluded": shape.occluded},
                }
            )
    _write(path, annotations, {"images": images, "annotations": records}, categories)


def read_coco(path: Path) -> Annotations:
    """Annotations of the images of one size, in their order. Those without a track are objects of their own."""
    content = _content(path, "images")
    images = sorted(content["images"], key=lambda image: (image.get("frame_number", 0), image["id"]))
    index_of = {image["id"]: index for index, image in enumerate(images)}
    names = _category_names(content)
    builder = _builder(path, content, images, [Path(image["file_name"]).stem for image in images])
    builder.frame_numbers = [image.get("frame_number", index) for index, image in enumerate(images)]
    for record in content["annotations"]:
        attributes = record.get("attributes", {})
        object_id = attributes.get("track_id", record.get("track_id", record["id"]))
        code = segmentation_to_rle(record["segmentation"], builder.size_hw, f"{path}, annotation {record['id']}")
        name = names.get(record["category_id"], f"object{object_id}")
        builder.add(object_id, name, index_of[record["image_id"]], code, bool(attributes.get("occluded")))
    return builder.built()


def write_youtube_vis(path: Path, annotations: Annotations) -> None:
    """One video; an object's masks as a list with null where it does not show. Occlusion has no place in it."""
    height, width = annotations.size_hw
    names = [f"{annotations.clip}/{name}{_SUFFIX}" for name in annotations.frame_names]
    video = {"id": 1, "width": width, "height": height, "length": len(names), "file_names": names}
    categories = {label: number for number, label in enumerate(annotations.labels, 1)}
    records = []
    for each in annotations.objects:
        shapes = [each.shapes.get(index) for index in range(annotations.num_frames)]
        records.append(
            {
                "id": each.object_id,
                "video_id": 1,
                "category_id": categories[each.name],
                "iscrowd": 0,
                "width": width,
                "height": height,
                "segmentations": [shape and shape.code for shape in shapes],
                "bboxes": [shape and shape.box_xywh for shape in shapes],
                "areas": [shape and rle_area(shape.code) for shape in shapes],
            }
        )
    _write(path, annotations, {"videos": [video], "annotations": records}, categories)


def read_youtube_vis(path: Path) -> Annotations:
    """Annotations of a file about one video."""
    content = _content(path, "videos")
    if len(content["videos"]) != 1:
        raise InputError(f"{path} is about {len(content['videos'])} videos: expected one")
    names = _category_names(content)
    files = [Path(name).stem for name in content["videos"][0]["file_names"]]
    builder = _builder(path, content, content["videos"], files)
    for record in content["annotations"]:
        name = names.get(record["category_id"], f"object{record['id']}")
        builder.names[record["id"]] = name
        builder.shapes[record["id"]] = {}
        for index, segmentation in enumerate(record["segmentations"]):
            if segmentation is not None:
                what = f"{path}, annotation {record['id']}, frame {index}"
                builder.add(record["id"], name, index, segmentation_to_rle(segmentation, builder.size_hw, what))
    return builder.built()


def _write(path: Path, annotations: Annotations, content: dict[str, Any], categories: Mapping[str, int]) -> None:
    known = [{"id": number, "name": label, "supercategory": "object"} for label, number in categories.items()]
    info = {"description": annotations.clip, "version": "1.0"}
    write_whole(path, json.dumps({"info": info, "licenses": [], "categories": known, **content}).encode())


def _content(path: Path, key: str) -> dict[str, Any]:
    content = read_json(path)
    if not isinstance(content, dict) or not {key, "annotations"} <= set(content) or not content[key]:
        raise InputError(f"{path} holds no annotations of {key}: expected {key}, annotations and categories")
    return content


def _category_names(content: Mapping[str, Any]) -> dict[int, str]:
    return {category["id"]: str(category["name"]) for category in content.get("categories", [])}


def _builder(path: Path, content: Mapping[str, Any], parts: Any, names: list[str]) -> AnnotationsBuilder:
    sizes = {(part["height"], part["width"]) for part in parts}
    if len(sizes) > 1:
        raise InputError(f"{path} is about pictures of {len(sizes)} sizes: a clip has one")
    clip = content.get("info", {}).get("description") or path.stem
    return AnnotationsBuilder(str(clip), next(iter(sizes)), names)
