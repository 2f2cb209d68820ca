"""Checkpoints come back as they were, and the moving average is what it says."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from shibori.errors import InputError
from shibori.training.checkpoint import ParameterAverage, load_checkpoint, save_checkpoint


def made_network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))


def test_comes_back_as_it_was(tmp_path: Path):
    network = made_network()
    optimiser = torch.optim.AdamW(network.parameters())
    network(torch.rand(2, 1, 5, 5)).sum().backward()
    optimiser.step()
    state = {"step": 3, "network": network.state_dict(), "optimiser": optimiser.state_dict()}
    save_checkpoint(tmp_path / "checkpoint.pt", state)
    found = load_checkpoint(tmp_path / "checkpoint.pt")
    assert found["step"] == 3
    torch.testing.assert_close(found["network"], dict(network.state_dict()), rtol=0, atol=0)
    torch.testing.assert_close(found["optimiser"], optimiser.state_dict(), rtol=0, atol=0)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.pt"]


def test_a_run_killed_while_writing_keeps_the_last_whole_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(path, {"step": 1})

    def killed(_state: object, partial: Path) -> None:
        partial.write_bytes(b"half of it")
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(path, {"step": 2})
    assert load_checkpoint(path) == {"step": 1}


def test_no_checkpoint(tmp_path: Path):
    with pytest.raises(InputError, match="without --resume"):
        load_checkpoint(tmp_path / "checkpoint.pt")


@pytest.mark.parametrize("content", [b"", b"not a checkpoint at all", b"PK\x03\x04 cut short"])
def test_damaged_checkpoint(tmp_path: Path, content: bytes):
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(content)
    with pytest.raises(InputError, match="cannot be read"):
        load_checkpoint(path)


def test_truncated_checkpoint(tmp_path: Path):
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(path, {"network": made_network().state_dict()})
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(InputError, match="cannot be read"):
        load_checkpoint(path)


def test_average_follows_its_recurrence():
    network, decay = made_network(), 0.6
    average = ParameterAverage(network, decay)
    expected = network[0].bias.detach().clone()
    for step in range(12):
        with torch.no_grad():
            network[0].bias.add_(1.0)
        network[1].num_batches_tracked.add_(1)
        average.update(network, step)
        weight = 1 - min(decay, (1 + step) / (10 + step))
        expected = (1 - weight) * expected + weight * network[0].bias.detach()
    torch.testing.assert_close(average.state["0.bias"], expected)
    assert average.state["1.num_batches_tracked"] == 12
    torch.testing.assert_close(average.state["0.weight"], network[0].weight.detach())


def test_average_is_a_copy():
    network = made_network()
    average = ParameterAverage(network, 0.9)
    before = average.state["0.weight"].clone()
    with torch.no_grad():
        network[0].weight.zero_()
    assert average.state["0.weight"].equal(before)


def test_an_average_takes_up_what_a_checkpoint_names_and_keeps_the_rest():
    network = torch.nn.Linear(2, 1)
    average = ParameterAverage(network, 0.9)
    bias = average.state["bias"].clone()
    average.restore({"weight": torch.full((1, 2), 7.0)})
    assert torch.equal(average.state["weight"], torch.full((1, 2), 7.0))
    assert torch.equal(average.state["bias"], bias)
