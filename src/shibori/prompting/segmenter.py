"""Marks on one frame in, candidates for the mask out. Equal calls give equal answers; only embeddings are kept.

Windows are xyxy float64 of whole frame pixels, half-open. Axes: H W pixels of the frame, h w cells of a mask over its
window, K candidates.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from hashlib import blake2b

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from shibori.errors import InputError
from shibori.media.guided_filter import guided_filter
from shibori.media.marks import FrameMarks
from shibori.nn.prepare import mixed_precision
from shibori.ops.correction import LOOKED_PAST
from shibori.ops.normalise import normalise_images
from shibori.ops.overlap import WindowedLogits
from shibori.ops.window import box_around, cut_window, mask_box
from shibori.prompting.network import (
    MASK_STRIDE,
    PictureFeatures,
    PromptedMasks,
    PromptNetwork,
    Prompts,
    vague_marks,
)
from shibori.prompting.prompts import ObjectPoints
from shibori.prompting.rule import PromptRule
from shibori.prompting.view import settled_window, view_size, whole_window

Mask = NDArray[np.bool_]
GUIDE_STRIDE = 2
"""Pixels of a view to one cell of the masks that are given."""


@dataclass(frozen=True, eq=False)
class Embedding:
    """What the network knows of a window of a frame before anything is marked."""

    window: NDArray[np.float64]
    """(4,)."""
    size_hw: tuple[int, int]
    """Of the frame."""
    view_hw: tuple[int, int]
    """To which the window was resized."""
    features: PictureFeatures
    """Of one picture, float32, for the decoder."""
    guide: NDArray[np.uint8]
    """(H', W', 3) RGB of the window at half the size of the view, which the edges of masks follow."""


@dataclass(frozen=True, eq=False)
class Candidates:
    """Masks that marks can mean, the best first."""

    window: NDArray[np.float64]
    """(4,) what was looked at."""
    size_hw: tuple[int, int]
    """Of the frame."""
    logits: NDArray[np.float32]
    """(K, h, w) log-odds on a grid over the window; three for one click where nothing else is known, otherwise one."""
    quality: NDArray[np.float32]
    """(K,) expected IoU in [0, 1]; falling, but for the first, which may be a larger one that is about as good."""

    def windowed(self, object_id: int, candidate: int = 0) -> WindowedLogits:
        """One of them as the answer for an object."""
        return WindowedLogits(object_id, self.window, self.logits[candidate])

    def in_frame(self, candidate: int = 0) -> NDArray[np.float32]:
        """(H, W) log-odds of one of them; ``LOOKED_PAST`` outside the window."""
        whole = np.full(self.size_hw, LOOKED_PAST, np.float32)
        area, logits = self.windowed(1, candidate).in_frame()
        whole[area] = logits
        return whole

    def mask(self, candidate: int = 0) -> Mask:
        """(H, W) one of them."""
        return self.windowed(1, candidate).mask(self.size_hw)


Previous = NDArray[np.bool_] | NDArray[np.float32] | Candidates
"""What was said of an object before: (H, W) its mask, the log-odds of it, or an answer, whose best candidate counts."""


class PromptSegmenter:
    """The promptable network at work.

    Args:
        network: with its parameters, in float32.
        device: of the network.
        rule: how it is asked.
    """

    def __init__(self, network: PromptNetwork, device: torch.device, rule: PromptRule | None = None) -> None:
        self.network = network.eval().requires_grad_(False).to(device).to(memory_format=torch.channels_last)
        self.device, self.rule = device, rule or PromptRule()
        self._kept: OrderedDict[bytes, Embedding] = OrderedDict()

    def answer(
        self,
        image: NDArray[np.uint8],
        marks: FrameMarks,
        object_id: int,
        previous: Previous | None = None,
    ) -> Candidates:
        """Segment one object: in a window around what is marked or was there before.

        Where only clicks and strokes are given, what they are on is looked for in the whole frame first.

        Args:
            image: (H, W, 3) uint8 RGB.
            marks: of the frame; those on other objects are marks beside this one.
            object_id: the object.
            previous: what was said of it before. The answer to earlier marks on the same frame may be given as it is:
                then the next one looks at the same window, which is embedded, as long as it shows the object well.

        Raises:
            InputError: neither a mark nor a previous mask says where the object is.
        """
        points = ObjectPoints.of(marks, object_id, (image.shape[0], image.shape[1]))
        before = _extent(previous)
        if points.extent is None and before is None:
            raise InputError(
                f"expected a mark or a mask that says where object {object_id} is, found none: mark the object"
            )
        if before is None:
            previous = None
            before = None if points.has_box else self._found(image, points)
        box = _around(points.extent, before)
        window = settled_window(box, self.rule.reach, (image.shape[0], image.shape[1]))
        if isinstance(previous, Candidates) and shows_well(previous.window, box, self.rule):
            window = previous.window
        return self._ask(self.encode(image, window), points, previous)

    def encode(
        self, image: NDArray[np.uint8], window: NDArray[np.float64] | None = None, side: int | None = None
    ) -> Embedding:
        """Look at a window of a frame. It is kept: the same window of an equal picture costs no more than a hash.

        Args:
            image: (H, W, 3) uint8 RGB.
            window: (4,); None for the whole frame.
            side: longer side in pixels to which it is resized; by default that of the rule.
        """
        size_hw = (image.shape[0], image.shape[1])
        window = whole_window(size_hw) if window is None else window
        view_hw = view_size(window, side or self.rule.side)
        key = _key(image, window, view_hw)
        if key not in self._kept:
            view = torch.from_numpy(cut_window(image, window, view_hw)).permute(2, 0, 1)[None].to(self.device)
            with torch.inference_mode(), mixed_precision(self.device):
                found = self.network.encode(normalise_images(view))
            features = PictureFeatures(*(part.float() for part in found))
            guide = cut_window(image, window, (view_hw[0] // GUIDE_STRIDE, view_hw[1] // GUIDE_STRIDE))
            self._kept[key] = Embedding(window, size_hw, view_hw, features, guide)
        self._kept.move_to_end(key)
        while len(self._kept) > self.rule.kept:
            self._kept.popitem(last=False)
        return self._kept[key]

    def look(
        self, image: NDArray[np.uint8], window: NDArray[np.float64], points: ObjectPoints, previous: Previous
    ) -> Candidates:
        """Look at a window that may show a part of the object alone; the answer counts inside it.

        Args:
            image: (H, W, 3) uint8 RGB.
            window: (4,).
            points: all marks on the object and beside it; those outside the window are left out.
            previous: what was said of the object before.
        """
        return self._ask(self.encode(image, window, self.rule.near_side), points.inside(window), previous)

    def segment(
        self,
        embedding: Embedding,
        marks: FrameMarks,
        object_id: int,
        previous: Previous | None = None,
    ) -> Candidates:
        """Segment one object in a window that was looked at; see ``answer``.

        Raises:
            InputError: nothing is marked, and there is no previous mask.
        """
        points = ObjectPoints.of(marks, object_id, embedding.size_hw)
        if not len(points.points) and previous is None:
            raise InputError(f"expected a mark on object {object_id} or a mask of it, found none: mark the object")
        return self._ask(embedding, points, previous)

    def _found(self, image: NDArray[np.uint8], points: ObjectPoints) -> NDArray[np.float64] | None:
        """(4,) box of what is marked, as a look at the whole frame shows it; None where it shows nothing."""
        embedding = self.encode(image, side=self.rule.first_side)
        found, _ = self._masks(embedding, points, None)
        return mask_box(found.logits[0, 0].cpu().numpy() > 0, embedding.window)

    def _ask(self, embedding: Embedding, points: ObjectPoints, previous: Previous | None) -> Candidates:
        """All candidates for vague marks, the one mask for clear ones."""
        found, is_vague = self._masks(embedding, points, previous)
        slots = slice(1, None) if is_vague else slice(1)
        logits, quality = (part[0, slots].float().cpu().numpy() for part in found)
        order = whole_first(logits, quality, self.rule.whole_margin)
        logits = np.stack([with_edges_of(embedding.guide, logits[slot], self.rule.edge_radius) for slot in order])
        return Candidates(embedding.window, embedding.size_hw, logits, quality[order].clip(0, 1))

    def _masks(
        self, embedding: Embedding, points: ObjectPoints, previous: Previous | None
    ) -> tuple[PromptedMasks, bool]:
        """What the network answers, and whether the marks can mean several things."""
        places, kinds = points.seen_in(embedding.window, embedding.view_hw)
        seen = None if previous is None else self._seen_mask(embedding, previous).to(self.device)
        prompts = Prompts(places.to(self.device), kinds.to(self.device), seen)
        with torch.inference_mode():
            found = self.network(embedding.features, prompts)
        return found, bool(vague_marks(prompts))

    def _seen_mask(self, embedding: Embedding, previous: Previous) -> Tensor:
        """(1, 1, h, w) log-odds of a previous mask in the view."""
        logits = log_odds_of(previous, self.rule.certainty)
        height, width = (side // MASK_STRIDE for side in embedding.view_hw)
        seen = cut_window(logits, embedding.window, (height, width))
        return torch.from_numpy(np.ascontiguousarray(seen))[None, None]


def log_odds_of(previous: Previous, certainty: float) -> NDArray[np.float32]:
    """(H, W) log-odds of what was said before; a mask without any is believed by ``certainty``."""
    if isinstance(previous, Candidates):
        return previous.in_frame()
    if previous.dtype == np.bool_:
        return np.where(previous, np.float32(certainty), np.float32(-certainty))
    return np.asarray(previous, np.float32)


def shows_well(window: NDArray[np.float64], box: NDArray[np.float64], rule: PromptRule) -> bool:
    """Whether a window holds a box, neither too tightly nor too loosely for another look at it."""
    is_inside = bool((window[:2] <= box[:2]).all() and (box[2:] <= window[2:]).all())
    share = float(((box[2:] - box[:2]) / (window[2:] - window[:2])).max())
    return is_inside and share >= rule.least_share


def _extent(previous: Previous | None) -> NDArray[np.float64] | None:
    """(4,) box around a mask; None where there is none, or it shows nothing."""
    if previous is None:
        return None
    if isinstance(previous, Candidates):
        return mask_box(previous.mask())
    return mask_box(np.greater(previous, 0))


def _around(first: NDArray[np.float64] | None, second: NDArray[np.float64] | None) -> NDArray[np.float64]:
    """(4,) around both boxes, or the one that there is."""
    if first is None or second is None:
        box = second if first is None else first
        assert box is not None
        return box
    return box_around(first, second)


def with_edges_of(guide: NDArray[np.uint8], logits: NDArray[np.float32], radius: int) -> NDArray[np.float32]:
    """(h, w) log-odds -> (H, W) log-odds whose edges are where the picture has some.

    Args:
        guide: (H, W, 3) uint8 RGB, of the same window.
        logits: of fewer cells.
        radius: of the guided filter, in pixels of the guide; 0 for none.
    """
    fine = np.asarray(cv2.resize(logits, guide.shape[1::-1], interpolation=cv2.INTER_LINEAR), np.float32)
    if radius:
        shares = guided_filter(guide, 1 / (1 + np.exp(-fine.clip(LOOKED_PAST, -LOOKED_PAST))), radius)
        least = 1 / (1 + np.exp(-LOOKED_PAST))
        shares = shares.clip(least, 1 - least)
        fine = np.log(shares / (1 - shares))
    return np.asarray(fine, np.float32)


def whole_first(logits: NDArray[np.float32], quality: NDArray[np.float32], margin: float) -> NDArray[np.intp]:
    """(K,) the order of candidates: the largest of those about as good as the best, then by quality.

    A part of an object is often the surest answer to a click; who clicks on a clip mostly means the whole.

    Args:
        logits: (K, h, w) log-odds.
        quality: (K,) expected IoU.
        margin: how much less than the best is as good.
    """
    order = np.argsort(-quality, kind="stable")
    areas = (logits > 0).sum((1, 2))
    largest = max(order, key=lambda slot: (quality[slot] >= quality.max() - margin, areas[slot]))
    return np.concatenate([[largest], order[order != largest]])


def _key(image: NDArray[np.uint8], window: NDArray[np.float64], view_hw: tuple[int, int]) -> bytes:
    """What tells one view from another."""
    digest = blake2b(np.ascontiguousarray(image).tobytes(), digest_size=16)
    digest.update(repr((image.shape, window.tolist(), view_hw)).encode())
    return digest.digest()
