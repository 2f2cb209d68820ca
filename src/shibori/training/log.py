"""What a run says while it goes on."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Protocol

from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from shibori.training.processes import ProcessGroup


class Settings(Protocol):
    """A frozen dataclass with the folder of the run."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def out(self) -> Path:
        """Folder for the checkpoint, the log, the configuration and the weights."""
        ...


class Losses(Protocol):
    """A NamedTuple of scalar tensors."""

    def _asdict(self) -> dict[str, Tensor]: ...


class RunLog:
    """Progress of a run: a line on the terminal, TensorBoard, one JSON line every so often.

    Args:
        config: saved as JSON beside the weights.
        steps: how many there are in all.
        first_step: of this run; more than 0 for a resumed one.
        group: only its first process writes.
    """

    EVERY = 20

    def __init__(self, config: Settings, steps: int, first_step: int, group: ProcessGroup) -> None:
        self.out, self.steps, self.first_step, self.active = config.out, steps, first_step, group.is_first
        self.started = time.monotonic()
        self.sums: dict[str, float] = {}
        self.count = 0
        if self.active:
            config.out.mkdir(parents=True, exist_ok=True)
            text = json.dumps(
                {name: str(v) if isinstance(v, Path) else v for name, v in asdict(config).items()}, indent=2
            )
            (config.out / "config.json").write_text(text + "\n")
            self.board = SummaryWriter(str(config.out / "tensorboard"))

    def add(self, step: int, loss: Losses, rate: float) -> None:
        """Count one step; print every ``EVERY``."""
        if not self.active:
            return
        for name, value in loss._asdict().items():
            self.sums[name] = self.sums.get(name, 0.0) + float(value.detach())
        self.count += 1
        if (step + 1) % self.EVERY:
            return
        means = {name: value / self.count for name, value in self.sums.items()}
        self.sums, self.count = {}, 0
        pace = (time.monotonic() - self.started) / (step + 1 - self.first_step)
        left = pace * (self.steps - step - 1) / 60
        parts = " ".join(f"{name} {value:.4f}" for name, value in means.items())
        print(
            f"step {step + 1}/{self.steps} {parts} rate {rate:.2e} {pace:.2f} s/step {left:.0f} min left",
            flush=True,
        )
        for name, mean in means.items():
            self.board.add_scalar(f"train/{name}", mean, step + 1)
        with (self.out / "log.jsonl").open("a") as file:
            file.write(
                json.dumps({"step": step + 1, **means, "rate": rate, "seconds": time.monotonic() - self.started}) + "\n"
            )

    def add_dev(self, step: int, score: float) -> None:
        """Note a score on the held-out sequences."""
        print(f"step {step + 1} dev J&F {score:.4f}", flush=True)
        self.board.add_scalar("dev/J&F", score, step + 1)
        with (self.out / "log.jsonl").open("a") as file:
            file.write(json.dumps({"step": step + 1, "dev_j_and_f": score}) + "\n")
