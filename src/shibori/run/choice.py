"""Which system is to do the work and how it is set up; and the system of such a choice, loaded."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import shibori.systems as systems
from shibori.errors import InputError
from shibori.interfaces import InstanceSegmenter, InteractiveSegmenter, Propagator

Built = TypeVar("Built")
Choice = TypeVar("Choice", bound="SystemChoice")
AUTO = "auto"
SYSTEM_HELP = "Segmentation system; auto: pixel for masks of the first frame, interactive for anything else."


@dataclass(frozen=True)
class SystemChoice:
    """Which system is to do the work, and how it is set up."""

    system: str = field(default=AUTO, metadata={"help": SYSTEM_HELP})
    preset: str = field(default="compact", metadata={"help": "Size of the system's network."})
    weights: Path | None = field(
        default=None, metadata={"help": "Weights file; without one, those that ship with the package."}
    )
    device: str = field(
        default="auto",
        metadata={"help": "auto, cpu, cuda or mps: where the network runs; auto takes the fastest there is."},
    )
    size: int | None = field(
        default=None,
        metadata={"help": "Working side in pixels; less is faster. Results always have the clip's own size."},
    )
    online_steps: int = field(
        default=0, metadata={"help": "Training steps on the first masks before the clip is segmented; dyenet only."}
    )


@dataclass(frozen=True)
class SegmenterChoice:
    """Which system finds the instances, and how it is set up."""

    system: str = field(default="ipdt", metadata={"help": "Instance segmentation system."})
    preset: str = field(
        default="compact",
        metadata={"help": "Size of the networks; coco: a detector of torchvision's, which is fetched."},
    )
    weights: Path | None = field(
        default=None, metadata={"help": "Weights file of the detector; without one, those that ship with the package."}
    )
    tracker_weights: Path | None = field(
        default=None, metadata={"help": "Weights file of the instance-level tracker, the same."}
    )
    device: str = field(default="auto", metadata={"help": "auto, cpu, cuda or mps."})
    size: int | None = field(default=None, metadata={"help": "Working side in pixels; less is faster."})
    tracked: int | None = field(
        default=None, metadata={"help": "Candidates that are followed through the clip, at most; fewer are faster."}
    )


def is_for_rounds(
    choice: SystemChoice,
    has_later_masks: bool,
    is_marked: bool,
    loaded: Propagator | InteractiveSegmenter | None = None,
) -> bool:
    """Whether it is one for a system that takes rounds, or else one for a system that carries masks forward.

    Where no system is named it takes anything but masks of the first frame as rounds.

    Args:
        choice: which system, if any is named.
        has_later_masks: whether there are masks of other frames than the first, that are to count for those before.
        is_marked: whether there is anything but masks.
        loaded: a system that is loaded already, in place of the choice.
    """
    if loaded is not None:
        return isinstance(loaded, InteractiveSegmenter)
    if is_marked or choice.system in systems.INTERACTIVE_SEGMENTERS:
        return True
    return has_later_masks and choice.system == AUTO and not choice.online_steps


def settled_choice(choice: Choice, for_marks: bool = False) -> Choice:
    """The choice with the name of its system: where none is named, the default one for masks, or for rounds."""
    if choice.system != AUTO:
        return choice
    if for_marks:
        return replace(choice, system=next(iter(systems.INTERACTIVE_SEGMENTERS)))
    return replace(choice, system=systems.DEFAULT_PROPAGATOR)


def load_system(choice: SystemChoice = SystemChoice()) -> Propagator:
    """The propagator of a choice, its weights verified and loaded.

    Raises:
        InputError: there is no such system, preset, device or weights file.
    """
    return _load(settled_choice(choice), systems.PROPAGATORS, online_steps=choice.online_steps)


def load_interactive_system(choice: SystemChoice = SystemChoice()) -> InteractiveSegmenter:
    """The interactive segmenter of a choice; see ``load_system``."""
    return _load(settled_choice(choice, for_marks=True), systems.INTERACTIVE_SEGMENTERS)


def load_instance_segmenter(job: SegmenterChoice) -> InstanceSegmenter:
    """The system of a choice, its weights verified and loaded. InputError where something of it is not there."""
    if job.system not in systems.INSTANCE_SEGMENTERS:
        known = ", ".join(systems.INSTANCE_SEGMENTERS)
        raise InputError(f"there is no system {job.system!r} that finds instances: choose one of {known}")
    build = systems.INSTANCE_SEGMENTERS[job.system]
    return build(
        preset=job.preset,
        device=job.device,
        size=job.size,
        weights=job.weights,
        tracker_weights=job.tracker_weights,
        most_tracked=job.tracked,
    )


@dataclass(frozen=True)
class Loaders:
    """What loads the system of a choice: in place of the usual ones, some that keep what they loaded for later jobs."""

    propagator: Callable[[SystemChoice], Propagator] = load_system
    interactive: Callable[[SystemChoice], InteractiveSegmenter] = load_interactive_system
    instances: Callable[[SegmenterChoice], InstanceSegmenter] = load_instance_segmenter


USUAL_LOADERS = Loaders()


def check_system(system: Propagator | InteractiveSegmenter, for_marks: bool) -> None:
    """InputError where a system that is loaded already is not one for masks, or not one for marks."""
    kind, marks = (InteractiveSegmenter, "marks") if for_marks else (Propagator, "masks")
    if not isinstance(system, kind):
        raise InputError(f"expected a system for {marks} ({kind.__name__}), found {type(system).__name__}")


def _load(choice: SystemChoice, table: Mapping[str, Callable[..., Built]], **more: int) -> Built:
    if choice.system not in table:
        raise InputError(f"there is no system {choice.system!r}: choose one of {', '.join(table)}")
    if choice.device not in ("auto", "cpu"):
        from shibori.nn.prepare import choose_device

        choose_device(choice.device)  # before the weights are read
    build = table[choice.system]
    return build(preset=choice.preset, device=choice.device, size=choice.size, weights=choice.weights, **more)


def facts_of(choice: SystemChoice) -> dict[str, str]:
    """What a report should say of how its masks were made."""
    import torch

    return {
        "system": f"{choice.system} {choice.preset}",
        "weights": str(choice.weights or "shipped"),
        "working size": str(choice.size or "default"),
        "device": choice.device,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}",
    }
