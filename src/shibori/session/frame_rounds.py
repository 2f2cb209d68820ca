"""What was said of one frame, for itself: from it alone a frame can be shown before everything else is worked out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from shibori.media.rounds import Absence, Approval, GivenMask, Mark, Removal, Round, Rounds


def rounds_before(rounds: Rounds, frame: int) -> Rounds:
    """Those before the first one that is about the frame."""
    first = next((place for place, each in enumerate(rounds) if _is_about(each, frame)), len(rounds))
    return rounds[:first]


def objects_said(rounds: Rounds, frame: int) -> frozenset[int]:
    """The objects of which something was said in the frame."""
    return frozenset(each.object_id for each in rounds if _is_about(each, frame))


def rounds_of_frame(rounds: Rounds, frame: int, ground: Mapping[int, NDArray[np.bool_]]) -> Rounds:
    """What the frame shows by itself: what was there of each object as given masks, then what was said of it there.

    Args:
        rounds: all that was said.
        frame: index.
        ground: object_id -> (H, W) what was there before anything was said of the frame.

    Returns:
        Rounds about the frame alone; none where nothing in it shows an object.
    """
    removed = {each.object_id for each in rounds if isinstance(each.what, Removal)}
    given = tuple(
        Round(frame, object_id, GivenMask.of(mask))
        for object_id, mask in sorted(ground.items())
        if object_id not in removed and mask.any()
    )
    said = (each for each in rounds if _is_about(each, frame) and each.object_id not in removed)
    own = (*given, *(_narrowed(each, frame) for each in said if not isinstance(each.what, Approval)))
    shown = {each.object_id for each in own if each.begins}
    if not shown:
        return ()
    return tuple(each for each in own if each.object_id in shown or isinstance(each.what, Mark))


def _is_about(each: Round, frame: int) -> bool:
    return frame in each.frames and not isinstance(each.what, Removal)


def _narrowed(each: Round, frame: int) -> Round:
    """Said of this frame alone."""
    return replace(each, frame=frame, what=Absence()) if isinstance(each.what, Absence) else each
