"""``shibori project`` and ``shibori studio``, up to where a server would begin."""

from __future__ import annotations

import json

import pytest

import shibori.systems as systems
from shibori.media.mask import read_ids
from shibori.media.reader import read_clip
from shibori.session.actions import Say, new_object
from shibori.session.store import ProjectStore

from ..session.made import Boxes, click
from .conftest import NUM_FRAMES


@pytest.fixture
def project(place, monkeypatch):
    """With one object, of which no masks are made yet."""
    monkeypatch.setattr(systems, "INTERACTIVE_SEGMENTERS", {"interactive": lambda **options: Boxes()})
    with ProjectStore.create(place / "clip.shibori", read_clip("clip.mp4")) as store:
        store.do(new_object(store.project, "dog"))
        store.do(Say((click(3),)))
    return place / "clip.shibori"


def test_info(shibori, project):
    result = shibori("project info clip.shibori --json")
    assert result.exit_code == 0, result.stderr
    summary = json.loads(result.stdout)
    assert summary["objects"] == ["dog"]
    assert summary["frames_to_do"] == NUM_FRAMES
    assert "undo              mark" in shibori("project info clip.shibori").stdout


def test_export_makes_what_is_missing(shibori, project):
    result = shibori("project export clip.shibori --out masks")
    assert result.exit_code == 0, result.stderr
    assert read_ids(project.parent / "masks/00003.png").max() == 1
    assert json.loads(shibori("project info clip.shibori --json").stdout)["frames_to_do"] == 0
    result = shibori("project export clip.shibori --out more --format rle --format binary")
    assert result.exit_code == 0, result.stderr
    assert (project.parent / "more/masks.json").exists()


def test_verify_and_repair(shibori, project):
    assert shibori("project verify clip.shibori").stdout == "clip.shibori is well\n"
    assert "nothing to mend" in shibori("project repair clip.shibori").stdout
    (project.parent / "clip.mp4").rename(project.parent / "moved.mp4")
    result = shibori("project verify clip.shibori")
    assert result.exit_code == 2
    assert "--clip PATH" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("project info nowhere", "there is no project in nowhere"),
        ("studio nowhere.mp4", "there is no file or folder nowhere.mp4"),
        ("studio --host 0.0.0.0 --token short", "at least 16 characters"),
        ("studio clip.shibori --clip first.png", "is not the clip of this project"),
    ],
)
def test_what_is_wrong_is_one_sentence(shibori, project, arguments, sentence):
    result = shibori(arguments)
    assert result.exit_code == 2
    assert sentence in result.stderr
    assert result.stderr.count("\n") == 1
