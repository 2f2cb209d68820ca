"""The systems, by name. Builders import their system when they are called."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from shibori.errors import InputError
from shibori.interfaces import InteractiveSegmenter, Propagator


def _pixel(
    preset: str = "compact",
    device: str = "auto",
    size: int | None = None,
    weights: Path | None = None,
    online_steps: int = 0,
) -> Propagator:
    from shibori.systems.pixel.build import build_pixel_propagator

    if online_steps:
        raise InputError("expected online steps for a system that trains on the first mask (dyenet), found pixel")
    return build_pixel_propagator(preset, device, size, weights)


def _dyenet(
    preset: str = "compact",
    device: str = "auto",
    size: int | None = None,
    weights: Path | None = None,
    online_steps: int = 0,
) -> Propagator:
    from shibori.systems.dyenet.build import build_dyenet_propagator

    return build_dyenet_propagator(preset, device, size, weights, online_steps)


def _dyenet_rows(
    preset: str = "compact", device: str = "auto", weights: Path | None = None
) -> list[tuple[str, float | None, Callable[[], Propagator]]]:
    from shibori.systems.dyenet.ablation import ablation_rows

    alone = partial(_pixel, preset, device)
    return [*ablation_rows(preset, device, weights), ("the pixel tracker alone (ours)", None, alone)]


def _trackprop(
    preset: str = "compact", device: str = "auto", size: int | None = None, weights: Path | None = None
) -> InteractiveSegmenter:
    from shibori.systems.trackprop.build import build_trackprop_segmenter

    return build_trackprop_segmenter(preset, device, size, weights)


PROPAGATORS: dict[str, Callable[..., Propagator]] = {"pixel": _pixel, "dyenet": _dyenet}
"""First mask in, masks of all frames out. Each takes preset, device, size, weights, online_steps."""

INTERACTIVE_SEGMENTERS: dict[str, Callable[..., InteractiveSegmenter]] = {"trackprop": _trackprop}
"""Marks in, masks of all frames out, again and again. Each takes preset, device, size, weights."""

ABLATIONS: dict[str, Callable[..., list[tuple[str, float | None, Callable[[], Propagator]]]]] = {"dyenet": _dyenet_rows}
"""The rows of a paper's ablation: what takes part, the paper's J&F, what builds it. Take preset, device, weights."""
