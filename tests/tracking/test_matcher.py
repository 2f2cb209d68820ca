"""The network of the presets that we designed: shapes, independence of rows, what a memory means."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from shibori.ops.normalise import normalise_images
from shibori.ops.ridge import ridge_score
from shibori.tracking.losses import UnrolledTracker
from shibori.tracking.matcher import SIZES, PixelTracker, build_matcher
from shibori.tracking.network import Prediction, join_memories, mask_cells

BATCH = 3


@pytest.fixture(scope="module")
def tracker() -> PixelTracker:
    torch.manual_seed(0)
    network = build_matcher("tiny").eval()
    assert isinstance(network, PixelTracker)
    return network


def made_inputs(batch: int = BATCH, height: int = 48, width: int = 64) -> tuple[Tensor, Tensor, Tensor]:
    """Two frames and a soft mask."""
    generator = torch.Generator().manual_seed(1)
    first, second = torch.randn(2, batch, 3, height, width, generator=generator)
    mask = (torch.rand(batch, 1, height, width, generator=generator) > 0.3).float()
    mask[..., : width // 2] = 0
    return first, second, mask


def predict(tracker: PixelTracker, first: Tensor, second: Tensor, mask: Tensor, copies: int = 1) -> Prediction:
    others = 1 - mask
    before = tracker.encode(first)
    memory = tracker.remember(before, mask, others)
    joined = memory
    for _ in range(copies - 1):
        joined = join_memories(joined, memory)
    return tracker(tracker.encode(second), joined, before.key, mask, others)


@pytest.mark.parametrize(("height", "width"), [(32, 32), (48, 64), (96, 32)])
def test_shapes(tracker: PixelTracker, height: int, width: int):
    first, second, mask = made_inputs(2, height, width)
    size, grid = tracker.size, (height // 8, width // 8)
    encoded = tracker.encode(first)
    assert encoded.key.shape == (2, size.key_channels, *grid)
    assert encoded.traits.shape == (2, size.trait_channels, *grid)
    torch.testing.assert_close(encoded.key.norm(dim=1), torch.ones(2, *grid))
    memory = tracker.remember(encoded, mask, 1 - mask)
    count = grid[0] * grid[1]
    assert memory.key.shape == (2, size.key_channels, count)
    assert memory.value.shape == (2, size.value_channels, count)
    assert memory.label.shape == (2, count)
    assert memory.traits.shape == (2, count, size.trait_channels)
    prediction = predict(tracker, first, second, mask)
    assert prediction.logits.shape == (2, 1, height, width)
    assert prediction.quality.shape == prediction.presence.shape == (2,)
    assert prediction.matched.shape == (2, *grid)
    assert ((prediction.matched >= 0) & (prediction.matched <= 1)).all()


def test_objects_do_not_see_each_other(tracker: PixelTracker):
    """Every row of a batch is one object: alone or in company, and in any order, its answer is the same."""
    inputs = made_inputs()
    together = predict(tracker, *inputs)
    order = torch.tensor([2, 0, 1])
    for part, permuted in zip(together, predict(tracker, *(x[order] for x in inputs)), strict=True):
        torch.testing.assert_close(permuted, part[order], atol=1e-4, rtol=1e-4)
    for row in range(BATCH):
        alone = predict(tracker, *(x[row : row + 1] for x in inputs))
        for part, single in zip(together, alone, strict=True):
            torch.testing.assert_close(single[0], part[row], atol=1e-4, rtol=1e-4)


def test_inference_mode_takes_another_path_to_the_same_answer(tracker: PixelTracker):
    inputs = made_inputs(1)
    with_gradients = predict(tracker, *inputs)
    with torch.inference_mode():
        without = predict(tracker, *inputs)
    for one, other in zip(with_gradients, without, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


def test_a_memory_joined_twice_is_the_same_memory(tracker: PixelTracker):
    inputs = made_inputs()
    for once, thrice in zip(predict(tracker, *inputs), predict(tracker, *inputs, copies=3), strict=True):
        torch.testing.assert_close(once, thrice, atol=1e-4, rtol=1e-4)


def test_joining_keeps_both_in_order(tracker: PixelTracker):
    first, second, mask = made_inputs(1)
    one = tracker.remember(tracker.encode(first), mask, 1 - mask)
    two = tracker.remember(tracker.encode(second), 1 - mask, mask)
    joined = join_memories(one, two)
    for name, dim in (("key", 2), ("value", 2), ("label", 1), ("traits", 1)):
        parts = getattr(joined, name).split(one.label.shape[1], dim)
        torch.testing.assert_close(list(parts), [getattr(one, name), getattr(two, name)])


def test_swapping_object_and_background_swaps_the_global_match(tracker: PixelTracker):
    first, second, mask = made_inputs(1)
    hard = mask.clone()
    hard[..., 32:] = 1
    encoded = tracker.encode(second)
    own = tracker.remember(tracker.encode(first), hard, 1 - hard)
    opposite = own._replace(label=1 - own.label)
    cues, *_ = tracker.read(encoded, own)
    swapped, *_ = tracker.read(encoded, opposite)
    torch.testing.assert_close(cues[:, :2], swapped[:, :2].flip(1))
    torch.testing.assert_close(cues[:, 2], 1 - swapped[:, 2], atol=1e-5, rtol=1e-5)


def test_local_matching_does_not_reach_beyond_its_radius(tracker: PixelTracker):
    """A previous position that is far from all but one column changes nothing outside its window."""
    encoded = tracker.encode(made_inputs(1, 32, 128)[0])
    nothing = torch.zeros(1, 1, 32, 128)
    marked = nothing.clone()
    marked[..., :8] = 1  # one column of the grid
    found = [tracker._match_locally(encoded.key, encoded.key, mask, torch.float32) for mask in (marked, nothing)]
    difference = found[0] - found[1]
    changed = difference.view(1, 3, 4, 16).abs().amax((0, 1, 2)) > 1e-6
    assert changed.tolist() == [column <= tracker.size.local_radius for column in range(16)]


def test_the_ridge_classifier_separates_what_it_was_fitted_on(tracker: PixelTracker):
    generator = torch.Generator().manual_seed(3)
    traits = torch.randn(1, tracker.size.trait_channels, 4, 4, generator=generator)
    traits[:, 0, :, 2:] += 4
    traits = torch.nn.functional.normalize(traits, dim=1)
    label = torch.tensor([0.0, 0, 1, 1]).repeat(4)[None]
    score = ridge_score(traits, traits.flatten(2).mT, label, tracker.ridge_penalty)[0, 0]
    assert score[:, 2:].min() > score[:, :2].max()


def test_mask_cells_lays_out_stride_two_masks():
    mask = torch.rand(2, 1, 16, 24, generator=torch.Generator().manual_seed(4))
    cells = mask_cells(mask, 8)
    assert cells.shape == (2, 16, 2, 3)
    for row in range(8):
        for column in range(12):
            mean = mask[:, 0, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2].mean((1, 2))
            torch.testing.assert_close(cells[:, (row % 4) * 4 + column % 4, row // 4, column // 4], mean)


def test_normalised_images_undo_to_the_pixels():
    images = torch.arange(48, dtype=torch.uint8).view(1, 3, 4, 4) * 5
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    torch.testing.assert_close((normalise_images(images) * std + mean) * 255, images.float(), atol=1e-3, rtol=0)


def made_batch(frames: int = 3) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(5)
    images = torch.randint(0, 256, (2, frames, 3, 48, 48), generator=generator, dtype=torch.uint8)
    masks = torch.zeros(2, frames, 48, 48, dtype=torch.uint8)
    masks[:, :, 10:30, 12:36] = 1
    others = torch.zeros_like(masks)
    others[:, :, 35:44, :20] = 1
    windows = torch.tensor([0.0, 0, 48, 48]).repeat(2, frames, 1) + torch.arange(frames).view(1, -1, 1)
    return images, masks, others, windows


def test_unrolling_reaches_every_parameter():
    """A parameter without a gradient would also stop data-parallel training."""
    torch.manual_seed(0)
    network = build_matcher("tiny")
    loss = UnrolledTracker(network)(*made_batch(), 0.5)
    loss.total.backward()
    idle = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
    assert idle == []
    assert 0 <= float(loss.iou) <= 1


def test_a_lost_object_is_looked_for_without_its_previous_mask(tracker: PixelTracker):
    """The share of frames decides; half of these do not see the previous frame either, and others are always seen."""
    ones = torch.ones(4000, 1, 1, 1)
    torch.manual_seed(0)
    key, mask, others = UnrolledTracker(tracker, lost_share=0.4)._withheld(ones, ones, ones)
    assert float(mask.mean()) == pytest.approx(0.6, abs=0.03)
    assert float(key.mean()) == pytest.approx(0.8, abs=0.03)
    assert bool((mask <= key).all())
    assert bool((others == 1).all())
    assert all(part is ones for part in UnrolledTracker(tracker)._withheld(ones, ones, ones))


def test_unrolling_rows_are_independent(tracker: PixelTracker):
    images, masks, others, windows = made_batch()
    with torch.no_grad():
        both = UnrolledTracker(tracker)(images, masks, others, windows, 1.0)
        each = [
            UnrolledTracker(tracker)(*(part[row : row + 1] for part in (images, masks, others, windows)), 1.0)
            for row in range(2)
        ]
    mean = (each[0].total + each[1].total) / 2
    torch.testing.assert_close(both.total, mean, atol=1e-4, rtol=1e-4)


def test_unrolling_does_not_look_at_later_masks(tracker: PixelTracker):
    """What is fed back is the tracker's own prediction: later truth moves the loss, not the predictions."""
    images, masks, others, windows = made_batch()
    seen: list[Tensor] = []

    def watch(_module: object, _inputs: object, prediction: Prediction) -> None:
        seen.append(prediction.logits)

    handle = tracker.register_forward_hook(watch)
    try:
        with torch.no_grad():
            UnrolledTracker(tracker)(images, masks, others, windows, 1.0)
            masks[:, 1:] = 1 - masks[:, 1:]
            UnrolledTracker(tracker)(images, masks, others, windows, 1.0)
    finally:
        handle.remove()
    torch.testing.assert_close(seen[:2], seen[2:], rtol=0, atol=0)


def test_presets_we_designed_are_of_the_size_they_claim():
    counts = {name: sum(p.numel() for p in build_matcher(name).parameters()) for name in ("compact", "tiny")}
    assert counts["tiny"] < 200_000 < counts["compact"] < 8_000_000
    assert set(SIZES) == {"compact", "tiny"}
