"""Pairs of boxes of one object in two pictures, from scenes that are seen twice: what both trackers are trained on.

The scenes are photographs under a moving camera and frames of real clips, with cut-out objects moving over them
(``datasets/scene/instance_scenes.py``). Symbols: K pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from shibori.datasets.scene.instance_scenes import UNKNOWN, InstanceView


class Pairs(NamedTuple):
    """K objects, each with a picture to learn it from and one to find it in. Boxes are in pixels."""

    reference_picture: Tensor
    """(K,) int64."""
    reference_xyxy: Tensor
    """(K, 4) float32."""
    test_picture: Tensor
    """(K,) int64."""
    test_xyxy: Tensor
    """(K, 4) float32: where the object is; where it is not, something else that is there."""
    is_there: Tensor
    """(K,) bool."""


_Pair = tuple[int, Tensor, int, Tensor, bool]


def pairs_of(views: Sequence[tuple[InstanceView, InstanceView]], most: int, absent_share: float) -> Pairs:
    """Pairs of all scenes, drawn with torch's generator. Picture 2 s + v is view v of scene s.

    Args:
        views: of the scenes.
        most: K is at most this.
        absent_share: of the pairs whose second box is another object's.
    """
    found: list[_Pair] = []
    for scene, pair in enumerate(views):
        for first in (0, 1):
            found += _pairs_from(pair[first], pair[1 - first], 2 * scene + first, 2 * scene + 1 - first)
    present = [pair for pair in found if pair[4]]
    absent = [pair for pair in found if not pair[4]]
    num_absent = min(len(absent), int(absent_share * most))
    chosen = _some(present, most - num_absent) + _some(absent, num_absent)
    return Pairs(
        torch.tensor([pair[0] for pair in chosen]),
        torch.stack([pair[1] for pair in chosen]) if chosen else torch.zeros(0, 4),
        torch.tensor([pair[2] for pair in chosen]),
        torch.stack([pair[3] for pair in chosen]) if chosen else torch.zeros(0, 4),
        torch.tensor([pair[4] for pair in chosen], dtype=torch.bool),
    )


def _pairs_from(reference: InstanceView, test: InstanceView, reference_picture: int, test_picture: int) -> list[_Pair]:
    pairs = []
    for identity, box in zip(reference.identities.tolist(), reference.boxes, strict=True):
        if identity == UNKNOWN or (reference.identities == identity).sum() > 1:
            continue
        same = test.identities == identity
        if same.sum() == 1:
            pairs.append((reference_picture, box, test_picture, test.boxes[same][0], True))
        others = test.boxes[~same]
        if len(others) and not same.any():
            other = others[int(torch.randint(len(others), ()))]
            pairs.append((reference_picture, box, test_picture, other, False))
    # What is beside an object in its own picture is not it either.
    for index, identity in enumerate(reference.identities.tolist()):
        if identity == UNKNOWN or (reference.identities == identity).sum() > 1:
            continue
        others = torch.cat([reference.boxes[:index], reference.boxes[index + 1 :]])
        if len(others):
            other = others[int(torch.randint(len(others), ()))]
            pairs.append((reference_picture, reference.boxes[index], reference_picture, other, False))
    return pairs


def _some(items: list[_Pair], count: int) -> list[_Pair]:
    return [items[int(index)] for index in torch.randperm(len(items))[:count]]
