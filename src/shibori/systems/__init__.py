"""The systems, by name. What builds one imports it when it is called; a system whose folder is gone is in no table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

from shibori.errors import InputError
from shibori.interfaces import FrameSource, InstanceSegmenter, InteractiveSegmenter, MarkSegmenter, Propagator
from shibori.media.instances import Discovery

Entry = TypeVar("Entry")
Rows = list[tuple[str, float | None, Callable[[], Propagator]]]
InstanceRows = list[tuple[str, float | None, Callable[[FrameSource], Discovery]]]
MarkRows = list[tuple[str, tuple[float, float] | None, Callable[[], MarkSegmenter]]]
InteractiveRows = list[tuple[str, tuple[float, float] | None, Callable[[], InteractiveSegmenter]]]


def _there(table: Mapping[str, Entry]) -> dict[str, Entry]:
    """The entries of systems that are installed; ``strnn-plain`` is one of ``strnn``."""
    return {name: entry for name, entry in table.items() if name.split("-")[0] in HOMES}


def _of(system: str, function: str, module: str = "build") -> Callable[..., Any]:
    """A function of a system's module, which is imported when it is called."""

    def call(*arguments: Any, **options: Any) -> Any:
        return getattr(import_module(f"{HOMES[system]}.{module}"), function)(*arguments, **options)

    return call


HOMES = {
    name: home
    for name, home in {
        "pixel": "shibori.tracking",
        **{name: f"shibori.systems.{name}" for name in ("dyenet", "trackprop", "strnn", "ipdt")},
    }.items()
    if find_spec(home) is not None
}
"""The package of each system, with a module ``build`` and a module ``train``."""


# ---- what systems lend each other: they do not know of each other


def _pixel(
    preset: str = "compact",
    device: str = "auto",
    size: int | None = None,
    weights: Path | None = None,
    online_steps: int = 0,
) -> Propagator:
    if online_steps:
        raise InputError("expected online steps for a system that trains on the first mask (dyenet), found pixel")
    tracker: Propagator = _of("pixel", "build_mask_propagator")(preset, device, size, weights)
    return tracker


def _dyenet(
    preset: str = "compact",
    device: str = "auto",
    size: int | None = None,
    weights: Path | None = None,
    online_steps: int = 0,
) -> Propagator:
    build = _of("dyenet", "build_dyenet_propagator")
    propagator: Propagator = build(preset, device, size, weights, online_steps, _tracker(preset, device, size))
    return propagator


def _tracker(preset: str, device: str, size: int | None = None) -> Callable[[], Propagator] | None:
    """The pixel tracker of a preset, to go ahead of DyeNet; None where none ships."""
    return partial(_pixel, preset, device, size) if _ships("pixel", preset) else None


def _dyenet_rows(preset: str = "compact", device: str = "auto", weights: Path | None = None) -> Rows:
    rows = _of("dyenet", "ablation_rows", "ablation")(preset, device, weights, _tracker(preset, device))
    return [*rows, ("the pixel tracker alone (ours)", None, partial(_pixel, preset, device))]


def _replayed(build: Callable[..., MarkSegmenter]) -> Callable[..., InteractiveSegmenter]:
    """What builds a system of a paper, which remembers what it was asked, as one whose answers depend on rounds."""

    def call(*arguments: Any, **options: Any) -> InteractiveSegmenter:
        from shibori.systems.replay import ReplayedSegmenter

        return ReplayedSegmenter(build(*arguments, **options))

    return call


def _replayed_rows(rows: MarkRows) -> InteractiveRows:
    return [(what, figures, _replayed(build)) for what, figures, build in rows]


def _strnn(
    preset: str = "compact", device: str = "auto", size: int | None = None, weights: Path | None = None
) -> MarkSegmenter:
    segmenter: MarkSegmenter = _of("strnn", "build_hybrid_segmenter")(
        preset, device, size, weights, refiner=partial(_mask_refiner, device)
    )
    return segmenter


def _strnn_rows(preset: str = "compact", device: str = "auto", weights: Path | None = None) -> InteractiveRows:
    rows: MarkRows = _of("strnn", "ablation_rows", "ablation")(
        preset, device, weights, refiner=partial(_mask_refiner, device)
    )
    return _replayed_rows(rows)


def _trackprop_rows(preset: str = "compact", device: str = "auto", weights: Path | None = None) -> InteractiveRows:
    return _replayed_rows(_of("trackprop", "ablation_rows", "ablation")(preset, device, weights))


def _mask_refiner(device: str) -> Any:
    """The interactive networks of trackprop, which better the masks of marked frames; None where none are."""
    is_there = "trackprop" in HOMES and _ships("trackprop", "compact")
    return _of("trackprop", "build_mask_refiner")(device) if is_there else None


def _interactive(
    preset: str = "compact", device: str = "auto", size: int | None = None, weights: Path | None = None
) -> InteractiveSegmenter:
    from shibori.systems.interactive.build import build_prompter, build_rounds_segmenter

    return build_rounds_segmenter(preset, device, size, weights, prompter=partial(build_prompter, device))


def _ships(system: str, preset: str) -> bool:
    from shibori.weights import shipped_weights

    return f"{system}-{preset}.safetensors" in shipped_weights()


# ---- the tables

PROPAGATORS: dict[str, Callable[..., Propagator]] = _there({"pixel": _pixel, "dyenet": _dyenet})
"""First mask in, masks of all frames out. Each takes preset, device, size, weights, online_steps."""

DEFAULT_PROPAGATOR = "pixel"
"""The system for masks where none is named: the mask tracker alone.

DyeNet behind it was the default while its heads stood on the tracker's own features. On composites with hidden objects
it is behind the tracker of today (``docs/performance.md``), and is to be trained anew.
"""

INTERACTIVE_SEGMENTERS: dict[str, Callable[..., InteractiveSegmenter]] = {
    "interactive": _interactive,
    **_there(
        {
            "strnn": _replayed(_strnn),
            "strnn-plain": _replayed(_of("strnn", "build_strnn_segmenter")),
            "trackprop": _replayed(_of("trackprop", "build_trackprop_segmenter")),
        }
    ),
}
"""Rounds in, masks of all frames out, again and again. Each takes preset, device, size, weights.

The first is the default, and takes rounds of every kind; the others take clicks, boxes and strokes alone. ``strnn``
carries the masks of marked frames to the others by the pixel tracker; ``strnn-plain`` is its classifier of pixels
alone.
"""

INSTANCE_SEGMENTERS: dict[str, Callable[..., InstanceSegmenter]] = _there({"ipdt": _of("ipdt", "build_ipdt_segmenter")})
"""Nothing in, tracks of all instances out. Each takes preset, device, size, weights, tracker_weights, most_tracked."""

TRAINABLE = {
    **{name: f"{home}.train" for name, home in HOMES.items()},
    "trackers": "shibori.boxtracking.train",
    "prompt": "shibori.prompting.train",
}
"""What ``shibori train`` knows, and the module of each, with a ``TrainConfig`` and a ``recipe``.

``trackers`` are the networks that follow boxes in trackprop and IPDT, ``prompt`` the one that answers marks on a frame.
"""

ABLATIONS: dict[str, Callable[..., Rows]] = _there({"dyenet": _dyenet_rows})
"""The rows of a paper's ablation: what takes part, the paper's J&F, what builds it. Take preset, device, weights."""

INSTANCE_ABLATIONS: dict[str, Callable[..., InstanceRows]] = _there({"ipdt": _of("ipdt", "ablation_rows", "ablation")})
"""The same for systems that find instances: the paper's mAP, and what finds the instances of a clip."""

INTERACTIVE_ABLATIONS: dict[str, Callable[..., InteractiveRows]] = _there(
    {"trackprop": _trackprop_rows, "strnn": _strnn_rows}
)
"""The same for interactive systems: the paper's AUC and J&F@60s. Take preset, device, weights."""
