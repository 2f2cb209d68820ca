"""The promptable network: shapes, and what must not matter does not."""

from __future__ import annotations

import pytest
import torch

from shibori.prompting.network import (
    BACKGROUND,
    BOX_END,
    BOX_START,
    NOTHING,
    OBJECT,
    PromptedMasks,
    Prompts,
    shown_slots,
    vague_marks,
)
from shibori.prompting.presets import build_prompt_network


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return build_prompt_network("tiny").eval().requires_grad_(False)


@pytest.fixture(scope="module")
def embedding(network):
    return network.encode(torch.randn(1, 3, 64, 96))


def prompts_of(kinds, masks=None, has_mask=None) -> Prompts:
    torch.manual_seed(1)
    return Prompts(torch.rand(len(kinds), len(kinds[0]), 2) * 60, torch.tensor(kinds), masks, has_mask)


def test_every_object_gets_four_masks_and_their_qualities(network, embedding):
    answer = network(embedding, prompts_of([[OBJECT, NOTHING], [BOX_START, BOX_END]]))
    assert answer.logits.shape == (2, 4, 16, 24)
    assert answer.quality.shape == (2, 4)


def test_objects_of_one_picture_are_answered_as_if_alone(network, embedding):
    both = prompts_of([[OBJECT, BACKGROUND], [BOX_START, BOX_END]])
    together = network(embedding, both)
    for slot in range(2):
        alone = network(embedding, Prompts(both.points[slot : slot + 1], both.kinds[slot : slot + 1]))
        torch.testing.assert_close(together.logits[slot], alone.logits[0], rtol=1e-4, atol=1e-5)


def test_where_a_filling_point_lies_does_not_matter(network, embedding):
    first = prompts_of([[OBJECT, NOTHING]])
    other = first._replace(points=first.points + torch.tensor([[[0.0, 0.0], [9.0, 9.0]]]))
    assert torch.equal(network(embedding, first).logits, network(embedding, other).logits)


def test_a_mask_that_does_not_count_is_none(network, embedding):
    masks = torch.randn(2, 1, 16, 24) * 5
    kinds = [[OBJECT, NOTHING], [OBJECT, NOTHING]]
    mixed = network(embedding, prompts_of(kinds, masks, torch.tensor([True, False])))
    without, all_of_them = network(embedding, prompts_of(kinds)), network(embedding, prompts_of(kinds, masks))
    torch.testing.assert_close(mixed.logits[1], without.logits[1])
    torch.testing.assert_close(mixed.logits[0], all_of_them.logits[0])
    assert not torch.allclose(mixed.logits[0], without.logits[0])


def test_finer_features_say_nothing_until_they_are_trained(network, embedding):
    prompts = prompts_of([[OBJECT, NOTHING]])
    silent = network(embedding, prompts).logits
    blank = embedding._replace(eighth=embedding.eighth * 0, quarter=embedding.quarter * 0)
    assert torch.equal(silent, network(blank, prompts).logits)
    for level in ("eighth", "quarter"):
        louder = embedding._replace(**{level: torch.randn_like(getattr(embedding, level))})
        assert not torch.allclose(silent, network(louder, prompts).logits)


def test_places_are_shares_of_the_longer_side(network):
    """The middle of a position is where a point there is said to be."""
    places = network.prompts.places((2, 4)).view(2, 4, -1)
    point = Prompts(torch.tensor([[[40.0, 24.0]]]), torch.tensor([[OBJECT]]))
    token = network.prompts.tokens(point, 64)[0, 0] - network.prompts.kinds[OBJECT]
    torch.testing.assert_close(token, places[1, 2], rtol=1e-4, atol=1e-5)


def test_marks_are_vague_only_where_one_point_is_all_that_is_known():
    kinds = [[OBJECT, NOTHING], [OBJECT, OBJECT], [BOX_START, BOX_END], [BACKGROUND, NOTHING]]
    assert vague_marks(prompts_of(kinds)).tolist() == [True, False, False, True]
    masks = torch.zeros(4, 1, 4, 4)
    assert not vague_marks(prompts_of(kinds, masks)).any()
    told = torch.tensor([True, True, False, False])
    assert vague_marks(prompts_of(kinds, masks, told)).tolist() == [False, False, False, True]


def test_the_best_candidate_is_shown_for_vague_marks_only():
    answer = PromptedMasks(torch.zeros(2, 4, 1, 1), torch.tensor([[0.9, 0.1, 0.5, 0.3], [0.1, 0.7, 0.8, 0.9]]))
    assert shown_slots(answer, torch.tensor([True, False])).tolist() == [2, 0]
