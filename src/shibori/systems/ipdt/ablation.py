"""The rows of the paper's Table 2, and what calibration and the second direction contribute."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch

from shibori.interfaces import FrameSource
from shibori.media.instances import Discovery
from shibori.nn.prepare import choose_device
from shibori.systems.ipdt.build import load_states, segmenter_from_states
from shibori.systems.ipdt.candidate import Candidate
from shibori.systems.ipdt.dual import Way
from shibori.systems.ipdt.inference import IpdtSegmenter, Masks
from shibori.systems.ipdt.rule import DiscoveryRule
from shibori.systems.ipdt.tracking import SharedFrames, track

MOST_KEPT = 64
"""Frames of a clip whose features all rows share; clips are no longer, and small."""

Row = tuple[str, float | None, Callable[[FrameSource], Discovery]]


def ablation_rows(
    preset: str = "compact",
    device: str = "auto",
    weights: Path | None = None,
    tracker_weights: Path | None = None,
    most_tracked: int = 6,
) -> list[Row]:
    """For each row what it is, the paper's mAP, and what finds the instances of a clip; all with the same weights.

    Args:
        preset: name of the networks' size.
        device: of the networks.
        weights: of the detector; without, those that ship.
        tracker_weights: of the instance-level tracker, the same.
        most_tracked: candidates of a clip that are followed, the best ones: what the rows take goes with it.

    Raises:
        InputError: on a preset, device or file that is not there, or less than one candidate.
    """
    states = load_states(preset, weights, tracker_weights)
    rule = DiscoveryRule().tracking(most_tracked)
    return rows_from_states(*states, preset, choose_device(device), rule)


def rows_from_states(
    detector: dict[str, torch.Tensor] | None,
    siamese: dict[str, torch.Tensor],
    preset: str,
    device: torch.device,
    rule: DiscoveryRule | None = None,
) -> list[Row]:
    """``ablation_rows`` with parameters that are in memory."""
    numbers = rule or DiscoveryRule()
    dual = segmenter_from_states(detector, siamese, preset, device, rule=numbers)
    shelf = Shelf(dual)
    way = {name: dual.with_way(name) for name in ("dual", "pixel", "whole")}
    forward, unweighted = replace(numbers, backward=False), replace(numbers, beta=1.0)
    return [
        ("detections linked by appearance and motion (DeepSORT)", 0.257, shelf.linked),
        ("pixel level only, on whole frames (FEELVOS)", 0.376, partial(shelf.discover, way["whole"])),
        ("pixel level only, in windows that follow the mask (ours)", None, partial(shelf.discover, way["pixel"])),
        ("dual", 0.450, partial(shelf.discover, way["dual"])),
        ("dual, forward only", None, partial(shelf.discover, way["dual"].with_rule(forward))),
        ("dual, without class calibration", None, partial(shelf.discover, way["dual"].with_rule(unweighted))),
    ]


class Shelf:
    """What rows have in common on one clip: its detections, and the tubelets of the candidates that were tracked.

    Args:
        segmenter: detects.
    """

    def __init__(self, segmenter: IpdtSegmenter) -> None:
        self.segmenter = segmenter
        self._source: FrameSource | None = None
        self._tubelets: dict[tuple[Way, int, str], Masks] = {}

    def discover(self, segmenter: IpdtSegmenter, source: FrameSource) -> Discovery:
        """What a segmenter finds in a clip."""
        self._open(source)
        return segmenter.extended(self._shared, self._found, partial(self._follow, segmenter))

    def linked(self, source: FrameSource) -> Discovery:
        """The baseline: detections linked."""
        self._open(source)
        return self.segmenter.linked(self._found)

    def _open(self, source: FrameSource) -> None:
        if source is not self._source:
            self._source, self._shared = source, self.segmenter.shared(source, MOST_KEPT)
            self._found, self._tubelets = self.segmenter.detect(self._shared), {}

    def _follow(self, segmenter: IpdtSegmenter, shared: SharedFrames, chosen: Sequence[Candidate]) -> list[Masks]:
        """Both directions, whatever the row wants: they do not know of each other."""
        tracker = segmenter.parts.tracker
        keys = [(tracker.way, each.frame_index, str(each.mask["counts"])) for each in chosen]
        new = [(key, each) for key, each in zip(keys, chosen, strict=True) if key not in self._tubelets]
        if new:
            masks = track(tracker, shared, [each for _, each in new])
            self._tubelets |= dict(zip((key for key, _ in new), masks, strict=True))
        found = [self._tubelets[key] for key in keys]
        if segmenter.rule.backward:
            return found
        return [
            (*[None] * each.frame_index, *masks[each.frame_index :]) for each, masks in zip(chosen, found, strict=True)
        ]
