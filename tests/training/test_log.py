"""What a run says: means over the steps since it last spoke, on the terminal, in JSON and in TensorBoard."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import Tensor

from shibori.training.log import RunLog
from shibori.training.processes import ProcessGroup

FIRST = ProcessGroup(0, 1, 0)


@dataclass(frozen=True)
class Config:
    out: Path
    rate: float = 0.1
    start: Path | None = None


class Loss(NamedTuple):
    total: Tensor
    iou: Tensor


@pytest.fixture(autouse=True)
def every_third(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(RunLog, "EVERY", 3)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(tmp_path / "run", start=tmp_path / "start.safetensors")


def fill(log: RunLog, steps: range) -> None:
    """Step s has a loss of s and an IoU of s / 10."""
    for step in steps:
        log.add(step, Loss(torch.tensor(float(step), requires_grad=True), torch.tensor(step / 10)), 1e-3)


def lines(config: Config) -> list[dict]:
    return [json.loads(line) for line in (config.out / "log.jsonl").read_text().splitlines()]


def test_means_of_the_steps_since_the_last_line(config: Config, capsys: pytest.CaptureFixture[str]):
    fill(RunLog(config, 9, 0, FIRST), range(8))
    found = [(line["step"], line["total"], line["iou"]) for line in lines(config)]
    assert found == [(3, pytest.approx(1.0), pytest.approx(0.1)), (6, pytest.approx(4.0), pytest.approx(0.4))]
    assert all(line["rate"] == 1e-3 and line["seconds"] >= 0 for line in lines(config))
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 2
    assert printed[0].startswith("step 3/9 total 1.0000 iou 0.1000 rate 1.00e-03")
    assert printed[1].startswith("step 6/9 total 4.0000")


def test_a_resumed_run_goes_on_in_the_same_file_and_knows_its_own_pace(
    config: Config, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    fill(RunLog(config, 600, 0, FIRST), range(3))
    clock = iter([100.0, 106.0, 106.0])  # it starts, and is asked the time in the third step
    monkeypatch.setattr("shibori.training.log.time.monotonic", lambda: next(clock))
    fill(RunLog(config, 600, 300, FIRST), range(300, 303))
    assert [line["step"] for line in lines(config)] == [3, 303]
    assert "2.00 s/step 10 min left" in capsys.readouterr().out.splitlines()[-1]


def test_scores_on_held_out_sequences(config: Config, capsys: pytest.CaptureFixture[str]):
    log = RunLog(config, 9, 0, FIRST)
    fill(log, range(3))
    log.add_dev(2, 0.625)
    assert lines(config)[-1] == {"step": 3, "dev_j_and_f": 0.625}
    assert "step 3 dev J&F 0.6250" in capsys.readouterr().out


def test_tensorboard_has_the_same_numbers(config: Config):
    log = RunLog(config, 9, 0, FIRST)
    fill(log, range(6))
    log.add_dev(5, 0.5)
    log.board.flush()
    events = EventAccumulator(str(config.out / "tensorboard"))
    events.Reload()
    found = {name: [(event.step, event.value) for event in events.Scalars(name)] for name in events.Tags()["scalars"]}
    assert found["train/total"] == [(3, 1.0), (6, 4.0)]
    assert found["train/iou"] == [(3, pytest.approx(0.1)), (6, pytest.approx(0.4))]
    assert found["dev/J&F"] == [(6, 0.5)]


def test_the_configuration_stands_beside_the_log(config: Config):
    RunLog(config, 9, 0, FIRST)
    assert json.loads((config.out / "config.json").read_text()) == {
        "out": str(config.out), "rate": 0.1, "start": str(config.start),
    }  # fmt: skip


def test_only_the_first_process_writes(config: Config, capsys: pytest.CaptureFixture[str]):
    fill(RunLog(config, 9, 0, ProcessGroup(1, 2, 1)), range(6))
    assert not config.out.exists()
    assert capsys.readouterr().out == ""
