"""Fused networks against the ones they were made from, and devices that are not there."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from shibori.errors import InputError
from shibori.nn.backbones import CompactTrunk
from shibori.nn.prepare import choose_device, choose_dtype, mixed_precision, prepare_network

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def trained() -> CompactTrunk:
    """A trunk whose running means and variances are not the initial ones."""
    torch.manual_seed(0)
    trunk = CompactTrunk((4, 6, 8, 10), (1, 1, 2))
    with torch.no_grad():
        for _ in range(3):
            trunk(3 + 2 * torch.rand(4, 3, 32, 32))
    return trunk.eval()


def test_fused_network_equals_the_evaluation_mode_one(trained: CompactTrunk):
    images = 3 + 2 * torch.rand(2, 3, 48, 32, generator=torch.Generator().manual_seed(1))
    prepared = prepare_network(copy.deepcopy(trained), CPU, torch.float32)
    for fused, plain in zip(prepared(images), trained(images), strict=True):
        torch.testing.assert_close(fused, plain, atol=1e-4, rtol=1e-4)


def test_nothing_is_left_to_train_or_to_normalise(trained: CompactTrunk):
    prepared = prepare_network(copy.deepcopy(trained).train(), CPU, torch.float32)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in prepared.modules())
    assert not any(p.requires_grad for p in prepared.parameters())
    assert not prepared.training


def test_bfloat16_stays_near_float32(trained: CompactTrunk):
    images = 3 + 2 * torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(2))
    prepared = prepare_network(copy.deepcopy(trained), CPU, torch.bfloat16)
    low, plain = prepared(images.bfloat16()).s8.float(), trained(images).s8
    assert (low - plain).abs().mean() < 0.03 * plain.abs().mean()


@pytest.mark.parametrize("name", ["gpu", "", "CPU", "cuda0"])
def test_unknown_device(name: str):
    with pytest.raises(InputError, match="choose one of these"):
        choose_device(name)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
@pytest.mark.parametrize("name", ["cuda", "cuda:1"])
def test_cuda_asked_for_but_absent(name: str):
    with pytest.raises(InputError, match="cuda as asked for, found none"):
        choose_device(name)


def test_devices_that_are_there():
    assert choose_device("cpu") == CPU
    assert choose_device("auto").type in ("cpu", "cuda", "mps")
    assert choose_dtype(CPU) in (torch.float32, torch.bfloat16)


@pytest.mark.parametrize("native", [True, False])
def test_training_takes_bfloat16_where_it_is_native_alone(native: bool, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("shibori.nn.prepare.cpu_has_bfloat16", lambda: native)
    factors = torch.rand(4, 4, requires_grad=True)
    with mixed_precision(CPU):
        product = factors @ factors
    assert product.dtype == (torch.bfloat16 if native else torch.float32)
    assert factors.dtype == torch.float32
