"""Actions as plain values, which JSON can hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from shibori.errors import InputError
from shibori.media.edges import EdgeControls
from shibori.media.rounds import rounds_from_json, rounds_to_json
from shibori.session.actions import (
    Action,
    AddObject,
    ChangeObject,
    RemoveObject,
    Say,
    SetExport,
    SetRange,
    TakeBack,
    Unapprove,
)
from shibori.session.project import ExportSettings, ProjectObject


def action_to_json(action: Action) -> dict[str, Any]:
    """What ``action_from_json`` turns back into an equal action."""
    kind = next(name for name, action_class in _CLASSES.items() if type(action) is action_class)
    if isinstance(action, Say):
        return {"kind": kind, "rounds": rounds_to_json(action.rounds)}
    return {"kind": kind, **asdict(action)}


def action_from_json(content: Mapping[str, Any]) -> Action:
    """What ``action_to_json`` gave. InputError where it is something else."""
    try:
        return _READERS[content["kind"]](content)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"expected an action as shibori writes them, found something else: {error}") from error


_CLASSES: dict[str, type[Action]] = {
    "add_object": AddObject,
    "change_object": ChangeObject,
    "remove_object": RemoveObject,
    "say": Say,
    "take_back": TakeBack,
    "unapprove": Unapprove,
    "set_range": SetRange,
    "set_export": SetExport,
}
_READERS: dict[str, Callable[[Mapping[str, Any]], Action]] = {
    "add_object": lambda content: AddObject(ProjectObject(**content["object"])),
    "change_object": lambda content: ChangeObject(ProjectObject(**content["object"])),
    "remove_object": lambda content: RemoveObject(content["object_id"]),
    "say": lambda content: Say(rounds_from_json(content["rounds"])),
    "take_back": lambda content: TakeBack(content["index"]),
    "unapprove": lambda content: Unapprove(content["object_id"], content["first"], content["last"]),
    "set_range": lambda content: SetRange(content["start"], content["stop"]),
    "set_export": lambda content: SetExport(_export_settings(content["export"])),
}


def _export_settings(content: Mapping[str, Any]) -> ExportSettings:
    chosen = content["object_ids"]
    edges = EdgeControls(**content["edges"])
    return ExportSettings(tuple(content["formats"]), None if chosen is None else tuple(chosen), edges)
