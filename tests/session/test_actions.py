from __future__ import annotations

from dataclasses import replace

import pytest

from shibori.errors import InputError
from shibori.media.edges import EdgeControls
from shibori.media.rounds import EVERY_OBJECT, Absence, Approval, Removal, Round
from shibori.session.action_json import action_from_json, action_to_json
from shibori.session.actions import (
    ChangeObject,
    RemoveObject,
    Say,
    SetExport,
    SetRange,
    TakeBack,
    Unapprove,
    apply,
    name_of,
    new_object,
    replay,
)
from shibori.session.clip_reference import ClipReference
from shibori.session.project import ExportSettings, Project

from .made import click

CLIP = ClipReference("/clips/dog.mp4", "0" * 64, 12, (24, 32), 25.0)
EMPTY = Project.of(CLIP)


def with_objects(number: int) -> Project:
    project = EMPTY
    for _ in range(number):
        project = apply(project, new_object(project))
    return project


def test_objects_are_added_changed_and_removed():
    project = with_objects(2)
    assert [each.name for each in project.objects] == ["Object 1", "Object 2"]
    assert project.objects[0].colour != project.objects[1].colour
    project = apply(project, ChangeObject(replace(project.objects[0], name="dog", hidden=True)))
    assert project.object(1).name == "dog"
    project = apply(project, Say((click(3, 1),)))
    project = apply(project, RemoveObject(1))
    assert [each.object_id for each in project.objects] == [2]
    assert project.rounds[-1] == Round(0, 1, Removal())
    assert project.next_object_id == 3


def test_an_object_that_was_never_shown_leaves_no_round():
    assert apply(with_objects(1), RemoveObject(1)).rounds == ()


def test_what_is_said_has_to_fit():
    project = with_objects(1)
    for action, sentence in [
        (Say((click(99, 1),)), "frame 99"),
        (Say((click(3, 2),)), "no object 2"),
        (Say((Round(0, 1, Absence()),)), "only ever said to be absent"),
        (Say((Round(0, 1, Removal()),)), "list of objects"),
        (Say(()), "nothing was said"),
        (TakeBack(0), "no round 0"),
        (SetRange(3, 3), "found 3 to 3"),
        (SetRange(0, 13), "found 0 to 13"),
        (Unapprove(1, 0, 3), "not approved"),
        (Unapprove(1, 5, 3), "frames of the clip"),
    ]:
        with pytest.raises(InputError, match=sentence):
            apply(project, action)


def test_nothing_is_said_of_a_locked_object():
    project = apply(with_objects(2), Say((click(3, 1),)))
    project = apply(project, ChangeObject(replace(project.objects[0], locked=True)))
    for action in [Say((click(4, 1),)), RemoveObject(1), TakeBack(0), Unapprove(1, 0, 0)]:
        with pytest.raises(InputError, match="Object 1 is locked"):
            apply(project, action)
    assert apply(project, Say((click(4, 2),))).rounds[-1].object_id == 2


def test_frames_are_approved_and_opened_again():
    project = apply(with_objects(2), Say((click(3, 1), click(3, 2))))
    project = apply(project, Say((Round(2, EVERY_OBJECT, Approval(6)),)))
    assert project.approved == {1: frozenset(range(2, 7)), 2: frozenset(range(2, 7))}
    opened = apply(project, Unapprove(1, 4, 5))
    assert opened.approved == {1: frozenset({2, 3, 6}), 2: frozenset(range(2, 7))}
    assert apply(opened, Unapprove(EVERY_OBJECT, 0, 11)).approved == {}


def test_a_correction_ends_an_approval():
    project = apply(with_objects(1), Say((click(3, 1),)))
    project = apply(project, Say((Round(2, 1, Approval(6)),)))
    assert apply(project, Say((click(4, 1, is_object=False),))).approved == {1: frozenset({2, 3, 5, 6})}


def test_a_mark_is_taken_back():
    project = apply(with_objects(1), Say((click(3, 1), click(5, 1))))
    assert apply(project, TakeBack(0)).rounds == (click(5, 1),)
    assert apply(apply(project, TakeBack(0)), TakeBack(0)).rounds == ()


def test_actions_as_json_are_equal_actions():
    project = with_objects(1)
    settings = ExportSettings(("palette", "prores"), (1,), EdgeControls(choke=1.5))
    actions = [
        new_object(project, "dog", "#00ff00"),
        ChangeObject(replace(project.objects[0], locked=True)),
        RemoveObject(1),
        Say((click(3, 1), Round(4, 1, Absence(7)))),
        TakeBack(0),
        Unapprove(0, 1, 2),
        SetRange(2, 9),
        SetExport(settings),
    ]
    assert [action_from_json(action_to_json(each)) for each in actions] == actions
    assert all(name_of(each) for each in actions)
    with pytest.raises(InputError, match="expected an action"):
        action_from_json({"kind": "explode"})


def test_replay_gives_what_the_actions_gave():
    first = new_object(EMPTY)
    actions = [first, Say((click(3, 1),)), SetRange(1, 9)]
    project = EMPTY
    for action in actions:
        project = apply(project, action)
    assert replay(EMPTY, actions) == project
