"""Made clips stay what they are: benchmarks compare scores over time, so the same seed has to give the same clips.

``made_clips.json`` holds, for a few frames of each clip, the pixels of every object, their mean place, and mean colours
over a grid. Processors round differently by a level in a few pixels, hence the tolerances; anything else is a change of
the benchmarks. After a change that is meant, run this file as a script to write it anew:

    PYTHONPATH=src:tests python -m datasets.scene.test_made_clips
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest

from shibori.datasets.classed_stills import read_classed_objects
from shibori.datasets.davis import read_davis
from shibori.datasets.scene.composite_sequence import CompositeSequence
from shibori.datasets.scene.composites import composites_from_davis
from shibori.datasets.scene.demo_clip import make_demo_clip
from shibori.datasets.scene.instance_composites import instance_composites
from shibori.datasets.scene.occlusion_composites import hidden_composites

from ..made import Painted

PINS = Path(__file__).with_name("made_clips.json")
SMALL, GRID = (72, 128), 2
PIXELS, PLACE, LEVELS = 3, 0.02, 0.02
"""How far areas, mean places (pixels, for objects of some size) and mean colours may be off."""

Maker = Callable[[], Iterable[CompositeSequence]]


def painted(*names: str) -> list[Painted]:
    return [Painted(name, 60 + 45 * place) for place, name in enumerate(names)]


FIVE, NAMED = painted("one", "two", "three", "four", "five"), painted("hike", "bear", "surf", "bus")
DRAWN: dict[str, Maker] = {
    "demo": lambda: [make_demo_clip(0, SMALL, 60), make_demo_clip(1, (180, 320), 40)],
    "plain": lambda: composites_from_davis(FIVE, 3, 3, 3, SMALL, 20),
    "plain, scaled": lambda: composites_from_davis(FIVE, 5, 2, 4, (100, 150), 20),
    "hidden": lambda: hidden_composites(FIVE, 2, 3, 3, SMALL, 90),
    "hidden, one object": lambda: hidden_composites(FIVE, 0, 1, 1, SMALL, 60),
    "hidden, scaled": lambda: hidden_composites(FIVE, 4, 2, 4, (100, 150), 60),
    "instances": lambda: [clip.sequence for clip in instance_composites(NAMED, [], 1, 3, 3, SMALL, 36)],
}


def real_clips(shared: Path) -> dict[str, Maker]:
    dev = read_davis(shared / "data" / "davis2016", 2016, "dev")
    photographs = shared / "data" / "stills" / "voc_seg"

    def instances() -> list[CompositeSequence]:
        objects = [each for each in read_classed_objects(photographs) if each.is_held_out]
        return [clip.sequence for clip in instance_composites(dev, objects, 0, 3, 3, (180, 320), 32)]

    return {
        "plain, dev": lambda: composites_from_davis(dev, 0, 2),
        "hidden, dev": lambda: hidden_composites(dev, 0, 2),
        "instances, dev": instances,
    }


def fingerprint(clip: CompositeSequence) -> dict[str, dict[str, list[float]]]:
    """Frame -> areas and mean places (x, y) of the objects in order, and mean RGB of a grid's cells."""
    found = {}
    for index in sorted({0, clip.num_frames // 3, clip.num_frames * 3 // 4}):
        image, ids = clip.compose(index)
        masks = [ids == object_id for object_id in clip.object_ids]
        places = [np.argwhere(mask)[:, ::-1].mean(axis=0) if mask.any() else np.zeros(2) for mask in masks]
        bands = [cell for row in np.array_split(image, GRID) for cell in np.array_split(row, GRID, axis=1)]
        found[str(index)] = {
            "areas": [int(mask.sum()) for mask in masks],
            "places": np.concatenate(places).round(2).tolist(),
            "colours": np.concatenate([cell.mean(axis=(0, 1)) for cell in bands]).round(2).tolist(),
        }
    return found


def fingerprints(make: Maker) -> dict[str, dict[str, dict[str, list[float]]]]:
    return {clip.name: fingerprint(clip) for clip in make()}


def check(name: str, make: Maker) -> None:
    pinned, made = json.loads(PINS.read_text())[name], fingerprints(make)
    assert list(made) == list(pinned)
    for clip, frames in pinned.items():
        for index, expected in frames.items():
            found, where = made[clip][index], f"{clip}, frame {index}"
            np.testing.assert_allclose(found["areas"], expected["areas"], rtol=1e-4, atol=PIXELS, err_msg=where)
            np.testing.assert_allclose(found["colours"], expected["colours"], rtol=0, atol=LEVELS, err_msg=where)
            loose = 0.01 + PLACE * np.repeat(100 / np.maximum(expected["areas"], 1), 2).clip(1)
            assert (np.abs(np.subtract(found["places"], expected["places"])) <= loose).all(), where


@pytest.mark.parametrize("name", DRAWN)
def test_clips_of_drawn_objects_are_what_they_were(name: str):
    check(name, DRAWN[name])


@pytest.mark.parametrize("name", ["plain, dev", "hidden, dev", "instances, dev"])
def test_clips_of_real_objects_are_what_they_were(name: str, shared: Path):
    check(name, real_clips(shared)[name])


def write_pins(shared: Path) -> None:
    """Write what is made now; ``shared`` holds the real data."""
    makers = DRAWN | real_clips(shared)
    lines = [f"{json.dumps(name)}: {json.dumps(fingerprints(make))}" for name, make in makers.items()]
    PINS.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    write_pins(Path(__file__).parents[4] / "shared")
