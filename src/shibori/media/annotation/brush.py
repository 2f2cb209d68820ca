"""Label Studio: a task for each frame, with masks as brush strokes in its own bit-packed run-length code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shibori.errors import InputError
from shibori.media.annotation.annotations import Annotations, AnnotationsBuilder
from shibori.media.atomic import write_whole
from shibori.media.instances import read_json

_WORD_BITS = 8
_LENGTH_BITS = (3, 4, 8, 16)


def write_label_studio(path: Path, annotations: Annotations) -> None:
    """Tasks as ``Import`` takes them; an object's number and occlusion are in ``meta``."""
    height, width = annotations.size_hw
    tasks = []
    for index, name in enumerate(annotations.frame_names):
        results: list[dict[str, Any]] = [
            {
                "id": f"{each.object_id}-{index}",
                "type": "brushlabels",
                "from_name": "tag",
                "to_name": "image",
                "original_width": width,
                "original_height": height,
                "image_rotation": 0,
                "value": {"format": "rle", "rle": encode_brush(shape.mask), "brushlabels": [each.name]},
                "meta": {"object_id": each.object_id, "occluded": shape.occluded},
            }
            for each, shape in annotations.in_frame(index)
        ]
        data = {"image": f"{name}.jpg", "clip": annotations.clip, "frame": annotations.number(index)}
        size = {"width": width, "height": height}
        tasks.append({"id": index + 1, "data": data, "meta": size, "annotations": [{"result": results}]})
    write_whole(path, json.dumps(tasks).encode())


def read_label_studio(path: Path) -> Annotations:
    """The brush strokes of tasks about pictures of one size; those without a number are known by their label."""
    tasks = read_json(path)
    if not isinstance(tasks, list) or not tasks or not all(isinstance(task, dict) and "data" in task for task in tasks):
        raise InputError(f"{path} holds no tasks of Label Studio: expected a list of tasks with data and annotations")
    sizes = {size for task in tasks for size in _sizes(task)}
    if len(sizes) != 1:
        raise InputError(f"{path} has masks of {len(sizes)} sizes: expected those of one clip")
    names = [Path(str(task["data"].get("image", index))).stem for index, task in enumerate(tasks)]
    numbers = [task["data"].get("frame", index) for index, task in enumerate(tasks)]
    clip = str(tasks[0]["data"].get("clip", path.stem))
    builder = AnnotationsBuilder(clip, next(iter(sizes)), names, numbers)
    numbers_of: dict[str, int] = {}
    for index, task in enumerate(tasks):
        for result in _results(task):
            label = str(result["value"]["brushlabels"][0])
            meta = result.get("meta", {})
            object_id = meta.get("object_id") or numbers_of.setdefault(label, len(numbers_of) + 1)
            mask = decode_brush(result["value"]["rle"], builder.size_hw)
            builder.add_mask(object_id, label, index, mask, bool(meta.get("occluded")))
    return builder.built()


def _results(task: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        result
        for annotation in task.get("annotations", [])
        for result in annotation.get("result", [])
        if result.get("type") == "brushlabels"
    ]


def _sizes(task: dict[str, Any]) -> set[tuple[int, int]]:
    stated = {(result["original_height"], result["original_width"]) for result in _results(task)}
    meta = task.get("meta") or {}
    return stated | ({(meta["height"], meta["width"])} if {"height", "width"} <= set(meta) else set())


def encode_brush(mask: NDArray[np.bool_]) -> list[int]:
    """(H, W) bool -> the bytes of Label Studio's code of an RGBA picture whose channels are all 0 or 255."""
    flat = mask.ravel()
    edges = np.flatnonzero(np.diff(flat)) + 1
    bounds = np.concatenate([[0], edges, [len(flat)]]) * 4
    bits = [f"{len(flat) * 4:032b}", f"{_WORD_BITS - 1:05b}", *(f"{size - 1:04b}" for size in _LENGTH_BITS)]
    for start, stop in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        value = f"{255 * int(flat[start // 4]):08b}"
        while start < stop:
            length = min(stop - start, 1 << 16)
            which = next(place for place, size in enumerate(_LENGTH_BITS) if length <= 1 << size)
            bits.append(f"1{which:02b}{length - 1:0{_LENGTH_BITS[which]}b}{value}")
            start += length
    text = "".join(bits)
    text += "0" * (-len(text) % 8)
    return list(int(text, 2).to_bytes(len(text) // 8, "big"))


def decode_brush(code: list[int], size_hw: tuple[int, int]) -> NDArray[np.bool_]:
    """What ``encode_brush`` or Label Studio wrote -> (H, W) bool. InputError where it is of another size."""
    bits = _Bits(bytes(code))
    count, word = bits.read(32), bits.read(5) + 1
    sizes = [bits.read(4) + 1 for _ in range(4)]
    if count != 4 * size_hw[0] * size_hw[1]:
        raise InputError(f"a brush stroke covers {count // 4} pixels, but the picture is {size_hw[1]}x{size_hw[0]}")
    values = np.zeros(count, np.uint8)
    place = 0
    while place < count:
        is_run = bits.read(1)
        length = bits.read(sizes[bits.read(2)]) + 1
        if is_run:
            values[place : place + length] = bits.read(word)
        else:
            values[place : place + length] = [bits.read(word) for _ in range(length)]
        place += length
    return values.reshape(*size_hw, 4)[..., 3] > 127


class _Bits:
    """Reads numbers of any number of bits."""

    def __init__(self, data: bytes) -> None:
        self._text = "".join(f"{byte:08b}" for byte in data)
        self._place = 0

    def read(self, count: int) -> int:
        self._place += count
        return int(self._text[self._place - count : self._place] or "0", 2)
