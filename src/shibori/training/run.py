"""The steps of a run, from the start or a checkpoint to the end or a time limit, whatever it trains."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from shibori.errors import InputError
from shibori.nn.prepare import choose_device, mixed_precision
from shibori.nn.weights import save_state
from shibori.training.checkpoint import ParameterAverage, load_checkpoint, save_checkpoint
from shibori.training.config import RunConfig
from shibori.training.log import Losses, RunLog
from shibori.training.optimiser import parameter_groups, set_rate
from shibori.training.processes import ProcessGroup
from shibori.training.schedule import warm_stable_decay

Item = TypeVar("Item")


class StepLosses(Losses, Protocol):
    """Of which ``total`` is what is made smaller."""

    @property
    def total(self) -> Tensor:
        """Scalar."""
        ...


class Training(ABC, Generic[Item]):
    """What a run trains, and on what: all in which the systems differ.

    Args:
        network: whose moving average is kept.
        losses: gives ``StepLosses`` for what ``inputs`` returns; its parameters are the network's, and perhaps more.
    """

    system: ClassVar[str]
    key: ClassVar[str] = "network"
    """Of the network in a checkpoint."""
    largest_norm: ClassVar[float] = 1.0
    """To which the gradient of each of ``parts`` is scaled down."""
    parts_idle: ClassVar[bool] = False
    """Whether there are steps in which some parameters have no gradient."""

    def __init__(self, network: nn.Module, losses: nn.Module) -> None:
        self.network, self.losses = network, losses

    @abstractmethod
    def batches(self, first_step: int) -> Iterable[Item]:
        """What each step from ``first_step`` on takes. InputError for data that are not there."""

    @abstractmethod
    def inputs(self, step: int, item: Item) -> Sequence[Any]:
        """What the losses are computed from, on their device."""

    @property
    def parts(self) -> Sequence[nn.Module]:
        """Whose gradients are scaled down, each on its own."""
        return (self.network,)

    def own(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """What of a state dict of the network is saved: all that is not frozen."""
        return state

    def state(self) -> dict[str, Any]:
        """What a checkpoint holds besides the step, the optimiser and the average."""
        return {self.key: self.own(self.network.state_dict())}

    def load(self, state: dict[str, Any]) -> None:
        """Take up what ``state`` gave. InputError, RuntimeError or KeyError if it is of another network."""
        self.network.load_state_dict(state[self.key])

    def load_frozen(self) -> None:
        """Take up what is not saved. InputError if what was loaded has been trained with another one of it."""
        return

    def save_weights(self, config: RunConfig, average: dict[str, Tensor]) -> None:
        """Write the ``own`` part of the averaged network for use."""
        save_state(config.out / "weights.safetensors", average, self.system, config.preset)


def begin(config: RunConfig, group: ProcessGroup) -> torch.device:
    """Seed this process, limit its threads, and return its device. InputError if there is no such device."""
    torch.manual_seed(config.seed)
    torch.set_num_threads(config.threads)
    return choose_device(f"cuda:{group.local_rank}" if config.device == "cuda" else config.device)


class Run:
    """One process's run of a training.

    Args:
        config: what to do.
        training: what to train.
        group: of processes, which share the work; the first writes the files.
    """

    def __init__(self, config: RunConfig, training: Training[Any], group: ProcessGroup) -> None:
        self.config, self.training, self.group = config, training, group
        self.optimiser = torch.optim.AdamW(parameter_groups(training.losses, config.weight_decay), lr=config.rate)
        self.average = ParameterAverage(training.network, config.average)

    def go(self, dev_score: Callable[[dict[str, Tensor]], float] | None = None, dev_every: int = 0) -> None:
        """Make the steps that are left, or those that the time allows.

        Args:
            dev_score: given the averaged state dict, the J&F on held-out sequences.
            dev_every: steps between two such scores; 0 for never.

        Raises:
            InputError: on data or a checkpoint that are not there.
        """
        config, first_step = self.config, self._first_step()
        batches = self.training.batches(first_step)
        losses = self._together()
        log = RunLog(config, config.steps, first_step, self.group)
        deadline = time.monotonic() + config.minutes * 60
        for step, item in enumerate(batches, first_step):
            log.add(step, self._update(step, losses, item), self.optimiser.param_groups[0]["lr"])
            stopping = bool(config.minutes) and self.group.any(time.monotonic() > deadline)
            done = step + 1
            if self.group.is_first and (done % config.save_every == 0 or done == config.steps or stopping):
                self._save(done)
            if self.group.is_first and dev_score is not None and dev_every and done % dev_every == 0:
                log.add_dev(step, dev_score(self.training.own(self.average.state)))
            if stopping:
                break

    def _together(self) -> nn.Module:
        losses = self.training.losses
        if self.group.world_size == 1:
            return losses
        device = next(losses.parameters()).device
        ids = [device.index] if device.type == "cuda" else None
        return DistributedDataParallel(losses, device_ids=ids, find_unused_parameters=self.training.parts_idle)

    def _update(self, step: int, losses: nn.Module, item: Any) -> StepLosses:
        config = self.config
        torch.manual_seed(config.seed * 1_000_003 + step)  # what is drawn from here on depends on the step alone
        set_rate(self.optimiser, config.rate * warm_stable_decay(step, config.steps, config.warmup, config.decay_share))
        inputs = self.training.inputs(step, item)
        with mixed_precision(next(losses.parameters()).device):
            loss: StepLosses = losses(*inputs)
        self.optimiser.zero_grad(set_to_none=True)
        loss.total.backward()
        for part in self.training.parts:
            nn.utils.clip_grad_norm_(part.parameters(), self.training.largest_norm)
        self.optimiser.step()
        self.average.update(self.training.network, step)
        return loss

    def _save(self, steps_done: int) -> None:
        average = self.training.own(self.average.state)
        state = {"step": steps_done, "optimiser": self.optimiser.state_dict(), "average": average}
        save_checkpoint(self.config.out / "checkpoint.pt", state | self.training.state())
        self.training.save_weights(self.config, average)

    def _first_step(self) -> int:
        """Of this run: 0, or what the checkpoint that is gone on from says, after taking it up."""
        if not self.config.resume:
            return 0
        state = load_checkpoint(self.config.out / "checkpoint.pt")
        try:
            self.training.load(state)
        except (InputError, RuntimeError, KeyError) as error:
            raise InputError(
                f"expected a checkpoint of the preset {self.config.preset} in {self.config.out}, found one of another "
                "network; resume with the preset the run was started with"
            ) from error
        self.training.load_frozen()
        self.optimiser.load_state_dict(state["optimiser"])
        self.average.restore(state["average"])
        return int(state["step"])
