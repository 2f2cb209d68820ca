"""The Python examples of the pages are run, in order, in a folder with a clip and its first mask."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import shibori.systems as systems
from shibori.interfaces import Propagation, Propagator
from shibori.media.mask import FrameMasks, ObjectStatus, masks_to_ids
from shibori.media.palette import write_palette_png
from shibori.media.writer import write_video

DOCS = Path(__file__).parents[1] / "docs"


class Holder(Propagator):
    def begin(self, size_hw):
        return Holding()


class Holding(Propagation):
    def __init__(self) -> None:
        self.known: dict[int, np.ndarray] = {}

    def step(self, image, references=None):
        self.known.update(references or {})
        statuses = tuple(ObjectStatus(object_id, 1.0, "tracked") for object_id in sorted(self.known))
        return FrameMasks(0, masks_to_ids(self.known, image.shape[:2]), statuses, None)


@pytest.mark.parametrize("page", ["python-api.md", "evaluate.md"])
def test_examples_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(systems, "PROPAGATORS", {"pixel": lambda **options: Holder()})
    ids = np.zeros((32, 48), np.uint8)
    ids[4:20, 4:20] = 1
    write_palette_png("first.png", ids)
    write_video("clip.mp4", [np.full((32, 48, 3), 9 * index, np.uint8) for index in range(6)], rate=5)
    names = {"system": Holder()}
    examples = re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)
    assert examples
    for example in examples:
        exec(compile(example, page, "exec"), names)
