"""Shipping weights: what lands in the package is found, verified and bounded."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

import shibori.weights as weights
from shibori.boxtracking.atom.tracking import AtomTracker
from shibori.boxtracking.build import build_tracker
from shibori.boxtracking.presets import build_iou_network, build_siamese, build_trunk
from shibori.boxtracking.siamese import SiameseTracker
from shibori.errors import InputError
from shibori.nn.frozen import TRUNK_DIGEST, state_digest
from shibori.nn.weights import load_state, save_state
from shibori.prompting.presets import build_prompt_network
from shibori.systems import INSTANCE_SEGMENTERS
from shibori.systems.ipdt.model import build_detector, load_trunk
from shibori.tracking.presets import build_pixel_tracker

TOOL = Path(__file__).parents[2] / "tools" / "ship_weights.py"


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("ship_weights", TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("run") / "weights.safetensors"
    save_state(path, build_pixel_tracker("tiny").state_dict(), "pixel", "tiny")
    return path


def test_shipped_weights_are_located(tool, trained, tmp_path, monkeypatch):
    (tmp_path / "manifest.json").write_text('{"other.safetensors": "0"}')
    digest = tool.ship_weights(trained, "tiny", tmp_path)
    assert json.loads((tmp_path / "manifest.json").read_text()) == {
        "other.safetensors": "0",
        "pixel-tiny.safetensors": digest,
    }
    monkeypatch.setattr(weights, "SHIPPED", tmp_path)
    monkeypatch.setattr(weights, "MANIFEST", tmp_path / "manifest.json")
    assert weights.locate_weights("pixel", "tiny").read_bytes() == trained.read_bytes()
    assert not list(tmp_path.glob(".*"))


def test_shipping_again_replaces(tool, trained, tmp_path):
    for _ in range(2):
        tool.ship_weights(trained, "tiny", tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["manifest.json", "pixel-tiny.safetensors"]


def test_the_promptable_network_ships_as_well(tool, trained, tmp_path):
    path = tmp_path / "weights.safetensors"
    save_state(path, build_prompt_network("tiny").state_dict(), "prompt", "tiny")
    tool.ship_weights(path, "tiny", tmp_path / "shipped", "prompt")
    assert (tmp_path / "shipped" / "prompt-tiny.safetensors").is_file()
    save_state(path, load_state(trained, "pixel"), "prompt", "tiny")
    with pytest.raises(InputError, match="expected weights of the preset tiny"):
        tool.ship_weights(path, "tiny", tmp_path / "shipped", "prompt")


def test_too_much_is_refused(tool, trained, tmp_path):
    with (tmp_path / "pixel-paper.safetensors").open("wb") as file:
        file.truncate(tool.LARGEST_BYTES)
    with pytest.raises(InputError, match="more than 48,000,000"):
        tool.ship_weights(trained, "tiny", tmp_path)
    assert not (tmp_path / "pixel-tiny.safetensors").exists()


def test_weights_of_another_preset_are_refused(tool, trained, tmp_path):
    with pytest.raises(InputError, match="found pixel/tiny"):
        tool.ship_weights(trained, "compact", tmp_path / "shipped")
    assert not (tmp_path / "shipped").exists()


@pytest.fixture(scope="module")
def heads(tmp_path_factory) -> Path:
    """Untrained networks that stand on the pixel tracker's trunk, each in a file of its own."""
    folder = tmp_path_factory.mktemp("heads")
    digest = {TRUNK_DIGEST: state_digest(build_trunk("tiny").state_dict())}
    save_state(folder / "atom.safetensors", build_iou_network("tiny").state_dict() | digest, "atom", "tiny")
    save_state(folder / "siamese.safetensors", build_siamese("tiny").state_dict() | digest, "siamese", "tiny")
    detector = build_detector("tiny")
    load_trunk(detector)
    save_state(folder / "ipdt.safetensors", detector.own_state(), "ipdt", "tiny")
    return folder


def test_trackers_and_the_detector_are_found_once_shipped(tool, heads, tmp_path, monkeypatch):
    for name in ("atom", "siamese", "ipdt"):
        tool.ship_weights(heads / f"{name}.safetensors", "tiny", tmp_path, name)
    monkeypatch.setattr(weights, "SHIPPED", tmp_path)
    monkeypatch.setattr(weights, "MANIFEST", tmp_path / "manifest.json")
    assert isinstance(build_tracker("atom", "tiny", "cpu"), AtomTracker)
    assert isinstance(build_tracker("siamese", "tiny", "cpu"), SiameseTracker)
    assert INSTANCE_SEGMENTERS["ipdt"]("tiny", "cpu").parts.tracker.instance is not None


def test_heads_that_do_not_fit_are_refused(tool, heads, tmp_path):
    other = load_state(heads / "atom.safetensors", "atom")
    save_state(tmp_path / "siamese.safetensors", other, "siamese", "tiny")
    save_state(tmp_path / "ipdt.safetensors", other, "ipdt", "tiny")
    for name in ("siamese", "ipdt"):
        with pytest.raises(InputError, match="do not fit"):
            tool.ship_weights(tmp_path / f"{name}.safetensors", "tiny", tmp_path / "shipped", name)
    assert not (tmp_path / "shipped").exists()


def test_what_ships_is_whole():
    for name in weights.shipped_weights():
        assert weights.file_hash(weights.SHIPPED / name) == weights.shipped_weights()[name]
        assert (weights.SHIPPED / name).with_suffix(".md").is_file()
    files = [path for path in weights.SHIPPED.glob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 48_000_000
    assert {path.name for path in files if path.suffix == ".safetensors"} == set(weights.shipped_weights())
