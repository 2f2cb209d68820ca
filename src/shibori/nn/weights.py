"""Weights files: float16 safetensors that name their system and preset."""

from __future__ import annotations

from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from shibori.errors import InputError

if TYPE_CHECKING:
    from torchvision.models import WeightsEnum


def save_state(path: Path, state: dict[str, Tensor], system: str, preset: str) -> None:
    """Write parameters and buffers as float16 (counters as they are), atomically, with the names of what they fit."""
    half = {name: v.half().contiguous() if v.is_floating_point() else v.contiguous() for name, v in state.items()}
    partial = path.with_suffix(".partial")
    save_file(half, partial, metadata={"system": system, "preset": preset})
    partial.replace(path)


def load_state(path: Path, system: str, preset: str | None = None) -> dict[str, Tensor]:
    """Read what ``save_state`` wrote, as float32.

    Raises:
        InputError: if the file is missing, damaged, of another system or preset than asked for, or not finite.
    """
    if not path.is_file():
        raise InputError(
            f"expected weights at {path}, found nothing; name a .safetensors file written by shibori train"
        )
    try:
        with safe_open(path, "pt") as file:
            kind = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except (SafetensorError, OSError) as error:
        raise InputError(f"expected a whole safetensors file at {path}, found a damaged one ({error})") from error
    if kind.get("system") != system or (preset is not None and kind.get("preset") != preset):
        found = f"{kind.get('system', 'unknown')}/{kind.get('preset', 'unknown')}"
        raise InputError(f"expected weights of {system}/{preset or 'any preset'}, found {found} in {path}")
    if not all(bool(value.isfinite().all()) for value in state.values()):
        raise InputError(f"expected numbers in {path}, found some that are none: the training that wrote it diverged")
    return {name: value.float() if value.dtype == torch.float16 else value for name, value in state.items()}


def load_fitting(network: nn.Module, state: dict[str, Tensor], expected: str) -> None:
    """Load parameters strictly.

    Raises:
        InputError: what was ``expected``, if parameters are missing, too many or of another shape.
    """
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise InputError(f"expected {expected}, found parameters that do not fit it") from error


def fetch_public_state(weights: WeightsEnum, kind: str, instead: str) -> dict[str, Tensor]:
    """Torchvision's public weights, fetched or from its cache.

    Args:
        weights: which; they have an address.
        kind: what they are, such as ImageNet, for the sentence of an error.
        instead: what one can do without them, for the same.

    Raises:
        InputError: if they cannot be fetched.
    """
    try:
        return dict(weights.get_state_dict(progress=False, check_hash=True))
    except (OSError, HTTPException, RuntimeError) as error:  # no way there, broken off, or of another hash
        raise InputError(
            f"expected {kind} weights from {weights.url}, found no way to fetch them ({error}); go online once, or "
            f"{instead}"
        ) from error
