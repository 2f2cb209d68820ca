"""Where a correction would help most, as far as the masks that are kept tell: no network is asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from shibori.interfaces import Suggestion
from shibori.session.pack import Record
from shibori.session.project import Project


def least_certain(project: Project, records: Mapping[int, Record], fresh: Iterable[int]) -> Suggestion | None:
    """The frame and object of the least confidence, the first of several.

    Args:
        project: what is locked or approved in it needs no correction, nor does what is not in its range.
        records: of frames, see ``ProjectStore.records``.
        fresh: the frames whose masks are up to date.

    Returns:
        None where no frame is left.
    """
    approved = project.approved
    open_ids = {each.object_id for each in project.objects if not each.locked}
    doubts = [
        Suggestion(frame, object_id, 1 - summary.confidence)
        for frame in fresh
        if frame in project.span and frame in records
        for object_id, summary in records[frame].objects.items()
        if object_id in open_ids and summary.state != "absent" and frame not in approved.get(object_id, ())
    ]
    found = max(doubts, key=lambda each: (each.doubt, -each.frame), default=None)
    return None if found is None or found.doubt <= 0 else found
