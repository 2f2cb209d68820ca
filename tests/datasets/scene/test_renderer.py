"""Scenes: the same picture as blending everything everywhere, the same truth with and without colours."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from shibori.datasets.scene.blending import feathered
from shibori.datasets.scene.cache import BoundedCache
from shibori.datasets.scene.renderer import FittedFootage, MovingSprite, Scene
from shibori.datasets.scene.sprite import Footage

from ..made import Painted, texture

SIZE = (72, 128)


class Textured(Painted):
    """The same square, with something to see on it and around it."""

    def read_image(self, index):
        rng = np.random.default_rng(self.level + index)
        return np.where(
            self.read_ids(index)[..., None] > 0, texture(rng, SIZE, (200, 40, 40)), texture(rng, SIZE, (90, 110, 90))
        )


def turned(angle: float, zoom: float, shift_xy: tuple[float, float]) -> np.ndarray:
    matrix = cv2.getRotationMatrix2D((46, 36), angle, zoom)
    matrix[:, 2] += shift_xy
    return matrix[None]


def slow_scene(ground: Textured, layers: list[tuple[int, Textured, np.ndarray, bool]]):
    """Every layer warped and blended over the whole picture, in float."""
    base = ground.read_image(0).astype(np.float64)
    image, ids = base, np.zeros(SIZE, np.uint8)
    for object_id, source, matrix, at_home in layers:
        mask = (source.read_ids(0) > 0).astype(np.float32)
        colour = cv2.warpAffine(source.read_image(0), matrix, SIZE[::-1], borderMode=cv2.BORDER_REPLICATE)
        warped = cv2.warpAffine(mask, matrix, SIZE[::-1])
        beyond = cv2.warpAffine(mask, matrix + np.array([[0, 0, 20], [0, 0, 20]]), (SIZE[1] + 40, SIZE[0] + 40))
        soft = feathered(beyond)[20:-20, 20:-20]
        image = image + soft[..., None] * ((base if at_home else colour) - image)
        ids[(warped if at_home else soft) > 0.5] = object_id
    return image, ids


@pytest.mark.parametrize(
    "matrix", [turned(0, 1, (0, 0)), turned(25, 1.3, (20, -6)), turned(-10, 0.8, (60, 30)), turned(0, 1, (-70, 3))]
)
def test_scene_equals_blending_everything_everywhere(matrix):
    cache = BoundedCache(10**8)
    ground, other = Textured("ground", 1), Textured("other", 2)
    still = np.eye(2, 3)[None]
    base = FittedFootage(Footage(ground, cache), SIZE)
    own = MovingSprite(1, Footage(ground, cache), still, home=base)
    pasted = MovingSprite(2, Footage(other, cache), matrix)
    for layers in ((own, pasted), (pasted, own)):
        image, ids = Scene(base, layers, SIZE)(0)
        slow = [(k.object_id, ground if k is own else other, k.matrices[0], k is own) for k in layers]
        slow_image, slow_ids = slow_scene(ground, slow)
        # The cut is replicated only a few pixels outside the object, where its rim is nearly transparent.
        assert np.abs(image - slow_image).max() <= 3
        assert (ids != slow_ids).mean() < 2e-3


def test_truth_alone_is_the_same_truth():
    cache = BoundedCache(10**8)
    layers = (MovingSprite(3, Footage(Textured("a", 1), cache), turned(12, 1.1, (9, 4))),)
    scene = Scene(FittedFootage(Footage(Textured("ground", 5), cache), SIZE), layers, SIZE)
    np.testing.assert_array_equal(scene.ids(0), scene(0)[1])
    assert set(np.unique(scene.ids(0))) == {0, 3}


def test_layer_boxes_follow_the_matrix():
    layer = MovingSprite(1, Footage(Painted("a", 9), BoundedCache(10**6)), np.array([[[2.0, 0, 5], [0, 2, -7]]]))
    np.testing.assert_allclose(layer.boxes(1), [[65, 33, 129, 97]])
