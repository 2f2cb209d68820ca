"""From a preset's name to a system that is ready to run."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from shibori.errors import InputError
from shibori.nn.flow import FLOWS
from shibori.nn.pixel_tracker.compact import build_pixel_tracker
from shibori.nn.prepare import choose_device, choose_dtype, prepare_network
from shibori.nn.weights import load_state
from shibori.systems.dyenet.follow import Following
from shibori.systems.dyenet.inference import DyeNetPropagator
from shibori.systems.dyenet.model import DIGEST_BYTES, DyeNet, build_dyenet
from shibori.systems.dyenet.rule import FollowRule
from shibori.systems.dyenet.size import SIZES
from shibori.systems.dyenet.variant import VARIANTS
from shibori.weights import locate_weights


def build_dyenet_propagator(
    preset: str = "compact",
    device: str = "auto",
    size: int | None = None,
    weights: Path | None = None,
    variant: str = "combined",
) -> DyeNetPropagator:
    """DyeNet with its weights.

    Args:
        preset: name of the networks' size.
        device: auto, cpu, cuda, cuda:N or mps.
        size: working side: each object's patch is resized to about ``size`` squared pixels.
        weights: a file to use instead of the shipped one.
        variant: a name in ``VARIANTS``.

    Raises:
        InputError: on a preset, device, size, variant or file that is not there.
    """
    if preset not in SIZES:
        raise InputError(f"expected a preset of dyenet ({', '.join(SIZES)}), found {preset!r}")
    state = load_state(locate_weights("dyenet", preset, weights), "dyenet", preset)
    return propagator_from_state(state, preset, device, size, variant)


def propagator_from_state(
    state: dict[str, Tensor],
    preset: str,
    device: str = "auto",
    size: int | None = None,
    variant: str = "combined",
    rule: FollowRule | None = None,
    dtype: torch.dtype | None = None,
) -> DyeNetPropagator:
    """DyeNet with parameters that are in memory; see ``build_dyenet_propagator``."""
    if variant not in VARIANTS:
        raise InputError(f"expected a variant of dyenet ({', '.join(VARIANTS)}), found {variant!r}")
    rule = rule or FollowRule()
    if size is not None:
        if size < 64:
            raise InputError(f"expected a working size of at least 64 pixels, found {size}; the default is 320")
        rule = replace(rule, window=replace(rule.window, area_side=size))
    network = build_dyenet(preset)
    network.load_own_state(state)
    load_matcher(network)
    chosen = choose_device(device)
    prepared = prepare_network(network, chosen, dtype or choose_dtype(chosen))
    assert isinstance(prepared, DyeNet)
    prepared.proposals.float()
    following = Following(prepared, VARIANTS[variant], rule, chosen)
    return DyeNetPropagator(following, FLOWS["dis"]())


def load_matcher(network: DyeNet) -> None:
    """Give the network the shipped pixel tracker of its preset, and note which one that is.

    Raises:
        InputError: if the network was trained on top of another one.
    """
    if network.size.matcher is None or network.matcher is None:
        return
    state = _matcher_state(network)
    network.matcher.load_state_dict(state)
    digest = state_digest(state)
    if bool(network.matcher_digest.any()) and not torch.equal(network.matcher_digest.cpu(), digest):
        raise InputError(
            "expected dyenet weights that were trained with this version's pixel tracker, found others; "
            "train them on from it (shibori train dyenet --start) or use those that ship with this version"
        )
    network.matcher_digest.copy_(digest)


def _matcher_state(network: DyeNet) -> dict[str, Tensor]:
    preset = network.size.matcher
    assert preset is not None
    if preset == "tiny":  # for tests: random, and always the same
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return build_pixel_tracker(preset).state_dict()
    return load_state(locate_weights("pixel", preset), "pixel", preset)


def state_digest(state: dict[str, Tensor]) -> Tensor:
    """(8,) uint8: the first bytes of the SHA-256 of all parameters in the order of their names."""
    digest = hashlib.sha256()
    for name in sorted(state):
        digest.update(name.encode())
        digest.update(state[name].contiguous().numpy().tobytes())
    return torch.tensor(list(digest.digest()[:DIGEST_BYTES]), dtype=torch.uint8)
