"""One network at work on one clip: features of its frames, and the classifier of pixels that learns from them."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from shibori.systems.strnn.adaption import OnlineAdaption
from shibori.systems.strnn.encoder import Encoder
from shibori.systems.strnn.rule import AdaptionRule
from shibori.systems.strnn.samples import Samples


class Member:
    """One of the networks whose scores are averaged; mostly there is one.

    Args:
        encoder: of the clip's features.
        rule: of the classifier.
    """

    def __init__(self, encoder: Encoder, rule: AdaptionRule) -> None:
        self.encoder, self.rule = encoder, rule
        self.adaption = self._new_adaption()
        self._is_provisional = False

    def features(self, index: int) -> Tensor:
        """(D, h, w) float32 of a frame; without the context of those before, if they were not computed yet."""
        if index in self.encoder:
            return self.encoder[index]
        self._is_provisional = True
        return self.encoder.encode_alone(index)

    def learn(self, features: Tensor, index: int, samples: Samples) -> None:
        """Add pixels of a frame to what the classifier knows."""
        self.adaption.add(features, index, samples, self.encoder.clip.size_hw)

    def catch_up(self, taught: Sequence[tuple[int, Samples]]) -> None:
        """Learn all samples so far again, (frame, pixels) each, if some were learned without their context."""
        self.encoder.reach(max(index for index, _ in taught))
        if not self._is_provisional:
            return
        self.adaption = self._new_adaption()
        for index, samples in taught:
            self.learn(self.encoder[index], index, samples)
        self._is_provisional = False

    def _new_adaption(self) -> OnlineAdaption:
        return OnlineAdaption(self.rule, self.encoder.channels, self.encoder.device)
