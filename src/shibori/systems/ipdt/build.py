"""From a preset's name to a system that is ready to run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from shibori.boxtracking.build import load_on_trunk
from shibori.boxtracking.presets import RESNET18, build_siamese, build_trunk
from shibori.boxtracking.presets import SIZES as TRACKER_SIZES
from shibori.boxtracking.siamese_network import SiameseNetwork
from shibori.boxtracking.views import ViewTrunk
from shibori.errors import InputError
from shibori.nn.prepare import choose_device, choose_dtype, prepare_network
from shibori.nn.weights import load_state
from shibori.systems.ipdt.detection import CandidateFinder
from shibori.systems.ipdt.dual import DualTracker, Way
from shibori.systems.ipdt.inference import IpdtSegmenter, Parts
from shibori.systems.ipdt.instance_half import InstanceHalf
from shibori.systems.ipdt.model import (
    COCO,
    build_detector,
    fetch_coco_detector,
    load_trunk,
    trunk_of,
)
from shibori.systems.ipdt.network import Detector
from shibori.systems.ipdt.rule import DiscoveryRule, rule_of
from shibori.systems.ipdt.size import SIZES, VIEWS
from shibori.tracking.network import PixelNetwork
from shibori.tracking.shipped import shipped_tracker
from shibori.tracking.window_tracker import WindowTracker
from shibori.weights import locate_weights


def build_ipdt_segmenter(
    preset: str = "compact",
    device: str = "auto",
    size: int | None = None,
    weights: Path | None = None,
    tracker_weights: Path | None = None,
    most_tracked: int | None = None,
) -> IpdtSegmenter:
    """IPDT with its weights.

    Args:
        preset: name of the networks' size, or ``coco``: torchvision's detector, trained on COCO, before the trackers of
            ``compact``.
        device: auto, cpu, cuda, cuda:N or mps.
        size: working side: each object's window is resized to about ``size`` squared pixels.
        weights: of the detector, a file to use instead of the shipped one.
        tracker_weights: of the instance-level tracker, the same.
        most_tracked: candidates that are followed through a clip, the best ones; without, as many as the rule has.

    Raises:
        InputError: on a preset, device or file that is not there, a size that is too small, or less than one candidate.
    """
    rule = rule_of(preset)
    if most_tracked is not None:
        rule = rule.tracking(most_tracked)
    rule = replace(rule, dual=replace(rule.dual, tracker=rule.dual.tracker.sized(size)))
    chosen = choose_device(device)
    return segmenter_from_states(*load_states(preset, weights, tracker_weights), preset, chosen, rule=rule)


def load_states(
    preset: str, weights: Path | None = None, tracker_weights: Path | None = None
) -> tuple[dict[str, Tensor] | None, dict[str, Tensor]]:
    """The parameters of the detector (None for ``coco``, which are fetched) and of the instance-level tracker.

    Raises:
        InputError: on a preset or file that is not there.
    """
    if preset not in (*SIZES, COCO):
        raise InputError(f"expected a preset of ipdt ({', '.join((*SIZES, COCO))}), found {preset!r}")
    trackers = _tracker_preset(preset)
    detector = None if preset == COCO else load_state(locate_weights("ipdt", preset, weights), "ipdt", preset)
    return detector, load_state(locate_weights("siamese", trackers, tracker_weights), "siamese", trackers)


def segmenter_from_states(
    detector: dict[str, Tensor] | None,
    siamese: dict[str, Tensor] | None,
    preset: str,
    device: torch.device,
    way: Way = "dual",
    rule: DiscoveryRule | None = None,
) -> IpdtSegmenter:
    """IPDT with parameters that are in memory.

    Args:
        detector: as ``Detector.own_state`` gives them; None for the preset ``coco``, which fetches them.
        siamese: of the instance-level tracker, with the digest of its trunk; None for ways that do without it.
        preset: whose parameters they are.
        device: of all networks.
        way: which halves of the dual tracker take part.
        rule: the numbers; without, those of the preset.

    Raises:
        InputError: on parameters that do not fit, or weights that cannot be fetched.
    """
    numbers = rule or rule_of(preset)
    found = _loaded_detector(detector, preset)
    tracker_preset = _tracker_preset(preset)
    tracker = shipped_tracker(tracker_preset)
    is_shared = TRACKER_SIZES[tracker_preset].trunk != RESNET18
    trunk = trunk_of(tracker) if is_shared else build_trunk(tracker_preset)
    network = None if siamese is None else _loaded_siamese(siamese, tracker_preset, trunk)
    precision = choose_dtype(device)
    # The trunk may be the tracker's own: preparing the one prepares the other.
    prepared = prepare_network(tracker, device, precision)
    assert isinstance(prepared, PixelNetwork)
    if not is_shared:
        prepare_network(trunk, device, precision)
    instance = None
    if network is not None:
        ready = prepare_network(network, device, precision)
        assert isinstance(ready, SiameseNetwork)
        instance = InstanceHalf(ready, numbers.dual.instance)
    dual = DualTracker(WindowTracker(prepared, numbers.dual.tracker, device), instance, numbers.dual, way)
    finder = CandidateFinder(_prepared_detector(found, device, precision), numbers.detection, device)
    views = VIEWS[tracker_preset]
    if found.size.trunk:
        views = replace(views, sides=(found.size.side, *views.sides[1:]))
    parts = Parts(finder, dual, trunk, views, device)
    return IpdtSegmenter(parts, found.size.classes, numbers)


def _tracker_preset(preset: str) -> str:
    return "compact" if preset == COCO else preset


def _loaded_siamese(state: dict[str, Tensor], preset: str, trunk: ViewTrunk) -> SiameseNetwork:
    network = build_siamese(preset)
    load_on_trunk(network, state, trunk, f"siamese/{preset}")
    return network


def _loaded_detector(state: dict[str, Tensor] | None, preset: str) -> Detector:
    if state is None:
        return fetch_coco_detector()
    detector = build_detector(preset)
    detector.load_own_state(state)
    load_trunk(detector)
    return detector


def _prepared_detector(detector: Detector, device: torch.device, dtype: torch.dtype) -> Detector:
    """Only our own backbone and heads compute in low precision; what they say is read in float32."""
    detector.trunk = None  # what it gives comes from the frame, shared with the trackers
    prepared = prepare_network(detector, device, dtype if detector.size.trunk else torch.float32)
    assert isinstance(prepared, Detector)
    heads = prepared.network.roi_heads
    heads.box_predictor.float()
    heads.mask_predictor.float()
    return prepared
