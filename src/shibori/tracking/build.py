"""From a preset's name to a tracker that is ready to run."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from shibori.errors import InputError
from shibori.nn.prepare import choose_device, choose_dtype, prepare_network
from shibori.nn.weights import load_fitting, load_state
from shibori.tracking.calibration import calibrated
from shibori.tracking.config import TrackerConfig
from shibori.tracking.mobile import MobileTracker
from shibori.tracking.network import PixelNetwork
from shibori.tracking.presets import SIZES, build_pixel_tracker
from shibori.tracking.propagator import MaskPropagator
from shibori.tracking.window_tracker import WindowTracker
from shibori.weights import locate_weights


def build_mask_propagator(
    preset: str = "compact",
    device: str = "auto",
    size: int | None = None,
    weights: Path | None = None,
    config: TrackerConfig | None = None,
) -> MaskPropagator:
    """The pixel tracker with its weights.

    Args:
        preset: name of the network's size.
        device: auto, cpu, cuda, cuda:N or mps.
        size: working side: each object's window is resized to about ``size`` squared pixels.
        weights: a file to use instead of the shipped one.
        config: numbers of inference, in place of the usual ones and the thresholds that come with the weights.

    Raises:
        InputError: on a preset, device, size or file that is not there.
    """
    if preset not in SIZES:
        raise InputError(f"expected a preset of the pixel tracker ({', '.join(SIZES)}), found {preset!r}")
    state = load_state(locate_weights("pixel", preset, weights), "pixel", preset)
    return propagator_from_state(state, preset, device, size, config)


def propagator_from_state(
    state: dict[str, Tensor],
    preset: str,
    device: str = "auto",
    size: int | None = None,
    config: TrackerConfig | None = None,
    dtype: torch.dtype | None = None,
) -> MaskPropagator:
    """The pixel tracker with parameters that are in memory; see ``build_mask_propagator``."""
    network = build_pixel_tracker(preset)
    load_fitting(network, state, f"weights of the preset {preset}")
    if config is None:
        config = calibrated(TrackerConfig(), network.calibration if isinstance(network, MobileTracker) else None)
    config = config.sized(size)
    chosen = choose_device(device)
    prepared = prepare_network(network, chosen, dtype or choose_dtype(chosen))
    assert isinstance(prepared, PixelNetwork)
    return MaskPropagator(WindowTracker(prepared, config, chosen))
