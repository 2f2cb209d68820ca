"""Looks at single frames, in a thread of its own with networks of its own: they wait for nothing that is computed."""

from __future__ import annotations

import threading
import traceback
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue

from shibori.errors import InputError
from shibori.interfaces import Interaction, InteractiveSegmenter
from shibori.media.frame_code import encode_frame
from shibori.media.reader import read_clip
from shibori.web.questions import Answer, Load, Preview

MAX_CLIPS = 4
"""Of which what was worked out is remembered."""


class Interactions:
    """One for each of the clips that were asked about last.

    Args:
        segmenter: that they belong to.
    """

    def __init__(self, segmenter: InteractiveSegmenter) -> None:
        self.segmenter = segmenter
        self._clips: OrderedDict[str, Interaction] = OrderedDict()

    def of(self, clip: str) -> Interaction:
        """That of the clip at a path. InputError where it cannot be read."""
        found = self._clips.pop(clip, None) or self.segmenter.begin(read_clip(clip))
        self._clips[clip] = found
        while len(self._clips) > MAX_CLIPS:
            self._clips.popitem(last=False)
        return found


class Glances:
    """The thread, which ends with its process.

    Args:
        load: makes its segmenter.
        tell: called with each answer, in the thread.
    """

    def __init__(self, load: Load, tell: Callable[[Answer], None]) -> None:
        self.load, self.tell = load, tell
        self._questions: SimpleQueue[Preview] = SimpleQueue()
        threading.Thread(target=self._run, daemon=True, name="glances").start()

    def ask(self, question: Preview) -> None:
        """It is answered in turn."""
        self._questions.put(question)

    def _run(self) -> None:
        interactions = Interactions(self.load())
        while True:
            question = self._questions.get()
            answer_with(question.number, self.tell, partial(_masks, interactions, question))


def _masks(interactions: Interactions, question: Preview) -> bytes:
    return encode_frame(interactions.of(question.clip).preview(question.rounds, question.frame))


def answer_with(number: int, tell: Callable[[Answer], None], work: Callable[[], object]) -> None:
    """What is wrong with one question is its answer; a defect too, for the others are not to suffer from it."""
    try:
        answer = Answer(number, work())
    except InputError as error:
        answer = Answer(number, problem=str(error))
    except (EOFError, BrokenPipeError):
        raise
    except Exception as error:
        traceback.print_exc()
        answer = Answer(number, problem=f"this went wrong inside shibori ({type(error).__name__}: {error})")
    tell(answer)
