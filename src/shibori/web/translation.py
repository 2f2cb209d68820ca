"""From the values of a session to messages, and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shibori.errors import InputError
from shibori.interfaces import Suggestion
from shibori.media.edges import EdgeControls
from shibori.media.mask import FrameMasks
from shibori.media.rounds import Absence, GivenMask, Round, Rounds, contradictions, rounds_from_json, rounds_to_json
from shibori.media.view import decode_runs, encode_runs, mask_from_view, mask_view, view_size
from shibori.session import actions as done
from shibori.session.pack import ObjectSummary, Record
from shibori.session.project import ExportSettings, Project
from shibori.session.propagation import runs_of
from shibori.web import messages as said

# ---- from the page


def round_from(message: said.MarkRound | said.AbsenceRound | said.ApprovalRound) -> Round:
    """What was said of the clip. InputError where it says nothing."""
    return rounds_from_json([message.model_dump()])[0]


def action_from(message: said.Action, project: Project, shown: FrameMasks | None) -> done.Action:
    """The action of a message.

    Args:
        message: of the page.
        project: as it is.
        shown: for a ``Paint``, what its frame shows.

    Raises:
        InputError: it does not fit the project.
    """
    match message:
        case said.AddObject():
            return done.new_object(project, message.name, message.colour)
        case said.ChangeObject():
            given = message.model_dump(exclude={"kind", "object"}, exclude_none=True)
            return done.ChangeObject(replace(project.object(message.object), **given))
        case said.RemoveObject():
            return done.RemoveObject(message.object)
        case said.Say():
            return done.Say((round_from(message.round),))
        case said.Paint():
            return done.Say((_painted(message, project, shown),))
        case said.TakeBack():
            return done.TakeBack(message.index)
        case said.Unapprove():
            return done.Unapprove(message.object, message.frame, message.last)
        case said.SetRange():
            return done.SetRange(message.start, message.stop)
        case said.SetExport():
            return done.SetExport(export_from(message.export))


def _painted(message: said.Paint, project: Project, shown: FrameMasks | None) -> Round:
    size_hw = project.clip.size_hw
    if (message.area.height, message.area.width) != view_size(size_hw):
        height, width = view_size(size_hw)
        raise InputError(
            f"expected an area of {width}x{height} pixels, found {message.area.width}x{message.area.height}"
        )
    area = mask_from_view(decode_runs(message.area.counts, view_size(size_hw)), size_hw)
    before = np.zeros(size_hw, np.bool_) if shown is None else shown.ids == message.object
    mask = {"add": before | area, "erase": before & ~area, "replace": area}[message.mode]
    what = GivenMask.of(mask) if mask.any() else Absence()
    return Round(message.frame, message.object, what)


def export_from(message: said.ExportSettings) -> ExportSettings:
    """Settings of a message."""
    chosen = None if message.objects is None else tuple(message.objects)
    return ExportSettings(tuple(message.formats), chosen, edges_from(message.edges))


def edges_from(message: said.EdgeSettings) -> EdgeControls:
    """Controls of a message."""
    return EdgeControls(**message.model_dump())


# ---- to the page


def rounds_view(rounds: Rounds) -> list[Any]:
    """Rounds as messages."""
    return rounds_to_json(rounds)


def approved_view(project: Project) -> list[said.Approved]:
    """Stretches of approved frames, by object."""
    return [said.Approved(object=i, spans=spans(frames)) for i, frames in sorted(project.approved.items())]


def objects_view(project: Project) -> list[said.ObjectOfProject]:
    """The objects, by rising id."""
    return [
        said.ObjectOfProject(
            id=each.object_id, name=each.name, colour=each.colour, locked=each.locked, hidden=each.hidden
        )
        for each in project.objects
    ]


def export_view(settings: ExportSettings) -> said.ExportSettings:
    """Settings as a message."""
    chosen = None if settings.object_ids is None else list(settings.object_ids)
    return said.ExportSettings(
        formats=list(settings.formats), objects=chosen, edges=said.EdgeSettings(**asdict(settings.edges))
    )


def contradictions_view(rounds: Rounds) -> list[str]:
    """Sentences."""
    return list(contradictions(rounds))


def spans(frames: Iterable[int]) -> list[said.Span]:
    """First and last of each stretch of frames in a row."""
    return [(run.start, run.stop - 1) for run in runs_of(sorted(frames))]


def frame_view(masks: FrameMasks, is_fresh: bool) -> said.FrameView:
    """The masks of a frame at view size."""
    size_hw = view_size((masks.ids.shape[0], masks.ids.shape[1]))
    objects = [
        said.ObjectView(
            object=status.object_id,
            state=status.state,
            confidence=round(status.confidence, 3),
            area=round(float((masks.ids == status.object_id).mean()), 6),
            mask=_rle(masks.ids == status.object_id, size_hw),
        )
        for status in masks.statuses
    ]
    return said.FrameView(frame=masks.index, is_fresh=is_fresh, objects=objects)


def _rle(mask: NDArray[np.bool_], size_hw: tuple[int, int]) -> said.Rle | None:
    if not mask.any():
        return None
    return said.Rle(height=size_hw[0], width=size_hw[1], counts=encode_runs(mask_view(mask, size_hw)))


def suggestion_view(found: Suggestion, project: Project) -> said.SuggestionView:
    """Where to go next, and why."""
    name = project.object(found.object_id).name
    reason = f"{name} is least certain in frame {found.frame}: with {100 * found.doubt:.0f} % it is wrong there"
    return said.SuggestionView(frame=found.frame, object=found.object_id, doubt=round(found.doubt, 3), reason=reason)


def strips_view(project: Project, records: Mapping[int, Record]) -> list[said.Strip]:
    """The strip of each object, from what is known of each frame."""
    known = {frame: record.objects for frame, record in records.items()}
    return [_strip(each.object_id, known, range(project.clip.num_frames)) for each in project.objects]


def _strip(object_id: int, known: Mapping[int, Mapping[int, ObjectSummary]], frames: range) -> said.Strip:
    nothing = ObjectSummary(".", 0, 0)
    row = [known.get(frame, {}).get(object_id, nothing) for frame in frames]
    return said.Strip(
        object=object_id,
        states="".join(each.state[0] for each in row),
        confidence=[round(100 * each.confidence) for each in row],
        area=[round(1000 * each.area) for each in row],
    )
