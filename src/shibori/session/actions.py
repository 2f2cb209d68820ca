"""All that a person can do to a project, as frozen values; and what each of them makes of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import reduce, singledispatch

from shibori.errors import InputError
from shibori.media.rounds import EVERY_OBJECT, Approval, Removal, Round, Rounds, check_rounds, known_objects
from shibori.session.project import COLOURS, ExportSettings, Project, ProjectObject


@dataclass(frozen=True)
class AddObject:
    """There is one more object, of which nothing is said yet."""

    object: ProjectObject


@dataclass(frozen=True)
class ChangeObject:
    """An object is called, drawn or locked otherwise."""

    object: ProjectObject


@dataclass(frozen=True)
class RemoveObject:
    """There is no such object."""

    object_id: int


@dataclass(frozen=True)
class Say:
    """Something is said of the clip: one round, or several in one go."""

    rounds: Rounds


@dataclass(frozen=True)
class TakeBack:
    """One of the rounds was not meant."""

    index: int


@dataclass(frozen=True)
class Unapprove:
    """Some frames in a row are open to corrections again."""

    object_id: int
    """EVERY_OBJECT: of all objects."""
    first: int
    last: int


@dataclass(frozen=True)
class SetRange:
    """The frames that are worked on."""

    start: int
    stop: int


@dataclass(frozen=True)
class SetExport:
    """What an export writes."""

    export: ExportSettings


Action = AddObject | ChangeObject | RemoveObject | Say | TakeBack | Unapprove | SetRange | SetExport


def new_object(project: Project, name: str | None = None, colour: str | None = None) -> AddObject:
    """One more object, with an id that was never used and a colour apart from the others'."""
    object_id = project.next_object_id
    chosen = colour or COLOURS[(object_id - 1) % len(COLOURS)]
    return AddObject(ProjectObject(object_id, name or f"Object {object_id}", chosen))


def apply(project: Project, action: Action) -> Project:
    """The project after an action.

    Raises:
        InputError: the action does not fit the project: then nothing is changed.
    """
    changed = _applied(action, project)
    if changed.rounds and changed.rounds is not project.rounds:
        check_rounds(changed.rounds, project.clip.num_frames, project.clip.size_hw)
    return changed


def replay(project: Project, actions: Iterable[Action]) -> Project:
    """The project after actions that were applied before: what was found right then is not looked at again."""
    return reduce(lambda state, action: _applied(action, state), actions, project)


def name_of(action: Action) -> str:
    """What was done, in a few words: after "undo: "."""
    if isinstance(action, Say):
        return ", ".join(sorted({each.name.removeprefix("a ").removeprefix("an ") for each in action.rounds}))
    names: dict[type, str] = {
        AddObject: "add object",
        ChangeObject: "change object",
        RemoveObject: "remove object",
        TakeBack: "take back a mark",
        Unapprove: "open approved frames",
        SetRange: "range",
    }
    return names.get(type(action), "export settings")


@singledispatch
def _applied(action: Action, project: Project) -> Project:
    raise TypeError(f"expected an action, got {type(action).__name__}")


@_applied.register
def _(action: AddObject, project: Project) -> Project:
    new = action.object
    if any(each.object_id == new.object_id for each in project.objects):
        raise InputError(f"object {new.object_id} is there already: give another id")
    return replace(project, objects=tuple(sorted((*project.objects, new), key=lambda each: each.object_id)))


@_applied.register
def _(action: ChangeObject, project: Project) -> Project:
    new = action.object
    project.object(new.object_id)
    changed = (new if each.object_id == new.object_id else each for each in project.objects)
    return replace(project, objects=tuple(changed))


@_applied.register
def _(action: RemoveObject, project: Project) -> Project:
    _check_open(project, action.object_id)
    left = tuple(each for each in project.objects if each.object_id != action.object_id)
    removal = Round(0, action.object_id, Removal())
    known = action.object_id in known_objects(project.rounds)
    return replace(project, objects=left, rounds=(*project.rounds, removal) if known else project.rounds)


@_applied.register
def _(action: Say, project: Project) -> Project:
    if not action.rounds:
        raise InputError("nothing was said: expected at least one round")
    for each in action.rounds:
        if each.object_id == EVERY_OBJECT:
            continue
        if isinstance(each.what, Removal):
            raise InputError("an object is removed as a whole: remove it from the list of objects")
        _check_open(project, each.object_id)
    return replace(project, rounds=(*project.rounds, *action.rounds))


@_applied.register
def _(action: TakeBack, project: Project) -> Project:
    if not 0 <= action.index < len(project.rounds):
        raise InputError(f"there is no round {action.index}: {len(project.rounds)} are there, numbered from 0")
    taken = project.rounds[action.index]
    if isinstance(taken.what, Removal):
        raise InputError("an object that was removed comes back by undo alone")
    if taken.object_id != EVERY_OBJECT:
        _check_open(project, taken.object_id)
    return replace(project, rounds=project.rounds[: action.index] + project.rounds[action.index + 1 :])


@_applied.register
def _(action: Unapprove, project: Project) -> Project:
    if not 0 <= action.first <= action.last < project.clip.num_frames:
        raise InputError(f"expected frames of the clip in a row, found {action.first} to {action.last}")
    if action.object_id != EVERY_OBJECT:
        _check_open(project, action.object_id)
    rounds = tuple(
        part
        for index, each in enumerate(project.rounds)
        for one in _one_by_one(project.rounds, index, action)
        for part in _without_approval(one, action)
    )
    if rounds == project.rounds:
        raise InputError(f"frames {action.first} to {action.last} are not approved")
    return replace(project, rounds=rounds)


@_applied.register
def _(action: SetRange, project: Project) -> Project:
    if not 0 <= action.start < action.stop <= project.clip.num_frames:
        raise InputError(
            f"expected a range within the {project.clip.num_frames} frames of the clip, found {action.start} to "
            f"{action.stop}"
        )
    return replace(project, start=action.start, stop=action.stop)


@_applied.register
def _(action: SetExport, project: Project) -> Project:
    return replace(project, export=action.export)


def _check_open(project: Project, object_id: int) -> None:
    """InputError where the object is not there, or locked."""
    each = project.object(object_id)
    if each.locked:
        raise InputError(f"{each.name} is locked: unlock it first")


def _one_by_one(rounds: Rounds, index: int, action: Unapprove) -> Rounds:
    """A round; an approval of all objects as one for each of them, where one of them is to be opened."""
    each = rounds[index]
    of_all = isinstance(each.what, Approval) and each.object_id == EVERY_OBJECT
    if not of_all or action.object_id == EVERY_OBJECT or not set(each.frames) & set(_frames(action)):
        return (each,)
    return tuple(replace(each, object_id=object_id) for object_id in known_objects(rounds[:index]))


def _without_approval(each: Round, action: Unapprove) -> Rounds:
    """An approval without some of its frames, in up to two parts; any other round as it is."""
    is_meant = action.object_id in (EVERY_OBJECT, each.object_id)
    if not isinstance(each.what, Approval) or not is_meant or not set(each.frames) & set(_frames(action)):
        return (each,)
    before = (replace(each, what=Approval(action.first - 1)),) if each.frame < action.first else ()
    after = (replace(each, frame=action.last + 1, what=Approval(each.last)),) if each.last > action.last else ()
    return (*before, *after)


def _frames(action: Unapprove) -> range:
    return range(action.first, action.last + 1)
