"""The pixel tracker's weights files: half precision, named, whole or refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from shibori.errors import InputError
from shibori.nn.weights import load_state, save_state
from shibori.tracking.build import propagator_from_state
from shibori.tracking.presets import build_pixel_tracker


@pytest.fixture
def path(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    save_state(tmp_path / "w.safetensors", build_pixel_tracker("tiny").state_dict(), "pixel", "tiny")
    return tmp_path / "w.safetensors"


def test_comes_back_rounded_to_half_and_loads_strictly(path: Path):
    torch.manual_seed(0)
    expected = build_pixel_tracker("tiny").state_dict()
    found = load_state(path, "pixel", "tiny")
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name].dtype == value.dtype
        torch.testing.assert_close(found[name], value, atol=1e-6, rtol=1e-3)
    build_pixel_tracker("tiny").load_state_dict(found)
    assert [file.name for file in path.parent.iterdir()] == ["w.safetensors"]


def test_the_preset_can_be_left_open(path: Path):
    assert load_state(path, "pixel").keys() == load_state(path, "pixel", "tiny").keys()


def test_another_preset(path: Path):
    with pytest.raises(InputError, match="expected weights of pixel/compact, found pixel/tiny"):
        load_state(path, "pixel", "compact")


def test_another_system_or_none(tmp_path: Path):
    save_file({"x": torch.zeros(1)}, tmp_path / "a.safetensors", {"system": "strnn", "preset": "tiny"})
    save_file({"x": torch.zeros(1)}, tmp_path / "b.safetensors")
    with pytest.raises(InputError, match="found strnn/tiny"):
        load_state(tmp_path / "a.safetensors", "pixel")
    with pytest.raises(InputError, match="found unknown/unknown"):
        load_state(tmp_path / "b.safetensors", "pixel")


def test_missing(tmp_path: Path):
    with pytest.raises(InputError, match="found nothing"):
        load_state(tmp_path / "w.safetensors", "pixel")


@pytest.mark.parametrize(
    "damage", [lambda data: b"", lambda data: data[:100], lambda data: data[:-50], lambda _: b"x" * 99]
)
def test_damaged(path: Path, damage):
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InputError, match="found a damaged one"):
        load_state(path, "pixel")


@pytest.mark.parametrize("change", [lambda s: s.pop("key8.weight"), lambda s: s.update(extra=torch.zeros(1))])
def test_parameters_that_do_not_fit_the_preset(path: Path, change):
    state = load_state(path, "pixel")
    change(state)
    with pytest.raises(InputError, match="do not fit"):
        propagator_from_state(state, "tiny", "cpu")


def test_numbers_that_are_none(tmp_path: Path):
    save_state(tmp_path / "diverged.safetensors", {"weight": torch.tensor([1.0, float("nan")])}, "pixel", "tiny")
    with pytest.raises(InputError, match="diverged"):
        load_state(tmp_path / "diverged.safetensors", "pixel", "tiny")
