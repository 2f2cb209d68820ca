"""What a correction of a marked frame may change (ours).

A network that is asked about new marks answers for the whole object. What was said before of the places that nobody
marked was looked at, and let stand: the further a place is from a mark, the surer an answer must be to change it.

Axes: H W pixels of the frame.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from shibori.ops.overlap import WindowedLogits

Ids = NDArray[Any]
Mask = NDArray[np.bool_]

LOOKED_PAST = -6.0
"""Log-odds of an object outside its answer. Nothing counts for more than the opposite."""
FARTHEST = 1.5
"""Reaches from a mark from which on it does not matter how much further a place is."""
SAME_LINE = 5
"""Parts of a line whose gaps are smaller than this, in pixels, are one."""


@dataclass(frozen=True)
class CorrectionRule:
    """How far from a new mark how much of an answer is believed."""

    reach: float = 0.01
    """What a mark says reaches this far, in short sides of the frame, ..."""
    reach_share: float = 1.0
    """... and this much further, in lengths of the longer side of what it crosses out or adds."""
    click_extent: float = 0.25
    """A click, which does not say how large the mistake is, counts as this long, in short sides of the frame."""
    resistance: float = 2.0
    """Log-odds by which an answer must beat what was said before where the reach of a mark ends. At the mark none; the
    rise goes on to one and a half times the reach."""


def corrected_ids(
    before: Ids,
    answers: Sequence[WindowedLogits],
    drawn: NDArray[np.integer[Any]],
    clicked: Mask,
    fresh: Collection[int],
    rule: CorrectionRule,
) -> Ids:
    """The ids of a frame after a correction.

    Of what the answers change, a piece counts if it hangs together with a new mark of the same label; in it, what is
    sure enough for its distance from that mark.

    Args:
        before: (H, W) ids of the previous round.
        answers: of the objects that were asked for. The others stay as they are.
        drawn: (H, W) label of the new mark over a pixel, 0 background, -1 where there is none.
        clicked: (H, W) where those marks are clicks.
        fresh: objects of which nothing counts that was said before: all that becomes theirs counts, and all that they
            leave.
        rule: how near is near.

    Returns:
        (H, W) in the type of ``before``. What is drawn is as drawn.
    """
    said, lead = _said(before, answers, fresh)
    ids = before.copy()
    is_free = np.isin(before, [*fresh])
    for label in np.unique(said[said != before]).tolist():
        changed = (said == label) & (before != label)
        if label not in fresh:
            # A mark of any label takes pixels away from the others.
            source = (drawn >= 0) & (drawn != before) if label == 0 else (drawn == label) & (before != label)
            far = distance_from_lines(source, clicked, rule)
            sure = changed & (lead > rule.resistance * far)
            changed = (changed & is_free) | _hanging(sure, source)
        ids[changed] = label
    ids[drawn >= 0] = drawn[drawn >= 0]
    return ids


def distance_from_lines(source: Mask, clicked: Mask, rule: CorrectionRule) -> NDArray[np.float32]:
    """(H, W) distance to the nearest line, as a share of how far that line reaches; at most ``FARTHEST``."""
    short = min(source.shape)
    far = np.full(source.shape, FARTHEST, np.float32)
    joined = cv2.dilate(source.astype(np.uint8), np.ones((SAME_LINE, SAME_LINE), np.uint8))
    num_lines, lines, boxes, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    for number in range(1, num_lines):
        left, top, width, height = boxes[number, :4].tolist()
        box = slice(top, top + height), slice(left, left + width)
        is_click = bool((clicked[box] & source[box] & (lines[box] == number)).any())
        extent = max(width, height) - (SAME_LINE - 1)
        reach = rule.reach * short + rule.reach_share * max(extent, rule.click_extent * short * is_click)
        margin = int(np.ceil(FARTHEST * reach))
        near = slice(max(top - margin, 0), top + height + margin), slice(max(left - margin, 0), left + width + margin)
        line = source[near] & (lines[near] == number)
        away = cv2.distanceTransform((~line).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        far[near] = np.minimum(far[near], np.asarray(away, np.float32) / np.float32(reach))
    return far


def _said(before: Ids, answers: Sequence[WindowedLogits], fresh: Collection[int]) -> tuple[Ids, NDArray[np.float32]]:
    """(H, W) the likeliest ids, and by how many log-odds they beat those from before."""
    best, held = (np.zeros(before.shape, np.float32) for _ in range(2))
    said = np.zeros_like(before)
    for answer in answers:
        area, logits = answer.in_frame()
        logits = np.clip(logits, LOOKED_PAST, -LOOKED_PAST)
        own = before == answer.object_id
        held[own] = LOOKED_PAST
        held[area][own[area]] = logits[own[area]]
        wins = logits > best[area]
        best[area][wins] = logits[wins]
        said[area][wins] = answer.object_id
    asked = {*fresh, *(answer.object_id for answer in answers), 0}
    stays = ~np.isin(before, [*asked])
    said[stays] = before[stays]
    return said, best - held


def _hanging(pieces: Mask, source: Mask) -> Mask:
    """(H, W) those pieces that touch a source."""
    _, labels = cv2.connectedComponents((pieces | source).astype(np.uint8), connectivity=8)
    return np.asarray(np.isin(labels, np.unique(labels[source])) & pieces)
