"""The first frame seen otherwise: the object stays in the middle."""

from __future__ import annotations

import numpy as np
import torch

from shibori.boxtracking.atom.augmentation import (
    AugmentationRule,
    augmented_patches,
    shifted_centres,
    with_dropout,
)

RULE = AugmentationRule()


def picture(centre_xy: tuple[float, float]) -> np.ndarray:
    """Black, with a white square of 12 pixels about a place."""
    image = np.zeros((90, 120, 3), np.uint8)
    x, y = int(centre_xy[0]), int(centre_xy[1])
    image[y - 6 : y + 6, x - 6 : x + 6] = 255
    return image


def middle_of_mass(patch: torch.Tensor) -> tuple[float, float]:
    weights = patch.float().mean(0)
    places = torch.arange(weights.shape[0]) + 0.5
    total = weights.sum()
    return float((weights.sum(0) * places).sum() / total), float((weights.sum(1) * places).sum() / total)


def test_the_object_stays_in_the_middle_however_it_is_seen():
    for side, patch_side in ((40.0, 64), (60.0, 32)):
        patches = augmented_patches(picture((50, 40)), np.array([50.0, 40.0]), side, patch_side, RULE)
        assert patches.shape == (len(RULE.turns) + 1 + len(RULE.blurs), 3, patch_side, patch_side)
        for patch in patches:
            np.testing.assert_allclose(middle_of_mass(patch), patch_side / 2, atol=0.35)


def test_a_patch_shows_its_side():
    patches = augmented_patches(
        picture((50, 40)), np.array([50.0, 40.0]), 48.0, 96, AugmentationRule(turns=(0.0,), blurs=())
    )
    area = (patches[0].float().mean(0) > 127).sum()
    assert abs(float(area) - 24 * 24) <= 60


def test_beyond_the_image_its_edge_goes_on():
    image = np.full((40, 40, 3), 77, np.uint8)
    patches = augmented_patches(image, np.array([2.0, 2.0]), 60.0, 64, RULE)
    assert (patches == 77).all()


def test_dropped_channels_are_made_up_for():
    dropped = with_dropout(torch.ones(1, 500, 2, 2), RULE, torch.Generator().manual_seed(0))
    assert dropped.shape == (RULE.dropouts, 500, 2, 2)
    assert dropped.unique().numel() == 2
    assert abs(float(dropped.mean()) - 1) < 0.1


def test_shifts_are_in_sizes_of_the_object():
    centres = shifted_centres(torch.tensor([10.0, 20.0]), torch.tensor(8.0), [(0.0, 0.0), (1.0, -0.5)])
    torch.testing.assert_close(centres, torch.tensor([[10.0, 20.0], [18.0, 16.0]]))
