"""Losses against loops, and one joint step: what learns, what stays as it is, what a clip looks like."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torchvision.ops import box_iou

from shibori.systems.dyenet import losses
from shibori.systems.dyenet.batch import Clips
from shibori.systems.dyenet.losses import (
    MAX_REGIONS,
    MIX,
    MOMENTUM,
    TEMPERATURE,
    ClipViews,
    IdentityTable,
    JointTraining,
    _shaken,
    instance_matching_loss,
    see,
)
from shibori.systems.dyenet.variant import VARIANTS, Variant

from .made import SIDE, made_clips, made_scenes, own_trunk_network, random, tiny_network

CHANNELS = 6


def unit_vectors(count: int, seed: int = 0, channels: int = CHANNELS) -> Tensor:
    return functional.normalize(random(count, channels, seed=seed) - 0.5, dim=1)


# ---- Online Instance Matching


def looped_loss(embeddings: Tensor, identities: list[int], table: Tensor, queue: Tensor) -> float:
    """Xiao et al. 2017, Eq. 1 to 3, number by number, over the rows that hold anything."""
    rows = [(slot, row) for slot, row in enumerate([*table.tolist(), *queue.tolist()]) if any(row)]
    losses = []
    for vector, identity in zip(embeddings.tolist(), identities, strict=True):
        scores = {slot: sum(a * b for a, b in zip(vector, row, strict=True)) / TEMPERATURE for slot, row in rows}
        if identity < 0 or identity not in scores:
            continue
        losses.append(math.log(sum(math.exp(score) for score in scores.values())) - scores[identity])
    return sum(losses) / len(losses) if losses else 0.0


def made_store() -> tuple[Tensor, Tensor]:
    """A table whose identities 2 and 4 were never seen, and a queue with one empty slot."""
    table, queue = unit_vectors(6, 1), unit_vectors(3, 2)
    table[[2, 4]], queue[1] = 0, 0
    return table, queue


@pytest.mark.parametrize(
    "identities",
    [[0, 1, 3, 5], [0, 0, 0, 0], [-1, 3, -1, 1], [2, 0, 4, -1]],
    ids=["all known", "one identity", "some unlabelled", "some never seen"],
)
def test_instance_matching_is_its_definition(identities: list[int]):
    embeddings, (table, queue) = unit_vectors(4, 3), made_store()
    found = instance_matching_loss(embeddings, torch.tensor(identities), table, queue)
    assert float(found) == pytest.approx(looped_loss(embeddings, identities, table, queue), rel=1e-5)
    assert float(found) > 0


@pytest.mark.parametrize("identities", [[-1, -1], [2, 4], [-1, 2]])
def test_nothing_known_costs_nothing_and_can_still_be_summed(identities: list[int]):
    embeddings = unit_vectors(2).requires_grad_()
    loss = instance_matching_loss(embeddings, torch.tensor(identities), *made_store())
    loss.backward()
    assert float(loss.detach()) == 0
    assert embeddings.grad is not None
    assert not embeddings.grad.any()


def test_the_queue_makes_it_harder_and_its_empty_slots_do_not():
    embeddings, identities, (table, queue) = unit_vectors(2, 3), torch.tensor([0, 3]), made_store()
    alone, with_queue, with_empty = (
        float(instance_matching_loss(embeddings, identities, table, rest))
        for rest in (queue[:0], queue, torch.zeros_like(queue))
    )
    assert with_queue > alone
    assert with_empty == pytest.approx(alone, rel=1e-6)


class LoopedTable:
    """The lookup table and the queue as plain lists."""

    def __init__(self, num_identities: int, queue_length: int) -> None:
        self.table = [[0.0] * CHANNELS for _ in range(num_identities)]
        self.queue = [[0.0] * CHANNELS for _ in range(queue_length)]
        self.count = 0

    def store(self, vector: list[float], identity: int) -> None:
        if identity < 0:
            self.queue[self.count % len(self.queue)] = vector
            self.count += 1
            return
        mixed = [MOMENTUM * old + (1 - MOMENTUM) * new for old, new in zip(self.table[identity], vector, strict=True)]
        length = math.sqrt(sum(x * x for x in mixed))
        self.table[identity] = [x / length for x in mixed]


def test_the_table_equals_plain_lists_over_many_batches_and_the_queue_wraps_around():
    module, looped = IdentityTable(4, 3, CHANNELS), LoopedTable(4, 3)
    generator = torch.Generator().manual_seed(0)
    for batch in range(6):
        identities = torch.randint(-2, 4, (5,), generator=generator)
        embeddings = unit_vectors(5, 10 + batch)
        before = torch.tensor(looped.table), torch.tensor(looped.queue)
        expected = looped_loss(embeddings, identities.tolist(), *before)
        assert float(module(embeddings, identities)) == pytest.approx(expected, rel=1e-4)
        for vector, identity in zip(embeddings.tolist(), identities.tolist(), strict=True):
            looped.store(vector, identity)
        torch.testing.assert_close(module.table, torch.tensor(looped.table))
        torch.testing.assert_close(module.queue, torch.tensor(looped.queue))
        assert int(module.next_slot) == looped.count % 3
    assert looped.count > 2 * 3


def test_an_identity_counts_from_the_second_time_it_is_seen():
    table = IdentityTable(3, 2, CHANNELS)
    vectors, identities = unit_vectors(2), torch.tensor([2, -1])
    assert float(table(vectors, identities)) == 0
    assert float(table(vectors, identities)) > 0


def test_nothing_is_stored_in_evaluation():
    table = IdentityTable(3, 2, CHANNELS).eval()
    table(unit_vectors(3), torch.tensor([0, -1, 2]))
    assert not any(value.any() for value in table.buffers())


def test_a_step_does_not_change_what_its_own_gradient_needs():
    """The table is written between the loss and its gradient: the gradient is that of the table before."""
    table, identities = IdentityTable(3, 2, CHANNELS), torch.tensor([1, 0])
    table(unit_vectors(2, 1), identities)
    before = table.table.clone(), table.queue.clone()
    one, other = unit_vectors(2, 5).requires_grad_(), unit_vectors(2, 5).requires_grad_()
    table(one, identities).backward()
    instance_matching_loss(other, identities, *before).backward()
    torch.testing.assert_close(one.grad, other.grad)


def test_there_may_be_no_queue():
    table = IdentityTable(2, 0, CHANNELS)
    table(unit_vectors(2), torch.tensor([-1, 0]))
    assert float(table(unit_vectors(2), torch.tensor([-1, 0]))) == pytest.approx(
        0, abs=1e-6
    )  # nobody to mix it up with


# ---- a joint step


def joint_step(own_trunk: bool, count: int = len(MIX)) -> tuple[JointTraining, Tensor]:
    run = JointTraining(own_trunk_network() if own_trunk else tiny_network(), 5, 10)
    run.identities(unit_vectors(3, 0, run.network.reid.out_channels), torch.tensor([0, 1, -1]))
    loss = run(made_clips(count), made_scenes(), 0.5)
    assert all(value.isfinite() for value in loss)
    assert 0 <= float(loss.iou) <= 1
    assert all(float(value.detach()) > 0 for value in (loss.reid, loss.mask, loss.remp, loss.proposals, loss.quality))
    loss.total.backward()
    return run, loss.total


@pytest.mark.parametrize("own_trunk", [False, True], ids=["on the pixel tracker", "with its own trunk"])
def test_every_trained_parameter_learns(own_trunk: bool):
    run, _ = joint_step(own_trunk)
    trained = {name: p for part in run.network.trained_parts for name, p in part.named_parameters()}
    assert [name for name, p in trained.items() if p.grad is None or not p.grad.isfinite().all()] == []
    for part in run.network.trained_parts:
        shares = [bool(p.grad is not None and p.grad.any()) for p in part.parameters()]
        assert sum(shares) / len(shares) > 0.95
    every = {id(p) for p in run.parameters() if p.requires_grad}
    assert every == {id(p) for part in run.network.trained_parts for p in part.parameters()}


def test_no_parameter_belongs_to_two_parts():
    parts = own_trunk_network().trained_parts
    assert sum(len(list(part.parameters())) for part in parts) == len(
        {id(p) for part in parts for p in part.parameters()}
    )


def test_the_pixel_tracker_inside_learns_nothing_and_keeps_its_statistics():
    torch.manual_seed(0)
    before = {name: value.clone() for name, value in tiny_network().matcher.state_dict().items()}
    run, _ = joint_step(own_trunk=False)
    run.train()
    run(made_clips(2), made_scenes(), 1.0)
    assert all(p.grad is None and not p.requires_grad for p in run.network.matcher.parameters())
    for name, value in run.network.matcher.state_dict().items():
        assert value.equal(before[name]), name
    assert run.network.reid.training
    assert not any(module.training for module in run.network.matcher.modules())


def test_more_objects_than_count_in_a_step(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(losses, "MAX_EMPTY", 0)
    scenes = made_scenes(MAX_REGIONS // 3 + 2)
    scenes = scenes._replace(identities=torch.full_like(scenes.identities, -1))
    assert len(scenes.boxes) > MAX_REGIONS
    run = JointTraining(tiny_network(), 5, 2 * MAX_REGIONS)
    run(None, scenes, 1.0)
    assert int(run.identities.next_slot) == MAX_REGIONS


def test_what_shows_no_object_is_told_apart_too():
    scenes = made_scenes()
    run = JointTraining(tiny_network(), 5, 100)
    features = see(run.network, scenes.images).features.s8
    size_hw = (scenes.images.shape[2], scenes.images.shape[3])
    boxes = [scenes.boxes[scenes.picture == n] for n in range(len(scenes.images))]
    empty, where = run._empty_boxes(features, size_hw, boxes)
    assert len(empty) == len(where) > 0
    for n, objects in enumerate(boxes):
        assert int((where == n).sum()) <= losses.MAX_EMPTY
        assert (box_iou(empty[where == n], objects) < losses.EMPTY_IOU).all()
    run(None, scenes._replace(identities=torch.arange(len(scenes.boxes)) % 5), 1.0)
    assert int(run.identities.next_slot) > 0  # no object was without identity: these are the empty ones


def test_scenes_alone_can_be_learnt_from():
    run = JointTraining(tiny_network(), 5, 10)
    loss = run(None, made_scenes(), 1.0)
    assert [float(value) for value in (loss.remp, loss.quality, loss.iou)] == [0, 0, 0]
    loss.total.backward()
    assert any(p.grad is not None and p.grad.any() for p in run.network.masks.parameters())
    assert all(p.grad is None for p in run.network.propagation.parameters())


def test_the_second_view_of_a_scene_is_told_from_the_first_at_once():
    """What is seen for the first time in one view is known in the other; in views of other things it is not."""
    scenes = made_scenes(2)
    assert float(JointTraining(tiny_network(), 5, 10)(None, scenes, 1.0).reid.detach()) > 0
    apart = scenes._replace(identities=torch.tensor([0, 1, -1, 2, 3, -1]))
    assert float(JointTraining(tiny_network(), 5, 10)(None, apart, 1.0).reid.detach()) == 0


def test_the_draws_of_a_step_depend_on_torchs_seed_alone():
    totals = []
    for _ in range(2):
        run = JointTraining(tiny_network(), 5, 10)
        torch.manual_seed(7)
        totals.append(float(run(made_clips(len(MIX)), made_scenes(), 0.5).total.detach()))
    assert totals[0] == totals[1]


# ---- what a batch of clips looks like

NEAR, FAR = VARIANTS["combined"], VARIANTS["remp"]


def different_clips(count: int) -> Clips:
    """Clips that differ in everything, windows included."""
    clips = made_clips(count, seed=5)
    clips.windows.add_(torch.arange(count)[:, None, None] * torch.tensor([1.0, 0, 1, 2]))
    clips.masks[1] = clips.masks[1].flip(1)
    return clips


def only(clips: Clips, row: int) -> Clips:
    return Clips(*(part[row : row + 1] for part in clips))


@pytest.mark.parametrize(
    "variants",
    [[FAR, NEAR, FAR, VARIANTS["advanced"], NEAR], [NEAR] * 3, [FAR] * 3, [FAR, FAR, NEAR]],
    ids=["mixed", "all near", "all far", "near last"],
)
def test_a_clip_looks_the_same_in_a_batch_as_alone(variants: list[Variant]):
    network, clips = tiny_network().eval(), different_clips(len(variants))
    torch.manual_seed(3)
    views = ClipViews(network, clips, variants)
    views.remember(0, clips.masks[:, :1].float(), clips.others[:, :1].float())
    answer = views.matched(1, clips.masks[:, :1].float(), clips.others[:, :1].float())
    for row, variant in enumerate(variants):
        torch.manual_seed(3)  # how small a far-away picture is, is drawn
        alone = ClipViews(network, only(clips, row), [variant])
        for t in range(3):
            for maps, expected in zip(views.features(t), alone.features(t), strict=True):
                torch.testing.assert_close(maps[row], expected[0], atol=1e-4, rtol=1e-4)
        alone.remember(0, clips.masks[row : row + 1, :1].float(), clips.others[row : row + 1, :1].float())
        expected = alone.matched(1, clips.masks[row : row + 1, :1].float(), clips.others[row : row + 1, :1].float())
        torch.testing.assert_close(answer[row], expected[0], atol=1e-3, rtol=1e-3)
        assert bool(answer[row].any()) == variant.patches


def test_far_away_features_have_the_grid_of_near_ones_and_less_detail():
    network, clips = tiny_network().eval(), made_clips(1, side=128)
    near, far = (ClipViews(network, clips, [variant]).features(1) for variant in (NEAR, FAR))
    assert [maps.shape for maps in near] == [maps.shape for maps in far]
    assert not torch.allclose(near.s8, far.s8)

    def roughness(maps: Tensor) -> float:
        return float((maps.diff(dim=-1).square().mean() / maps.var()).detach())

    assert roughness(far.s2) < roughness(near.s2)


def test_what_is_carried_follows_the_window_and_the_flow():
    """The window moved right by 16 of its own 64 pixels, 32 of the frame, and what it shows came 8 of them back."""
    clips = made_clips(1, 2)
    clips.windows[:] = torch.tensor([[100.0, 50, 228, 178], [132.0, 50, 260, 178]])
    clips.flows[:, 1, 0], clips.flows[:, 1, 1] = -8, 0
    views = ClipViews(tiny_network(), clips, [NEAR])
    mask, others, hidden = random(1, 1, SIDE, SIDE), random(1, 1, SIDE, SIDE, seed=1), random(1, 5, 8, 8, seed=2)
    state, seen, rest = views.warped(1, hidden, mask, others)
    for values, expected in ((seen, mask), (rest, others)):
        torch.testing.assert_close(values[..., : SIDE - 8], expected[..., 8:], atol=1e-4, rtol=1e-4)
        assert not values[..., SIDE - 8 :].any()
    torch.testing.assert_close(state[..., :7], hidden[..., 1:], atol=1e-4, rtol=1e-4)


def test_the_flow_stream_reads_shares_of_the_window():
    clips = made_clips(2)
    flow = ClipViews(tiny_network(), clips, [NEAR, FAR]).flow(1)
    assert flow.shape == (2, 2, 8, 8)
    torch.testing.assert_close(flow[:, 0], torch.full((2, 8, 8), -4 / SIDE))
    assert not flow[:, 1].any()


def test_the_last_frame_is_not_remembered():
    network, clips = tiny_network().eval(), made_clips(1)
    views = ClipViews(network, clips, [NEAR])
    counts = []
    for t in range(3):
        views.remember(t, clips.masks[:, t : t + 1].float(), clips.others[:, t : t + 1].float())
        assert views.memory is not None
        counts.append(views.memory.label.shape[1])
    assert counts == [64, 128, 128]


def test_shaken_boxes_are_boxes_of_the_picture():
    torch.manual_seed(0)
    boxes = torch.tensor(
        [[0.0, 0, 96, 64], [0, 0, 1, 64], [95, 0, 96, 64], [0, 63, 96, 64], [40, 20, 60, 50], [0, 0, 1, 1]]
    ).repeat(50, 1)
    shaken = _shaken(boxes, (64, 96))
    assert (shaken[:, :2] >= 0).all()
    assert (shaken[:, 2:] <= torch.tensor([96, 64])).all()
    assert (shaken[:, 2:] - shaken[:, :2] > 2 - 1e-4).all()
    moved = (shaken - boxes)[boxes[:, 0] == 40]
    assert 0.5 < float(moved.abs().mean()) < 5
