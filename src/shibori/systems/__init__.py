"""The systems, by name. Builders import their system when they are called."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from shibori.errors import InputError
from shibori.interfaces import FrameSource, InstanceSegmenter, InteractiveSegmenter, Propagator
from shibori.media.instances import Discovery

if TYPE_CHECKING:
    from shibori.systems.trackprop.mask_refiner import MaskRefiner


def _pixel(
    preset: str = "compact",
    device: str = "auto",
    size: int | None = None,
    weights: Path | None = None,
    online_steps: int = 0,
) -> Propagator:
    from shibori.tracking.build import build_mask_propagator

    if online_steps:
        raise InputError("expected online steps for a system that trains on the first mask (dyenet), found pixel")
    return build_mask_propagator(preset, device, size, weights)


def _dyenet(
    preset: str = "compact",
    device: str = "auto",
    size: int | None = None,
    weights: Path | None = None,
    online_steps: int = 0,
) -> Propagator:
    from shibori.systems.dyenet.build import build_dyenet_propagator

    return build_dyenet_propagator(preset, device, size, weights, online_steps, _tracker(preset, device, size))


def _tracker(preset: str, device: str, size: int | None = None) -> Callable[[], Propagator] | None:
    """The pixel tracker of a preset, to go ahead of DyeNet; None where none ships."""
    from shibori.weights import shipped_weights

    return partial(_pixel, preset, device, size) if f"pixel-{preset}.safetensors" in shipped_weights() else None


def _dyenet_rows(
    preset: str = "compact", device: str = "auto", weights: Path | None = None
) -> list[tuple[str, float | None, Callable[[], Propagator]]]:
    from shibori.systems.dyenet.ablation import ablation_rows

    alone = partial(_pixel, preset, device)
    rows = ablation_rows(preset, device, weights, _tracker(preset, device))
    return [*rows, ("the pixel tracker alone (ours)", None, alone)]


def _trackprop(
    preset: str = "compact", device: str = "auto", size: int | None = None, weights: Path | None = None
) -> InteractiveSegmenter:
    from shibori.systems.trackprop.build import build_trackprop_segmenter

    return build_trackprop_segmenter(preset, device, size, weights)


def _trackprop_rows(
    preset: str = "compact", device: str = "auto", weights: Path | None = None
) -> list[tuple[str, tuple[float, float] | None, Callable[[], InteractiveSegmenter]]]:
    from shibori.systems.trackprop.ablation import ablation_rows

    return ablation_rows(preset, device, weights)


def _ipdt(
    preset: str = "compact",
    device: str = "auto",
    size: int | None = None,
    weights: Path | None = None,
    tracker_weights: Path | None = None,
    most_tracked: int | None = None,
) -> InstanceSegmenter:
    from shibori.systems.ipdt.build import build_ipdt_segmenter

    return build_ipdt_segmenter(preset, device, size, weights, tracker_weights, most_tracked)


def _strnn(
    preset: str = "compact", device: str = "auto", size: int | None = None, weights: Path | None = None
) -> InteractiveSegmenter:
    from shibori.systems.strnn.build import build_hybrid_segmenter

    return build_hybrid_segmenter(
        preset, device, size, weights, lambda: _lenient_pixel(device), lambda: _mask_refiner(device)
    )


def _strnn_rows(
    preset: str = "compact", device: str = "auto", weights: Path | None = None
) -> list[tuple[str, tuple[float, float] | None, Callable[[], InteractiveSegmenter]]]:
    from shibori.systems.strnn.ablation import ablation_rows

    return ablation_rows(preset, device, weights, lambda: _lenient_pixel(device), lambda: _mask_refiner(device))


def _lenient_pixel(device: str) -> Propagator:
    """The pixel tracker for work between frames that a person has marked, who sees where it is wrong."""
    from shibori.systems.strnn.rule import BETWEEN
    from shibori.tracking.build import build_mask_propagator

    return build_mask_propagator("compact", device, config=BETWEEN)


def _mask_refiner(device: str) -> MaskRefiner | None:
    """The interactive networks of trackprop, which better the masks of marked frames; None where none ship."""
    from shibori.systems.trackprop.build import build_trackprop_segmenter
    from shibori.systems.trackprop.mask_refiner import MaskRefiner
    from shibori.systems.trackprop.rule import TrackpropRule
    from shibori.weights import shipped_weights

    if "trackprop-compact.safetensors" not in shipped_weights():
        return None
    return MaskRefiner(build_trackprop_segmenter("compact", device, rule=TrackpropRule()))


def _strnn_plain(
    preset: str = "compact", device: str = "auto", size: int | None = None, weights: Path | None = None
) -> InteractiveSegmenter:
    from shibori.systems.strnn.build import build_strnn_segmenter

    return build_strnn_segmenter(preset, device, size, weights)


def _ipdt_rows(
    preset: str = "compact",
    device: str = "auto",
    weights: Path | None = None,
    tracker_weights: Path | None = None,
    most_tracked: int = 6,
) -> list[tuple[str, float | None, Callable[[FrameSource], Discovery]]]:
    from shibori.systems.ipdt.ablation import ablation_rows

    return ablation_rows(preset, device, weights, tracker_weights, most_tracked)


PROPAGATORS: dict[str, Callable[..., Propagator]] = {"pixel": _pixel, "dyenet": _dyenet}
"""First mask in, masks of all frames out. Each takes preset, device, size, weights, online_steps."""


def default_propagator(preset: str, with_weights: bool) -> str:
    """The name of the system for masks where none is named: the better one, DyeNet behind the pixel tracker.

    Where it does not ship for the preset, or a weights file is named, it is the pixel tracker alone: the file is taken
    for that one's.
    """
    from shibori.weights import shipped_weights

    ships = "dyenet" in PROPAGATORS and f"dyenet-{preset}.safetensors" in shipped_weights()
    return "dyenet" if ships and not with_weights else "pixel"


INTERACTIVE_SEGMENTERS: dict[str, Callable[..., InteractiveSegmenter]] = {
    "strnn": _strnn,
    "strnn-plain": _strnn_plain,
    "trackprop": _trackprop,
}
"""Marks in, masks of all frames out, again and again. Each takes preset, device, size, weights.

The first is the default. ``strnn`` carries the masks of marked frames to the others by the pixel tracker;
``strnn-plain`` is its classifier of pixels alone.
"""

HOMES = {
    "pixel": "shibori.tracking",
    **{name: f"shibori.systems.{name}" for name in ("dyenet", "trackprop", "strnn", "ipdt")},
}
"""The package of each system, with a module ``build`` and a module ``train``."""

TRAINABLE = {
    **{name: f"{home}.train" for name, home in HOMES.items()},
    "trackers": "shibori.boxtracking.train",
}
"""What ``shibori train`` knows, and the module of each, with a ``TrainConfig`` and a ``recipe``.

``trackers`` are the networks that follow boxes in trackprop and IPDT.
"""

INSTANCE_SEGMENTERS: dict[str, Callable[..., InstanceSegmenter]] = {"ipdt": _ipdt}
"""Nothing in, tracks of all instances out. Each takes preset, device, size, weights, tracker_weights, most_tracked."""

ABLATIONS: dict[str, Callable[..., list[tuple[str, float | None, Callable[[], Propagator]]]]] = {"dyenet": _dyenet_rows}
"""The rows of a paper's ablation: what takes part, the paper's J&F, what builds it. Take preset, device, weights."""

INSTANCE_ABLATIONS: dict[str, Callable[..., list[tuple[str, float | None, Callable[[FrameSource], Discovery]]]]] = {
    "ipdt": _ipdt_rows
}
"""The same for systems that find instances: the paper's mAP, and what finds the instances of a clip."""

INTERACTIVE_ABLATIONS: dict[
    str, Callable[..., list[tuple[str, tuple[float, float] | None, Callable[[], InteractiveSegmenter]]]]
] = {"trackprop": _trackprop_rows, "strnn": _strnn_rows}
"""The same for interactive systems: the paper's AUC and J&F@60s. Take preset, device, weights."""
