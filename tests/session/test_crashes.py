"""Any row of actions, undos, redos and crashes, at any write, ends in what the acknowledged ones come to."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from shibori.errors import InputError
from shibori.media.mask import FrameMasks
from shibori.media.rounds import Absence, Approval, Round
from shibori.session import pack
from shibori.session.actions import ChangeObject, RemoveObject, Say, SetRange, TakeBack, Unapprove, apply, new_object
from shibori.session.project import Project
from shibori.session.store import ProjectStore

from .made import NUM_FRAMES, SIZE_HW, click, make_store

FRAMES = st.integers(0, NUM_FRAMES - 1)
STEPS = st.one_of(
    st.just(("add",)),
    st.tuples(st.just("click"), FRAMES, st.integers(1, 3), st.booleans()),
    st.tuples(st.just("absent"), FRAMES, st.integers(1, 3)),
    st.tuples(st.just("approve"), FRAMES, st.integers(0, 3)),
    st.tuples(st.just("unapprove"), FRAMES, st.integers(0, 3)),
    st.tuples(st.just("lock"), st.integers(1, 3)),
    st.tuples(st.just("remove"), st.integers(1, 3)),
    st.tuples(st.just("take back"), st.integers(0, 4)),
    st.tuples(st.just("range"), FRAMES, FRAMES),
    st.tuples(st.just("masks"), FRAMES),
    st.just(("undo",)),
    st.just(("undo",)),
    st.just(("redo",)),
)
CRASHES = st.none() | st.integers(0, 5)
"""At which write a step crashes, if it comes that far."""


class Crash(Exception):
    """The process is gone."""


class FragileDisk:
    """Counts writes, and fails at one of them, before or in the midst of it."""

    def __init__(self) -> None:
        self.left: int | None = None

    def write(self) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise Crash


@contextmanager
def fragile(store: ProjectStore, disk: FragileDisk, append) -> Iterator[None]:
    """Every statement, every commit and every append may be the last one."""
    event.listen(store._engine, "before_cursor_execute", lambda *_: disk.write())
    event.listen(store._engine, "commit", lambda *_: disk.write())

    def append_durably(path: Path, data: bytes) -> int:
        try:
            disk.write()
        except Crash:
            append(path, data[: len(data) // 2])
            raise
        return append(path, data)

    pack.append_durably = append_durably
    try:
        yield
    finally:
        pack.append_durably = append


class Model:
    """What the acknowledged steps come to, kept as plainly as can be: all states, and where one is."""

    def __init__(self, project: Project) -> None:
        self.states, self.place = [project], 0
        self.masks: dict[int, FrameMasks] = {}

    def action_of(self, step):
        project = self.states[self.place]
        match step:
            case ("add",):
                return new_object(project)
            case ("click", frame, object_id, is_object):
                return Say((click(frame, object_id, is_object=is_object),))
            case ("absent", frame, object_id):
                return Say((Round(frame, object_id, Absence()),))
            case ("approve", frame, object_id):
                return Say((Round(frame, object_id, Approval()),))
            case ("unapprove", frame, object_id):
                return Unapprove(object_id, frame, frame)
            case ("lock", object_id):
                each = next((o for o in project.objects if o.object_id == object_id), None)
                return None if each is None else ChangeObject(replace(each, locked=not each.locked))
            case ("remove", object_id):
                return RemoveObject(object_id)
            case ("take back", index):
                return TakeBack(index)
            case ("range", start, stop):
                return SetRange(start, stop)
        return None

    def after(self, step) -> tuple[list[Project], int]:
        """InputError where the step does not fit."""
        if step == ("undo",) or step == ("redo",):
            place = self.place + (1 if step == ("redo",) else -1)
            if not 0 <= place < len(self.states):
                raise InputError("nowhere")
            return self.states, place
        action = self.action_of(step)
        if action is None:
            raise InputError("nothing")
        return [*self.states[: self.place + 1], apply(self.states[self.place], action)], self.place + 1


def carry_out(store: ProjectStore, model: Model, step) -> None:
    if step == ("undo",):
        store.undo()
    elif step == ("redo",):
        store.redo()
    else:
        store.do(model.action_of(step))


def masks_of(frame: int, number: int) -> FrameMasks:
    ids = np.zeros(SIZE_HW, np.uint8)
    ids[number % 20 :, frame:] = 1
    return FrameMasks(frame, ids)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(STEPS, CRASHES), min_size=3, max_size=14))
def test_what_was_acknowledged_is_there(steps):
    folder, disk, append = Path(tempfile.mkdtemp()), FragileDisk(), pack.append_durably
    store = make_store(folder)
    model = Model(store.project)
    try:
        for number, (step, crash) in enumerate(steps):
            store = one_step(store, model, disk, append, (step, crash, number))
        check(store, model)
        store.close()
        check(ProjectStore(store.folder), model)
    finally:
        store.close()
        shutil.rmtree(folder)


def one_step(store, model, disk, append, what) -> ProjectStore:
    step, crash, number = what
    disk.left = crash
    with fragile(store, disk, append):
        try:
            if step[0] == "masks":
                store.save_masks([("key", masks_of(step[1], number))])
                model.masks[step[1]] = masks_of(step[1], number)
            else:
                after = model.after(step)
                carry_out(store, model, step)
                model.states, model.place = after
        except InputError:
            return store
        except Crash:
            disk.left = None
            return restarted(store, model, step, number)
        finally:
            disk.left = None
    return store


def restarted(store: ProjectStore, model: Model, step, number: int) -> ProjectStore:
    """Open it again. What was under way may have come to the disk or not, but not in part."""
    store.close()
    store = ProjectStore(store.folder)
    if step[0] == "masks":
        found = store.masks(step[1], "key")
        if found is not None and (found.ids == masks_of(step[1], number).ids).all():
            model.masks[step[1]] = masks_of(step[1], number)
    else:
        states, place = model.after(step)
        if store.project == states[place]:
            model.states, model.place = states, place
    return store


def check(store: ProjectStore, model: Model) -> None:
    assert store.project == model.states[model.place]
    assert store.undo_name is None or model.place > 0
    assert (store.redo_name is not None) == (model.place < len(model.states) - 1)
    for frame, masks in model.masks.items():
        assert (store.masks(frame, "key").ids == masks.ids).all()
    places = range(model.place - 1, -1, -1)
    for place in places:
        assert store.undo() == model.states[place]
    for _ in places:
        store.redo()
    with pytest.raises(InputError):
        ProjectStore(store.folder / "elsewhere")
