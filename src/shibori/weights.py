"""Where trained weights are: given by the user, or shipped inside the package with the hash they must have."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from shibori.errors import InputError

SHIPPED = Path(__file__).parent / "weights_shipped"
MANIFEST = SHIPPED / "manifest.json"
TRACKERS = ("atom", "siamese")
"""Trackers of boxes: parts of several systems, trained together, shipped each on its own. The better one first."""


def shipped_weights() -> dict[str, str]:
    """File name -> SHA-256 of every weights file that ships with this version."""
    return dict(json.loads(MANIFEST.read_text())) if MANIFEST.is_file() else {}


def locate_weights(system: str, preset: str, given: Path | None = None) -> Path:
    """The weights file of a preset.

    Args:
        system: name of the system, or of one of the trackers.
        preset: name of the preset.
        given: a file named by the user, taken as it is.

    Raises:
        InputError: if there is none, or the shipped file is not the one that was shipped.
    """
    if given is not None:
        if not given.is_file():
            raise InputError(f"expected weights at {given}, found no such file; name a .safetensors file")
        return given
    name = f"{system}-{preset}.safetensors"
    if name not in shipped_weights():
        trained, option = ("trackers", "--tracker-weights") if system in TRACKERS else (system, "--weights")
        raise InputError(
            f"expected weights for {system}/{preset}, found none shipped with this version; "
            f"train them (shibori train {trained} --preset {preset}) and name the file with {option}"
        )
    path = SHIPPED / name
    if not path.is_file() or file_hash(path) != shipped_weights()[name]:
        raise InputError(
            f"expected the shipped weights {name} unchanged, found them missing or damaged; reinstall shibori"
        )
    return path


def file_hash(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
