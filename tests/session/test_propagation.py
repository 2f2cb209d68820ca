from __future__ import annotations

import sqlite3

import pytest

from shibori.errors import InputError
from shibori.media.rounds import Approval, Round
from shibori.session.actions import Say, new_object
from shibori.session.freshness import frame_keys
from shibori.session.propagation import bring_up_to_date, nearest_first, runs_of
from shibori.session.store import ProjectStore, PropagationJob

from .made import NUM_FRAMES, Boxes, click, make_store

ALL = PropagationJob(3, 0, NUM_FRAMES - 1)


@pytest.fixture
def store(tmp_path):
    with make_store(tmp_path) as store:
        store.do(new_object(store.project))
        store.do(Say((click(3),)))
        yield store


def computed(store: ProjectStore, job: PropagationJob = ALL) -> list[int]:
    interaction = Boxes(store.project.clip.opened())
    list(bring_up_to_date(store, interaction, job))
    return interaction.looked_at


def test_frames_come_from_where_somebody_looks_and_are_kept(store):
    assert computed(store)[:3] == [3, 2, 4]
    keys = frame_keys(store.project.rounds, NUM_FRAMES)
    assert store.frames_with(keys) == list(range(NUM_FRAMES))
    assert computed(store) == []


def test_only_what_a_new_round_made_out_of_date_is_computed_again(store):
    store.do(Say((click(9),)))
    computed(store)
    store.do(Say((Round(5, 1, Approval()),)))
    computed(store)
    store.do(Say((click(10),)))
    assert sorted(computed(store)) == [10, 11]
    store.undo()
    assert computed(store) == []


def test_one_way(store):
    assert sorted(computed(store, PropagationJob(3, 3, 6))) == [3, 4, 5, 6]


def test_what_was_left_goes_on_after_a_restart(store):
    clip = store.project.clip.opened()
    masks = bring_up_to_date(store, Boxes(clip), ALL)
    begun = [next(masks).index for _ in range(4)]
    masks.close()
    store.close()
    with ProjectStore(store.folder) as again:
        assert again.job == ALL
        assert sorted(computed(again, again.job)) == sorted(set(range(NUM_FRAMES)) - set(begun))
        assert again.job is None


def test_progress_is_reported(store):
    told = []
    list(
        bring_up_to_date(store, Boxes(store.project.clip.opened()), ALL, lambda done, total: told.append((done, total)))
    )
    assert told == [(done, NUM_FRAMES) for done in range(1, NUM_FRAMES + 1)]


def test_there_has_to_be_a_mark(store):
    store.undo()
    with pytest.raises(InputError, match="nowhere"):
        computed(store)
    assert store.job is None


def test_stretches_of_frames():
    runs = runs_of([0, 1, 4, 8, 9])
    assert runs == [range(2), range(4, 5), range(8, 10)]
    assert nearest_first(runs, 7) == [range(8, 10), range(4, 5), range(2)]
    assert nearest_first(runs, 1) == runs
    assert runs_of([]) == []


def test_a_project_of_the_first_version_is_brought_up_to_date(store):
    project = store.project
    store.save_masks([("key", Boxes(project.clip.opened()).preview(project.rounds, 3))])
    assert store.records()[3].objects[1][:2] == ("tracked", 0.9)
    store.close()
    connection = sqlite3.connect(store.path)
    with connection:  # as version 1 was
        connection.execute("DELETE FROM facts WHERE name = 'job'")
        connection.execute("ALTER TABLE results DROP COLUMN summary")
        connection.execute("UPDATE facts SET value = '1' WHERE name = 'version'")
    connection.close()
    with ProjectStore(store.folder) as again:
        assert again.project == project
        assert again.job is None
        assert again.masks(3, "key") is not None
        assert again.records()[3].objects == {}
        again.set_job(ALL)
