"""What decays and what does not."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from shibori.training.optimiser import load_optimiser, parameter_groups, set_rate


class Made(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.linear = nn.Linear(4, 2)
        self.temperature = nn.Parameter(torch.tensor(1.0))
        self.frozen = nn.Linear(2, 2).requires_grad_(False)


def test_kernels_decay_and_nothing_else():
    network = Made()
    kernels, rest = parameter_groups(network, 0.05)
    assert (kernels["weight_decay"], rest["weight_decay"]) == (0.05, 0.0)
    assert {id(p) for p in kernels["params"]} == {id(network.convolution.weight), id(network.linear.weight)}
    others = (
        network.convolution.bias, network.norm.weight, network.norm.bias, network.linear.bias, network.temperature,
    )  # fmt: skip
    assert {id(p) for p in rest["params"]} == {id(p) for p in others}


def test_every_parameter_that_is_trained_is_in_one_group():
    network = Made()
    groups = parameter_groups(network, 0.05)
    counted = [id(p) for group in groups for p in group["params"]]
    assert sorted(counted) == sorted(id(p) for p in network.parameters() if p.requires_grad)


def test_a_step_without_gradient_shrinks_kernels_alone():
    network = Made()
    for parameter in network.parameters():
        nn.init.ones_(parameter)
    optimiser = torch.optim.AdamW(parameter_groups(network, 0.5), lr=0.1)
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimiser.step()
    shrunk = {name for name, p in network.named_parameters() if not p.equal(torch.ones_like(p))}
    assert shrunk == {"convolution.weight", "linear.weight"}


def test_a_checkpoint_from_before_groups_had_rates_of_their_own_is_taken_up():
    linear = nn.Linear(2, 1)
    optimiser = torch.optim.AdamW(parameter_groups(linear, 0.1, linear, 0.5), lr=1.0)
    linear(torch.ones(1, 2)).sum().backward()
    optimiser.step()
    state = optimiser.state_dict()
    for group in state["param_groups"]:
        del group["rate_factor"]
    other = torch.optim.AdamW(parameter_groups(linear, 0.1, linear, 0.25), lr=1.0)
    load_optimiser(other, state)
    torch.testing.assert_close(other.state_dict()["state"], state["state"], rtol=0, atol=0)
    set_rate(other, 0.2)
    assert [group["lr"] for group in other.param_groups] == [0.05, 0.05]


def test_the_rate_is_set_for_every_group():
    groups = parameter_groups(nn.Linear(2, 1), 0.1)
    optimiser = torch.optim.SGD(groups, lr=1.0)
    set_rate(optimiser, 0.25)
    assert [group["lr"] for group in optimiser.param_groups] == [0.25, 0.25]


def test_a_slow_part_has_its_share_of_the_rate_and_decays_as_the_rest_does():
    network = Made()
    groups = parameter_groups(network, 0.05, slow=network.linear, slow_factor=0.1)
    found = [(group["rate_factor"], group["weight_decay"], len(group["params"])) for group in groups]
    assert found == [(1.0, 0.05, 1), (1.0, 0.0, 4), (0.1, 0.05, 1), (0.1, 0.0, 1)]
    slow = [id(p) for group in groups if group["rate_factor"] == 0.1 for p in group["params"]]
    assert slow == [id(network.linear.weight), id(network.linear.bias)]
    optimiser = torch.optim.SGD(groups, lr=1.0)
    set_rate(optimiser, 0.5)
    assert [group["lr"] for group in optimiser.param_groups] == pytest.approx([0.5, 0.5, 0.05, 0.05])


def test_a_slow_part_that_is_frozen_makes_no_group():
    network = Made()
    groups = parameter_groups(network, 0.05, slow=network.frozen, slow_factor=0.1)
    assert [group["rate_factor"] for group in groups] == [1.0, 1.0]
