from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from shibori.errors import InputError
from shibori.session.actions import Say, SetRange, new_object
from shibori.session.health import faults, repair
from shibori.session.kept import write_kept
from shibori.session.propagation import bring_up_to_date
from shibori.session.store import ProjectStore, PropagationJob

from .made import NUM_FRAMES, Boxes, click, make_store


@pytest.fixture
def store(tmp_path):
    with make_store(tmp_path) as store:
        store.do(new_object(store.project))
        store.do(Say((click(3),)))
        for stop in (6, 7, 8):
            store.do(SetRange(2, stop))
        job = PropagationJob(3, 2, 7)
        list(bring_up_to_date(store, Boxes(store.project.clip.opened()), job))
        yield store


def test_a_project_that_is_well(store):
    store.close()
    assert faults(store.folder) == []
    assert repair(store.folder) == []


def test_damaged_masks_are_found_and_dropped(store):
    store.close()
    path = store.packs.path(1)
    path.write_bytes(path.read_bytes()[:-8] + b"........")
    assert "the masks of 1 frames are damaged" in faults(store.folder)[0]
    assert "are dropped" in repair(store.folder)[0]
    assert faults(store.folder) == []


def test_a_clip_that_is_gone_is_a_fault(store, tmp_path):
    store.close()
    (tmp_path / "clip").rename(tmp_path / "moved")
    assert "--clip PATH" in faults(store.folder)[0]


def test_a_damaged_database_is_saved_as_far_as_it_can_be_read(store):
    store.close()
    with closing(sqlite3.connect(store.path)) as connection, connection:
        connection.execute("DROP TABLE results")
        connection.execute("UPDATE actions SET content = 'noise' WHERE position = 3")
    assert "is damaged" in faults(store.folder)[0]
    assert "3 actions are saved" in repair(store.folder)[0]
    with ProjectStore(store.folder) as again:
        assert again.project.rounds == (click(3),)
        assert again.project.span == range(2, 6)
    assert faults(store.folder) == []


def test_what_is_no_database_cannot_be_saved(store, tmp_path):
    store.close()
    store.path.write_bytes(b"noise" * 1000)
    with pytest.raises(InputError, match=r"nothing of .* can be saved"):
        repair(store.folder)
    with pytest.raises(InputError, match="there is no project"):
        faults(tmp_path)


def test_masks_as_one_file(store, tmp_path):
    from shibori.media.kept_masks import KeptMasks

    clip = store.project.clip.opened()
    write_kept(store, clip, tmp_path / "masks.shibori")
    kept = KeptMasks(tmp_path / "masks.shibori")
    assert kept.frames == list(range(2, 8))
    assert kept.object_ids == (1,)
    store.do(SetRange(0, NUM_FRAMES))
    with pytest.raises(InputError, match="6 of 12 frames are not up to date"):
        write_kept(store, clip, tmp_path / "masks.shibori")
