"""One frame after any rounds about one object: the promptable network alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shibori.media.marks import FrameMarks
from shibori.media.rounds import Rounds, marks_of
from shibori.prompting.later_mark import answer_later_marks
from shibori.prompting.segmenter import Candidates, PromptSegmenter

Mask = NDArray[np.bool_]


class PromptedFrame:
    """What a frame shows after some rounds of marks on its one object.

    Each round is answered from all marks so far and the answer before; equal rounds give equal masks.

    Args:
        segmenter: the network.
        image: (H, W, 3) uint8 RGB.
        object_id: that the rounds are about.
    """

    def __init__(self, segmenter: PromptSegmenter, image: NDArray[np.uint8], object_id: int = 1) -> None:
        self.segmenter, self.image, self.object_id = segmenter, image, object_id
        self._answers: dict[Rounds, Candidates] = {}

    def __call__(self, rounds: Rounds) -> Mask:
        """(H, W) the mask.

        Raises:
            InputError: a round is no mark, or none says where the object is.
        """
        return self._answer(rounds).mask()

    def _answer(self, rounds: Rounds) -> Candidates:
        if rounds not in self._answers:
            before = self._answer(rounds[:-1]) if len(rounds) > 1 else None
            marks = FrameMarks.of(marks_of(rounds), rounds[-1].frame)
            self._answers[rounds] = self._next(marks, before)
        return self._answers[rounds]

    def _next(self, marks: FrameMarks, before: Candidates | None) -> Candidates:
        if before is None or len(marks.strokes) <= self.segmenter.rule.first_marks:
            return self.segmenter.answer(self.image, marks, self.object_id, before)
        return answer_later_marks(self.segmenter, self.image, marks, self.object_id, before)
