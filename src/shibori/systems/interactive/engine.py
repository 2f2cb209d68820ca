"""The interactive system (ours): whatever was said of a clip, in any order, becomes the masks of all its frames.

Nothing is remembered but what was worked out already. Each object is carried for itself, so that what is said of one
changes no pixel of another, except where it claims or gives back pixels; who gets a pixel that two want is settled
frame by frame. A frame between two marked ones is carried from both.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from shibori.errors import InputError
from shibori.interfaces import Interaction, InteractiveSegmenter, Propagator, Suggestion
from shibori.media.clip import Clip
from shibori.media.mask import FrameMasks
from shibori.media.rounds import (
    EVERY_OBJECT,
    Absence,
    Approval,
    GivenMask,
    Mark,
    Removal,
    Round,
    Rounds,
    check_rounds,
)
from shibori.media.scribble import rasterise
from shibori.ops.overlap import WindowedLogits
from shibori.systems.interactive.between import Carried, Side, joined
from shibori.systems.interactive.frame_parts import FrameParts, frame_masks
from shibori.systems.interactive.prompter import MarkedFrame, Mask, Prompter, mask_from_marks
from shibori.systems.interactive.rule import InteractiveRule
from shibori.systems.interactive.runs import Run, RunKey, Runs
from shibori.systems.interactive.state import ObjectState, RoundState, SettledMask, marks_on
from shibori.tracking.logit_store import Answer

MAX_STATES = 256
"""What the latest rounds came to is kept, and what came before each of them."""


@dataclass(frozen=True)
class RoundsSegmenter(InteractiveSegmenter):
    """Anything that segments a marked frame, and anything that carries masks from frame to frame."""

    prompter: Prompter
    propagator: Propagator
    rule: InteractiveRule = field(default_factory=InteractiveRule)
    is_local = True

    def begin(self, clip: Clip) -> RoundsInteraction:
        """See ``InteractiveSegmenter``."""
        return RoundsInteraction(self, clip)


class _Cancelled(Exception):
    """Somebody wants no more frames."""


@dataclass
class _Watch:
    """Counts the frames that are looked at."""

    report: Callable[[int, int], None] | None = None
    cancelled: Callable[[], bool] | None = None
    total: int = 0
    done: int = 0

    def check(self) -> None:
        """_Cancelled where nobody wants any more."""
        if self.cancelled is not None and self.cancelled():
            raise _Cancelled

    def __call__(self) -> None:
        """One more. _Cancelled where nobody wants it."""
        self.check()
        self.done += 1
        self.total = max(self.total, self.done)
        if self.report is not None:
            self.report(self.done, self.total)


class RoundsInteraction(Interaction):
    """One clip; see ``Interaction``."""

    def __init__(self, segmenter: RoundsSegmenter, clip: Clip) -> None:
        self.clip, self.rule = clip, segmenter.rule
        self._prompter = segmenter.prompter
        self._runs = Runs(clip, segmenter.propagator)
        self._states: OrderedDict[Rounds, RoundState] = OrderedDict()

    def preview(self, rounds: Rounds, frame: int) -> FrameMasks:
        """See ``Interaction``."""
        check_rounds(rounds, self.clip.num_frames, self.clip.size_hw)
        if not 0 <= frame < self.clip.num_frames:
            raise InputError(f"{self.clip.name} has no frame {frame}: choose from 0 to {self.clip.num_frames - 1}")
        masks = self._masks(self._state(rounds, _Watch()), frame, _Watch())
        if masks is None:
            raise InputError(f"frame {frame} of {self.clip.path} cannot be decoded: choose one near it")
        return masks

    def propagate(
        self,
        rounds: Rounds,
        span: range | None = None,
        report: Callable[[int, int], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
        in_order: bool = False,
    ) -> Iterator[FrameMasks]:
        """See ``Interaction``."""
        check_rounds(rounds, self.clip.num_frames, self.clip.size_hw)
        frames: Sequence[int] = range(self.clip.num_frames) if span is None else span
        if not in_order:
            frames = sorted(frames, key=lambda index: (abs(index - rounds[-1].frame), index))
        return self._frames(rounds, frames, _Watch(report, cancelled))

    def suggestion(self, rounds: Rounds, cancelled: Callable[[], bool] | None = None) -> Suggestion | None:
        """See ``Interaction``."""
        check_rounds(rounds, self.clip.num_frames, self.clip.size_hw)
        watch = _Watch(cancelled=cancelled)
        doubts: list[Suggestion] = []
        try:
            state = self._state(rounds, watch)
            for frame in range(self.clip.num_frames):
                watch.check()
                carried = self._parts(state, frame, watch).carried
                doubts += [Suggestion(frame, object_id, each.doubt) for object_id, each in carried.items()]
        except _Cancelled:
            return None
        return max(doubts, key=lambda each: (each.doubt, -each.frame), default=None)

    # ---- what rounds come to

    def _state(self, rounds: Rounds, watch: _Watch) -> RoundState:
        """Worked out round by round, from the longest part that is known."""
        known = next((n for n in range(len(rounds), 0, -1) if rounds[:n] in self._states), 0)
        state = self._states[rounds[:known]] if known else RoundState((), {})
        for number in range(known, len(rounds)):
            state = self._after(state, rounds[number], watch)
            self._states[state.rounds] = state
        if rounds in self._states:
            self._states.move_to_end(rounds)
        while len(self._states) > MAX_STATES:
            self._states.popitem(last=False)
        return state

    def _after(self, state: RoundState, latest: Round, watch: _Watch) -> RoundState:
        rounds, number, what = (*state.rounds, latest), len(state.rounds), latest.what
        objects = dict(state.objects)
        if isinstance(what, Removal):
            objects.pop(latest.object_id, None)
        elif isinstance(what, GivenMask | Absence):
            mask = what if isinstance(what, GivenMask) else None
            each = {frame: SettledMask(mask, number) for frame in latest.frames}
            objects[latest.object_id] = state.of(latest.object_id).with_settled(each)
        else:
            find = self._approved if isinstance(what, Approval) else self._marked
            for object_id, found in find(state, latest, watch).items():
                objects[object_id] = state.of(object_id).with_settled(found)
        return RoundState(rounds, objects)

    def _approved(self, state: RoundState, latest: Round, watch: _Watch) -> dict[int, dict[int, SettledMask]]:
        """What is shown of the objects; what is settled of them is sure from now on."""
        number = len(state.rounds)
        wanted = state.object_ids if latest.object_id == EVERY_OBJECT else [latest.object_id]
        found: dict[int, dict[int, SettledMask]] = {object_id: {} for object_id in wanted}
        for frame in latest.frames:
            settled = {i: mask for i in wanted if (mask := state.of(i).frames.get(frame)) is not None}
            for object_id, mask in settled.items():
                found[object_id][frame] = replace(mask, confidence=1.0)
            open_ids = [object_id for object_id in wanted if object_id not in settled]
            parts = self._parts(state, frame, watch) if open_ids else None
            if parts is None or not parts.carried:
                continue
            ids = frame_masks(frame, self.clip.size_hw, parts).ids
            for object_id in open_ids:
                answer = parts.carried[object_id].answer.logits
                found[object_id][frame] = _settled(ids == object_id, number, answer)
        return found

    def _marked(self, state: RoundState, latest: Round, watch: _Watch) -> dict[int, dict[int, SettledMask]]:
        """The masks of the objects that a mark is about: its own, or those that lie under the background."""
        assert isinstance(latest.what, Mark)
        shown: dict[int, Mask] = {}
        if state.of(latest.object_id).shown or latest.object_id == EVERY_OBJECT:
            masks = self._masks(state, latest.frame, watch)
            ids = np.zeros(self.clip.size_hw, np.uint8) if masks is None else masks.ids
            shown = {object_id: ids == object_id for object_id in state.object_ids if (ids == object_id).any()}
        if latest.object_id == EVERY_OBJECT:
            under = rasterise(latest.what.strokes(EVERY_OBJECT), self.clip.size_hw) >= 0
            about = [object_id for object_id, mask in shown.items() if mask[under].any()]
        else:
            about = [latest.object_id] if latest.begins or state.of(latest.object_id).shown else []
        if not about:
            return {}
        image, number = self.clip.frame(latest.frame).image, len(state.rounds)
        found = {}
        for object_id in about:
            marks = marks_on((*state.rounds, latest), object_id, latest.frame)
            before = None if latest.what.box is not None else shown.get(object_id)
            if before is None and not marks.boxes and object_id not in marks.object_ids:
                continue
            of_object = state.of(object_id)
            earlier = None if before is None else of_object.marked_answer(latest.frame)
            begun = before is None or of_object.is_begun(latest.frame)
            frame = MarkedFrame(image, object_id, marks, latest.what.strokes(latest.object_id), before, earlier, begun)
            mask, answer = mask_from_marks(frame, self._prompter, self.rule)
            settled = _settled(mask, number, answer.logits)
            settled = replace(settled, confidence=answer.confidence, is_marked=True, is_begun=begun)
            found[object_id] = {latest.frame: settled}
        return found

    # ---- what frames show

    def _frames(self, rounds: Rounds, frames: Sequence[int], watch: _Watch) -> Iterator[FrameMasks]:
        try:
            state = self._state(rounds, watch)
            watch.total = watch.done + self._left(state, frames)
            for frame in frames:
                masks = self._masks(state, frame, watch)
                if masks is not None:
                    yield masks
        except _Cancelled:
            return

    def _masks(self, state: RoundState, frame: int, watch: _Watch) -> FrameMasks | None:
        """None where the frame cannot be decoded."""
        parts = self._parts(state, frame, watch)
        if state.object_ids and not parts.carried and not parts.settled:
            return None
        return frame_masks(frame, self.clip.size_hw, parts)

    def _parts(self, state: RoundState, frame: int, watch: _Watch) -> FrameParts:
        settled, carried, early = {}, {}, set()
        for object_id in state.object_ids:
            of_object = state.of(object_id)
            if frame in of_object.frames:
                settled[object_id] = of_object.frames[frame]
                continue
            found = self._carried(of_object, frame, watch)
            if found is not None:
                logits = replace(found.answer.logits, object_id=object_id)
                carried[object_id] = replace(found, answer=found.answer._replace(logits=logits))
            if of_object.before(frame) is None:
                early.add(object_id)
        self._runs.rest(2 * len(state.objects))
        return FrameParts(settled, carried, frozenset(early))

    def _carried(self, known: ObjectState, frame: int, watch: _Watch) -> Carried | None:
        runs = self._runs_to(known, frame)
        for run, until in runs:
            run.go_on(until, watch)
        answered = [(run, answer) for run, _ in runs if (answer := run.get(frame)) is not None]
        sides = [self._side(run, known, frame, answer) for run, answer in answered]
        if not sides:
            return None
        carried = joined(sides[0], sides[1], self.rule) if len(sides) == 2 else Carried(sides[0].answer)
        return replace(carried, sources=tuple(run.key.start for run, _ in answered))

    def _side(self, run: Run, known: ObjectState, frame: int, answer: Answer) -> Side:
        """No surer than what the run starts from."""
        start = run.key.start
        surely = answer._replace(confidence=answer.confidence * known.frames[start].confidence)
        return Side(surely, abs(frame - start), self._proof(run, known))

    def _runs_to(self, known: ObjectState, frame: int) -> list[tuple[Run, int]]:
        """The runs that come to a frame from both sides, and how far each is to go: to the other side, if any."""
        before, after = known.before(frame), known.after(frame)
        runs = []
        for start, end, way in ((before, after, 1), (after, before, -1)):
            if start is not None:
                key = RunKey.of(known, start, way)
                runs.append((self._runs[key], frame if end is None else end))
        return runs

    def _left(self, state: RoundState, frames: Sequence[int]) -> int:
        """Steps that are left until some frames are known."""
        steps: dict[RunKey, int] = {}
        for object_id in state.object_ids:
            known = state.of(object_id)
            for frame in frames:
                for run, until in () if frame in known.frames else self._runs_to(known, frame):
                    steps[run.key] = max(steps.get(run.key, 0), run.missing(until))
        return sum(steps.values())

    def _proof(self, run: Run, known: ObjectState) -> float:
        """How right a run turns out at the marked frame at which it ends."""
        start = run.key.start
        end = known.after(start) if run.key.way > 0 else known.before(start)
        goal = None if end is None else known.frames[end].mask
        return 1.0 if end is None or goal is None else run.proof(end, goal)


def _settled(mask: Mask, number: int, answer: WindowedLogits) -> SettledMask:
    small = replace(answer, logits=answer.logits.astype(np.float16).astype(np.float32))
    return SettledMask(GivenMask.of(mask) if mask.any() else None, number, small)
