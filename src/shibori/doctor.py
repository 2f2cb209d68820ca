"""What this machine has: versions, processor, devices, weights. For ``shibori doctor`` and for reports of defects."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from typing import Literal

import shibori.systems as systems
from shibori.errors import InputError
from shibori.run.choice import SystemChoice, load_system

LIBRARIES = ("torch", "torchvision", "numpy", "av", "opencv-python-headless", "pillow", "pycocotools", "safetensors")


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    topic: Literal["versions", "processor", "devices", "weights"]
    name: str
    value: str
    fine: bool = True
    """False where something a user needs is missing or broken."""


def examine() -> Iterator[Finding]:
    """Everything, one finding after the other."""
    yield from _versions()
    yield from _processor()
    yield from _devices()
    yield from _weights()


def _versions() -> Iterator[Finding]:
    yield Finding("versions", "python", f"{platform.python_version()} on {platform.platform()}")
    for name in ("shibori", *LIBRARIES):
        try:
            yield Finding("versions", name, metadata.version(name))
        except metadata.PackageNotFoundError:
            ours = name == "shibori"
            yield Finding("versions", name, "run from its source tree" if ours else "not installed", fine=ours)


def _processor() -> Iterator[Finding]:
    import torch

    from shibori.nn.prepare import cpu_has_bfloat16

    yield Finding("processor", "cores", f"{os.cpu_count()}, {torch.get_num_threads()} threads for networks")
    yield Finding("processor", "vectors", torch.backends.cpu.get_cpu_capability())
    yield Finding("processor", "bfloat16", "yes" if cpu_has_bfloat16() else "no: networks run in float32")


def _devices() -> Iterator[Finding]:
    import torch

    yield Finding("devices", "cpu", "yes")
    names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    yield Finding("devices", "cuda", ", ".join(names) if names else "none")
    yield Finding("devices", "mps", "yes" if torch.backends.mps.is_available() else "none")


def _weights() -> Iterator[Finding]:
    """Each system's own weights, really loaded: that is the only proof that they are whole and fit."""
    for name in systems.PROPAGATORS:
        try:
            load_system(SystemChoice(system=name, device="cpu"))
        except InputError as error:
            yield Finding("weights", f"{name} compact", str(error), fine=False)
        else:
            yield Finding("weights", f"{name} compact", "found, verified, loaded")
