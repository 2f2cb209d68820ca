"""Edges of mattes, changed after the fact: the controls that editors know, as one pure function of a frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from shibori.errors import InputError
from shibori.media.guided_filter import guided_filter
from shibori.media.mask import FrameMasks

Alpha = NDArray[np.float32]
"""(H, W) opacity of one object in [0, 1]."""
_FAINT = 0.02
"""Opacity below which nothing is taken to be there."""

_PASSES = 3
"""Of the guided filter: each brings an edge that is off a little nearer to the picture's."""


@dataclass(frozen=True)
class EdgeControls:
    """What is done to the edge of every object. They are carried out in this order; 0 leaves it as it is."""

    islands: int = field(
        default=0, metadata={"help": "Leave out detached parts of an object of at most so many pixels."}
    )
    holes: int = field(default=0, metadata={"help": "Fill holes in an object of at most so many pixels."})
    calm: int = field(
        default=0,
        metadata={
            "help": "Average each edge with its like in so many frames before and after, along the motion, so that it "
            "flickers less."
        },
    )
    refine: float = field(
        default=0.0,
        metadata={"help": "Let edges follow the picture (hair, blur) within so many pixels (guided filter)."},
    )
    smooth: float = field(
        default=0.0, metadata={"help": "Straighten corners and dents smaller than about so many pixels."}
    )
    choke: float = field(
        default=0.0, metadata={"help": "Shrink objects by so many pixels, fractions too; negative grows them."}
    )
    feather: float = field(default=0.0, metadata={"help": "Soften edges over so many pixels."})

    def __post_init__(self) -> None:
        for each in fields(EdgeControls):
            value = getattr(self, each.name)
            if not np.isfinite(value) or (value < 0 and each.name != "choke"):
                raise InputError(f"expected --{each.name} of 0 or more, found {value}")

    @property
    def is_idle(self) -> bool:
        """Whether nothing is to be done."""
        return not any(getattr(self, each.name) for each in fields(EdgeControls))


def shape_edges(
    masks: FrameMasks, image: NDArray[np.uint8], controls: EdgeControls, object_ids: Sequence[int]
) -> FrameMasks:
    """The masks of a frame with the edges of some objects shaped; ``calm`` is for ``calm_masks``, not done here.

    Args:
        masks: of the frame.
        image: (H, W, 3) uint8 RGB of the frame; looked at by ``refine`` alone.
        controls: what is to be done.
        object_ids: of the objects; others are left out.

    Returns:
        The same frame with ``shaped`` opacities, and ids that follow them.
    """
    alphas = {object_id: shape_alpha(masks.opacity((object_id,)), image, controls) for object_id in object_ids}
    return with_opacities(masks, alphas)


def with_opacities(masks: FrameMasks, alphas: dict[int, Alpha]) -> FrameMasks:
    """The masks with other opacities; each pixel's id is the object that covers most of it, if more than the rest."""
    background = 1 - sum(alphas.values(), np.zeros(masks.ids.shape, np.float32))
    largest, ids = background, np.zeros(masks.ids.shape, masks.ids.dtype)
    for object_id, alpha in alphas.items():
        ids = np.where(alpha > largest, object_id, ids).astype(np.uint16 if object_id > 254 else ids.dtype)
        largest = np.maximum(largest, alpha)
    return replace(masks, ids=ids, shaped=alphas)


def shape_alpha(alpha: Alpha, image: NDArray[np.uint8], controls: EdgeControls) -> Alpha:
    """The opacity of one object with its edge shaped.

    Args:
        alpha: (H, W) float32 in [0, 1]; not changed.
        image: (H, W, 3) uint8 RGB.
        controls: what is to be done; ``calm`` is passed over.
    """
    reach = round(2 + 3 * (controls.refine + controls.smooth + controls.feather) + abs(controls.choke) + 2)
    area = _surrounding(alpha, reach)
    if area is None:
        return alpha
    part = alpha[area]
    part = without_islands(part, controls.islands) if controls.islands else part
    part = without_holes(part, controls.holes) if controls.holes else part
    part = refined(part, image[area], controls.refine) if controls.refine else part
    part = smoothed(part, controls.smooth) if controls.smooth else part
    part = choked(part, controls.choke) if controls.choke else part
    part = feathered(part, controls.feather) if controls.feather else part
    shaped = np.zeros_like(alpha)
    shaped[area] = part
    return shaped


def _surrounding(alpha: Alpha, reach: int) -> tuple[slice, slice] | None:
    """Rows and columns in which an object shows, and ``reach`` pixels more on every side; None where it does not."""
    there = alpha > 0
    rows, columns = np.flatnonzero(there.any(axis=1)), np.flatnonzero(there.any(axis=0))
    if not len(rows):
        return None
    return (
        slice(max(0, int(rows[0]) - reach), int(rows[-1]) + 1 + reach),
        slice(max(0, int(columns[0]) - reach), int(columns[-1]) + 1 + reach),
    )


def without_islands(alpha: Alpha, largest_area: int) -> Alpha:
    """Parts of at most so many pixels are gone, with their soft rims."""
    small, large = _parts_by_area((alpha >= 0.5).astype(np.uint8), largest_area)
    return np.where(_with_rim(small, large), np.float32(0), alpha)


def without_holes(alpha: Alpha, largest_area: int) -> Alpha:
    """Holes of at most so many pixels are filled, with their soft rims; what touches the frame's border is no hole."""
    background = cv2.copyMakeBorder((alpha < 0.5).astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=1)
    small, large = _parts_by_area(np.asarray(background), largest_area, kept=int(background[0, 0]))
    return np.where(_with_rim(small, large)[1:-1, 1:-1], np.float32(1), alpha)


def _with_rim(small: NDArray[np.uint8], large: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Small parts and two pixels around them, but not those beside a large one."""
    around = np.asarray(cv2.dilate(small, np.ones((5, 5), np.uint8)), bool)
    return around & ~np.asarray(cv2.dilate(large, np.ones((3, 3), np.uint8)), bool)


def _parts_by_area(
    mask: NDArray[np.uint8], largest_area: int, kept: int = 0
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Small and large connected parts of a 0/1 mask; with ``kept`` the part in the upper left corner is large."""
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
    is_small = statistics[:, cv2.CC_STAT_AREA] <= largest_area
    is_small[0] = False
    if kept:
        is_small[labels[0, 0]] = False
    small = is_small[labels].astype(np.uint8)
    return small, mask - small


def refined(alpha: Alpha, image: NDArray[np.uint8], radius: float) -> Alpha:
    """The edge moved to where the picture has one, within so many pixels of it; certain elsewhere."""
    near, certain = _near_edge(alpha, radius), (alpha >= 0.5).astype(np.float32)
    for _ in range(_PASSES):
        alpha = np.where(near, guided_filter(image, alpha, max(1, round(radius))).clip(0, 1), certain)
    return alpha


def _near_edge(alpha: Alpha, radius: float) -> NDArray[np.bool_]:
    """Where a pixel that is neither nor is, or an edge, lies within so many pixels."""
    inside = (alpha >= 0.5).astype(np.uint8)
    reach = _disk(max(1, round(radius)))
    grown, shrunk = cv2.dilate(inside, reach), cv2.erode(inside, reach)
    soft = cv2.dilate(((alpha > _FAINT) & (alpha < 1 - _FAINT)).astype(np.uint8), np.ones((3, 3), np.uint8))
    return np.asarray((grown != shrunk) | (soft > 0))


def smoothed(alpha: Alpha, radius: float) -> Alpha:
    """The outline blurred by so many pixels, and made as steep again as it was on average."""
    softness = max(edge_softness(alpha), 0.35)
    blurred = _blurred(alpha, radius)
    gain = float(np.hypot(radius, softness)) / softness
    logits = np.log(np.clip(blurred, 1e-4, 1 - 1e-4) / np.clip(1 - blurred, 1e-4, 1 - 1e-4))
    steep = 1 / (1 + np.exp(-gain * logits))
    return np.where((blurred <= 1e-4) | (blurred >= 1 - 1e-4), np.rint(blurred), steep).astype(np.float32)


def edge_softness(alpha: Alpha) -> float:
    """Standard deviation in pixels of the blur that makes an edge like this one, on average over the outline.

    Across the edge of a step blurred by a Gaussian, alpha (1 - alpha) sums to sigma / sqrt(pi), the slope to one.
    """
    across, along = cv2.Sobel(alpha, cv2.CV_32F, 1, 0, scale=1 / 8), cv2.Sobel(alpha, cv2.CV_32F, 0, 1, scale=1 / 8)
    length = float(np.hypot(across, along).sum())
    return float(np.sqrt(np.pi) * (alpha * (1 - alpha)).sum() / length) if length > 0 else 0.0


def choked(alpha: Alpha, distance: float) -> Alpha:
    """Every level of opacity moved inward by so many pixels, outward where negative; parts of one by its share."""
    move, border = (cv2.erode, 1.0) if distance > 0 else (cv2.dilate, 0.0)
    whole, part = int(abs(distance)), abs(distance) % 1
    nearer = move(alpha, _disk(whole), borderValue=border) if whole else alpha
    if not part:
        return np.asarray(nearer, np.float32)
    farther = move(alpha, _disk(whole + 1), borderValue=border)
    return np.asarray((1 - part) * nearer + part * farther, np.float32)


def feathered(alpha: Alpha, width: float) -> Alpha:
    """The edge faded over so many pixels: from an eighth to seven eighths of full opacity."""
    return _blurred(alpha, width / 2.3)


def _blurred(alpha: Alpha, sigma: float) -> Alpha:
    return np.asarray(cv2.GaussianBlur(alpha, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE), np.float32)


def _disk(radius: int) -> NDArray[np.uint8]:
    rows, columns = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    return (rows**2 + columns**2 <= (radius + 0.3) ** 2).astype(np.uint8)
