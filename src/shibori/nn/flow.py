"""Optical flow behind one interface: OpenCV's DIS for the compact presets, torchvision's RAFT for the paper's.

DyeNet (Sec. 2.2) takes FlowNet 2.0; ``ops/warp.py`` says how a flow is followed. To warp the previous frame, estimate
from the current frame to the previous one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal, get_args

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from shibori.errors import InputError
from shibori.nn.weights import fetch_public_state

DisPreset = Literal["ultrafast", "fast", "medium"]
RaftVariant = Literal["small", "large"]

DIS_SHORTEST_SIDE = 16
"""DIS matches patches of 8 pixels and refuses pictures in which hardly one fits."""
RAFT_GRID = 8
RAFT_SHORTEST_SIDE = 128
"""RAFT halves features of stride 8 three times, and two positions must be left."""


@dataclass(frozen=True, eq=False)
class Flow:
    """Where the pixels of one picture are in another."""

    vectors: NDArray[np.float32]
    """(h, w, 2) float32 (x, y) on a regular grid over the picture, in pixels of the whole picture whatever h and w."""
    size_hw: tuple[int, int]
    """Height and width of the picture in pixels."""

    def as_tensor(self, device: torch.device | str = "cpu") -> Tensor:
        """(1, 2, h, w) float32, as ``warp_between_windows`` takes it."""
        return torch.from_numpy(self.vectors).to(device).permute(2, 0, 1)[None]


class FlowEstimator(ABC):
    """From two pictures to the motion between them."""

    @abstractmethod
    def estimate(self, image_from: NDArray[np.uint8], image_to: NDArray[np.uint8]) -> Flow:
        """The flow on the grid on which it was computed.

        Args:
            image_from: (H, W, 3) uint8 RGB.
            image_to: (H, W, 3) uint8 RGB.

        Returns:
            For every place p of ``image_from`` the vector v with p + v the same thing's place in ``image_to``.
        """


class DisFlow(FlowEstimator):
    """Dense inverse search (Kroeger et al. 2016) on grey pictures, by OpenCV, on the CPU; nothing is learnt.

    Args:
        preset: OpenCV's: ultrafast, fast (both at a quarter of the resolution they are given) or medium (at half).
        max_side: pictures are shrunk until their long side is at most this many pixels; None for never.

    Raises:
        InputError: there is no such preset, or ``max_side`` is not positive.
    """

    def __init__(self, preset: DisPreset = "medium", max_side: int | None = 427) -> None:
        _check_choice("a preset of DIS", preset, get_args(DisPreset))
        _check_max_side(max_side)
        self._code: int = getattr(cv2, f"DISOPTICAL_FLOW_PRESET_{preset.upper()}")
        self._max_side = max_side

    def estimate(self, image_from: NDArray[np.uint8], image_to: NDArray[np.uint8]) -> Flow:
        grey_from, grey_to = (self._grey(image) for image in (image_from, image_to))
        height, width = grey_from.shape
        # An instance adapts its scales to the pictures it sees, and forgets to adapt them back.
        search = cv2.DISOpticalFlow.create(self._code)
        # None asks for a flow from nothing; the stub knows only of one to start from.
        vectors = search.calc(_padded_grey(grey_from), _padded_grey(grey_to), None)  # type: ignore[call-overload]
        return _in_picture_pixels(np.asarray(vectors[:height, :width], np.float32), image_from.shape[:2])

    def _grey(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return _shrunk(np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8), self._max_side)


class RaftFlow(FlowEstimator):
    """RAFT (Teed and Deng 2020).

    Args:
        network: as ``build_raft`` makes it, a Module like any other: train it through ``predict``.
        updates: recurrent refinements of the flow.
        max_side: pictures are shrunk until their long side is at most this many pixels; None for never.

    Raises:
        InputError: the numbers are not positive.
    """

    def __init__(self, network: nn.Module, updates: int = 12, max_side: int | None = None) -> None:
        _check_max_side(max_side)
        if updates < 1:
            raise InputError(f"expected at least 1 update of the flow, found {updates}; 12 are usual")
        self.network, self._updates, self._max_side = network.eval(), updates, max_side

    def predict(self, images_from: Tensor, images_to: Tensor) -> list[Tensor]:
        """The flow after each update, with gradients.

        Args:
            images_from: (B, 3, H, W) uint8 RGB, or float32 of the same range 0 to 255, of any size.
            images_to: (B, 3, H, W), likewise.

        Returns:
            One (B, 2, H, W) float32 (x, y) in pixels for each update; the last is the best.
        """
        height, width = images_from.shape[2:]
        flows = self.network(_padded(images_from), _padded(images_to), num_flow_updates=self._updates)
        return [flow[:, :, :height, :width] for flow in flows]

    @torch.no_grad()
    def estimate(self, image_from: NDArray[np.uint8], image_to: NDArray[np.uint8]) -> Flow:
        vectors = self.predict(self._batch(image_from), self._batch(image_to))[-1][0]
        return _in_picture_pixels(vectors.permute(1, 2, 0).cpu().numpy(), image_from.shape[:2])

    def _batch(self, image: NDArray[np.uint8]) -> Tensor:
        shrunk = np.ascontiguousarray(_shrunk(image, self._max_side))
        return torch.from_numpy(shrunk).to(next(self.network.parameters()).device).permute(2, 0, 1)[None]


def build_raft(variant: RaftVariant) -> nn.Module:
    """RAFT of torchvision, small (1 million parameters) or large (5 million), with random parameters.

    Raises:
        InputError: there is no such variant.
    """
    from torchvision.models import optical_flow  # as long to import as PyTorch, and DIS does without

    _check_choice("a variant of RAFT", variant, get_args(RaftVariant))
    build = optical_flow.raft_small if variant == "small" else optical_flow.raft_large
    network: nn.Module = build(weights=None)
    return network


def load_public_raft(network: nn.Module, variant: RaftVariant) -> None:
    """Give it torchvision's public weights, which are fetched, or found in the cache.

    Raises:
        InputError: they cannot be fetched.
    """
    from torchvision.models import optical_flow

    kinds = {"small": optical_flow.Raft_Small_Weights, "large": optical_flow.Raft_Large_Weights}
    network.load_state_dict(fetch_public_state(kinds[variant].DEFAULT, "RAFT", "take another preset: compact"))


def _check_choice(what: str, found: str, known: tuple[str, ...]) -> None:
    if found not in known:
        raise InputError(f"expected {what}, found {found!r}; choose one of {', '.join(known)}")


def _check_max_side(max_side: int | None) -> None:
    if max_side is not None and max_side < 1:
        raise InputError(f"expected a longest side of at least 1 pixel for the flow, found {max_side}; 427 is usual")


def _shrunk(image: NDArray[np.uint8], max_side: int | None) -> NDArray[np.uint8]:
    """(H, W, ...) -> (h, w, ...) with a long side of at most ``max_side``, each pixel the mean of those under it."""
    height, width = image.shape[:2]
    if max_side is None or max(height, width) <= max_side:
        return image
    scale = max_side / max(height, width)
    size_wh = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(cv2.resize(image, size_wh, interpolation=cv2.INTER_AREA), np.uint8)


def _padded_grey(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    down, right = (max(0, DIS_SHORTEST_SIDE - side) for side in grey.shape)
    return np.asarray(cv2.copyMakeBorder(grey, 0, down, 0, right, cv2.BORDER_REPLICATE), np.uint8)


def _padded(images: Tensor) -> Tensor:
    """(B, 3, H, W) of 0 to 255 -> in [-1, 1], repeated at the right and below to sides that RAFT takes."""
    height, width = images.shape[2:]
    down, right = (max(-side % RAFT_GRID, RAFT_SHORTEST_SIDE - side) for side in (height, width))
    return functional.pad(images.float() / 127.5 - 1, (0, right, 0, down), mode="replicate")


def _in_picture_pixels(vectors: NDArray[np.float32], size_hw: tuple[int, ...]) -> Flow:
    """A flow in pixels of its own grid, as one in pixels of the picture."""
    height, width = size_hw[0], size_hw[1]
    scale = np.array([width / vectors.shape[1], height / vectors.shape[0]], np.float32)
    return Flow(vectors * scale, (height, width))
