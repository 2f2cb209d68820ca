"""DeepLabv3+ features: size, stride, normalisation, and what is said when something is missing. Nothing is fetched."""

from __future__ import annotations

import copy
import sys
from importlib.util import find_spec

import pytest
import torch
from torch import nn

from shibori.errors import InputError
from shibori.nn.deeplab import IMAGE_MEAN, IMAGE_STD, DeeplabFeatures, XceptionFeatures
from shibori.nn.prepare import prepare_network

libraries = pytest.mark.skipif(
    any(find_spec(name) is None for name in ("segmentation_models_pytorch", "timm")),
    reason="the optional libraries are not installed: pip install shibori[paper]",
)


@libraries
@pytest.mark.parametrize("backbone", ["tu-resnet18", "resnet18"])
@pytest.mark.parametrize("output_stride", [8, 16])
def test_features_at_stride_4(backbone, output_stride):
    trunk = DeeplabFeatures(backbone, channels=24, output_stride=output_stride).eval()
    with torch.no_grad():
        features = trunk(torch.randn(2, 3, 48, 80))
    assert features.shape == (2, 24, 12, 20)
    assert features.isfinite().all()


@libraries
def test_every_parameter_is_used():
    trunk = DeeplabFeatures("tu-resnet18", channels=16)
    trunk(torch.randn(2, 3, 32, 32)).square().sum().backward()
    assert [name for name, parameter in trunk.named_parameters() if parameter.grad is None] == []


@libraries
@pytest.mark.parametrize(
    ("backbone", "mean", "std"), [("tu-xception65", 0.5, 0.5), ("resnet18", IMAGE_MEAN, IMAGE_STD)]
)
def test_images_reach_the_backbone_as_its_weights_expect(backbone, mean, std):
    trunk = DeeplabFeatures(backbone, channels=16)
    seen = []
    trunk.encoder.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0]))
    trunk.encoder.forward = lambda images: images
    trunk.decoder = nn.Identity()
    colours = torch.rand(1, 3, 16, 16)

    trunk(normalised(colours, IMAGE_MEAN, IMAGE_STD))
    torch.testing.assert_close(seen[0], normalised(colours, mean, std))


def normalised(colours: torch.Tensor, mean: tuple[float, ...], std: tuple[float, ...]) -> torch.Tensor:
    return (colours - torch.tensor(mean).view(-1, 1, 1)) / torch.tensor(std).view(-1, 1, 1)


@pytest.fixture(scope="module")
def xception() -> XceptionFeatures:
    pytest.importorskip("timm", reason="the optional libraries are not installed: pip install shibori[paper]")
    torch.manual_seed(0)
    return XceptionFeatures().eval()


@torch.no_grad()
def test_xception_features_at_three_strides(xception: XceptionFeatures):
    found = xception(torch.randn(1, 3, 48, 80))
    assert [tuple(maps.shape[1:]) for maps in found] == [(128, 24, 40), (256, 12, 20), (1024, 6, 10)]
    assert tuple(maps.shape[1] for maps in found) == XceptionFeatures.channels
    assert all(maps.isfinite().all() for maps in found)


@torch.no_grad()
def test_images_reach_xception_as_its_weights_expect(xception: XceptionFeatures):
    seen, colours = [], torch.rand(1, 3, 16, 16)
    hook = xception.body.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0]))
    xception(normalised(colours, IMAGE_MEAN, IMAGE_STD))
    hook.remove()
    torch.testing.assert_close(seen[0], normalised(colours, (0.5,) * 3, (0.5,) * 3))
    assert not {"gain", "lift"} & set(xception.state_dict())


@torch.no_grad()
def test_xception_prepared_in_another_format(xception: XceptionFeatures):
    prepared = prepare_network(copy.deepcopy(xception), torch.device("cpu"), torch.bfloat16)
    assert isinstance(prepared, XceptionFeatures)
    images = torch.randn(1, 3, 32, 32)
    assert all(maps.dtype == torch.bfloat16 for maps in prepared(images))
    assert all(maps.dtype == torch.bfloat16 for maps in prepared(images.bfloat16()))


def test_xception_without_timm_is_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(InputError, match=r"pip install shibori\[paper\]$"):
        XceptionFeatures()


@libraries
def test_weights_of_xception_that_cannot_be_fetched_are_one_sentence(monkeypatch):
    import timm

    def offline(*_arguments, **_options):
        raise FileNotFoundError("we cannot find the requested files in the local cache")

    monkeypatch.setattr(timm, "create_model", offline)
    with pytest.raises(InputError, match=r"ImageNet weights of xception65.*--no-pretrained$"):
        XceptionFeatures(pretrained=True)


@libraries
def test_the_normalisation_is_no_weight():
    assert not {"gain", "lift"} & set(DeeplabFeatures("resnet18", channels=16).state_dict())


def test_missing_libraries_are_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "segmentation_models_pytorch", None)
    with pytest.raises(InputError, match=r"pip install shibori\[paper\]$"):
        DeeplabFeatures("resnet18")


@libraries
@pytest.mark.parametrize(("backbone", "weights"), [("tu-xception65", True), ("resnet101", "imagenet")])
def test_weights_that_cannot_be_fetched_are_one_sentence(monkeypatch, backbone, weights):
    import segmentation_models_pytorch

    asked = []

    def offline(*args, **options):
        asked.append(options["encoder_weights"])
        raise FileNotFoundError("we cannot find the requested files in the local cache. Please check your connection.")

    monkeypatch.setattr(segmentation_models_pytorch, "DeepLabV3Plus", offline)
    with pytest.raises(InputError, match=rf"ImageNet weights of {backbone}.*--no-pretrained$"):
        DeeplabFeatures(backbone, pretrained=True)
    assert asked == [weights]
