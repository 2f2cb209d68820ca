"""Trunks of views: strides, channels, parameters by name, digests."""

from __future__ import annotations

import pytest
import torch
from torchvision.models import ResNet18_Weights, resnet18

from shibori.boxtracking.trunks import (
    CompactViewTrunk,
    ResNet18ViewTrunk,
    fetch_resnet18_state,
    trunk_and_key,
)
from shibori.boxtracking.views import ViewTrunk
from shibori.errors import InputError
from shibori.tracking.matcher import PixelTracker, build_matcher


def compact(seed: int = 0) -> CompactViewTrunk:
    torch.manual_seed(seed)
    tracker = build_matcher("tiny")
    assert isinstance(tracker, PixelTracker)
    return CompactViewTrunk(tracker.trunk, tracker.key)


@pytest.mark.parametrize("build", [compact, ResNet18ViewTrunk])
def test_features_are_of_the_strides_and_channels_they_say(build):
    trunk: ViewTrunk = build().eval()
    features = trunk.see(torch.rand(2, 3, 64, 96))
    assert features.strides == trunk.strides
    for maps, stride, channels in zip(features[:2], trunk.strides, trunk.channels, strict=True):
        assert maps.shape == (2, channels, 64 // stride, 96 // stride)
        assert maps.dtype == torch.float32
        assert not maps.requires_grad


def test_resnet_takes_torchvisions_parameters_and_sees_what_it_sees():
    torch.manual_seed(0)
    whole = resnet18(weights=None).eval()
    trunk = ResNet18ViewTrunk().eval()
    trunk.load_resnet(whole.state_dict())
    images = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        s4 = whole.layer1(whole.maxpool(whole.relu(whole.bn1(whole.conv1(images)))))
        wanted = whole.layer3(whole.layer2(s4))
    torch.testing.assert_close(trunk.see(images).coarse, wanted)


def test_no_network_is_said(monkeypatch: pytest.MonkeyPatch):
    def fail(*_args, **_kwargs):
        raise OSError("no route")

    monkeypatch.setattr(type(ResNet18_Weights.IMAGENET1K_V1), "get_state_dict", fail)
    with pytest.raises(InputError, match="no way to fetch them"):
        fetch_resnet18_state()


def test_the_pixel_trackers_trunk_is_taken_by_name():
    torch.manual_seed(1)
    tracker = build_matcher("tiny")
    assert isinstance(tracker, PixelTracker)
    other = compact(seed=2)
    other.load_state_dict(trunk_and_key(tracker.state_dict()))
    torch.testing.assert_close(other.trunk.stem[0].weight, tracker.trunk.stem[0].weight)
    torch.testing.assert_close(other.key.weight, tracker.key.weight)
