"""DeepLabv3+ features (Chen et al. 2018) at stride 4, on any backbone that segmentation-models-pytorch or timm has."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from shibori.errors import InputError
from shibori.nn.backbones import PyramidFeatures

IMAGE_MEAN = (0.485, 0.456, 0.406)
IMAGE_STD = (0.229, 0.224, 0.225)
"""How the images that come in were normalised; a backbone that was trained otherwise gets them its own way."""

ATROUS_RATES = {16: (6, 12, 18), 8: (12, 24, 36)}
"""Output stride -> rates of the atrous pyramid (DeepLabv3+, Sec. 4)."""


class DeeplabFeatures(nn.Module):
    """The DeepLabv3+ encoder and decoder without its classifier.

    Args:
        backbone: a name of segmentation-models-pytorch ("resnet101") or, after "tu-", of timm ("tu-xception65").
        channels: of the features.
        output_stride: of the backbone's last stage, 8 or 16.
        pretrained: start the backbone from its public ImageNet weights, which are fetched or found in the cache.
        extra_channels: of the input, beside the three of the picture: masks and guidance maps, taken as they are.

    Raises:
        InputError: if the libraries are not installed, or the weights cannot be fetched.
    """

    stride = 4
    gain: Tensor
    lift: Tensor

    def __init__(
        self,
        backbone: str,
        channels: int = 256,
        output_stride: int = 16,
        pretrained: bool = False,
        extra_channels: int = 0,
    ) -> None:
        super().__init__()
        model = _build(backbone, channels, output_stride, pretrained, 3 + extra_channels)
        self.encoder, self.decoder = model.encoder, model.decoder
        self.channels = channels
        gain, lift = _renormalisation(*_backbone_normalisation(model.encoder))
        self.register_buffer("gain", gain, persistent=False)
        self.register_buffer("lift", lift, persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Features of pictures.

        Args:
            images: (B, 3 + extra_channels, H, W) float32, H W multiples of 16; the first three channels with
                ``IMAGE_MEAN`` and ``IMAGE_STD``.

        Returns:
            (B, C, H/4, W/4).
        """
        own = torch.cat([images[:, :3] * self.gain + self.lift, images[:, 3:]], 1)
        first = next(module for module in self.encoder.modules() if isinstance(module, nn.Conv2d))
        return self.decoder(self.encoder(own.to(first.weight.dtype)))


class XceptionFeatures(nn.Module):
    """Xception-65 of timm up to stride 8: its later stages dilated instead of strided (DyeNet, Sec. 3).

    Args:
        pretrained: start from the public ImageNet weights, which are fetched or found in the cache.

    Raises:
        InputError: if timm is not installed, or the weights cannot be fetched.
    """

    channels = (128, 256, 1024)
    gain: Tensor
    lift: Tensor

    def __init__(self, pretrained: bool = False) -> None:
        super().__init__()
        try:
            import timm
        except ImportError as error:
            raise InputError(
                "expected timm for the preset paper-xception, found it not installed; pip install shibori[paper]"
            ) from error
        try:
            self.body = timm.create_model(
                "xception65", pretrained=pretrained, features_only=True, output_stride=8, out_indices=(0, 1, 3)
            )
        except OSError as error:  # what the hub's client raises for every failure to fetch
            raise InputError(
                "expected to fetch the public ImageNet weights of xception65, found no way to reach them; connect to "
                "the network once, or start from random parameters with --no-pretrained"
            ) from error
        cfg: Any = self.body.pretrained_cfg
        gain, lift = _renormalisation(cfg["mean"], cfg["std"])
        self.register_buffer("gain", gain, persistent=False)
        self.register_buffer("lift", lift, persistent=False)

    def forward(self, images: Tensor) -> PyramidFeatures:
        """(B, 3, H, W) with ``IMAGE_MEAN`` and ``IMAGE_STD`` -> 128, 256 and 1,024 channels at strides 2, 4, 8."""
        own = images * self.gain + self.lift
        return PyramidFeatures(*self.body(own.to(next(self.body.parameters()).dtype)))


def _build(backbone: str, channels: int, output_stride: int, pretrained: bool, in_channels: int) -> Any:
    try:
        # The libraries are an optional extra, and take seconds to import.
        from segmentation_models_pytorch import DeepLabV3Plus
    except ImportError as error:
        raise InputError(
            "expected segmentation-models-pytorch and timm for the preset paper, found them not installed; "
            "pip install shibori[paper]"
        ) from error
    public = True if backbone.startswith("tu-") else "imagenet"  # timm names the set in the model, if at all
    try:
        return DeepLabV3Plus(
            backbone,
            encoder_weights=public if pretrained else None,
            encoder_output_stride=output_stride,
            in_channels=in_channels,
            decoder_channels=channels,
            decoder_atrous_rates=ATROUS_RATES[output_stride],
            # Dropout would draw from a generator that a checkpoint does not hold: a resumed run would differ.
            decoder_aspp_dropout=0.0,
        )
    except OSError as error:  # what the hub's client raises for every failure to fetch
        raise InputError(
            f"expected to fetch the public ImageNet weights of {backbone}, found no way to reach them; "
            "connect to the network once, or start from random parameters with --no-pretrained"
        ) from error


def _backbone_normalisation(encoder: nn.Module) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation that the backbone's public weights were trained with: Xception's are not ImageNet's."""
    timm_model = getattr(encoder, "model", None)
    if timm_model is None:
        return IMAGE_MEAN, IMAGE_STD
    return tuple(timm_model.pretrained_cfg["mean"]), tuple(timm_model.pretrained_cfg["std"])


def _renormalisation(mean: tuple[float, ...], std: tuple[float, ...]) -> tuple[Tensor, Tensor]:
    """(3, 1, 1) factors and summands from ``IMAGE_MEAN`` and ``IMAGE_STD`` to another mean and deviation."""
    gain = torch.tensor(IMAGE_STD) / torch.tensor(std)
    lift = (torch.tensor(IMAGE_MEAN) - torch.tensor(mean)) / torch.tensor(std)
    return gain.view(3, 1, 1), lift.view(3, 1, 1)
