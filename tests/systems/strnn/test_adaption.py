"""The online classifier against least squares in float64, and its laws."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from shibori.ops.fourier import draw_waves, fourier_features
from shibori.systems.strnn.adaption import OnlineAdaption
from shibori.systems.strnn.rule import AdaptionRule, KernelRule
from shibori.systems.strnn.samples import Samples

CPU = torch.device("cpu")
GRID = (6, 9)
SIZE_HW = (48, 72)


def features_of(seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.nn.functional.normalize(torch.randn(5, *GRID, generator=generator), dim=0)


def samples_of(seed: int, labels: tuple[int, ...], count: int = 40) -> Samples:
    rng = np.random.default_rng(seed)
    return Samples(rng.integers(0, 48, count), rng.integers(0, 72, count), rng.choice(labels, count))


def least_squares(rows: list[np.ndarray], targets: list[np.ndarray], penalty: float) -> np.ndarray:
    system, goal = np.vstack(rows).astype(np.float64), np.concatenate(targets)
    system = np.vstack([system, np.sqrt(penalty) * np.eye(system.shape[1])])
    goal = np.vstack([goal, np.zeros((len(system) - len(goal), goal.shape[1]))])
    return np.linalg.lstsq(system, goal, rcond=None)[0]


ROUNDS = ((4, samples_of(0, (0, 7))), (9, samples_of(1, (0, 7, 2))), (4, samples_of(2, (0, 2))))
"""Object 7 is known before object 2 is."""


@pytest.mark.parametrize("kernel", [None, KernelRule(num_waves=16)])
def test_it_is_equation_3_of_all_samples(kernel: KernelRule | None):
    rule = AdaptionRule(kernel=kernel, penalty=0.5, sharpness=2.0)
    adaption = OnlineAdaption(rule, 5, CPU)
    rows, targets = [], []
    for index, samples in ROUNDS:
        features = features_of(index)
        adaption.add(features, index, samples, SIZE_HW)
        y, x = samples.rows // 8, samples.columns // 8
        rows.append(lifted(features.numpy()[:, y, x].T, y, x, index, kernel))
        targets.append(np.stack([samples.labels == label for label in (0, 7, 2)], 1).astype(float))
    assert adaption.object_ids == [7, 2]
    counts = np.concatenate(targets).sum(0)  # of background, which weighs as much as both objects, and of the objects
    roots = np.sqrt(np.array([2, 1, 1]) / counts * counts.sum() / 4)
    factors = [(target * roots).sum(1, keepdims=True) for target in targets]
    weighted = ([row * factor for row, factor in zip(part, factors, strict=True)] for part in (rows, targets))
    expected = least_squares(*weighted, 0.5)
    asked = features_of(11)
    y, x = np.indices(GRID).reshape(2, -1)
    scores = lifted(asked.numpy().reshape(5, -1).T, y, x, 11, kernel) @ expected
    logits = 2.0 * (scores[:, 1:] - scores[:, :1])
    np.testing.assert_allclose(adaption.logits(asked, 11).flatten(1).numpy().T, logits, atol=1e-4)


def lifted(points: np.ndarray, y: np.ndarray, x: np.ndarray, time: int, kernel: KernelRule | None) -> np.ndarray:
    if kernel is not None:
        first = fourier_features(torch.from_numpy(points) / kernel.feature_width, *draw_waves(5, 16, 0)).numpy()
        place = [y / 6 / kernel.place_width, x / 6 / kernel.place_width, np.full(len(x), time / kernel.time_width)]
        joint = np.concatenate([points / kernel.near_feature_width, np.stack(place, 1)], 1)
        second = fourier_features(torch.from_numpy(joint).float(), *draw_waves(8, 16, 1)).numpy()
        points = np.concatenate([first, second], 1)
    return np.concatenate([points, np.ones((len(points), 1))], 1)


def test_few_samples_of_one_object_stand_up_to_many_of_another():
    """Two objects and the background in three colours; one object has two samples, the other two hundred."""
    features = torch.zeros(5, *GRID)
    features[0, :, :3], features[1, :, 3:6], features[2, :, 6:] = 1, 1, 1
    columns = np.r_[np.full(2, 5), np.full(200, 30), np.full(100, 60)]
    samples = Samples(np.arange(302) % 48, columns, np.r_[np.full(2, 1), np.full(200, 2), np.zeros(100, np.int64)])
    adaption = OnlineAdaption(AdaptionRule(kernel=None), 5, CPU)
    adaption.add(features, 0, samples, SIZE_HW)
    logits = adaption.logits(features, 0)
    assert logits[0, :, :3].min() > 3
    assert logits[1, :, 3:6].min() > 3
    assert logits[:, :, 6:].max() < -3


def test_the_order_of_the_rounds_does_not_matter():
    logits = []
    for order in ((0, 1, 2), (2, 0, 1)):
        adaption = OnlineAdaption(AdaptionRule(kernel=None), 5, CPU)
        for place in order:
            index, samples = ROUNDS[place]
            adaption.add(features_of(index), index, samples, SIZE_HW)
        found = adaption.logits(features_of(3), 3)
        logits.append({label: found[slot] for slot, label in enumerate(adaption.object_ids)})
    for label in (2, 7):
        torch.testing.assert_close(logits[0][label], logits[1][label], atol=1e-4, rtol=1e-4)


def test_a_correction_is_local_in_place_and_time():
    """All looks alike; marks at the left say object, at the right background."""
    features = torch.ones(5, *GRID) / 5**0.5
    columns = np.r_[np.zeros(30, np.int64), np.full(30, 71)]
    samples = Samples(np.tile(np.arange(30), 2), columns, np.repeat([1, 0], 30))
    adaption = OnlineAdaption(AdaptionRule(kernel=KernelRule(num_waves=2000), penalty=0.1), 5, CPU)
    adaption.add(features, 50, samples, SIZE_HW)
    now, later = (adaption.logits(features, index)[0] for index in (50, 500))
    assert now[1, 0] > 1
    assert now[1, -1] < -1
    assert later.abs().max() < 0.2 * now.abs().max()
