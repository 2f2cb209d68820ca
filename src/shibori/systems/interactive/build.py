"""From a preset's name to a segmenter that is ready to run."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shibori.media.marks import FrameMarks
from shibori.ops.overlap import WindowedLogits
from shibori.prompting.build import build_prompt_segmenter
from shibori.prompting.later_mark import answer_later_marks
from shibori.prompting.segmenter import Candidates
from shibori.systems.interactive.engine import RoundsSegmenter
from shibori.systems.interactive.prompter import Mask, Prompter
from shibori.tracking.build import build_mask_propagator
from shibori.tracking.config import BETWEEN_MARKS_CONFIG
from shibori.tracking.logit_store import Answer


def build_rounds_segmenter(
    preset: str = "compact",
    device: str = "auto",
    size: int | None = None,
    weights: Path | None = None,
    *,
    prompter: Callable[[], Prompter],
) -> RoundsSegmenter:
    """The interactive system with its weights.

    Args:
        preset: name of the tracker's size.
        device: auto, cpu, cuda, cuda:N or mps.
        size: working side of the tracker: each object's window is resized to about ``size`` squared pixels.
        weights: of the tracker, instead of the shipped ones.
        prompter: makes what segments marked frames, when the first of them comes.

    Raises:
        InputError: on a preset, device, size or file that is not there.
    """
    propagator = build_mask_propagator(preset, device, size, weights, BETWEEN_MARKS_CONFIG)
    return RoundsSegmenter(_when_needed(prompter), propagator)


def _when_needed(load: Callable[[], Prompter]) -> Prompter:
    """Masks alone need none."""
    loaded = cache(load)
    return lambda image, marks, object_id, before, earlier: loaded()(image, marks, object_id, before, earlier)


def build_prompter(device: str = "auto", weights: Path | None = None) -> Prompter:
    """The promptable network as what makes masks of marks. InputError where its weights are not there."""
    segmenter = build_prompt_segmenter("compact", device, None, weights)

    def prompter(
        image: NDArray[np.uint8], marks: FrameMarks, object_id: int, before: Mask | None, earlier: WindowedLogits | None
    ) -> Answer:
        previous: Mask | Candidates | None = before
        if earlier is not None:
            size_hw = (image.shape[0], image.shape[1])
            previous = Candidates(earlier.window, size_hw, earlier.logits[None], np.ones(1, np.float32))
        if previous is None or (before is None and len(marks.strokes) <= segmenter.rule.first_marks):
            found = segmenter.answer(image, marks, object_id, previous)
        else:
            found = answer_later_marks(segmenter, image, marks, object_id, previous)
        return Answer(found.windowed(object_id), float(found.quality[0]))

    return prompter
