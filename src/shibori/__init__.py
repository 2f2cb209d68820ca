"""Shibori: a clip and a few marks in, a mask of every chosen object in every frame out.

>>> import shibori
>>> clip = shibori.read_clip("clip.mp4")                             # doctest: +SKIP
>>> for masks in shibori.segment(clip, "first.png"):                 # doctest: +SKIP
...     print(masks.index, masks.statuses)

Importing the package is quick: what a name needs is loaded when the name is first used, a network's libraries when a
network is.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shibori.errors import InputError as InputError
    from shibori.interfaces import Propagation as Propagation
    from shibori.interfaces import Propagator as Propagator
    from shibori.media.clip import Clip as Clip
    from shibori.media.clip import Frame as Frame
    from shibori.media.mask import FrameMasks as FrameMasks
    from shibori.media.mask import ObjectStatus as ObjectStatus
    from shibori.media.mask_file import read_ids as read_ids
    from shibori.media.reader import read_clip as read_clip
    from shibori.media.writer import open_writer as open_writer
    from shibori.media.writer import overlay_image as overlay_image
    from shibori.run.choice import SystemChoice as SystemChoice
    from shibori.run.choice import load_interactive_system as load_interactive_system
    from shibori.run.choice import load_system as load_system
    from shibori.run.job import SegmentJob as SegmentJob
    from shibori.run.job import run_job as run_job
    from shibori.run.propagate import segment_clip as segment_clip
    from shibori.run.propagate import segment_frames as segment_frames
    from shibori.run.short_form import segment as segment

__version__ = "0.1.0"

_HOMES = {
    "Clip": "media.clip",
    "Frame": "media.clip",
    "FrameMasks": "media.mask",
    "InputError": "errors",
    "ObjectStatus": "media.mask",
    "Propagation": "interfaces",
    "Propagator": "interfaces",
    "SegmentJob": "run.job",
    "SystemChoice": "run.choice",
    "load_interactive_system": "run.choice",
    "load_system": "run.choice",
    "open_writer": "media.writer",
    "overlay_image": "media.overlay",
    "read_clip": "media.reader",
    "read_ids": "media.mask",
    "run_job": "run.job",
    "segment": "run.short_form",
    "segment_clip": "run.propagate",
    "segment_frames": "run.propagate",
}
__all__ = [*_HOMES, "__version__"]  # noqa: PLE0604 (they are strings)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'shibori' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"shibori.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
