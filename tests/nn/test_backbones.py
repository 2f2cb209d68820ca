"""Shapes, strides and receptive fields of the trunk; ResNet-101 against torchvision's own. Nothing is fetched."""

from __future__ import annotations

from urllib.error import URLError

import pytest
import torch
from torch import Tensor
from torchvision.models import ResNet, _api, resnet101

from shibori.errors import InputError
from shibori.nn.backbones import (
    CompactTrunk,
    ConvNorm,
    ResidualBlock,
    ResNetFeatures,
    fetch_resnet101_state,
    resnet_conv5,
)

WIDTHS = (4, 6, 8, 10)


@pytest.fixture
def trunk() -> CompactTrunk:
    torch.manual_seed(0)
    return CompactTrunk(WIDTHS, (1, 2, 1)).eval()


@pytest.mark.parametrize("size_hw", [(16, 16), (48, 32), (16, 80)])
def test_strides_and_widths(trunk: CompactTrunk, size_hw: tuple[int, int]):
    features = trunk(torch.rand(2, 3, *size_hw))
    for stride, maps, width in zip((2, 4, 8), features, WIDTHS[:3], strict=True):
        assert maps.shape == (2, width, size_hw[0] // stride, size_hw[1] // stride)
    assert trunk.channels == WIDTHS[:3]


def test_each_image_is_seen_alone_in_evaluation(trunk: CompactTrunk):
    images = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    together = trunk(images)
    for row in range(3):
        for whole, alone in zip(together, trunk(images[row : row + 1]), strict=True):
            torch.testing.assert_close(whole[row], alone[0], atol=1e-5, rtol=1e-5)


def test_shifting_by_the_largest_stride_shifts_the_features(trunk: CompactTrunk):
    image = torch.zeros(1, 3, 320, 320)
    image[..., 136:168, 136:168] = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(2))
    moved = image.roll(16, dims=3)
    inner = slice(16, 24)  # away from the border, whose padding does not move
    there, here = trunk(moved).s8, trunk(image).s8
    torch.testing.assert_close(there[..., inner, inner], here.roll(2, dims=3)[..., inner, inner], atol=1e-5, rtol=1e-4)


def test_stride_16_context_reaches_stride_8(trunk: CompactTrunk):
    images = torch.rand(1, 3, 32, 32)
    before = trunk(images).s8
    with torch.no_grad():
        trunk.lateral16[1].bias.add_(5.0)
    assert not torch.allclose(trunk(images).s8, before)


def test_gradients_reach_every_parameter(trunk: CompactTrunk):
    trunk.train()
    trunk(torch.rand(2, 3, 32, 32)).s8.square().mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in trunk.parameters())


def test_a_residual_block_whose_second_norm_is_zero_is_its_shortcut():
    block = ResidualBlock(5, 5).eval()
    torch.nn.init.zeros_(block.second[1].weight)
    features = torch.rand(1, 5, 6, 6)
    torch.testing.assert_close(block(features), features)
    assert isinstance(ResidualBlock(5, 6).shortcut, ConvNorm)


@pytest.mark.parametrize(("kernel", "dilation"), [(1, 1), (3, 1), (3, 2), (5, 1)])
def test_convolutions_keep_the_size(kernel: int, dilation: int):
    assert ConvNorm(2, 3, kernel, dilation=dilation)(torch.rand(2, 2, 9, 7)).shape == (2, 3, 9, 7)


# ---- ResNet-101


@pytest.fixture(scope="module")
def whole() -> ResNet:
    """As it is published: every stage halves the resolution. Its statistics are those of one picture."""
    torch.manual_seed(0)
    network = resnet101(weights=None).train()
    with torch.no_grad():
        network(torch.randn(2, 3, 64, 64))
    return network.eval()


def images() -> Tensor:
    return torch.randn(1, 3, 64, 96, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def features(whole: ResNet) -> ResNetFeatures:
    network = ResNetFeatures().eval()
    network.load_resnet(whole.state_dict())
    return network


@torch.no_grad()
def test_resnet_features_are_torchvisions_at_every_position_that_has_them(whole: ResNet, features: ResNetFeatures):
    """A convolution dilated by two sees, at every other position, what the strided one sees at each."""
    found = features(images())
    s2 = whole.relu(whole.bn1(whole.conv1(images())))
    s4 = whole.layer1(whole.maxpool(s2))
    s16 = whole.layer3(whole.layer2(s4))
    assert [maps.shape[1:] for maps in found] == [(64, 32, 48), (256, 16, 24), (1024, 8, 12)]
    assert tuple(maps.shape[1] for maps in found) == ResNetFeatures.channels
    torch.testing.assert_close(found.s2, s2)
    torch.testing.assert_close(found.s4, s4)
    torch.testing.assert_close(found.s8[..., ::2, ::2], s16, rtol=1e-3, atol=1e-3)
    assert s16.std() > 0.01


@torch.no_grad()
def test_conv5_with_and_without_its_stride(whole: ResNet):
    maps = torch.randn(1, 1024, 8, 12, generator=torch.Generator().manual_seed(2))
    expected = whole.layer4(maps)
    for dilated, step in ((True, 2), (False, 1)):
        blocks, in_channels, out_channels = resnet_conv5(dilated)
        blocks.load_state_dict(whole.layer4.state_dict())
        found = blocks.eval()(maps)
        assert (in_channels, out_channels) == (1024, found.shape[1])
        assert found.shape[2:] == ((8, 12) if dilated else (4, 6))
        torch.testing.assert_close(found[..., ::step, ::step], expected, rtol=1e-3, atol=1e-3)


def test_resnet_weights_must_be_whole_and_no_more(whole: ResNet, features: ResNetFeatures):
    state = whole.state_dict()
    with pytest.raises(RuntimeError, match="Missing key"):
        features.load_resnet({name: value for name, value in state.items() if name != "layer2.1.conv2.weight"})
    with pytest.raises(RuntimeError, match="Unexpected key"):
        features.load_resnet(state | {"layer3.99.conv1.weight": torch.zeros(1)})
    features.load_resnet({name: value for name, value in state.items() if not name.startswith(("layer4.", "fc."))})


def test_public_weights_come_from_torchvision(monkeypatch: pytest.MonkeyPatch, whole: ResNet):
    asked = []

    def fetched(url: str, *_arguments: object, **_options: object) -> dict[str, Tensor]:
        asked.append(url)
        return whole.state_dict()

    monkeypatch.setattr(_api, "load_state_dict_from_url", fetched)
    assert fetch_resnet101_state().keys() == whole.state_dict().keys()
    assert len(asked) == 1
    assert "resnet101" in asked[0]


def test_no_network_is_one_sentence(monkeypatch: pytest.MonkeyPatch):
    def offline(*_arguments: object, **_options: object) -> None:
        raise URLError("no route to host")

    monkeypatch.setattr(_api, "load_state_dict_from_url", offline)
    with pytest.raises(InputError, match=r"expected ImageNet weights from .*resnet101.*go online once") as caught:
        fetch_resnet101_state()
    assert "\n" not in str(caught.value)
