from __future__ import annotations

import json
from dataclasses import replace

from shibori.media.rounds import Approval, Round
from shibori.session.actions import ChangeObject, Say, SetRange, apply, new_object
from shibori.session.clip_reference import ClipReference
from shibori.session.doubt import least_certain
from shibori.session.pack import Record
from shibori.session.project import Project

from .made import click

CLIP = ClipReference("/clips/dog.mp4", "0" * 64, 12, (24, 32), 25.0)


def project_of_two() -> Project:
    project = Project.of(CLIP)
    for _ in range(2):
        project = apply(project, new_object(project))
    return apply(project, Say((click(0, 1), click(0, 2))))


def record(*objects) -> Record:
    return Record(1, 0, 0, 0, json.dumps([[*each, 0.1] for each in objects]))


RECORDS = {
    1: record((1, "tracked", 0.9), (2, "tracked", 0.8)),
    2: record((1, "lost", 0.3), (2, "tracked", 0.7)),
    3: record((1, "absent", 0.0), (2, "tracked", 0.5)),
}


def test_the_least_certain_comes_first():
    project = project_of_two()
    assert least_certain(project, RECORDS, [1, 2, 3])[:2] == (2, 1)
    assert least_certain(project, RECORDS, [1, 3])[:2] == (3, 2)
    assert least_certain(project, RECORDS, []) is None


def test_what_needs_no_correction_is_left_out():
    project = project_of_two()
    approved = apply(project, Say((Round(2, 1, Approval()),)))
    assert least_certain(approved, RECORDS, [1, 2, 3])[:2] == (3, 2)
    locked = apply(project, ChangeObject(replace(project.objects[0], locked=True)))
    assert least_certain(locked, RECORDS, [1, 2])[:2] == (2, 2)
    assert least_certain(apply(project, SetRange(0, 2)), RECORDS, [1, 2, 3])[:2] == (1, 2)
