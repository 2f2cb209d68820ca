"""The proposal network against torchvision's own forward pass, on what it must learn, and on what it may return."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torchvision.models.detection.image_list import ImageList
from torchvision.ops import box_iou

from shibori.nn.rpn import ProposalNetwork, ProposalRule

SIZE_HW = (64, 96)
CHANNELS = 32
BOXES = [torch.tensor([[6.0, 10, 38, 34], [50, 20, 90, 60]]), torch.zeros(0, 4)]


def made_features(batch: int = 2, seed: int = 0) -> Tensor:
    return torch.randn(batch, CHANNELS, 8, 12, generator=torch.Generator().manual_seed(seed))


def made_network(seed: int = 0, **options: object) -> ProposalNetwork:
    torch.manual_seed(seed)
    network = ProposalNetwork(CHANNELS, ProposalRule(**{"sizes": (16, 32), "top_n": 20, **options}))
    # As made, all scores are nearly a half and all boxes nearly anchors: nothing to tell one from another.
    for convolution in (network.rpn["head"].cls_logits, network.rpn["head"].bbox_pred):
        nn.init.normal_(convolution.weight, std=0.3)
    return network


@pytest.fixture(scope="module")
def taught() -> ProposalNetwork:
    torch.manual_seed(0)
    network = ProposalNetwork(CHANNELS, ProposalRule(sizes=(16, 32), nms_threshold=0.5))
    features = made_features()
    optimiser = torch.optim.Adam(network.parameters(), 3e-3)
    for _ in range(200):
        optimiser.zero_grad()
        network.loss(features, SIZE_HW, BOXES).backward()
        optimiser.step()
    return network


def test_two_boxes_are_learnt(taught: ProposalNetwork):
    assert taught.loss(made_features(), SIZE_HW, BOXES) < 0.01
    boxes, scores = taught.propose(made_features(), SIZE_HW)[0]
    assert (box_iou(boxes[:2], BOXES[0]).amax(0) > 0.8).all()
    assert scores[0] > 0.9
    assert scores[1] > scores[2]


def test_an_image_without_objects_is_learnt_too(taught: ProposalNetwork):
    _, scores = taught.propose(made_features(), SIZE_HW)[1]
    assert scores.max() < 0.1


def test_an_image_without_objects_has_a_loss_of_objectness_alone():
    network = made_network()
    network.loss(made_features(1), SIZE_HW, [torch.zeros(0, 4)]).backward()
    head = network.rpn["head"]
    assert all(bool(parameter.grad.isfinite().all()) for parameter in head.parameters())
    assert head.cls_logits.weight.grad.any()
    assert not head.bbox_pred.weight.grad.any()


def test_gradients_flow_to_the_features():
    features = made_features().requires_grad_()
    made_network().loss(features, SIZE_HW, BOXES).backward()
    assert features.grad is not None
    assert features.grad.flatten(1).any(1).all()


class GivenAnchors(nn.Module):
    """In place of torchvision's generator, which puts them about the corners of the positions."""

    def __init__(self, anchors: Tensor) -> None:
        super().__init__()
        self.anchors = anchors

    def forward(self, images: ImageList, features: list[Tensor]) -> list[Tensor]:
        return [self.anchors] * len(images.image_sizes)


def through_torchvision(network: ProposalNetwork, features: Tensor) -> tuple[list[Tensor], dict[str, Tensor]]:
    images = ImageList(torch.zeros(len(features), 3, *SIZE_HW), [SIZE_HW] * len(features))
    own = network.whole.anchor_generator
    network.whole.anchor_generator = GivenAnchors(network._anchors(features))
    try:
        return network.whole(images, {"0": features}, [{"boxes": boxes} for boxes in BOXES])
    finally:
        network.whole.anchor_generator = own


def test_proposals_equal_torchvisions():
    network = made_network()
    expected, _ = through_torchvision(network.eval(), made_features())
    for (boxes, scores), expected_boxes in zip(network.propose(made_features(), SIZE_HW), expected, strict=True):
        assert len(boxes) == len(scores) == 20
        torch.testing.assert_close(boxes, expected_boxes)


def test_the_loss_equals_torchvisions():
    network = made_network()
    torch.manual_seed(1)
    _, expected = through_torchvision(network.train(), made_features())
    torch.manual_seed(1)
    seen = network.loss(made_features(), SIZE_HW, BOXES)
    torch.testing.assert_close(seen, sum(expected.values()))


def test_anchors_lie_about_the_centres_of_the_positions():
    network = ProposalNetwork(16, ProposalRule(sizes=(16, 32), ratios=(1.0,), stride=4))
    anchors = network._anchors(torch.zeros(1, 16, 2, 3)).view(2, 3, 2, 4)
    assert anchors[0, 0].tolist() == [[-6, -6, 10, 10], [-14, -14, 18, 18]]
    assert anchors[1, 2, 0].tolist() == [2, -2, 18, 14]


def test_boxes_lie_in_the_image_best_first():
    for boxes, scores in made_network().propose(made_features(3), (60, 90)):
        assert boxes.dtype == scores.dtype == torch.float32
        assert (boxes[:, 2:] > boxes[:, :2]).all()
        assert (boxes >= 0).all()
        assert (boxes <= torch.tensor([90.0, 60, 90, 60])).all()
        assert torch.equal(scores, scores.sort(descending=True).values)


def test_suppression_keeps_fewer_and_no_two_alike():
    counts = []
    for threshold in (0.9, 0.5, 0.2):
        boxes, _ = made_network(top_n=1000, nms_threshold=threshold).propose(made_features(1), SIZE_HW)[0]
        assert (box_iou(boxes, boxes).fill_diagonal_(0) <= threshold).all()
        counts.append(len(boxes))
    assert counts[0] > counts[1] > counts[2] > 0


def test_top_n_cuts_the_tail():
    many, few = (made_network(top_n=top_n).propose(made_features(1), SIZE_HW)[0] for top_n in (30, 7))
    assert len(few[0]) == 7
    torch.testing.assert_close(few[0], many[0][:7])


def test_padding_beyond_the_image_teaches_nothing():
    network, features, inside = made_network(), made_features(1), BOXES[0][:1]
    changed = features.clone()
    changed[:, :, 6:] += 1  # two rows beyond 40 pixels, as far as the head's 3x3 convolution reaches

    def loss_of(features: Tensor, height: int) -> float:
        torch.manual_seed(0)
        return network.loss(features, (height, 96), [inside]).item()

    assert loss_of(features, 40) == loss_of(changed, 40)
    assert loss_of(features, 64) != loss_of(changed, 64)


def test_a_head_in_half_precision_keeps_boxes_in_full():
    network = made_network(stride=100)  # at 1150 pixels bfloat16 is 8 pixels coarse
    expected = network.propose(made_features(1), (800, 1200))[0][0]
    network.rpn["head"].to(torch.bfloat16)
    nn.init.zeros_(network.rpn["head"].bbox_pred.weight)
    boxes = network.propose(made_features(1), (800, 1200))[0][0]
    assert boxes.dtype == expected.dtype == torch.float32
    anchors = network._anchors(made_features(1)).clamp_min(0).clamp_max(1200)
    assert (torch.cdist(boxes, anchors).amin(1) < 1e-3).all()
