"""strnn at work: features of the clip once, a classifier of its pixels after every round of marks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from shibori.errors import InputError
from shibori.interfaces import Interaction, InteractiveSegmenter
from shibori.media.clip import Clip
from shibori.media.marks import Marks, require_known_objects
from shibori.media.mask import FrameMasks, ObjectStatus
from shibori.ops.aggregate import aggregate_logits
from shibori.ops.normalise import normalise_images
from shibori.systems.strnn.adaption import OnlineAdaption
from shibori.systems.strnn.cache import FeatureCache
from shibori.systems.strnn.model import StrnnNetwork
from shibori.systems.strnn.rule import AdaptionRule
from shibori.systems.strnn.samples import Canvas, Samples, sample_frame

GRAIN = 16
"""Sides of the working frame are multiples of this."""


@dataclass(frozen=True)
class StrnnSegmenter(InteractiveSegmenter):
    """Marks in, masks of all frames out."""

    network: StrnnNetwork
    """Ready for inference."""
    rule: AdaptionRule
    device: torch.device
    linked: bool = True
    """Whether frames are linked in time (Eq. 2); else each has its context in space alone (Eq. 1)."""

    def begin(self, clip: Clip) -> Interaction:
        """See ``InteractiveSegmenter``."""
        return StrnnInteraction(self, clip)


class StrnnInteraction(Interaction):
    """One clip. Its features are computed in frame order, each once, and kept."""

    def __init__(self, segmenter: StrnnSegmenter, clip: Clip) -> None:
        self.clip = clip
        self.rule = segmenter.rule
        self._encoder = _Encoder(segmenter, clip)
        self._taught: list[tuple[int, Samples]] = []
        self._adaption = self._new_adaption()
        self._is_provisional = False
        self._surplus = 0

    @property
    def object_ids(self) -> tuple[int, ...]:
        """The objects marked so far, in the order of their first marks."""
        return tuple(self._adaption.object_ids)

    @torch.inference_mode()
    def probabilities(self, index: int) -> Tensor:
        """(K, H, W) float32 on the CPU: of background and each object in one frame, at the size of the clip."""
        self._catch_up()
        self._encoder.reach(index)
        logits = self._adaption.logits(self._encoder[index], index)
        fine = functional.interpolate(logits[None], self.clip.size_hw, mode="bilinear")[0]
        return aggregate_logits(fine).cpu()

    @torch.inference_mode()
    def mark(self, marks: Marks) -> tuple[FrameMasks, ...]:
        """See ``Interaction``. Before the first ``masks`` the answer lacks the context of the frames before."""
        marks.check(self.clip.num_frames)
        require_known_objects(marks, tuple(self._adaption.object_ids))
        seen = {index: self._features_now(index) for index in marks.frames}
        for index, features in seen.items():
            samples = self._sample(marks, index, features)
            self._taught.append((index, samples))
            self._adaption.add(features, index, samples, self.clip.size_hw)
        return tuple(self._answer(index, features) for index, features in seen.items())

    def masks(self) -> Iterator[FrameMasks]:
        """See ``Interaction``."""
        if not self._taught:
            raise InputError("nothing is marked yet: mark each object on some frame first")
        return self._masks()

    @torch.inference_mode()
    def _masks(self) -> Iterator[FrameMasks]:
        self._catch_up()
        for index, features in self._encoder.features():
            yield self._answer(index, features)

    def _features_now(self, index: int) -> Tensor:
        if index in self._encoder:
            return self._encoder[index]
        self._is_provisional = True
        return self._encoder.glance(index)

    def _sample(self, marks: Marks, index: int, features: Tensor) -> Samples:
        said = self._answer(index, features).ids if self._adaption.object_ids else None
        rng = np.random.default_rng(len(self._taught))
        samples = sample_frame(marks, index, Canvas(self.clip.size_hw, said, self._surplus), self.rule, rng)
        num_objects = int(np.count_nonzero(samples.labels))
        self._surplus += 2 * num_objects - len(samples.labels)
        return samples

    def _catch_up(self) -> None:
        self._encoder.reach(max(index for index, _ in self._taught))
        if self._is_provisional:
            self._learn_again()

    def _learn_again(self) -> None:
        """From the same samples, now that the features of all their frames are known with their context."""
        self._adaption = self._new_adaption()
        for index, samples in self._taught:
            self._adaption.add(self._encoder[index], index, samples, self.clip.size_hw)
        self._is_provisional = False

    def _new_adaption(self) -> OnlineAdaption:
        return OnlineAdaption(self.rule, self._encoder.channels, self._encoder.device)

    def _answer(self, index: int, features: Tensor) -> FrameMasks:
        logits = self._adaption.logits(features, index)
        probs = aggregate_logits(logits)
        fine = functional.interpolate(logits[None], self.clip.size_hw, mode="bilinear")[0]
        winner = winning_slots(fine).cpu().numpy()
        known = self._adaption.object_ids
        ids = np.array([0, *known], np.uint16 if max(known) > 254 else np.uint8)[winner]
        won = probs.argmax(0)
        statuses = []
        for slot, object_id in enumerate(known, 1):
            there = won == slot
            confidence = float(probs[slot][there].mean()) if there.any() else 0.0
            statuses.append(ObjectStatus(object_id, confidence, "tracked" if (ids == object_id).any() else "absent"))
        return FrameMasks(index, ids, tuple(statuses))


def winning_slots(logits: Tensor) -> Tensor:
    """(N, H, W) log-odds of objects -> (H, W) int64: 1 for the first, and so on; 0 where none is above zero.

    The first among equals wins. ``argmax`` would say the same, but took 35 ms of one core for one object at 854x480.
    """
    best, slots = logits[0].clamp_min(0), (logits[0] > 0).long()
    for slot, row in enumerate(logits[1:], 2):
        slots[row > best] = slot
        best = torch.maximum(best, row)
    return slots


class _Encoder:
    """Features of the frames of a clip, each with the context of those before it."""

    def __init__(self, segmenter: StrnnSegmenter, clip: Clip) -> None:
        self.network, self.device = segmenter.network, segmenter.device
        self.linked = segmenter.linked
        self.channels = segmenter.network.size.feature_channels
        self.clip = clip
        self.size_hw = working_size(clip.size_hw, segmenter.rule.short_side)
        self._cache = FeatureCache(segmenter.rule.cache_bytes)
        self._frames = clip.frames()
        self._order: list[int] = []
        self._hidden: Tensor | None = None

    def __contains__(self, index: int) -> bool:
        return index in self._cache

    def __getitem__(self, index: int) -> Tensor:
        """(D, h, w) float32 of a frame that was reached."""
        return self._cache[index].to(self.device)

    def glance(self, index: int) -> Tensor:
        """(D, h, w) float32 of any frame, without the context of the frames before it."""
        return self.network(self._input(self.clip.frame(index).image))[0][0]

    def reach(self, index: int) -> None:
        """Go on until a frame is reached."""
        while index not in self._cache and self._advance():
            pass

    def features(self) -> Iterator[tuple[int, Tensor]]:
        """Every frame that can be decoded, in order."""
        position = 0
        while position < len(self._order) or self._advance():
            index = self._order[position]
            yield index, self[index]
            position += 1

    def _advance(self) -> bool:
        frame = next(self._frames, None)
        if frame is None:
            return False
        features, hidden = self.network(self._input(frame.image), self._hidden)
        self._hidden = hidden if self.linked else None
        self._cache[frame.index] = features[0]
        self._order.append(frame.index)
        return True

    def _input(self, image: NDArray[np.uint8]) -> Tensor:
        height, width = self.size_hw
        mode = cv2.INTER_AREA if height < image.shape[0] else cv2.INTER_LINEAR
        small = np.asarray(cv2.resize(image, (width, height), interpolation=mode))
        pixels = torch.from_numpy(small).to(self.device).permute(2, 0, 1)[None]
        return normalise_images(pixels).contiguous(memory_format=torch.channels_last)


def working_size(size_hw: tuple[int, int], short_side: int) -> tuple[int, int]:
    """Height and width near the clip's shape, the shorter about ``short_side``, both multiples of 16.

    >>> working_size((480, 854), 384)
    (384, 688)
    """
    scale = short_side / min(size_hw)
    height, width = (max(round(side * scale / GRAIN), 1) * GRAIN for side in size_hw)
    return height, width
