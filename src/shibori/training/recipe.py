"""What a run of training is made of: all in which the systems differ."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeVar

from torch import Tensor, nn

Item = TypeVar("Item")


@dataclass(frozen=True)
class WeightsFile:
    """Weights that a run leaves for use."""

    system: str
    """What they are of, as the file says."""
    name: str = "weights.safetensors"
    """Of the file in the folder of the run."""
    prefix: str = ""
    """Of the parameters that are written; in the file they are without it."""
    beside: Mapping[str, Tensor] = field(default_factory=dict)
    """Further tensors."""


@dataclass(frozen=True, kw_only=True)
class Recipe(Generic[Item]):
    """What is trained, on what, and what is kept of it."""

    network: nn.Module
    """Whose moving average is kept."""
    losses: nn.Module
    """Gives a NamedTuple of scalars for what ``inputs`` returns, and ``total`` of them is made smaller.

    Its parameters are the network's, and perhaps more.
    """
    batches: Callable[[int], Iterable[Item]]
    """What each step from the one given on takes. InputError for data that are not there."""
    inputs: Callable[[int, Item], Sequence[Any]]
    """Of the losses in a step, on their device."""
    weights: tuple[WeightsFile, ...]
    """Written from the average."""
    modules: Mapping[str, nn.Module]
    """What a checkpoint holds, by its name there."""
    parts: tuple[nn.Module, ...]
    """Whose gradients are scaled down, each on its own."""
    slow: nn.Module | None = None
    """A part that starts from trained weights, and learns at ``slow_factor`` of the rate."""
    slow_factor: float = 1.0
    largest_norm: float = 1.0
    """To which they are scaled down."""
    parts_idle: bool = False
    """Whether there are steps in which some parameters have no gradient."""
    frozen: tuple[str, ...] = ()
    """How the names of parameters begin that are not trained, and so not saved either."""
    load_frozen: Callable[[], None] | None = None
    """Takes up what is not saved. InputError if what was loaded has been trained with another one of it."""

    def own(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What of a state dict is trained."""
        return {name: value for name, value in state.items() if not name.startswith(self.frozen)}


class DevScore(NamedTuple):
    """How a network is judged while it is trained."""

    score: Callable[[dict[str, Tensor]], float]
    """J&F on held-out sequences of a state dict."""
    every: int
    """Steps between two such scores."""
