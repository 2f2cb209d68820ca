"""The online adaption module: a classifier of pixels, solved in closed form (strnn, Sec. 2.3, Eq. 3).

Axes: P samples, D features, M channels of a sample, K classes (background, then the objects), h w the grid.
"""

from __future__ import annotations

from collections import Counter

import torch
from torch import Tensor
from torch.nn import functional

from shibori.ops.fourier import draw_waves, fourier_features
from shibori.ops.ridge import RidgeSums, add_sums, ridge_sums, solve_ridge
from shibori.systems.strnn.rule import AdaptionRule, KernelRule
from shibori.systems.strnn.samples import Samples

PLACE_AXES = 3
"""Row, column and frame."""


class OnlineAdaption:
    """What the samples so far say. Samples are added in any order; the solution is found when it is asked for.

    Background weighs as much as all objects together and every object as much as another, however many samples each
    has. Where the paper's rule can be kept (as many background samples as object samples) and there is one object,
    that changes nothing.

    Args:
        rule: penalty and kind of classifier.
        channels: of the features.
        device: where it is solved.
    """

    def __init__(self, rule: AdaptionRule, channels: int, device: torch.device) -> None:
        self.rule = rule
        self.object_ids: list[int] = []
        """Of the classes from the second on, in the order of their first samples."""
        self._lift = _Lift(rule.kernel, channels, device) if rule.kernel else None
        self._sums: dict[int, RidgeSums] = {}
        """Of each label's samples, the moment being their plain sum."""
        self._counts: Counter[int] = Counter()
        self._classifier: Tensor | None = None

    def add(self, features: Tensor, frame_index: int, samples: Samples, size_hw: tuple[int, int]) -> None:
        """Learn from pixels of a frame.

        Args:
            features: (D, h, w) of the frame.
            frame_index: which it is.
            samples: pixels of the frame.
            size_hw: of the frame in pixels.
        """
        labels = torch.from_numpy(samples.labels).to(features.device)
        present = sorted(set(samples.labels.tolist()))
        self.object_ids += [label for label in present if label not in (0, *self.object_ids)]
        _, height, width = features.shape
        rows = torch.from_numpy(samples.rows).to(features.device) * height // size_hw[0]
        columns = torch.from_numpy(samples.columns).to(features.device) * width // size_hw[1]
        lifted = self._lifted(features[:, rows, columns].T, rows, columns, frame_index, height)
        for label in present:
            members = lifted[labels == label].double()
            sums = ridge_sums(members, members.new_ones(len(members), 1))
            self._sums[label] = add_sums(self._sums[label], sums) if label in self._sums else sums
            self._counts[label] += len(members)
        self._classifier = None

    def logits(self, features: Tensor, frame_index: int) -> Tensor:
        """(K - 1, h, w) float32 log-odds of each object against background.

        The one-hot scores of the classes, times ``sharpness``, are taken for logits: the softmax over all classes is
        then the soft aggregation of the objects (``ops/aggregate.py``).
        """
        _, height, width = features.shape
        rows, columns = torch.meshgrid(
            torch.arange(height, device=features.device), torch.arange(width, device=features.device), indexing="ij"
        )
        parts = self._parts(features.flatten(1).T, rows.flatten(), columns.flatten(), frame_index, height)
        *weights, constant = self._solution().split([*(part.shape[1] for part in parts), 1])
        scores = constant + sum(part @ weight for part, weight in zip(parts, weights, strict=True))
        return (self.rule.sharpness * (scores[:, 1:] - scores[:, :1])).T.reshape(-1, height, width)

    def _solution(self) -> Tensor:
        """(M, K) the classifier."""
        if self._classifier is None:
            weights = self._weights()
            gram = torch.stack([weights[label] * sums.gram for label, sums in self._sums.items()]).sum(0)
            none = torch.zeros_like(gram[:, :1])
            columns = [
                weights[label] * self._sums[label].moment if label in self._sums else none
                for label in (0, *self.object_ids)
            ]
            self._classifier = solve_ridge(RidgeSums(gram, torch.cat(columns, dim=1)), self.rule.penalty).float()
        return self._classifier

    def _weights(self) -> dict[int, float]:
        """What a sample of each label counts; one on average."""
        num_objects = len(self._counts) - (0 in self._counts)
        shares = {label: 1.0 if label else float(num_objects) for label in self._counts}
        unit = sum(self._counts.values()) / sum(shares.values())
        return {label: share * unit / self._counts[label] for label, share in shares.items()}

    def _lifted(self, points: Tensor, rows: Tensor, columns: Tensor, frame_index: int, height: int) -> Tensor:
        """(P, M) samples: (P, D) features at their places, as the classifier sees them, and a constant one."""
        return functional.pad(
            torch.cat(self._parts(points, rows, columns, frame_index, height), dim=1), (0, 1), value=1.0
        )

    def _parts(
        self, points: Tensor, rows: Tensor, columns: Tensor, frame_index: int, height: int
    ) -> tuple[Tensor, ...]:
        """The same in parts, (P, ...) each, without the constant."""
        if self._lift is None:
            return (points,)
        time = torch.full_like(rows, frame_index, dtype=torch.float32)
        return self._lift(points, torch.stack([rows / height, columns / height, time], dim=1))


class _Lift:
    """Random features of the two kernels of a ``KernelRule``."""

    def __init__(self, rule: KernelRule, channels: int, device: torch.device) -> None:
        self.rule = rule
        self.everywhere = [part.to(device) for part in draw_waves(channels, rule.num_waves, seed=0)]
        self.near = [part.to(device) for part in draw_waves(channels + PLACE_AXES, rule.num_waves, seed=1)]
        self.widths = torch.tensor([rule.place_width, rule.place_width, rule.time_width], device=device)

    def __call__(self, points: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
        """(P, D) features and (P, 3) row, column, frame -> (P, waves) of each kernel."""
        joint = torch.cat([points / self.rule.near_feature_width, places / self.widths], dim=1)
        return fourier_features(points / self.rule.feature_width, *self.everywhere), fourier_features(joint, *self.near)
