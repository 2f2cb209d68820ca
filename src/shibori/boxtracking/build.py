"""From a tracker's name to one that is ready to run: the columns of Table 1."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from shibori.boxtracking.atom.estimation import IouNetwork
from shibori.boxtracking.atom.tracking import AtomRule, AtomTracker
from shibori.boxtracking.presets import SIZES, build_iou_network, build_siamese, build_trunk
from shibori.boxtracking.siamese import SiameseTracker
from shibori.boxtracking.siamese_network import SiameseNetwork
from shibori.boxtracking.siamese_search import SearchRule
from shibori.boxtracking.target import Tracker
from shibori.boxtracking.untracked import NoTracker
from shibori.boxtracking.views import ViewTrunk
from shibori.errors import InputError
from shibori.nn.frozen import without_digest
from shibori.nn.prepare import choose_device, choose_dtype, prepare_network
from shibori.nn.weights import load_fitting, load_state
from shibori.weights import locate_weights

TRACKERS = ("atom", "siamese", "none")
"""Names of the trackers."""


def build_tracker(name: str, preset: str = "compact", device: str = "auto", weights: Path | None = None) -> Tracker:
    """A tracker with its weights.

    Args:
        name: one of ``TRACKERS``.
        preset: size of its network.
        device: auto, cpu, cuda, cuda:N or mps.
        weights: a file to use instead of the shipped one; none has none.

    Raises:
        InputError: on a name, preset, device or file that is not there, or weights for another trunk.
    """
    if name not in TRACKERS:
        raise InputError(f"expected a tracker ({', '.join(TRACKERS)}), found {name!r}")
    if name == "none":
        return NoTracker()
    if preset not in SIZES:
        raise InputError(f"expected a preset of the trackers ({', '.join(SIZES)}), found {preset!r}")
    state = load_state(locate_weights(name, preset, weights), name, preset)
    return tracker_from_state(name, state, preset, device)


def tracker_from_state(
    name: str,
    state: dict[str, Tensor],
    preset: str,
    device: str = "auto",
    atom_rule: AtomRule | None = None,
    search_rule: SearchRule | None = None,
) -> Tracker:
    """The tracker atom or siamese with parameters that are in memory, the trunk's digest among them.

    Raises:
        InputError: the device is not there, or the parameters are for another trunk or preset.
    """
    chosen = choose_device(device)
    trunk = build_trunk(preset)
    network = build_iou_network(preset) if name == "atom" else build_siamese(preset)
    load_on_trunk(network, state, trunk, f"{name}/{preset}")
    ready = prepare_network(trunk, chosen, choose_dtype(chosen))
    assert isinstance(ready, ViewTrunk)
    head = _prepared_head(network, chosen)
    if isinstance(head, IouNetwork):
        return AtomTracker(ready, head, SIZES[preset].views, atom_rule or AtomRule(), chosen)
    assert isinstance(head, SiameseNetwork)
    return SiameseTracker(ready, head, SIZES[preset].views, search_rule or SearchRule(), chosen)


def load_on_trunk(network: nn.Module, state: dict[str, Tensor], trunk: ViewTrunk, name: str) -> None:
    """Give a tracker's network its parameters.

    Args:
        network: ATOM's or the Siamese one.
        state: its parameters, and the digest of the trunk they were trained on.
        trunk: that it will see through, not yet prepared for inference.
        name: of tracker and preset.

    Raises:
        InputError: they were trained on another trunk, or do not fit.
    """
    own = without_digest(state, trunk, name.split("/")[0], "docs/systems/boxtracking.md")
    load_fitting(network, own, f"weights of {name}")


def _prepared_head(network: nn.Module, device: torch.device) -> nn.Module:
    """For inference: ATOM's convolutions in the fastest format; all else, through which boxes climb, in float32."""
    if isinstance(network, SiameseNetwork):
        return prepare_network(network, device, torch.float32)
    prepared = prepare_network(network, device, choose_dtype(device))
    for layer in prepared.modules():
        if isinstance(layer, nn.Linear):
            layer.float()
    return prepared
