"""The module as a whole: what is its own, what is not, the paper's preset and where its weights go."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import shibori.nn.backbones as backbones
from shibori.errors import InputError
from shibori.nn.flow import RaftFlow
from shibori.nn.prepare import prepare_network
from shibori.ops.roi import roi_align
from shibori.systems.dyenet.model import DyeNet, build_dyenet, load_imagenet_weights

from .made import SIDE, TINY, appearance_channels, own_trunk_network, random, tiny_network


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch):
    def refused(*_arguments: object, **_options: object) -> None:
        raise AssertionError("a test went online")

    monkeypatch.setattr(socket.socket, "connect", refused)


# ---- what is its own


def test_own_state_is_everything_but_the_pixel_tracker():
    network = tiny_network()
    own, whole = network.own_state(), network.state_dict()
    assert {f"matcher.{name}" for name in network.matcher.state_dict()} == whole.keys() - own.keys()
    assert "matcher_digest" in own
    parts = {name.split(".")[0] for name in own}
    assert parts == {"proposals", "masks", "reid", "propagation", "matcher_digest"}
    assert own_trunk_network().own_state().keys() == own_trunk_network().state_dict().keys()


def test_own_state_comes_back_and_leaves_the_pixel_tracker_alone():
    one, other = tiny_network(1), tiny_network(2)
    matcher = {name: value.clone() for name, value in other.matcher.state_dict().items()}
    one.matcher_digest.fill_(7)
    other.load_own_state(one.own_state())
    for name, value in one.own_state().items():
        assert other.state_dict()[name].equal(value), name
    for name, value in matcher.items():
        assert other.matcher.state_dict()[name].equal(value), name


def without(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value for name, value in state.items() if name != "reid.project.bias"}


def too_many(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return state | {"reid.project.gain": torch.zeros(1)}


def reshaped(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return state | {"reid.project.bias": torch.zeros(TINY.embedding_channels + 1)}


@pytest.mark.parametrize("spoiled", [without, too_many, reshaped])
def test_weights_that_do_not_fit_are_refused(spoiled):
    network = tiny_network()
    with pytest.raises(InputError, match="expected weights of this preset of dyenet") as caught:
        network.load_own_state(spoiled(network.own_state()))
    assert "\n" not in str(caught.value)


def test_a_shape_is_not_stretched():
    """A bias of one number would fit any by broadcasting."""
    network = tiny_network()
    with pytest.raises(InputError, match="expected weights"):
        network.load_own_state(network.own_state() | {"matcher_digest": torch.zeros(1, dtype=torch.uint8)})


def test_training_leaves_the_pixel_tracker_in_evaluation():
    network = tiny_network()
    for mode in (True, False, True):
        network.train(mode)
        assert network.propagation.training is mode
        assert not any(module.training for module in network.matcher.modules())


# ---- what it says of pictures


@pytest.mark.parametrize("network", [tiny_network(), own_trunk_network()], ids=["tracker", "own trunk"])
def test_features_at_three_strides(network: DyeNet):
    with torch.no_grad():
        seen = network.eval().see(random(2, 3, 48, SIDE))
    for maps, channels, stride in zip(seen.features, TINY.feature_channels, (2, 4, 8), strict=True):
        assert maps.shape == (2, channels, 48 // stride, SIDE // stride)
    assert (seen.encoded is None) == (network.matcher is None)


@pytest.mark.parametrize("made", [tiny_network, own_trunk_network], ids=["tracker", "own trunk"])
def test_a_network_prepared_in_another_format_sees_pictures_as_they_come(made: Callable[[], DyeNet]):
    network = prepare_network(made(), torch.device("cpu"), torch.bfloat16)
    with torch.no_grad():
        features = network.see(random(1, 3, 32, 48)).features
        expected = made().eval().see(random(1, 3, 32, 48)).features
    assert features.s8.dtype == torch.bfloat16
    torch.testing.assert_close(features.s8.float(), expected.s8, atol=0.05, rtol=0.1)


def test_templates_and_candidates_are_identified_by_the_same_network():
    """A template whose given mask is what the mask network says is the candidate of its box."""
    network = tiny_network().eval()
    features = random(2, appearance_channels(network), 8, 8)
    boxes = torch.tensor([[4.0, 6, 40, 30], [20, 20, 60, 60], [0, 0, 64, 64]])
    index = torch.tensor([0, 1, 0])
    with torch.no_grad():
        masks, vectors = network.embed(features, boxes, index)
        first = network.identify(features[:1], boxes[[0, 2]], masks[[0, 2]].sigmoid())
        regions = roi_align(features, boxes, index, TINY.region_side, 8)
        torch.testing.assert_close(masks, network.masks(regions[:, : TINY.feature_channels[2]]))
    assert masks.shape == (3, TINY.region_side, TINY.region_side)
    torch.testing.assert_close(first, vectors[[0, 2]])


# ---- the preset of the paper


@pytest.fixture(scope="module")
def paper() -> DyeNet:
    """Built without the seconds that its random parameters take, and given small ones."""
    with torch.device("meta"):
        network = build_dyenet("paper").eval()
    network.to_empty(device="cpu")
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.reset_parameters()
    generator = torch.Generator().manual_seed(0)
    for parameter in network.parameters():
        if parameter.ndim > 1:
            nn.init.normal_(parameter, std=0.02, generator=generator)
        elif not parameter.equal(torch.ones_like(parameter)):
            nn.init.zeros_(parameter)
    return network


def test_the_papers_features_come_at_stride_8(paper: DyeNet):
    with torch.no_grad():
        seen = paper.see(random(1, 3, 64, 96))
    assert [maps.shape[1:] for maps in seen.features] == [(64, 32, 48), (256, 16, 24), (1024, 8, 12)]
    assert seen.encoded is None
    assert paper.matcher is None


def test_the_papers_heads_answer(paper: DyeNet):
    features = random(1, 1024, 8, 12)
    with torch.no_grad():
        masks, vectors = paper.embed(features, torch.tensor([[8.0, 8, 72, 56]]), torch.zeros(1, dtype=torch.int64))
    assert masks.shape == (1, 28, 28)
    assert vectors.shape == (1, 256)
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(1))


def test_the_papers_flow_is_a_network_that_is_not_trained(paper: DyeNet):
    assert isinstance(paper.flow, RaftFlow)
    assert paper.flow.network is paper.raft
    assert not paper.train().raft.training
    assert not any(parameter.requires_grad for parameter in paper.raft.parameters())
    assert any(name.startswith("raft.") for name in paper.own_state())
    paper.eval()


def test_conv5_keeps_the_resolution_for_masks_and_halves_it_for_identities(paper: DyeNet):
    with torch.no_grad():
        assert paper.masks.blocks(random(1, 1024, 6, 6)).shape == (1, 2048, 6, 6)
        assert paper.reid.blocks(random(1, 1025, 6, 6)).shape == (1, 2048, 3, 3)


@pytest.fixture(scope="module")
def imagenet() -> dict[str, Tensor]:
    """The names and shapes of torchvision's ResNet-101, each value unlike any other's."""
    from torchvision.models import resnet101

    with torch.device("meta"):
        shapes = {name: (value.shape, value.dtype) for name, value in resnet101(weights=None).state_dict().items()}
    return {
        name: torch.full(shape, number / 1000).to(dtype) for number, (name, (shape, dtype)) in enumerate(shapes.items())
    }


def test_imagenet_weights_go_where_their_names_say(paper: DyeNet, imagenet: dict[str, Tensor], monkeypatch):
    monkeypatch.setattr(backbones, "fetch_resnet101_state", lambda: imagenet)
    load_imagenet_weights(paper)
    trunk = paper.backbone.state_dict()
    assert trunk["stem.0.weight"].equal(imagenet["conv1.weight"])
    assert trunk["stem.1.running_mean"].equal(imagenet["bn1.running_mean"])
    for name in ("layer1.0.conv1.weight", "layer2.3.bn2.bias", "layer3.22.conv3.weight"):
        assert trunk[name].equal(imagenet[name]), name
    copies = [paper.masks.blocks[1], paper.reid.blocks[1], paper.propagation.recurrent[1]]
    for copy in copies:
        state = copy.state_dict()
        assert {f"layer4.{name}" for name in state} == {name for name in imagenet if name.startswith("layer4.")}
        for name, value in state.items():
            assert value.equal(imagenet[f"layer4.{name}"]), name
    pointers = {p.data_ptr() for copy in copies for p in copy.parameters()}
    assert len(pointers) == sum(len(list(copy.parameters())) for copy in copies)  # three copies, not one shared


@pytest.mark.parametrize("missing", ["layer3.5.bn1.weight", "layer4.1.conv2.weight"])
def test_imagenet_weights_must_be_whole(paper: DyeNet, imagenet: dict[str, Tensor], monkeypatch, missing: str):
    damaged = {name: value for name, value in imagenet.items() if name != missing}
    monkeypatch.setattr(backbones, "fetch_resnet101_state", lambda: damaged)
    with pytest.raises(RuntimeError, match="Missing key"):
        load_imagenet_weights(paper)


def test_the_second_variant_has_xception(monkeypatch: pytest.MonkeyPatch):
    asked = []
    monkeypatch.setattr(
        "shibori.systems.dyenet.model.XceptionFeatures",
        lambda pretrained: asked.append(pretrained) or nn.Conv2d(3, 1, 1),
    )
    monkeypatch.setattr("shibori.systems.dyenet.model.load_public_raft", lambda _raft, variant: asked.append(variant))
    with torch.device("meta"):
        for pretrained in (False, True):
            network = build_dyenet("paper-xception", pretrained)
            assert isinstance(network.backbone, nn.Conv2d)
            assert network.matcher is None
    assert asked == [False, True, "large"]


def test_only_the_paper_asks_for_imagenet_weights_and_only_if_told(monkeypatch):
    asked = []
    monkeypatch.setattr("shibori.systems.dyenet.model.load_imagenet_weights", asked.append)
    monkeypatch.setattr("shibori.systems.dyenet.model.load_public_raft", lambda *what: asked.append(what))
    with torch.device("meta"):
        build_dyenet("tiny", pretrained=True)
        build_dyenet("compact", pretrained=True)
        build_dyenet("paper", pretrained=False)
        assert asked == []
        network = build_dyenet("paper", pretrained=True)
    assert asked == [network, (network.raft, "large")]


def test_no_preset_of_that_name():
    with pytest.raises(KeyError):
        build_dyenet("giant")
