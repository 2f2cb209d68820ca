"""Where a run begins: from nothing, from public weights, or from weights of its own system."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from shibori.errors import InputError
from shibori.nn.frozen import FrozenTrunkNetwork
from shibori.nn.weights import load_state
from shibori.training.config import RunConfig
from shibori.training.option import option

Network = TypeVar("Network", bound=FrozenTrunkNetwork)


@dataclass(frozen=True, kw_only=True)
class StartConfig(RunConfig):
    """A run of a network that can start from weights. A system's own ``TrainConfig`` extends it."""

    start: Path | None = option(None, "Weights to start from instead of random ones.")  # noqa: RUF009
    pretrained: bool = option(
        True, "Start preset paper from the public weights of its standard networks, which are fetched."
    )

    @property
    def fetches(self) -> bool:
        """Whether public weights are fetched: what would be replaced at once is not."""
        return self.pretrained and self.start is None and not self.resume


def starting_network(
    config: StartConfig,
    system: str,
    presets: Collection[str],
    build: Callable[[str, bool], Network],
    load_frozen: Callable[[Network], None],
) -> Network:
    """The network a run starts with; the checkpoint of one that is resumed is not read here.

    Args:
        config: of the run.
        system: whose presets they are, in a refusal.
        presets: that can be trained.
        build: given the preset, and whether to fetch public weights, the network with random parameters.
        load_frozen: gives it the frozen part of this version, whichever it was trained with before.

    Raises:
        InputError: for a preset or weights that are not there, or that do not fit.
    """
    if config.preset not in presets:
        raise InputError(f"expected a preset of {system} ({', '.join(presets)}), found {config.preset!r}")
    network = build(config.preset, config.fetches)
    if config.start is not None:
        network.start_from(load_state(config.start, network.system, config.preset))
    load_frozen(network)
    return network
