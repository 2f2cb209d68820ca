"""A run of a made recipe: its steps, its end, its checkpoints, and how it goes on from them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn

from shibori.errors import InputError
from shibori.nn.weights import load_state
from shibori.training import fit as module
from shibori.training.config import RunConfig
from shibori.training.fit import fit, train
from shibori.training.processes import ProcessGroup
from shibori.training.recipe import DevScore, Recipe, WeightsFile
from shibori.training.schedule import warm_stable_decay

from .runs import check_left_behind, every_step_logged, losses, steps

ALONE = ProcessGroup(0, 1, 0)


class Loss(NamedTuple):
    total: Tensor
    drawn: Tensor


class Line(nn.Module):
    """A line with a part that is frozen and not saved."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.own = nn.Linear(width, 1)
        self.frozen = nn.Linear(width, width).requires_grad_(False)


class LineLoss(nn.Module):
    """Of the line at numbers of its own, which no batch gives: only the step's seed makes them alike again."""

    def __init__(self, line: Line) -> None:
        super().__init__()
        self.line = line

    def forward(self, target: Tensor) -> Loss:
        drawn = torch.rand(8, self.line.own.in_features)
        return Loss((self.line.own(self.line.frozen(drawn)) - target).square().mean(), drawn.mean())


def line_recipe(config: RunConfig, _group: ProcessGroup, _device: torch.device, width: int = 3) -> Recipe[Tensor]:
    line = Line(width)
    with torch.no_grad():
        line.frozen.weight.fill_(0.5)
        line.frozen.bias.fill_(0.0)

    def inputs(step: int, item: Tensor) -> Sequence[Tensor]:
        assert item == step % 3
        return (item,)

    return Recipe(
        network=line,
        losses=LineLoss(line),
        batches=lambda first_step: [torch.tensor(float(step % 3)) for step in range(first_step, config.steps)],
        inputs=inputs,
        weights=(WeightsFile("line"),),
        modules={"network": line},
        parts=(line,),
        frozen=("frozen.",),
    )


@pytest.fixture
def config(tmp_path: Path) -> RunConfig:
    return RunConfig(out=tmp_path / "run", preset="tiny", steps=6, rate=0.1, warmup=2, save_every=2, threads=1)


@pytest.fixture(autouse=True)
def log_every_step(monkeypatch: pytest.MonkeyPatch):
    yield from every_step_logged(monkeypatch)


def go(config: RunConfig, dev: DevScore | None = None) -> None:
    train(config, line_recipe, dev)


def begun(config: RunConfig, width: int = 3) -> Recipe[Tensor]:
    """As ``go`` begins."""
    torch.manual_seed(config.seed)
    return line_recipe(config, ALONE, torch.device("cpu"), width)


def checkpoint(config: RunConfig) -> dict[str, Any]:
    return dict(torch.load(config.out / "checkpoint.pt", weights_only=True))


class Killed(Exception):
    """What stands for a power cut."""


def killed(_state: dict) -> float:
    raise Killed


def test_a_run_that_was_killed_goes_on_as_if_it_had_not_been(config: RunConfig):
    go(config)
    broken = replace(config, out=config.out.with_name("broken"))
    with pytest.raises(Killed):
        go(broken, DevScore(killed, 4))
    assert checkpoint(broken)["step"] == 4
    go(replace(broken, resume=True))
    assert losses(broken.out) == losses(config.out)
    assert len({line["drawn"] for line in losses(config.out)}) == 6
    torch.testing.assert_close(checkpoint(broken), checkpoint(config), rtol=0, atol=0)


def test_a_run_killed_between_checkpoints_makes_the_lost_steps_again(config: RunConfig):
    go(config)
    broken = replace(config, out=config.out.with_name("broken"))
    with pytest.raises(Killed):
        go(broken, DevScore(killed, 5))
    go(replace(broken, resume=True))
    assert steps(broken.out) == [1, 2, 3, 4, 5, 5, 6]
    torch.testing.assert_close(checkpoint(broken)["network"], checkpoint(config)["network"], rtol=0, atol=0)


def test_a_kill_while_writing_leaves_the_checkpoint_before(config: RunConfig, monkeypatch: pytest.MonkeyPatch):
    go(replace(config, steps=2))

    def cut_short(_state: dict, path: Path) -> None:
        path.write_bytes(b"half")
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("shibori.training.checkpoint.torch.save", cut_short)
        with pytest.raises(Killed):
            go(replace(config, resume=True))
    assert checkpoint(config)["step"] == 2
    go(replace(config, resume=True))
    assert checkpoint(config)["step"] == 6
    check_left_behind(config)


def test_a_time_limit_ends_a_run_after_the_step_it_is_in(config: RunConfig, monkeypatch: pytest.MonkeyPatch):
    clock = iter([0.0, 20.0, 59.0, 61.0])  # at the start and after each step
    with monkeypatch.context() as patch:
        patch.setattr(module, "time", SimpleNamespace(monotonic=lambda: next(clock)))
        go(replace(config, minutes=1.0))
    assert steps(config.out) == [1, 2, 3]
    assert checkpoint(config)["step"] == 3
    assert not list(config.out.glob("*.partial"))
    go(replace(config, minutes=60.0, resume=True))
    assert steps(config.out) == [1, 2, 3, 4, 5, 6]


def test_checkpoints_come_as_often_as_asked_for_and_at_the_end(config: RunConfig, monkeypatch: pytest.MonkeyPatch):
    saved = []
    monkeypatch.setattr(module, "save_checkpoint", lambda path, state: saved.append((path, state["step"])))
    go(replace(config, steps=5))
    assert saved == [(config.out / "checkpoint.pt", step) for step in (2, 4, 5)]


def test_the_rate_and_the_steps_are_as_planned(config: RunConfig):
    go(config)
    rates = [line["rate"] for line in losses(config.out)]
    assert rates == [0.1 * warm_stable_decay(step, 6, 2, config.decay_share) for step in range(6)]
    still = replace(config, rate=0.0, out=config.out.with_name("still"))
    go(still)
    first = begun(still).network.state_dict()
    assert all(value.equal(first[name]) for name, value in checkpoint(still)["network"].items())
    assert not checkpoint(config)["network"]["own.weight"].equal(first["own.weight"])


def test_what_is_frozen_is_neither_changed_nor_saved(config: RunConfig):
    recipe = begun(config)
    scored: list[set[str]] = []

    def score(state: dict) -> float:
        scored.append(set(state))
        return 0.5

    fit(config, recipe, ALONE, DevScore(score, 3))
    own = {"own.weight", "own.bias"}
    assert scored == [own, own]
    assert set(checkpoint(config)["network"]) == set(checkpoint(config)["average"]) == own
    assert recipe.network.get_parameter("frozen.weight").eq(0.5).all()
    weights = load_state(config.out / "weights.safetensors", "line", "tiny")
    torch.testing.assert_close(weights["own.bias"], checkpoint(config)["average"]["own.bias"].half().float())
    dev = [json.loads(line) for line in (config.out / "log.jsonl").read_text().splitlines() if "dev" in line]
    assert [line["step"] for line in dev] == [3, 6]


@pytest.mark.parametrize("width", [2, 4])
def test_a_checkpoint_of_another_network_is_refused(config: RunConfig, width: int):
    go(replace(config, steps=2))
    on = replace(config, resume=True)
    with pytest.raises(InputError, match="found one of another network"):
        fit(on, begun(on, width), ALONE)


def test_nothing_to_go_on_from(config: RunConfig):
    with pytest.raises(InputError, match="expected a training checkpoint"):
        go(replace(config, resume=True))
    assert not config.out.exists()


def test_only_the_first_process_writes(config: RunConfig):
    recipe = begun(config)
    fit(config, recipe, ProcessGroup(1, 1, 1), DevScore(killed, 1))
    assert not config.out.exists()
    assert recipe.network.get_parameter("own.weight").grad is not None


def test_gradients_are_scaled_down_part_by_part(config: RunConfig):
    recipe = begun(config)
    part = recipe.network.get_submodule("own")
    fit(replace(config, steps=1), replace(recipe, parts=(part,), largest_norm=1e-4), ALONE)
    norm = torch.stack([p.grad.norm() for p in part.parameters() if p.grad is not None]).norm()
    assert norm == pytest.approx(1e-4, rel=1e-2)


def test_several_files_of_weights_each_with_its_part_and_more(config: RunConfig):
    noted = torch.tensor([7], dtype=torch.uint8)
    files = (
        WeightsFile("slope", "slope.safetensors", "own.w"),
        WeightsFile("offset", "b.safetensors", "own.b", {"n": noted}),
    )
    fit(replace(config, steps=1), replace(begun(config), weights=files), ALONE)
    average = checkpoint(config)["average"]
    assert load_state(config.out / "slope.safetensors", "slope", "tiny").keys() == {"eight"}
    offset = load_state(config.out / "b.safetensors", "offset", "tiny")
    torch.testing.assert_close(offset, {"ias": average["own.bias"].half().float(), "n": noted}, rtol=0, atol=0)


def test_what_is_frozen_is_taken_up_after_what_was_saved(config: RunConfig):
    go(replace(config, steps=2))
    recipe = begun(config)
    saved = checkpoint(config)["network"]["own.weight"]
    seen = []

    def load_frozen() -> None:
        seen.append(recipe.network.get_parameter("own.weight").detach().clone())

    fit(replace(config, resume=True, steps=3), replace(recipe, load_frozen=load_frozen), ALONE)
    assert [weight.equal(saved) for weight in seen] == [True]
