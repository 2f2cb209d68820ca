"""Which frame the robot marks next: the protocol's, which sees the truth, or one that a person could know of."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from shibori.errors import InputError
from shibori.interfaces import Interaction
from shibori.media.rounds import Rounds

NextFrame = Callable[[Interaction, Rounds, int], tuple[int, ...]]
"""Interaction, all rounds so far, frames of the clip -> the frames the robot may mark next; none for all."""


def worst(_interaction: Interaction, _rounds: Rounds, _num_frames: int) -> tuple[int, ...]:
    """All of them: the protocol marks the one with the lowest J&F."""
    return ()


def suggested(interaction: Interaction, rounds: Rounds, _num_frames: int) -> tuple[int, ...]:
    """The one that the system suggests.

    Raises:
        InputError: it suggests none.
    """
    suggestion = interaction.suggestion(rounds)
    if suggestion is None:
        raise InputError(
            "expected a system that says which frame it doubts most (interactive), found one that does not"
        )
    return (suggestion.frame,)


def middle(_interaction: Interaction, rounds: Rounds, num_frames: int) -> tuple[int, ...]:
    """The one in the middle of the longest stretch without a mark, the first of equally long ones.

    >>> from shibori.media.rounds import Mark, Round
    >>> middle(None, (Round(2, 1, Mark((((0.5, 0.5),),))),), 11)
    (6,)
    """
    marked = sorted({-1, num_frames, *(frame for each in rounds for frame in each.frames)})
    stretches = [(last - first, first) for first, last in pairwise(marked)]
    length, first = max(stretches, key=lambda stretch: (stretch[0], -stretch[1]))
    return (min(first + length // 2, num_frames - 1) if length > 1 else max(first, 0),)


NEXT_FRAMES: dict[str, NextFrame] = {"worst": worst, "suggested": suggested, "middle": middle}
"""By the name of the option."""


def next_frame_of(name: str) -> NextFrame:
    """The one of a name. InputError where there is none."""
    if name not in NEXT_FRAMES:
        raise InputError(f"there is no choice of the next frame {name!r}: choose one of {', '.join(NEXT_FRAMES)}")
    return NEXT_FRAMES[name]
