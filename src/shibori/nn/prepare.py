"""Making a trained network ready to be run: normalisation folded into convolutions, the fastest safe number format."""

from __future__ import annotations

import os

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from shibori.errors import InputError

os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "384")
"""oneDNN keeps a compiled kernel for every layer and shape of its input. These are about ten shapes of windows; its
default of 1,024 takes some 30 MB more in a clip where objects of all sizes come by."""


def choose_device(name: str) -> torch.device:
    """The device called ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.

    Raises:
        InputError: if it is not there, or not a device's name.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    kind = name.split(":")[0]
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if kind not in available:
        raise InputError(f"expected a device auto, cpu, cuda or mps, found {name!r}; choose one of these")
    if not available[kind]:
        raise InputError(f"expected a device {kind} as asked for, found none on this machine; use --device auto or cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise InputError(f"expected a device such as cuda or cuda:0, found {name!r}; give its number") from error
    if device.type == "cuda" and device.index is not None and device.index >= torch.cuda.device_count():
        raise InputError(f"expected one of {torch.cuda.device_count()} CUDA devices, found {name!r}; count from cuda:0")
    return device


def choose_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where the device computes in it, float32 elsewhere."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    if device.type == "cpu" and cpu_has_bfloat16():
        return torch.bfloat16
    return torch.float32


def mixed_precision(device: torch.device) -> torch.autocast:
    """Within it, networks that train compute in what ``choose_dtype`` says; their parameters stay float32.

    A processor that emulates bfloat16 takes some thirty times as long for it as for float32.
    """
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=choose_dtype(device) == torch.bfloat16)


def cpu_has_bfloat16() -> bool:
    """Whether this CPU multiplies bfloat16 matrices itself (AVX512-BF16 or AMX) instead of emulating it."""
    abilities = torch.backends.cpu.get_cpu_capability()
    return abilities == "AVX512" and bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def prepare_network(network: nn.Module, device: torch.device, dtype: torch.dtype) -> nn.Module:
    """``network`` itself, for inference alone: evaluation mode, fused, on ``device``, its convolutions in ``dtype``."""
    network.eval().requires_grad_(False)
    for module in network.modules():
        if isinstance(module, nn.Sequential):
            _fold_norms(module)
    network.to(device).to(memory_format=torch.channels_last)
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.to(dtype)
    return network


def _fold_norms(layers: nn.Sequential) -> None:
    """Every batch normalisation that follows a convolution goes into it."""
    for place in range(len(layers) - 1):
        convolution, norm = layers[place], layers[place + 1]
        if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            mean, variance = norm.running_mean, norm.running_var
            assert mean is not None
            assert variance is not None
            # ``fuse_conv_bn_eval`` would copy the convolution first, which takes most of its time.
            convolution.weight, convolution.bias = fuse_conv_bn_weights(
                convolution.weight, convolution.bias, mean, variance, norm.eps, norm.weight, norm.bias
            )
            layers[place + 1] = nn.Identity()
