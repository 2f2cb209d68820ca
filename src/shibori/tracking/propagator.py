"""The pixel tracker at work: any number of objects, each in its own window, frame after frame.

Memory is bounded: per object the reference frames (at most ``MAX_REFERENCES``), a few confident frames, and the last.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from shibori.interfaces import Propagation, Propagator
from shibori.media.mask import FrameMasks, ObjectStatus
from shibori.ops.aggregate import LOGIT_LIMIT
from shibori.ops.normalise import normalise_images
from shibori.ops.overlap import OverlapMap, WindowedLogits, settled_ids
from shibori.ops.pieces import heaviest_box, keep_plausible_pieces, mean_over_mask
from shibori.ops.window import (
    WindowRule,
    box_window,
    cut_window,
    mask_box,
    settled_box,
    whole_size,
    window_size,
)
from shibori.tracking.network import (
    Encoded,
    Memory,
    PixelNetwork,
    as_seen_from,
    join_memories,
    with_surroundings,
)

MAX_REFERENCES = 3


@dataclass(frozen=True)
class TrackingRule:
    """When an object counts as seen, and what is remembered of it."""

    window: WindowRule = field(default_factory=WindowRule)
    max_remembered: int = 1
    """Confident past frames matched globally besides the references; the last frame is matched locally only."""
    remember_every: int = 2
    """Frames between additions to them."""
    confident: float = 0.8
    """Expected IoU above which a frame is remembered."""
    strange: float = 0.15
    """Likeness to the reference at and below which there is no confidence left: looking back one frame only drifts."""
    familiar: float = 0.45
    """Likeness to the reference from which it does not limit confidence any more."""
    seen: float = 0.35
    """Confidence below which an object counts as lost."""
    found: float = 0.6
    """Confidence from which a lost object counts as found again: more than it takes to be kept."""
    widen: float = 2.2
    """How much wider than usual a lost object is looked for where it was lost."""
    frame_side: int = 288
    """Short side in pixels to which the whole frame is resized to see where else a lost object might be."""
    kin: float = 0.72
    """Kinship (``Comparison``) from which a place of the whole frame might be it."""
    kin_found: float = 0.7
    """Mean kinship of a mask from which a lost object counts as found again."""
    leaning: float = 0.5
    """Added to the log-odds: masks that lose a limb lose it for good, so doubt counts for the object."""
    min_shrink: float = 0.92
    """The box that is followed shrinks at most to this share from one frame to the next."""
    max_growth: float = 1.25
    """The box that is followed grows at most to this share from one frame to the next."""
    context: float = 2.5
    """How much wider than usual the surroundings of a reference are remembered, as background; 1 for not at all."""
    momentum: float = 0.5
    """Share of the last displacement by which the next window is moved ahead."""


@dataclass
class View:
    """One object as seen in one frame."""

    window: NDArray[np.float64]
    """(4,) xyxy, frame pixels."""
    memory: Memory
    """The frame with its mask, on a grid of ``grid_hw``."""
    grid_hw: tuple[int, int]
    mask: Tensor
    """(1, 1, h, w) probability in the window."""
    others: Tensor
    """(1, 1, h, w) probability of all other objects."""


@dataclass
class ObjectState:
    """What is known of one object."""

    object_id: int
    references: list[Memory] = field(default_factory=list)
    remembered: list[Memory] = field(default_factory=list)
    last: View | None = None
    box: NDArray[np.float64] | None = None
    """Where it was last seen."""
    velocity: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))
    confidence: float = 1.0
    lost_for: int = 0
    """Frames since it was seen; 0 while it is."""
    is_absent: bool = False
    """Whether the user said that it is not there, and it has not been found since."""
    frames_since_remembered: int = 0

    @property
    def is_lost(self) -> bool:
        """Whether it has to be searched for."""
        return self.lost_for > 0

    @property
    def status(self) -> ObjectStatus:
        """What is said of it."""
        if not self.is_lost:
            return ObjectStatus(self.object_id, self.confidence, "tracked")
        return ObjectStatus(self.object_id, self.confidence, "absent" if self.is_absent else "lost")


@dataclass
class Sight:
    """An object's answer in one frame, before overlaps are settled."""

    state: ObjectState
    window: NDArray[np.float64]
    encoded: Encoded
    logits: NDArray[np.float32]
    """(h, w) log-odds in the window."""
    confidence: float
    kinship: float
    """Mean over the mask (``Comparison``)."""

    @property
    def answer(self) -> WindowedLogits:
        """What is settled with the other objects."""
        return WindowedLogits(self.state.object_id, self.window, self.logits)


class PixelPropagator(Propagator):
    """The pixel tracker as a ``Propagator``.

    Args:
        network: the trained network, prepared for inference.
        rule: windows, memory and thresholds.
        device: of the network.
    """

    def __init__(self, network: PixelNetwork, rule: TrackingRule, device: torch.device) -> None:
        self.network = network
        self.rule = rule
        self.device = device

    def begin(self, size_hw: tuple[int, int]) -> PixelPropagation:
        """See ``Propagator``."""
        return PixelPropagation(self, size_hw)


class PixelPropagation(Propagation):
    """One run over one stream; see ``Propagation``."""

    def __init__(self, propagator: PixelPropagator, size_hw: tuple[int, int]) -> None:
        self.network = propagator.network
        self.rule = propagator.rule
        self.device = propagator.device
        self.size_hw = size_hw
        self.states: dict[int, ObjectState] = {}
        self.index = -1

    @torch.inference_mode()
    def step(self, image: NDArray[np.uint8], references: Mapping[int, NDArray[np.bool_]] | None = None) -> FrameMasks:
        """See ``Propagation.step``."""
        self.index += 1
        references = references or {}
        followed = [state for object_id, state in self.states.items() if object_id not in references]
        sights = [sight for state in followed if (sight := self._look(state, image)) is not None]
        for sight in sights:
            if not self._is_seen(sight):
                sight.logits = np.full_like(sight.logits, -LOGIT_LIMIT)
        answers = [sight.answer for sight in sights]
        ids = settled_ids(answers, references, self.size_hw, max([0, *self.states, *references]))
        shares = OverlapMap(self.size_hw, answers, references)
        for sight in sights:
            self._update(sight, shares)
        for object_id, mask in references.items():
            self._refer(object_id, mask, image, shares)
        statuses = tuple(state.status for state in self.states.values())
        return FrameMasks(self.index, ids, statuses, None)

    def _look(self, state: ObjectState, image: NDArray[np.uint8]) -> Sight | None:
        """Segment one object where it was, or search for it where it is lost."""
        if state.box is None:  # nothing but its absence was ever marked
            return None
        if state.is_lost:
            return self._search(state, image, state.box)
        box = state.box + np.tile(state.velocity * self.rule.momentum, 2)
        return self._segment(state, image, box_window(self.rule.window, box, self.size_hw))

    def _search(self, state: ObjectState, image: NDArray[np.uint8], box: NDArray[np.float64]) -> Sight:
        """Look in turn around where the object was lost and where it is most likely in the whole frame; then closer."""
        likely = self._likely_box(state, image, box) if state.lost_for % 2 == 0 else None
        widen = self.rule.widen if likely is None else 1.0
        best = self._segment(
            state, image, box_window(self.rule.window, box if likely is None else likely, self.size_hw, widen)
        )
        found = mask_box(best.logits > 0, best.window)
        if found is None or best.confidence < self.rule.seen:
            return best
        closer = self._segment(state, image, box_window(self.rule.window, found, self.size_hw))
        return closer if closer.confidence >= best.confidence else best

    def _likely_box(
        self, state: ObjectState, image: NDArray[np.uint8], box: NDArray[np.float64]
    ) -> NDArray[np.float64] | None:
        """Where the whole frame is most like the references, in a box no smaller than the object's last; or nowhere."""
        frame = np.array([0.0, 0.0, self.size_hw[1], self.size_hw[0]])
        encoded = self._encode(image, frame, whole_size(self.size_hw, self.rule.frame_side))
        kinship = self.network.compare(encoded, join_memories(*state.references)).kinship[0].float().cpu().numpy()
        likely = heaviest_box(kinship - np.float32(self.rule.kin), frame)
        if likely is None:
            return None
        centre, extent = (likely[:2] + likely[2:]) / 2, np.maximum(likely[2:] - likely[:2], box[2:] - box[:2])
        return np.concatenate([centre - extent / 2, centre + extent / 2])

    def _is_seen(self, sight: Sight) -> bool:
        if not sight.state.is_lost:
            return sight.confidence >= self.rule.seen
        return sight.confidence >= self.rule.found and sight.kinship >= self.rule.kin_found

    def _segment(self, state: ObjectState, image: NDArray[np.uint8], window: NDArray[np.float64]) -> Sight:
        assert state.last is not None
        size_hw = window_size(self.rule.window, window)
        encoded = self._encode(image, window, size_hw)
        memory = join_memories(*state.references, *state.remembered)
        previous, mask, others = self._previous(state.last, window, size_hw)
        prediction = self.network(encoded, memory, previous, mask, others)
        confidence = float(prediction.quality.float().sigmoid() * prediction.presence.float().sigmoid())
        likeness, kinship = self._compared(encoded, state.references)
        logits = prediction.logits[0, 0].float().cpu().numpy() + np.float32(self.rule.leaning)
        logits = keep_plausible_pieces(logits, mask[0, 0].float().cpu().numpy(), likeness)
        familiar = mean_over_mask(likeness, logits)
        span = self.rule.familiar - self.rule.strange
        confidence *= min(max(familiar - self.rule.strange, 0.0) / span, 1.0)
        return Sight(state, window, encoded, logits, confidence, mean_over_mask(kinship, logits))

    def _compared(self, encoded: Encoded, references: list[Memory]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Likeness and kinship to the reference frames (``Comparison``), at every other grid position."""
        sparse = encoded._replace(key=encoded.key[:, :, ::2, ::2])
        likeness, kinship = (
            part[0].float().cpu().numpy() for part in self.network.compare(sparse, join_memories(*references))
        )
        return likeness, kinship

    def _encode(self, image: NDArray[np.uint8], window: NDArray[np.float64], size_hw: tuple[int, int]) -> Encoded:
        cut = torch.from_numpy(cut_window(image, window, size_hw)).to(self.device)
        images = normalise_images(cut.permute(2, 0, 1)[None]).contiguous(memory_format=torch.channels_last)
        return self.network.encode(images)

    def _previous(
        self, last: View, window: NDArray[np.float64], size_hw: tuple[int, int]
    ) -> tuple[Memory, Tensor, Tensor]:
        """The last frame as the current window sees it."""
        window_from = torch.from_numpy(last.window.astype(np.float32))[None].to(self.device)
        window_to = torch.from_numpy(window.astype(np.float32))[None].to(self.device)
        return as_seen_from(last.memory, last.mask, last.others, window_from, window_to, self.network.stride, size_hw)

    def _grid_hw(self, size_hw: tuple[int, int]) -> tuple[int, int]:
        return size_hw[0] // self.network.stride, size_hw[1] // self.network.stride

    def _update(self, sight: Sight, shares: OverlapMap) -> None:
        state = sight.state
        mask, others = (torch.from_numpy(part)[None, None].to(self.device) for part in shares.seen_from(sight.answer))
        memory = self.network.remember(sight.encoded, mask, others)
        grid_hw = (sight.encoded.key.shape[2], sight.encoded.key.shape[3])
        state.last = View(sight.window, memory, grid_hw, mask, others)
        state.confidence = sight.confidence
        box = mask_box(mask[0, 0].cpu().numpy() > 0.5, sight.window)
        if box is None or not self._is_seen(sight):
            state.lost_for += 1
            state.velocity = np.zeros(2)
            return
        if state.box is not None and not state.is_lost:
            state.velocity = (box[:2] + box[2:] - state.box[:2] - state.box[2:]) / 2
        state.box, state.lost_for = settled_box(box, state.box, self.rule.min_shrink, self.rule.max_growth), 0
        state.is_absent = False
        state.frames_since_remembered += 1
        if sight.confidence >= self.rule.confident and state.frames_since_remembered >= self.rule.remember_every:
            state.frames_since_remembered = 0
            state.remembered = (
                [*state.remembered, memory][-self.rule.max_remembered :] if self.rule.max_remembered else []
            )

    def _refer(self, object_id: int, mask: NDArray[np.bool_], image: NDArray[np.uint8], shares: OverlapMap) -> None:
        """Take a given mask as true: start the object, or correct it."""
        state = self.states.setdefault(object_id, ObjectState(object_id))
        box = mask_box(mask)
        if box is None:
            state.confidence, state.lost_for, state.is_absent = 0.0, state.lost_for + 1, True
            return
        window = box_window(self.rule.window, box, self.size_hw)
        size_hw = window_size(self.rule.window, window)
        encoded = self._encode(image, window, size_hw)
        given = torch.from_numpy(cut_window(mask.astype(np.float32), window, size_hw))[None, None].to(self.device)
        others = torch.from_numpy(shares.others_of_given(object_id, window, size_hw))[None, None].to(self.device)
        memory = self.network.remember(encoded, given, others)
        wide = box_window(self.rule.window, box, self.size_hw, self.rule.context)
        known = with_surroundings(memory, window, wide, lambda: self._glimpse(mask, wide, image))
        state.references = [*state.references[:1], *state.references[1:][-(MAX_REFERENCES - 2) :], known]
        state.last = View(window, memory, self._grid_hw(size_hw), given, others)
        state.box, state.velocity, state.confidence = box, np.zeros(2), 1.0
        state.lost_for, state.is_absent = 0, False
        state.remembered, state.frames_since_remembered = [], 0

    def _glimpse(self, mask: NDArray[np.bool_], window: NDArray[np.float64], image: NDArray[np.uint8]) -> Memory:
        """What is remembered of a reference in a window other than its own."""
        size_hw = window_size(self.rule.window, window)
        given = torch.from_numpy(cut_window(mask.astype(np.float32), window, size_hw))[None, None].to(self.device)
        return self.network.remember(self._encode(image, window, size_hw), given, torch.zeros_like(given))
