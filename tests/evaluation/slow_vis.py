"""YouTube-VIS scoring without any idea: every pair of tracks in every frame, merged twice; every threshold by itself.

The slow twin of ``shibori.evaluation.instances``, for its tests and for ``benchmarks/vis_scoring.py``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pycocotools import mask as coco

from shibori.datasets.youtube_vis import InstanceAnnotation, InstanceDataset
from shibori.media.instances import InstanceTrack

THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0, 1, 101)
RANGES = {"all": (0, 1e10), "small": (0, 128**2), "medium": (128**2, 256**2), "large": (256**2, 1e10)}


def bytes_codes(segmentations: Sequence[Mapping[str, Any] | None]) -> list[dict[str, Any] | None]:
    return [None if s is None else {"size": s["size"], "counts": s["counts"].encode()} for s in segmentations]


def slow_iou(found: list[Any], true: list[Any]) -> float:
    """One pair, frame by frame."""
    shared = together = 0
    for a, b in zip(found, true, strict=True):
        if a and b:
            shared += coco.area(coco.merge([a, b], True))
            together += coco.area(coco.merge([a, b], False))
        elif a or b:
            together += coco.area(a or b)
    return float(shared / together) if together else 0.0


def mean_area(segmentations: list[Any]) -> float:
    areas = [int(coco.area(code)) for code in segmentations if code]
    areas = [area for area in areas if area]
    return sum(areas) / len(areas) if areas else 0.0


def slow_summary(dataset: InstanceDataset, found: Mapping[int, Sequence[InstanceTrack]]) -> dict[str, float | None]:
    """The official measures, one loop inside the other."""
    groups = {
        (video_id, category_id): _prepared(
            [each for each in dataset.annotations_of[video_id] if each.category_id == category_id],
            [track for track in found.get(video_id, ()) if track.category_id == category_id],
        )
        for category_id in dataset.categories
        for video_id in dataset.videos
    }
    precisions: dict[tuple[str, int], list[float]] = {}
    recalls: dict[tuple[str, int, int], list[float]] = {}
    for size, area_range in RANGES.items():
        for category_id in dataset.categories:
            of_class = [groups[video_id, category_id] for video_id in dataset.videos]
            matches = [[_match(group, area_range, limit) for group in of_class] for limit in THRESHOLDS]
            for place in range(len(THRESHOLDS)):
                for most in (1, 10, 100):
                    precision, recall = _accumulate(matches[place], most)
                    if recall is not None:
                        recalls.setdefault((size, most, place), []).append(recall)
                        if most == 100:
                            precisions.setdefault((size, place), []).append(precision)
    return _summary(precisions, recalls)


def _prepared(annotations: list[InstanceAnnotation], tracks: list[InstanceTrack]) -> dict[str, Any]:
    tracks = sorted(tracks, key=lambda track: -track.score)[:100]
    found, true = [bytes_codes(t.segmentations) for t in tracks], [bytes_codes(a.segmentations) for a in annotations]
    true_areas = [
        np.mean([area for area in each.areas if area]) if any(each.areas) else mean_area(codes)
        for each, codes in zip(annotations, true, strict=True)
    ]
    return {
        "ious": [[slow_iou(a, b) for b in true] for a in found],
        "scores": [track.score for track in tracks],
        "found_areas": [mean_area(codes) for codes in found],
        # Nobody needs them here, but the official tool takes the box of every mask it reads.
        "found_boxes": [[coco.toBbox(code) for code in codes if code] for codes in found],
        "true_areas": true_areas,
        "crowds": [each.is_crowd for each in annotations],
    }


def _match(group: dict[str, Any], area_range: tuple[float, float], limit: float) -> dict[str, Any]:
    """What becomes of each found track: its score, whether it is right, whether it is ignored."""
    low, high = area_range
    true_ignored = [
        crowd or not low <= area <= high for crowd, area in zip(group["crowds"], group["true_areas"], strict=True)
    ]
    order = sorted(range(len(true_ignored)), key=lambda slot: true_ignored[slot])
    taken: set[int] = set()
    entries = []
    for row, score, area in zip(group["ious"], group["scores"], group["found_areas"], strict=True):
        best, chosen = min(limit, 1 - 1e-10), None
        for slot in order:
            if slot in taken and not group["crowds"][slot]:
                continue
            if chosen is not None and not true_ignored[chosen] and true_ignored[slot]:
                break
            if row[slot] >= best:
                best, chosen = row[slot], slot
        if chosen is not None:
            taken.add(chosen)
            entries.append((score, True, true_ignored[chosen]))
        else:
            entries.append((score, False, not low <= area <= high))
    return {"entries": entries, "num_true": true_ignored.count(False)}


def _accumulate(matches: list[dict[str, Any]], most: int) -> tuple[float, float | None]:
    entries = [entry for match in matches for entry in match["entries"][:most]]
    entries.sort(key=lambda entry: -entry[0])
    num_true = sum(match["num_true"] for match in matches)
    if not num_true:
        return 0.0, None
    right = np.cumsum([is_right and not is_ignored for _, is_right, is_ignored in entries])
    wrong = np.cumsum([not is_right and not is_ignored for _, is_right, is_ignored in entries])
    recalls = right / num_true
    precisions = (right / (right + wrong + np.spacing(1))).tolist()
    for place in range(len(precisions) - 1, 0, -1):
        precisions[place - 1] = max(precisions[place - 1], precisions[place])
    at_recalls = [0.0] * len(RECALLS)
    for slot, place in enumerate(np.searchsorted(recalls, RECALLS)):
        if place < len(precisions):
            at_recalls[slot] = precisions[place]
    return float(np.mean(at_recalls)), float(recalls[-1]) if len(recalls) else 0.0


def _summary(
    precisions: dict[tuple[str, int], list[float]], recalls: dict[tuple[str, int, int], list[float]]
) -> dict[str, float | None]:
    def mean(values: list[float]) -> float | None:
        return float(np.mean(values)) if values else None

    def ap(size: str) -> float | None:
        return mean([value for (s, _), values in precisions.items() if s == size for value in values])

    def ar(size: str, most: int) -> float | None:
        return mean([v for (s, m, _), values in recalls.items() if (s, m) == (size, most) for v in values])

    summary = {
        "AP": ap("all"),
        "AP50": mean(precisions.get(("all", 0), [])),
        "AP75": mean(precisions.get(("all", 5), [])),
    }
    summary |= {f"AP_{size}": ap(size) for size in ("small", "medium", "large")}
    summary |= {f"AR{most}": ar("all", most) for most in (1, 10, 100)}
    return summary | {f"AR_{size}": ar(size, 100) for size in ("small", "medium", "large")}
