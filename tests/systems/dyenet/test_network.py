"""The networks: attention against a loop, switches that really switch off, shapes of any region."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional

from shibori.nn.backbones import PyramidFeatures
from shibori.systems.dyenet.network import (
    KEY_SHARE,
    Carried,
    MaskNetwork,
    RecurrentPropagation,
    Region,
    RegionAttention,
    ReidNetwork,
    Step,
    switches_of,
)
from shibori.systems.dyenet.variant import VARIANTS, Variant

from .made import TINY, appearance_channels, random, tiny_network

CPU = torch.device("cpu")
GRIDS = [(14, 14), (6, 10), (9, 2)]
NOTHING = Variant(
    hidden=False, attention=False, mask=False, flow_stream=False, pyramid=False, matching=False, patches=False
)


@pytest.fixture(scope="module")
def propagation() -> RecurrentPropagation:
    network = tiny_network().propagation.eval()
    # With the means and deviations of inputs that vary, no channel is always zero behind its ReLU.
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.bias, 0.3, 0.2)
    return network


def made_region(grid_hw: tuple[int, int] = (6, 10), batch: int = 2, seed: int = 0) -> Region:
    height, width = grid_hw
    c2, c4, c8 = TINY.feature_channels
    features = PyramidFeatures(
        random(batch, c2, 4 * height, 4 * width, seed=seed),
        random(batch, c4, 2 * height, 2 * width, seed=seed + 1),
        random(batch, c8, height, width, seed=seed + 2),
    )
    flow = 0.2 * (random(batch, 2, height, width, seed=seed + 3) - 0.5)
    return Region(features, flow, 8 * (random(batch, 1, 8 * height, 8 * width, seed=seed + 4) - 0.5))


def made_carried(grid_hw: tuple[int, int] = (6, 10), batch: int = 2, seed: int = 10) -> Carried:
    height, width = grid_hw
    hidden = random(batch, TINY.hidden_channels, height, width, seed=seed)
    masks = (random(batch, 1, 8 * height, 8 * width, seed=seed + n) for n in (1, 2))
    return Carried(hidden, *masks)


def answer(network: RecurrentPropagation, region: Region, carried: Carried, *variants: Variant) -> Step:
    with torch.no_grad():
        return network(region, carried, switches_of(variants, CPU))


# ---- region attention


@pytest.mark.parametrize("grid_hw", GRIDS)
def test_attention_is_a_softmax_over_the_region_times_its_size(grid_hw: tuple[int, int]):
    torch.manual_seed(0)
    attention = RegionAttention(5)
    nn.init.normal_(attention.score.weight)
    hidden = random(3, 5, *grid_hw)
    weights = attention(hidden).detach()
    scores = attention.score(hidden).detach()
    count = grid_hw[0] * grid_hw[1]
    for row in range(3):
        powers = [[math.exp(score) for score in line] for line in scores[row, 0].tolist()]
        total = sum(map(sum, powers))
        expected = torch.tensor([[count * power / total for power in line] for line in powers])
        torch.testing.assert_close(weights[row, 0], expected, rtol=1e-4, atol=1e-5)
        assert float(weights[row].mean()) == pytest.approx(1, rel=1e-5)
    assert weights.var() > 0.01


def test_attention_starts_by_looking_everywhere_alike():
    torch.testing.assert_close(RegionAttention(5)(random(2, 5, 6, 4)), torch.ones(2, 1, 6, 4))


def test_attention_weighs_the_whole_hidden_state_before_the_mask_is_made(propagation: RecurrentPropagation):
    region, carried = made_region(), made_carried()
    step = answer(propagation, region, carried, *[VARIANTS["remp"]] * 2)
    with torch.no_grad():
        expected = propagation.output(step.hidden * step.attention)
    torch.testing.assert_close(step.coarse, expected)
    plain = answer(propagation, region, carried, *[VARIANTS["remp-no-attention"]] * 2)
    torch.testing.assert_close(plain.attention, torch.ones_like(plain.attention))
    torch.testing.assert_close(plain.hidden, step.hidden)  # h_j does not depend on it (Eq. 1), only y_j does
    assert not torch.allclose(plain.coarse, step.coarse)


# ---- switches


def changed(region: Region, carried: Carried, part: str) -> tuple[Region, Carried]:
    """The same inputs but for the one that belongs to a part."""
    other_region, other_carried = made_region(seed=50), made_carried(seed=60)
    if part == "hidden":
        return region, carried._replace(hidden=other_carried.hidden)
    if part == "mask":
        return region, carried._replace(mask=other_carried.mask, others=other_carried.others)
    if part == "flow_stream":
        return region._replace(flow=other_region.flow), carried
    if part == "matching":
        return region._replace(matched=other_region.matched), carried
    finer = other_region.features._replace(s8=region.features.s8)
    return region._replace(features=finer), carried


PARTS = ["hidden", "mask", "flow_stream", "pyramid", "matching"]
# Where no hidden state is carried, the mask always is: so the mask can be off only beside it.
WITHOUT = {part: Variant(**{part: False}) for part in PARTS}


def same(one: Step, other: Step) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("part", PARTS)
def test_a_part_that_is_off_has_no_influence(propagation: RecurrentPropagation, part: str):
    region, carried = made_region(), made_carried()
    other = changed(region, carried, part)
    variants = [WITHOUT[part]] * 2
    assert same(answer(propagation, region, carried, *variants), answer(propagation, *other, *variants))


@pytest.mark.parametrize("part", PARTS)
def test_a_part_that_is_on_has_influence(propagation: RecurrentPropagation, part: str):
    region, carried = made_region(), made_carried()
    before, after = (
        answer(propagation, *made, *[Variant()] * 2) for made in ((region, carried), changed(region, carried, part))
    )
    assert not torch.allclose(before.logits, after.logits, atol=1e-3)


def test_the_pixel_trackers_answer_is_added_to_the_mask(propagation: RecurrentPropagation):
    """What the pixel tracker is sure of decides, whatever the rest says: its log-odds are a term of the sum."""
    region, carried = made_region(), made_carried()
    sure = torch.where(region.matched > 0, 100.0, -100.0)
    step = answer(propagation, region._replace(matched=sure), carried, Variant(), Variant())
    assert ((step.logits > 0) == (sure > 0)).all()


def test_without_a_hidden_state_the_mask_is_carried_whatever_the_variant_says():
    switches = switches_of([NOTHING, Variant(mask=False), VARIANTS["msk"]], CPU)
    assert switches.mask.flatten().tolist() == [1, 0, 1]
    assert switches.hidden.flatten().tolist() == [0, 1, 0]
    assert all(switch.shape == (3, 1, 1, 1) for switch in switches)


def test_objects_of_one_batch_have_switches_of_their_own(propagation: RecurrentPropagation):
    variants = list(VARIANTS.values())
    region, carried = made_region(batch=len(variants)), made_carried(batch=len(variants))
    together = answer(propagation, region, carried, *variants)
    for row, variant in enumerate(variants):
        one = slice(row, row + 1)
        features = PyramidFeatures(*(maps[one] for maps in region.features))
        alone_region = Region(features, region.flow[one], region.matched[one])
        alone = answer(propagation, alone_region, Carried(*(part[one] for part in carried)), variant)
        for whole, expected in zip(together, alone, strict=True):
            torch.testing.assert_close(whole[one], expected, atol=1e-4, rtol=1e-4)


# ---- shapes and units


@pytest.mark.parametrize("grid_hw", GRIDS)
def test_shapes_of_any_region(propagation: RecurrentPropagation, grid_hw: tuple[int, int]):
    height, width = grid_hw
    region, carried = made_region(grid_hw), made_carried(grid_hw)
    step = answer(propagation, region, carried, Variant(), VARIANTS["msk"])
    assert step.logits.shape == (2, 1, 8 * height, 8 * width)
    assert step.coarse.shape == step.attention.shape == (2, 1, height, width)
    assert step.hidden.shape == (2, TINY.hidden_channels, height, width)
    assert step.quality.shape == step.presence.shape == (2,)
    assert all(part.isfinite().all() for part in step)
    started = propagation.begin(region.features, carried.mask, carried.others)
    assert started.shape == step.hidden.shape


def test_the_first_hidden_state_knows_the_masks(propagation: RecurrentPropagation):
    region, carried = made_region(), made_carried()
    whole = propagation.begin(region.features, carried.mask, carried.others)
    for mask, others in ((0 * carried.mask, carried.others), (carried.mask, 0 * carried.others)):
        assert not torch.allclose(propagation.begin(region.features, mask, others), whole)


@pytest.mark.parametrize("side", [7, 14, 28])
def test_identities_are_unit_vectors(side: int):
    network = tiny_network()
    reid = network.reid.eval()
    regions, masks = 10 * random(5, appearance_channels(network), side, side), random(5, side, side, seed=1)
    vectors = reid(regions, masks)
    assert vectors.shape == (5, TINY.embedding_channels + reid.key_channels) == (5, reid.out_channels)
    assert vectors.dtype == torch.float32
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(5))
    assert not torch.allclose(reid(regions, 1 - masks), vectors)


def test_an_empty_mask_has_an_identity_too():
    network = tiny_network()
    vectors = network.reid.eval()(random(2, appearance_channels(network), 14, 14), torch.zeros(2, 14, 14))
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(2))


def test_the_matching_embedding_is_averaged_over_the_mask_and_has_its_share():
    network = tiny_network()
    reid, channels = network.reid.eval(), network.reid.feature_channels
    regions, masks = random(2, appearance_channels(network), 14, 14), (random(2, 14, 14, seed=1) > 0).float()
    vectors = reid(regions, masks)
    torch.testing.assert_close(vectors[:, -reid.key_channels :].norm(dim=1), torch.full((2,), KEY_SHARE**0.5))
    expected = torch.stack([regions[k, channels:][:, masks[k] > 0].mean(1) for k in (0, 1)])
    found = functional.normalize(vectors[:, -reid.key_channels :], dim=1)
    torch.testing.assert_close(found, functional.normalize(reid.key_neck(expected), dim=1), atol=1e-3, rtol=1e-3)
    outside = regions + (1 - masks)[:, None] * torch.tensor([0.0] * channels + [9.0] * reid.key_channels)[:, None, None]
    torch.testing.assert_close(reid(outside, masks), vectors, atol=0.01, rtol=0)


def test_masks_have_the_side_of_their_region():
    masks = tiny_network().masks.eval()(random(3, TINY.feature_channels[2], 14, 14))
    assert masks.shape == (3, 14, 14)
    assert masks.dtype == torch.float32


def test_re_identification_halves_the_region_and_the_mask_network_keeps_it():
    """Sec. 2.1: the one has its strides decreased, the other has them all."""
    size = replace(TINY, region_blocks=3)
    torch.manual_seed(0)
    region = random(1, TINY.feature_channels[2], 14, 14)
    assert MaskNetwork(size).eval().blocks(region).shape[2:] == (14, 14)
    with_mask = torch.cat([region, region[:, :1]], 1)
    assert max(ReidNetwork(size).eval().blocks(with_mask).shape[2:]) < 14


def test_gradients_reach_the_carried_state_and_mask():
    network = tiny_network().propagation
    carried = Carried(*(part.requires_grad_() for part in made_carried()))
    step = network(made_region(), carried, switches_of([Variant()] * 2, CPU))
    step.logits.square().mean().backward()
    assert all(part.grad is not None and bool(part.grad.any()) for part in carried)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_answers_are_float32_whatever_the_network_computes_in(dtype: torch.dtype):
    network = tiny_network().propagation.eval().to(dtype)
    region = made_region()
    region = region._replace(features=PyramidFeatures(*(maps.to(dtype) for maps in region.features)))
    step = answer(network, region, made_carried(), Variant(), VARIANTS["msk"])
    assert step.logits.dtype == step.quality.dtype == step.coarse.dtype == torch.float32
    assert step.hidden.dtype == dtype
