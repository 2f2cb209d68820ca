"""Joint training on fabricated folders: resumes exactly, refuses what is wrong, and what it wrote can be run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from shibori.errors import InputError
from shibori.nn.flow import RaftFlow
from shibori.nn.weights import load_state, save_state
from shibori.systems.dyenet.batch import stack_clips, stack_scenes
from shibori.systems.dyenet.build import build_dyenet_propagator
from shibori.systems.dyenet.model import build_dyenet
from shibori.systems.dyenet.size import SIZES
from shibori.systems.dyenet.train import TrainConfig, TrainingData, recipe
from shibori.training.processes import ProcessGroup

from ...datasets.made import moving_disk
from ...training.runs import (
    SMALL,
    WRONG,
    WRONG_START,
    check_left_behind,
    check_refused,
    check_two_processes_train_together,
    check_workers_change_nothing,
    every_step_logged,
    losses,
    train_in_two_parts,
    trainer,
    write_training_folder,
)

train = trainer(recipe)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_training_folder(tmp_path_factory.mktemp("data"), num_frames=10)


@pytest.fixture
def config(data: Path, tmp_path: Path) -> TrainConfig:
    return TrainConfig(
        **SMALL, data=data, out=tmp_path / "run", batch=2, scenes=1, size=48, scene_size=48, frames=2, dev_every=2
    )


@pytest.fixture(autouse=True)
def log_every_step(monkeypatch: pytest.MonkeyPatch):
    yield from every_step_logged(monkeypatch)


def test_a_resumed_run_is_the_unbroken_run(config: TrainConfig):
    whole, resumed = train_in_two_parts(train, config)
    assert losses(resumed.parent) == losses(whole.parent)
    expected = load_state(whole, "dyenet", "tiny")
    torch.testing.assert_close(load_state(resumed, "dyenet", "tiny"), expected, rtol=0, atol=0)


def test_the_number_of_workers_changes_nothing(config: TrainConfig):
    check_workers_change_nothing(train, config)


def test_what_a_run_leaves_behind_can_be_run(config: TrainConfig, capsys: pytest.CaptureFixture[str]):
    scores = iter([0.25, 0.5])
    path = train(config, score=lambda state: next(scores) if "reid.project.weight" in state else 0.0)
    assert path == config.out / "weights.safetensors"
    state = load_state(path, "dyenet", "tiny")
    assert not any(name.startswith("matcher.") for name in state)
    build_dyenet("tiny").load_own_state(state)
    check_left_behind(config)
    printed = capsys.readouterr().out
    for expected in ("step 4/4", "reid", "step 2 dev J&F 0.2500", "step 4 dev J&F 0.5000"):
        assert expected in printed
    images, masks = moving_disk(2)
    propagation = build_dyenet_propagator("tiny", "cpu", 64, path).begin(masks[0].shape)
    for t, image in enumerate(images):
        (status,) = propagation.step(image, {1: masks[0]} if t == 0 else None).statuses
        assert 0 <= status.confidence <= 1


def still(config: TrainConfig) -> TrainConfig:
    """A run that changes no parameter."""
    return replace(config, steps=1, rate=0.0)


def test_a_run_can_start_from_other_weights(config: TrainConfig, tmp_path: Path):
    torch.manual_seed(5)
    save_state(tmp_path / "start.safetensors", build_dyenet("tiny").own_state(), "dyenet", "tiny")
    found = load_state(train(replace(still(config), start=tmp_path / "start.safetensors")), "dyenet")
    expected = load_state(tmp_path / "start.safetensors", "dyenet")
    torch.testing.assert_close(found["reid.project.weight"], expected["reid.project.weight"], rtol=0, atol=0)


def test_weights_made_with_another_pixel_tracker_can_be_trained_on_but_not_run(config: TrainConfig, tmp_path: Path):
    """As their refusal says; what comes of it belongs to this version's tracker."""
    state = load_state(train(still(config)), "dyenet", "tiny")
    noted = state["matcher_digest"]
    old = tmp_path / "old.safetensors"
    save_state(old, state | {"matcher_digest": noted + 1}, "dyenet", "tiny")
    with pytest.raises(InputError, match="train dyenet --start"):
        build_dyenet_propagator("tiny", "cpu", weights=old)
    again = train(replace(still(config), start=old, out=tmp_path / "again"))
    assert load_state(again, "dyenet")["matcher_digest"].equal(noted)
    build_dyenet_propagator("tiny", "cpu", weights=again)


def test_a_run_does_not_go_on_with_another_pixel_tracker(config: TrainConfig, monkeypatch: pytest.MonkeyPatch):
    train(replace(config, minutes=1e-6))
    monkeypatch.setattr("shibori.nn.frozen.state_digest", lambda _state: torch.ones(8, dtype=torch.uint8))
    with pytest.raises(InputError, match="trained with this version's pixel tracker"):
        train(replace(config, resume=True))


def test_scenes_alone_can_be_trained_on(config: TrainConfig):
    short = replace(config, batch=0, steps=2)
    state = load_state(train(short), "dyenet", "tiny")
    assert [line["remp"] for line in losses(config.out)] == [0, 0]
    assert all(line["mask"] > 0 for line in losses(config.out))
    untrained = load_state(train(replace(short, rate=0.0, out=config.out.with_name("still"))), "dyenet", "tiny")
    differs = {name.split(".")[0] for name in state if not state[name].equal(untrained[name])}
    assert differs == {"masks", "proposals", "reid"}


def test_the_moving_average_is_what_is_kept(config: TrainConfig):
    path = train(replace(config, average=0.0))
    checkpoint = torch.load(config.out / "checkpoint.pt", weights_only=True)
    kept = load_state(path, "dyenet")["reid.project.weight"]
    torch.testing.assert_close(kept, checkpoint["network"]["reid.project.weight"].half().float(), rtol=0, atol=0)
    path = train(replace(config, average=0.9, out=config.out.with_name("slow")))
    checkpoint = torch.load(path.with_name("checkpoint.pt"), weights_only=True)
    kept = load_state(path, "dyenet")["reid.project.weight"]
    assert not torch.allclose(kept, checkpoint["network"]["reid.project.weight"], atol=1e-4)


@pytest.mark.parametrize(
    ("change", "message"),
    [*WRONG, WRONG_START, ({"size": 50}, "multiple of 16"), ({"scene_size": 0}, "multiple of 16")],
)
def test_wrong_input_is_one_sentence_and_leaves_nothing(config: TrainConfig, change: dict, message: str):
    check_refused(train, replace(config, **change), message)


def test_weights_of_another_system_are_no_start(config: TrainConfig, tmp_path: Path):
    save_state(tmp_path / "start.safetensors", {"x": torch.zeros(1)}, "pixel", "tiny")
    with pytest.raises(InputError, match="expected weights of dyenet/tiny, found pixel/tiny"):
        train(replace(config, start=tmp_path / "start.safetensors"))


def test_a_preset_with_raft_is_trained_and_run_with_it(config: TrainConfig, monkeypatch: pytest.MonkeyPatch):
    """Its weights hold RAFT as it was, and what is read from them estimates the flow; OpenCV does not."""

    def by_opencv(*_: object) -> None:
        raise AssertionError("OpenCV's flow was asked for")

    monkeypatch.setattr("shibori.nn.flow.DisFlow.estimate", by_opencv)
    monkeypatch.setitem(SIZES, "tiny", replace(SIZES["tiny"], raft="small"))
    path = train(replace(config, steps=1, batch=1))
    state = load_state(path, "dyenet", "tiny")
    torch.manual_seed(config.seed)
    raft = build_dyenet("tiny").raft.state_dict()
    for name, value in raft.items():
        torch.testing.assert_close(state[f"raft.{name}"], value.half().float() if value.is_floating_point() else value)
    propagator = build_dyenet_propagator("tiny", "cpu", 64, path)
    assert isinstance(propagator.flow, RaftFlow)
    images, masks = moving_disk(2)
    propagation = propagator.begin(masks[0].shape)
    propagation.step(images[0], {1: masks[0]})
    assert propagation.step(images[1]).ids.shape == masks[0].shape


# ---- batches


def test_batches_hold_what_the_supplies_gave(config: TrainConfig):
    supplies = TrainingData.read(config, world_size=1, raft=None)
    assert supplies.num_identities == 4 + 1  # two cut-outs a photograph, one clip
    batches = list(supplies.batches(config, 2, ProcessGroup(0, 1, 0)))
    assert len(batches) == config.steps - 2
    clips, scenes = batches[0]
    for row in range(2):
        clip, flow = supplies.clips[2 * config.batch + row]
        assert clips.images[row].equal(clip.images)
        assert clips.flows[row].equal(flow)
    views = supplies.scenes[2 * config.scenes]
    assert scenes.images.equal(torch.stack([view.image for view in views]))
    for n, view in enumerate(views):
        is_own = scenes.picture == n
        assert scenes.boxes[is_own].equal(view.boxes)
        assert scenes.identities[is_own].equal(view.identities)
        assert scenes.masks[is_own].equal(view.masks)


def test_stacked_shapes(config: TrainConfig):
    supplies = TrainingData.read(config, world_size=1, raft=None)
    clips = stack_clips([supplies.clips[i] for i in range(3)])
    assert [tuple(part.shape) for part in clips] == [
        (3, 2, 3, 48, 48), (3, 2, 48, 48), (3, 2, 48, 48), (3, 2, 4), (3, 2, 2, 12, 12),
    ]  # fmt: skip
    scenes = stack_scenes([supplies.scenes[i] for i in range(2)])
    assert scenes.images.shape == (4, 3, 48, 48)
    count = len(scenes.boxes)
    assert scenes.masks.shape == (count, 48, 48)
    assert scenes.identities.shape == scenes.picture.shape == (count,)
    assert set(scenes.picture.tolist()) <= {0, 1, 2, 3}


def test_two_processes_train_together(config: TrainConfig):
    check_two_processes_train_together("shibori.systems.dyenet.train", replace(config, steps=2, batch=1, minutes=30))
    build_dyenet("tiny").load_own_state(load_state(config.out / "weights.safetensors", "dyenet", "tiny"))
