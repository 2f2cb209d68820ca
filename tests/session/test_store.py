from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from shibori.errors import InputError
from shibori.media.mask import FrameMasks, ObjectStatus
from shibori.session import pack
from shibori.session.actions import Say, SetRange, new_object
from shibori.session.database import VERSION
from shibori.session.freshness import frame_keys
from shibori.session.store import KEPT_RESULTS, ProjectStore

from .made import NUM_FRAMES, SIZE_HW, click, make_clip, make_store


@pytest.fixture
def store(tmp_path):
    with make_store(tmp_path) as store:
        yield store


def begin(store: ProjectStore) -> ProjectStore:
    store.do(new_object(store.project))
    store.do(Say((click(3),)))
    return store


def some_masks(frame: int, value: int = 1) -> FrameMasks:
    ids = np.zeros(SIZE_HW, np.uint8)
    ids[2:9, 3:10] = value
    return FrameMasks(frame, ids, (ObjectStatus(value, 0.75, "tracked"),))


def say_without_end(store: ProjectStore) -> None:
    while True:
        store.do(Say(tuple(click(n % NUM_FRAMES) for n in range(400))))


def test_everything_is_there_after_a_restart(store):
    project = begin(store).project
    store.close()
    with ProjectStore(store.folder) as again:
        assert again.project == project
        assert again.undo_name == "mark"


def test_undo_and_redo_without_end_and_across_restarts(store):
    begin(store)
    states = [store.project]
    for start in range(1, 9):
        states.append(store.do(SetRange(start, NUM_FRAMES)))
    for state in reversed(states[:-1]):
        assert store.undo() == state
    store.close()
    with ProjectStore(store.folder) as again:
        assert again.redo_name == "range"
        for state in states[1:]:
            assert again.redo() == state
        with pytest.raises(InputError, match="nothing that was taken back"):
            again.redo()


def test_a_new_action_cuts_off_what_was_undone(store):
    begin(store)
    store.undo()
    store.do(SetRange(0, 5))
    assert store.redo_name is None
    assert store.undo_name == "range"
    store.undo()
    store.undo()
    with pytest.raises(InputError, match="nothing to take back"):
        store.undo()


def test_an_action_that_does_not_fit_changes_nothing(store):
    before, revision = begin(store).project, store.revision
    with pytest.raises(InputError, match="frame 99"):
        store.do(Say((click(99),)))
    assert (store.project, store.revision) == (before, revision)


def test_one_writes_and_the_other_sees_it_live(store):
    begin(store)
    with ProjectStore(store.folder) as other:
        assert not other.is_writer
        with pytest.raises(InputError, match="another program is at work"):
            other.undo()
        assert not other.refresh()
        store.do(Say((click(7),)))
        store.save_masks([("key", some_masks(7))])
        assert other.refresh()
        assert other.project == store.project
        assert other.masks(7, "key") is not None
        store.close()
        assert other.become_writer()
        assert len(other.undo().rounds) == 1


def test_a_moved_clip_is_asked_for(store, tmp_path):
    begin(store)
    (tmp_path / "clip").rename(tmp_path / "moved")
    with pytest.raises(InputError, match=r"not at .*clip any more: .* --clip PATH"):
        store.project.clip.opened()
    make_clip(tmp_path / "clip", 3)
    with pytest.raises(InputError, match="has changed"):
        store.project.clip.opened()
    with pytest.raises(InputError, match="is not the clip of this project"):
        store.move_clip(tmp_path / "clip")
    store.move_clip(tmp_path / "moved")
    store.close()
    with ProjectStore(store.folder) as again:
        assert again.project.clip.opened().num_frames == NUM_FRAMES
        assert len(again.project.rounds) == 1


def test_masks_are_kept_by_what_they_depend_on(store):
    keys = frame_keys(begin(store).project.rounds, NUM_FRAMES)
    store.save_masks([(keys[index], some_masks(index)) for index in (2, 3, 4)])
    store.close()
    with ProjectStore(store.folder) as again:
        assert again.frames_with(keys) == [2, 3, 4]
        found = again.masks(3, keys[3])
        assert (found.ids == some_masks(3).ids).all()
        assert found.statuses == some_masks(3).statuses
        assert again.masks(3, "other") is None
        assert again.masks(3) is not None
        assert again.masks(5) is None


def test_old_masks_go(store):
    for number in range(KEPT_RESULTS + 3):
        store.save_masks([(f"key {number}", some_masks(3, number + 1))])
    assert store.masks(3, "key 2") is None
    assert store.masks(3, "key 3").ids.max() == 4
    store.close()
    with ProjectStore(store.folder) as again:
        assert again.masks(3, "key 2") is None
        assert again.masks(3).ids.max() == KEPT_RESULTS + 3


def test_files_of_masks_that_nothing_leads_to_are_removed(store, monkeypatch):
    monkeypatch.setattr(pack, "LARGEST_PACK", 10)
    for number in range(KEPT_RESULTS + 2):
        store.save_masks([(f"key {number}", some_masks(3))])
    store.close()
    with ProjectStore(store.folder) as again:
        assert len(again.packs.numbers()) == KEPT_RESULTS


def test_damaged_masks_say_what_to_do(store):
    store.save_masks([("key", some_masks(3))])
    path = store.packs.path(1)
    path.write_bytes(path.read_bytes()[:-3] + b"???")
    with pytest.raises(InputError, match="damaged: run shibori project repair"):
        store.masks(3, "key")


def test_a_full_disk_is_one_sentence_and_nothing_is_lost(store, monkeypatch):
    before = begin(store).project

    def full(path: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pack, "append_durably", full)
    with pytest.raises(InputError, match="disk is full: free some space"):
        store.save_masks([("key", some_masks(3))])
    with store._engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(InputError, match="disk is full"):
        say_without_end(store)
    assert store.project.rounds[:1] == before.rounds
    project = store.project
    store.close()
    with ProjectStore(store.folder) as again:
        assert again.project == project


def test_folders_without_a_project_and_of_versions_to_come(store, tmp_path):
    with pytest.raises(InputError, match="there is no project in"):
        ProjectStore(tmp_path)
    with pytest.raises(InputError, match="there is a project in"):
        ProjectStore.create(store.folder, make_clip(tmp_path / "clip"))
    store.close()
    with sqlite3.connect(store.path) as connection:
        connection.execute("UPDATE facts SET value = ? WHERE name = 'version'", (str(VERSION + 1),))
    connection.close()
    with pytest.raises(InputError, match="update shibori"):
        ProjectStore(store.folder)
    store.path.write_bytes(b"nothing of the kind" * 100)
    for name in ("-wal", "-shm"):
        store.path.with_name(store.path.name + name).unlink(missing_ok=True)
    with pytest.raises(InputError, match="is damaged"):
        ProjectStore(store.folder)


WORK = """
    import sys
    from pathlib import Path
    from shibori.session.actions import SetRange
    from shibori.session.store import ProjectStore

    store = ProjectStore(Path(sys.argv[1]))
    for number in range(1, 10**6):
        store.do(SetRange(number % 7, 8 + number % 4))
        print(number, flush=True)
"""


@pytest.mark.parametrize("acknowledged", [1, 17])
def test_a_killed_process_loses_nothing_that_was_acknowledged(store, acknowledged):
    store.close()
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(WORK), str(store.folder)], stdout=subprocess.PIPE, text=True
    ) as worker:
        for line in worker.stdout:
            if int(line) >= acknowledged:
                os.kill(worker.pid, signal.SIGKILL)
                break
        last = max([acknowledged, *map(int, worker.stdout.read().split())])
    with ProjectStore(store.folder) as again:
        assert again.is_writer
        assert len(again.actions) in (last, last + 1)
