"""What a run of the command line left behind, in a form that is compared and kept."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from shibori.media.rle import decode_rle

GOLDEN = Path(__file__).parent / "masks"
MIN_IOU = 0.97
MAX_PIXELS = 6
"""Pixels that may differ whatever the IoU: a sliver of twenty pixels is no firmer than that."""
MAX_CONFIDENCE = 0.06
Frames = list[dict[str, dict[str, Any]]]
"""For each frame: object id -> its mask's run-length counts, its state (or class) and its confidence."""


def from_masks_json(path: Path) -> Frames:
    """The frames of ``--format rle``."""
    return [
        {str(each["id"]): _entry(each["rle"], each["state"], each["confidence"]) for each in frame["objects"]}
        for frame in json.loads(path.read_text())["frames"]
    ]


def from_instances_json(path: Path) -> Frames:
    """The frames of ``shibori discover``: instances by rank, those that do not show left out."""
    tracks = json.loads(path.read_text())
    return [
        {
            str(rank): _entry(code, track["category"], track["score"])
            for rank, track in enumerate(tracks, 1)
            if (code := track["segmentations"][index]) is not None
        }
        for index in range(len(tracks[0]["segmentations"]))
    ]


def _entry(code: dict[str, Any], state: str, confidence: float) -> dict[str, Any]:
    return {"counts": code["counts"], "state": state, "confidence": round(confidence, 2)}


def check(name: str, found: Frames, size_hw: tuple[int, int]) -> None:
    """Compare with ``masks/NAME.json``, or write it where the environment says so.

    Not bit by bit: AVX2, AVX512 and other processors round float32 differently, which moves edges by single pixels. So
    every object's mask must overlap the recorded one by ``MIN_IOU`` in every frame, be empty where that is empty, and
    have its state and (nearly) its confidence.
    """
    path = GOLDEN / f"{name}.json"
    if os.environ.get("SHIBORI_RECORD_GOLDEN"):
        path.write_text("[\n" + ",\n".join(json.dumps(frame) for frame in found) + "\n]\n")
        return
    golden: Frames = json.loads(path.read_text())
    assert len(found) == len(golden)
    differences = [
        f"frame {index}, object {object_id}: {difference}"
        for index, (frame, expected) in enumerate(zip(found, golden, strict=True))
        for object_id in sorted(frame.keys() | expected.keys())
        if (difference := _difference(frame.get(object_id), expected.get(object_id), size_hw))
    ]
    assert not differences, "\n".join(differences)


def _difference(found: dict[str, Any] | None, golden: dict[str, Any] | None, size_hw: tuple[int, int]) -> str:
    if found is None or golden is None:
        return f"{found and found['state']} instead of {golden and golden['state']}"
    if found["state"] != golden["state"]:
        return f"{found['state']} instead of {golden['state']}"
    if abs(found["confidence"] - golden["confidence"]) > MAX_CONFIDENCE:
        return f"confidence {found['confidence']} instead of {golden['confidence']}"
    mask, expected = (decode_rle({"size": size_hw, "counts": each["counts"]}) for each in (found, golden))
    if mask.any() != expected.any():
        return f"{mask.sum()} pixels instead of {expected.sum()}"
    differing, union = int((mask ^ expected).sum()), max(int((mask | expected).sum()), 1)
    if differing > max(MAX_PIXELS, (1 - MIN_IOU) * union):
        return f"IoU {1 - differing / union:.3f} with the recorded mask, {differing} pixels differ"
    return ""
