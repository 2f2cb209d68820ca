"""Put a trained weights file into the package: copy it, note its hash in the manifest. For maintainers.

    python tools/ship_weights.py runs/pixel/weights.safetensors [--system pixel] [--preset compact]

``--system`` is the name in the file: a system, prompt, or atom or siamese, the trackers of boxes.
Afterwards bring the model card beside it up to date, and commit the three files.
"""

from __future__ import annotations

import argparse
import importlib
import json
import shutil
import sys
from pathlib import Path

import torch
from torch import Tensor

from shibori.errors import InputError
from shibori.nn.weights import load_state
from shibori.systems import HOMES
from shibori.weights import SHIPPED, TRACKERS, file_hash

LARGEST_BYTES = 48_000_000
"""Everything in the folder of weights together: it travels with every copy of the package."""


def ship_weights(source: Path, preset: str, folder: Path = SHIPPED, system: str = "pixel") -> str:
    """Copy a file of a system into ``folder`` and update its ``manifest.json``; returns the SHA-256.

    Raises:
        InputError: the file is damaged or does not fit the preset, or the folder would grow too large.
    """
    require_fit(load_state(source, system, preset), preset, system)
    name = f"{system}-{preset}.safetensors"
    others = [path for path in folder.iterdir() if path.is_file() and path.name != name] if folder.is_dir() else []
    total = source.stat().st_size + sum(path.stat().st_size for path in others)
    if total > LARGEST_BYTES:
        raise InputError(f"{source} would make the shipped weights {total:,} bytes, more than {LARGEST_BYTES:,}")
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f".{name}.part"
    shutil.copyfile(source, partial)
    partial.chmod(0o644)
    partial.replace(folder / name)
    manifest = folder / "manifest.json"
    hashes = json.loads(manifest.read_text()) if manifest.is_file() else {}
    hashes[name] = file_hash(folder / name)
    manifest.write_text(json.dumps(dict(sorted(hashes.items())), indent=2) + "\n")
    return hashes[name]


def require_fit(state: dict[str, Tensor], preset: str, system: str) -> None:
    """Build what the parameters are for. InputError if they do not fit, or were trained on another trunk."""
    if system in TRACKERS:
        trackers = importlib.import_module("shibori.boxtracking.build")
        trackers.tracker_from_state(system, state, preset, "cpu")
        return
    build = importlib.import_module(f"{({'prompt': 'shibori.prompting'} | HOMES)[system]}.build")
    if system == "ipdt":
        build.segmenter_from_states(state, None, preset, torch.device("cpu"), "pixel")
        return
    fits = getattr(build, "propagator_from_state", None) or build.segmenter_from_state
    fits(state, preset, "cpu")


def main() -> None:
    """Ship the file that was named, or say why not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--system", default="pixel")
    parser.add_argument("--preset", default="compact")
    arguments = parser.parse_args()
    try:
        digest = ship_weights(arguments.weights, arguments.preset, system=arguments.system)
    except InputError as error:
        sys.exit(f"ship_weights: {error}")
    print(f"{SHIPPED / f'{arguments.system}-{arguments.preset}.safetensors'}\nsha256 {digest}")


if __name__ == "__main__":
    main()
