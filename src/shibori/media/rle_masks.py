"""The JSON file of run-length codes that the format rle writes, as a source of masks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shibori.errors import InputError
from shibori.media.instances import read_json
from shibori.media.mask import FrameMasks, ObjectStatus, masks_to_ids
from shibori.media.mask_source import MaskSource
from shibori.media.rle import decode_rle
from shibori.media.segmentation_code import segmentation_to_rle


class RleMasks(MaskSource):
    """The masks of ``masks.json``. The codes stay packed until a frame is asked for.

    Raises:
        InputError: missing, no JSON, or another one.
    """

    def __init__(self, path: Path) -> None:
        content = read_json(path)
        if not isinstance(content, dict) or not {"size", "object_ids", "frames"} <= set(content):
            raise InputError(f"{path} holds no masks of a clip: expected what --format rle writes")
        self.path, self.is_soft = path, False
        self.names: Mapping[int, str] = {}
        self.size_hw = (content["size"][0], content["size"][1])
        self.object_ids = tuple(sorted(content["object_ids"]))
        self._objects: dict[int, list[dict[str, Any]]] = {
            frame["index"]: frame["objects"] for frame in content["frames"]
        }

    @property
    def frames(self) -> list[int]:
        return sorted(self._objects)

    def masks(self, index: int) -> FrameMasks | None:
        if index not in self._objects:
            return None
        masks, statuses = {}, []
        for record in self._objects[index]:
            code = segmentation_to_rle(record["rle"], self.size_hw, f"{self.path}, frame {index}")
            masks[record["id"]] = decode_rle(code)
            state = record.get("state", "tracked" if record["area"] else "absent")
            statuses.append(ObjectStatus(record["id"], record.get("confidence", 1.0), state))
        return FrameMasks(index, masks_to_ids(masks, self.size_hw), tuple(statuses))
