"""Templates: the nearest counts, given ones stay, of the others the first and the latest."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from shibori.systems.dyenet.templates import AREA_MOMENTUM, MAX_REFERENCES, Templates
from shibori.tracking.network import Memory

from .made import random


def vectors(count: int, seed: int = 0) -> Tensor:
    return functional.normalize(random(count, 6, seed=seed) - 0.5, dim=1)


def memory(number: int) -> Memory:
    return Memory(*(torch.full((1, 1, 1), float(number)) for _ in range(4)))


def test_similarity_is_the_highest_cosine_of_any_template():
    templates, candidates = Templates(5), vectors(4, 1)
    made = vectors(5, 2)
    for place, vector in enumerate(made):
        templates.add_given(vector, None) if place < 2 else templates.add_found(vector)
    expected = [max(float(candidate @ vector) for vector in made) for candidate in candidates]
    assert templates.similarity(candidates).tolist() == pytest.approx(expected, abs=1e-6)
    assert templates.similarity(made).tolist() == pytest.approx([1.0] * 5, abs=1e-6)


def test_a_template_more_never_makes_anything_less_similar():
    templates, candidates = Templates(3), vectors(20, 3)
    templates.add_given(vectors(1)[0], None)
    before = templates.similarity(candidates)
    templates.add_found(vectors(1, 9)[0])
    after = templates.similarity(candidates)
    assert (after >= before - 1e-6).all()
    assert (after > before + 1e-3).any()


def test_given_templates_stay():
    templates = Templates(2)
    for vector in vectors(6):
        templates.add_given(vector, None)
        templates.add_found(-vector)
    assert torch.stack(templates.given).equal(vectors(6))


@pytest.mark.parametrize("most", [1, 2, 3, 5, 12])
def test_of_the_others_the_first_and_the_latest_are_kept(most: int):
    templates, made = Templates(most), vectors(9)
    for count, vector in enumerate(made, 1):
        templates.add_found(vector)
        assert len(templates.found) == min(count, most)
    expected = [made[0], *made[1:][max(len(made) - most, 0) :]]
    assert torch.stack(templates.found).equal(torch.stack(expected))


def test_the_pixel_tracker_keeps_the_first_reference_and_the_latest():
    templates = Templates(3)
    for number in range(6):
        templates.add_given(vectors(1)[0], memory(number))
    assert [float(reference.key) for reference in templates.references] == [0, *range(6 - MAX_REFERENCES + 1, 6)]


def test_without_the_pixel_tracker_there_are_no_references():
    templates = Templates(3)
    templates.add_given(vectors(1)[0], None)
    assert templates.references == []


def test_the_usual_area_is_the_first_and_then_moves_slowly():
    templates = Templates(3)
    templates.note_area(200.0)
    assert templates.area == 200
    for _ in range(10):
        templates.note_area(100.0)
    assert templates.area == pytest.approx(100 + 100 * AREA_MOMENTUM**10)
