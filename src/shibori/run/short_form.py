"""``shibori.segment``: a clip, and anything that says what to segment in it, in one call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from shibori.interfaces import InteractiveSegmenter, Propagator
from shibori.media.clip import Clip
from shibori.media.marks import Marks
from shibori.media.mask import FrameMasks
from shibori.media.reader import read_clip
from shibori.media.reference import read_references
from shibori.media.rounds import Round, Rounds, rounds_from_maps, rounds_from_marks
from shibori.run.choice import (
    AUTO,
    SystemChoice,
    check_system,
    is_for_rounds,
    load_interactive_system,
    load_system,
)
from shibori.run.interact import mark_clip
from shibori.run.plan import FrameRange
from shibori.run.propagate import segment_frames

System = Propagator | InteractiveSegmenter


def segment(source: str | Path | Clip, marks: Any, system: str | System = AUTO, **options: Any) -> Iterator[FrameMasks]:
    """Segment a clip: the short form of ``segment_clip`` and of ``mark_clip``.

    Args:
        source: a video file, a folder of images, or an open ``Clip``.
        marks: a mask file, a list of ``WHEN:FILE`` marks (see ``read_references``), an (H, W) ids map for the first
            frame, or a mapping of frame index to ids map or mask file; ``Marks`` (strokes, clicks, boxes); or a tuple
            of rounds (``shibori.media.rounds``), which may be anything of all that.
        system: a name, or a system that is already loaded.
        options: ``start``, ``stop`` and ``every`` choose frames; ``forward_only`` lets a later mask change nothing
            before it, and ``both_ways`` does that too, and adds the frames before an object's first;
            ``preset``, ``weights``, ``device``, ``size`` of ``SystemChoice``.

    Yields:
        FrameMasks in frame order, one at a time.
    """
    bounds = {name: options.pop(name) for name in ("start", "stop", "every") if name in options}
    both_ways, forward_only = (options.pop(name, False) for name in ("both_ways", "forward_only"))
    clip = source if isinstance(source, Clip) else read_clip(source)
    choice = SystemChoice(system if isinstance(system, str) else AUTO, **options)
    loaded = None if isinstance(system, str) else system
    rounds, references = _told(clip, marks, bounds.get("start", 0))
    if loaded is not None and rounds:
        check_system(loaded, True)
    has_later = any(index != bounds.get("start", 0) for index in references)
    if is_for_rounds(choice, has_later and not (forward_only or both_ways), bool(rounds), loaded):
        segmenter = loaded if isinstance(loaded, InteractiveSegmenter) else load_interactive_system(choice)
        frames = FrameRange.of(clip, **bounds)
        return (masks for _, masks in mark_clip(clip, rounds or rounds_from_maps(references), segmenter, frames))
    propagator = loaded if isinstance(loaded, Propagator) else load_system(choice)
    return (masks for _, masks in segment_frames(clip, references, propagator, both_ways=both_ways, **bounds))


def _told(clip: Clip, marks: Any, start: int) -> tuple[Rounds, dict[int, NDArray[Any]]]:
    """Rounds, or else masks by frame."""
    if isinstance(marks, Marks):
        return rounds_from_marks(marks), {}
    if isinstance(marks, tuple) and any(isinstance(each, Round) for each in marks):
        return marks, {}
    return (), _references(clip, marks, start)


def _references(clip: Clip, marks: Any, start: int) -> dict[int, NDArray[Any]]:
    if isinstance(marks, str | Path):
        return read_references(clip, [marks], start)
    if hasattr(marks, "shape"):
        return {start: marks}
    if isinstance(marks, Sequence):
        return read_references(clip, marks, start)
    found: dict[int, NDArray[Any]] = {}
    for index, mark in marks.items():
        found |= read_references(clip, [mark], index) if isinstance(mark, str | Path) else {index: mark}
    return found
