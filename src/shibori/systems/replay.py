"""The papers' interactive systems, which remember what they were asked, behind the interface that does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from shibori.interfaces import Interaction, InteractiveSegmenter, MarkSegmenter, MarkSession
from shibori.media.clip import Clip
from shibori.media.mask import FrameMasks
from shibori.media.rounds import Rounds, check_rounds, marks_of


@dataclass(frozen=True)
class ReplayedSegmenter(InteractiveSegmenter):
    """A system of marks alone."""

    system: MarkSegmenter

    def begin(self, clip: Clip) -> ReplayedInteraction:
        """See ``InteractiveSegmenter``."""
        return ReplayedInteraction(self.system, clip)


class ReplayedInteraction(Interaction):
    """One clip; see ``Interaction``.

    Further rounds are told to the session that is there, as the papers' protocol has it: then what the system made of
    the earlier ones has a part in the answer. After other rounds a session begins anew, with all of them at once.
    """

    def __init__(self, system: MarkSegmenter, clip: Clip) -> None:
        self.system, self.clip = system, clip
        self._session: MarkSession | None = None
        self._told: Rounds = ()
        self._marked: dict[int, FrameMasks] = {}

    def preview(self, rounds: Rounds, frame: int) -> FrameMasks:
        """See ``Interaction``."""
        session = self._session_of(rounds)
        if frame in self._marked:
            return self._marked[frame]
        return next(masks for masks in session.masks() if masks.index >= frame)

    def propagate(
        self,
        rounds: Rounds,
        span: range | None = None,
        report: Callable[[int, int], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
        in_order: bool = False,
    ) -> Iterator[FrameMasks]:
        """See ``Interaction``; always in frame order."""
        wanted = range(self.clip.num_frames) if span is None else span
        return self._masks(self._session_of(rounds), wanted, report, cancelled)

    def suggestion(self, rounds: Rounds, cancelled: Callable[[], bool] | None = None) -> None:
        """None: these systems do not say."""

    def _session_of(self, rounds: Rounds) -> MarkSession:
        if self._session is not None and rounds == self._told:
            return self._session
        check_rounds(rounds, self.clip.num_frames, self.clip.size_hw)
        marks = marks_of(rounds)
        if self._session is None or rounds[: len(self._told)] != self._told:
            self._session = self.system.begin(self.clip)
        else:
            marks = marks_of(rounds[len(self._told) :])
        self._marked = {masks.index: masks for masks in self._session.mark(marks)}
        self._told = rounds
        return self._session

    def _masks(
        self,
        session: MarkSession,
        wanted: range,
        report: Callable[[int, int], None] | None,
        cancelled: Callable[[], bool] | None,
    ) -> Iterator[FrameMasks]:
        for masks in session.masks():
            if cancelled is not None and cancelled():
                return
            if report is not None:
                report(masks.index + 1, self.clip.num_frames)
            if masks.index in wanted:
                yield masks
