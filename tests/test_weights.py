"""Where weights are found, and shipped files that are not what they were."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from shibori import weights
from shibori.errors import InputError

NAME = "pixel-compact.safetensors"


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package folder with one weights file and its manifest."""
    (tmp_path / NAME).write_bytes(b"numbers" * 1000)
    digest = hashlib.sha256(b"numbers" * 1000).hexdigest()
    (tmp_path / "manifest.json").write_text(json.dumps({NAME: digest}))
    monkeypatch.setattr(weights, "SHIPPED", tmp_path)
    monkeypatch.setattr(weights, "MANIFEST", tmp_path / "manifest.json")
    return tmp_path


def test_shipped_weights_are_found_by_name(shipped: Path):
    assert list(weights.shipped_weights()) == [NAME]
    assert weights.locate_weights("pixel", "compact") == shipped / NAME


@pytest.mark.parametrize("damage", [lambda p: p.unlink(), lambda p: p.write_bytes(b"numbers" * 999 + b"number5")])
def test_a_shipped_file_that_changed_is_refused(shipped: Path, damage):
    damage(shipped / NAME)
    with pytest.raises(InputError, match="missing or damaged"):
        weights.locate_weights("pixel", "compact")


def test_a_preset_that_does_not_ship_says_how_to_get_it(shipped: Path):
    with pytest.raises(InputError, match="shibori train pixel --preset tiny"):
        weights.locate_weights("pixel", "tiny")


def test_a_tracker_that_does_not_ship_says_how_to_get_it(shipped: Path):
    with pytest.raises(InputError, match=r"shibori train trackers --preset compact.* with --tracker-weights"):
        weights.locate_weights("siamese", "compact")


def test_a_version_without_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(weights, "MANIFEST", tmp_path / "manifest.json")
    assert weights.shipped_weights() == {}
    with pytest.raises(InputError, match="none shipped with this version"):
        weights.locate_weights("pixel", "compact")


def test_a_file_named_by_the_user_comes_first(shipped: Path, tmp_path: Path):
    mine = tmp_path / "mine.safetensors"
    with pytest.raises(InputError, match="found no such file"):
        weights.locate_weights("pixel", "compact", mine)
    mine.write_bytes(b"mine")
    assert weights.locate_weights("pixel", "compact", mine) == mine


def test_hash_reads_files_larger_than_a_block(tmp_path: Path):
    data = bytes(range(256)) * 5000
    (tmp_path / "large").write_bytes(data)
    assert weights.file_hash(tmp_path / "large") == hashlib.sha256(data).hexdigest()


def test_what_really_ships_is_whole():
    for name in weights.shipped_weights():
        system, preset = name.removesuffix(".safetensors").split("-")
        assert weights.locate_weights(system, preset).is_file()
