"""strnn at work: features of the clip once, a classifier of its pixels after every round of marks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from shibori.errors import InputError
from shibori.interfaces import MarkSegmenter, MarkSession
from shibori.media.clip import Clip
from shibori.media.marks import Marks, require_known_objects
from shibori.media.mask import FrameMasks, ObjectStatus
from shibori.media.soft_mask import SoftLayer, SoftMasks
from shibori.ops.aggregate import aggregate_logits
from shibori.systems.strnn.encoder import Encoder
from shibori.systems.strnn.member import Member
from shibori.systems.strnn.model import StrnnNetwork
from shibori.systems.strnn.rule import AdaptionRule
from shibori.systems.strnn.samples import Canvas, Samples, sample_frame


@dataclass(frozen=True)
class StrnnSegmenter(MarkSegmenter):
    """Marks in, masks of all frames out."""

    network: StrnnNetwork
    """Ready for inference."""
    rule: AdaptionRule
    device: torch.device
    linked: bool = True
    """Whether frames are linked in time (Eq. 2); else each has its context in space alone (Eq. 1)."""
    partners: tuple[StrnnSegmenter, ...] = ()
    """Others that learn from the same pixels; the scores of all are averaged (footnote 1)."""

    def begin(self, clip: Clip) -> MarkSession:
        """See ``MarkSegmenter``."""
        return StrnnInteraction(self, clip)

    def members(self, clip: Clip) -> list[Member]:
        """This and its partners, ready for a clip."""
        return [
            Member(Encoder(each.network, clip, each.rule, each.device, each.linked), each.rule)
            for each in (self, *self.partners)
        ]


class StrnnInteraction(MarkSession):
    """One clip. Its features are computed in frame order, each once, and kept."""

    def __init__(self, segmenter: StrnnSegmenter, clip: Clip) -> None:
        self.clip = clip
        self.rule = segmenter.rule
        self._members = segmenter.members(clip)
        self._taught: list[tuple[int, Samples]] = []
        self._surplus = 0

    @property
    def object_ids(self) -> tuple[int, ...]:
        """The objects marked so far, in the order of their first marks."""
        return tuple(self._members[0].adaption.object_ids)

    @torch.inference_mode()
    def probabilities(self, index: int) -> Tensor:
        """(K, H, W) float32 on the CPU: of background and each object in one frame, at the size of the clip."""
        self._catch_up()
        for member in self._members:
            member.encoder.reach(index)
        logits = self._logits(index, [member.encoder[index] for member in self._members])
        fine = functional.interpolate(logits[None], self.clip.size_hw, mode="bilinear")[0]
        return aggregate_logits(fine).cpu()

    @torch.inference_mode()
    def mark(self, marks: Marks) -> tuple[FrameMasks, ...]:
        """See ``MarkSession``. Before the first ``masks`` the answer lacks the context of the frames before."""
        marks.check(self.clip.num_frames)
        require_known_objects(marks, self.object_ids)
        seen = {index: [member.features(index) for member in self._members] for index in marks.frames}
        for index, features in seen.items():
            samples = self._sample(marks, index, features)
            self._taught.append((index, samples))
            for member, own in zip(self._members, features, strict=True):
                member.learn(own, index, samples)
        return tuple(self._answer(index, features) for index, features in seen.items())

    def masks(self) -> Iterator[FrameMasks]:
        """See ``MarkSession``."""
        if not self._taught:
            raise InputError("nothing is marked yet: mark each object on some frame first")
        return self._masks()

    @torch.inference_mode()
    def _masks(self) -> Iterator[FrameMasks]:
        self._catch_up()
        for frames in zip(*(member.encoder.features() for member in self._members), strict=True):
            yield self._answer(frames[0][0], [features for _, features in frames])

    def _sample(self, marks: Marks, index: int, features: Sequence[Tensor]) -> Samples:
        said = self._answer(index, features).ids if self.object_ids else None
        rng = np.random.default_rng(len(self._taught))
        samples = sample_frame(marks, index, Canvas(self.clip.size_hw, said, self._surplus), self.rule, rng)
        num_objects = int(np.count_nonzero(samples.labels))
        self._surplus += 2 * num_objects - len(samples.labels)
        return samples

    def _catch_up(self) -> None:
        for member in self._members:
            member.catch_up(self._taught)

    def _logits(self, index: int, features: Sequence[Tensor]) -> Tensor:
        """(K - 1, h, w) the members' mean, on the grid of the first. Log-odds are linear in the scores of Eq. 3."""
        pairs = zip(self._members, features, strict=True)
        logits = [member.adaption.logits(own, index) for member, own in pairs]
        size_hw = logits[0].shape[1:]
        return torch.stack([_resized(each, size_hw) for each in logits]).mean(0)

    def _answer(self, index: int, features: Sequence[Tensor]) -> FrameMasks:
        logits = self._logits(index, features)
        probs = aggregate_logits(logits)
        fine = functional.interpolate(logits[None], self.clip.size_hw, mode="bilinear")[0]
        winner = winning_slots(fine).cpu().numpy()
        known = self.object_ids
        ids = np.array([0, *known], np.uint16 if max(known) > 254 else np.uint8)[winner]
        won = probs.argmax(0)
        statuses = []
        for slot, object_id in enumerate(known, 1):
            there = won == slot
            confidence = float(probs[slot][there].mean()) if there.any() else 0.0
            statuses.append(ObjectStatus(object_id, confidence, "tracked" if (ids == object_id).any() else "absent"))
        return FrameMasks(index, ids, tuple(statuses), self._soft(logits))

    def _soft(self, logits: Tensor) -> SoftMasks:
        """Of all objects: (N, h, w) log-odds on a grid over the frame."""
        height, width = self.clip.size_hw
        rows = zip(self.object_ids, logits.half().cpu().numpy(), strict=True)
        return SoftMasks((height, width), tuple(SoftLayer(i, (0, 0, width, height), row) for i, row in rows))


def winning_slots(logits: Tensor) -> Tensor:
    """(N, H, W) log-odds of objects -> (H, W) int64: 1 for the first, and so on; 0 where none is above zero.

    The first among equals wins. ``argmax`` would say the same, but took 35 ms of one core for one object at 854x480.
    """
    best, slots = logits[0].clamp_min(0), (logits[0] > 0).long()
    for slot, row in enumerate(logits[1:], 2):
        slots[row > best] = slot
        best = torch.maximum(best, row)
    return slots


def _resized(logits: Tensor, size_hw: torch.Size) -> Tensor:
    if logits.shape[1:] == size_hw:
        return logits
    return functional.interpolate(logits[None], tuple(size_hw), mode="bilinear")[0]
