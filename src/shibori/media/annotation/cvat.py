"""CVAT for video 1.1: XML with a track of masks for each object."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from shibori.errors import InputError
from shibori.media.annotation.annotations import AnnotatedObject, Annotations, AnnotationsBuilder
from shibori.media.atomic import write_whole
from shibori.media.box import boxes_from_masks

Element = ElementTree.Element


def write_cvat(path: Path, annotations: Annotations) -> None:
    """Every mask is a key frame; a frame that an object leaves begins with an empty mask that is outside."""
    root = Element("annotations")
    _text(root, "version", "1.1")
    _write_task(ElementTree.SubElement(root, "meta"), annotations)
    for each in annotations.objects:
        track = ElementTree.SubElement(root, "track", id=str(each.object_id), label=each.name, source="file")
        for attributes in _masks(each, annotations.num_frames):
            ElementTree.SubElement(track, "mask", attributes)
    ElementTree.indent(root)
    write_whole(path, ElementTree.tostring(root, encoding="utf-8", xml_declaration=True))


def _write_task(meta: Element, annotations: Annotations) -> None:
    task = ElementTree.SubElement(meta, "task")
    height, width = annotations.size_hw
    last = annotations.num_frames - 1
    _text(task, "name", annotations.clip)
    _text(task, "size", str(annotations.num_frames))
    _text(task, "mode", "interpolation")
    _text(task, "start_frame", str(annotations.number(0)))
    _text(task, "stop_frame", str(annotations.number(last)))
    labels = ElementTree.SubElement(task, "labels")
    for name in annotations.labels:
        label = ElementTree.SubElement(labels, "label")
        _text(label, "name", name)
        _text(label, "type", "mask")
    size = ElementTree.SubElement(task, "original_size")
    _text(size, "width", str(width))
    _text(size, "height", str(height))
    _text(task, "source", annotations.clip)


def _masks(each: AnnotatedObject, num_frames: int) -> Iterator[dict[str, str]]:
    for index in sorted({*each.shapes, *(index + 1 for index in each.shapes)}):
        if index in each.shapes:
            left, top, right, bottom = boxes_from_masks(each.shapes[index].mask[None])[0].tolist()
            part = each.shapes[index].mask[top:bottom, left:right]
            yield _mask(index, (left, top), part, occluded=each.shapes[index].occluded)
        elif index < num_frames:
            yield _mask(index, (0, 0), np.zeros((1, 1), bool), outside=True)


def _mask(
    index: int, corner: tuple[int, int], part: NDArray[np.bool_], occluded: bool = False, outside: bool = False
) -> dict[str, str]:
    flat = part.ravel()
    edges = np.flatnonzero(np.diff(flat, prepend=False, append=not flat[-1]))
    runs = np.diff(edges, prepend=0)  # the first run is background, of length 0 where the mask begins with the object
    return {
        "frame": str(index),
        "outside": str(int(outside)),
        "occluded": str(int(occluded)),
        "keyframe": "1",
        "rle": ", ".join(map(str, runs.tolist())),
        "left": str(corner[0]),
        "top": str(corner[1]),
        "width": str(part.shape[1]),
        "height": str(part.shape[0]),
        "z_order": "0",
    }


def read_cvat(path: Path) -> Annotations:
    """Tracks of masks, polygons and boxes; what is between two key frames has its own entry, as CVAT writes it."""
    root = _root(path)
    size, task_size = root.find(".//original_size"), root.findtext(".//task/size") or root.findtext(".//job/size")
    if size is None or task_size is None:
        raise InputError(f"{path} says neither size nor number of frames: expected CVAT for video 1.1")
    size_hw = int(size.findtext("height") or 0), int(size.findtext("width") or 0)
    name = root.findtext(".//task/name") or path.stem
    first = int(root.findtext(".//task/start_frame") or 0)
    num_frames = int(task_size)
    numbers = range(first, first + num_frames) if first else ()
    builder = AnnotationsBuilder(name, size_hw, [f"{index:05d}" for index in range(num_frames)], numbers)
    taken = {int(track.get("id", 0)) for track in root.iter("track")}
    shift = 1 if 0 in taken else 0  # CVAT counts tracks from 0, and 0 is our background
    for track in root.iter("track"):
        _read_track(builder, track, int(track.get("id", 0)) + shift)
    return builder.built()


def _read_track(builder: AnnotationsBuilder, track: Element, object_id: int) -> None:
    label = track.get("label", f"object{object_id}")
    builder.names[object_id] = label
    builder.shapes[object_id] = {}
    for shape in track:
        if shape.get("outside") != "1":
            mask = _read_shape(shape, builder.size_hw)
            builder.add_mask(object_id, label, int(shape.get("frame", 0)), mask, shape.get("occluded") == "1")


def _read_shape(shape: Element, size_hw: tuple[int, int]) -> NDArray[np.bool_]:
    mask = np.zeros(size_hw, np.uint8)
    if shape.tag == "mask":
        left, top, width, height = (int(float(shape.get(key, 0))) for key in ("left", "top", "width", "height"))
        runs = np.array([int(run) for run in shape.get("rle", "").split(",")])
        if runs.sum() != width * height:
            raise InputError(
                f"a mask of frame {shape.get('frame')} has runs of {runs.sum()} pixels for {width}x{height}"
            )
        mask[top : top + height, left : left + width] = np.repeat(np.arange(len(runs)) % 2, runs).reshape(height, width)
    elif shape.tag == "polygon":
        points = [tuple(map(float, point.split(","))) for point in shape.get("points", "").split(";")]
        cv2.fillPoly(mask, [np.round(np.array(points) - 0.5).astype(np.int32)], 1)
    elif shape.tag == "box":
        left, top, right, bottom = (round(float(shape.get(key, 0))) for key in ("xtl", "ytl", "xbr", "ybr"))
        mask[top:bottom, left:right] = 1
    return mask.astype(bool)


def _root(path: Path) -> Element:
    try:
        root = ElementTree.parse(path).getroot()
    except FileNotFoundError as error:
        raise InputError(f"there is no file {path}") from error
    except (ElementTree.ParseError, OSError) as error:
        raise InputError(f"{path} is no XML that can be read: {error}") from error
    if root.tag != "annotations" or root.findtext("version") != "1.1":
        raise InputError(f"{path} is not CVAT for video 1.1: it begins with {root.tag}")
    return root


def _text(parent: Element, tag: str, text: str) -> None:
    ElementTree.SubElement(parent, tag).text = text
