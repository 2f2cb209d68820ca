"""The settings that every run of training has."""

# A field's default and its help text are written together by ``option``, which makes them fields itself.
# ruff: noqa: RUF009

from __future__ import annotations

from dataclasses import MISSING, dataclass
from pathlib import Path
from typing import Any

from shibori.training.option import option


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """A system's own ``TrainConfig`` extends it. Saved as JSON beside the weights of the run."""

    data: Path = option(Path("data"), "Folder with stills/ and, where there are real clips, davis2016/.")
    out: Path = option(MISSING, "Folder for the checkpoint, the log, the configuration and the weights.")
    preset: str = option("compact", "Size of the network.")
    steps: int = option(MISSING, "Optimiser steps in all.")
    rate: float = option(1e-3, "Peak learning rate of AdamW.")
    warmup: int = option(50, "Steps over which the learning rate rises.")
    decay_share: float = option(0.5, "Last part of the run over which the learning rate falls to zero.")
    weight_decay: float = option(0.02, "Weight decay of AdamW.")
    average: float = option(0.998, "Decay of the moving average of the parameters, which is what is kept.")
    split: str = option("train", "DAVIS split that is trained on.")
    seed: int = option(0, "Seed of the parameters and of the clips.")
    workers: int = option(1, "Processes that make clips.")
    threads: int = option(2, "CPU threads of the network.")
    device: str = option("cpu", "Device of the network: cpu or cuda.")
    save_every: int = option(100, "Steps between checkpoints.")
    minutes: float = option(0.0, "Stop (with a checkpoint) after this many minutes; 0 for no limit.")
    resume: bool = option(False, "Go on from the checkpoint in the out folder.")


def run_option(name: str, default: Any) -> Any:
    """The option ``name`` that all runs have, with a default of one system's own."""
    return option(default, RunConfig.__dataclass_fields__[name].metadata["help"])
