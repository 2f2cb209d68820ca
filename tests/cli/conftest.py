"""A system that needs no network, a small clip, and its first mask."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import shibori.systems as systems
from shibori.cli.commands import app
from shibori.media.palette import write_palette_png
from shibori.media.scribble import rasterise
from shibori.media.writer import write_video
from shibori.ops.overlap import WindowedLogits
from shibori.systems.interactive.engine import RoundsSegmenter
from shibori.tracking.logit_store import Answer

from ..holder import Holder

SIZE_HW = (48, 64)
NUM_FRAMES = 12


def whole_box(image, marks, object_id, before, said) -> Answer:
    """A prompter that takes the box of an object for its mask, and a click for a square of 5 pixels."""
    logits = np.full(SIZE_HW, -4, np.float32)
    if before is not None:
        logits[before] = 4
    for box in marks.boxes:
        left, top, right, bottom = box.pixels(SIZE_HW)
        logits[top:bottom, left:right] = 4
    for row, column in np.argwhere(rasterise(marks.strokes, SIZE_HW) == object_id):
        logits[max(row - 2, 0) : row + 3, max(column - 2, 0) : column + 3] = 4
    return Answer(WindowedLogits(object_id, np.array([0.0, 0.0, SIZE_HW[1], SIZE_HW[0]]), logits), 1.0)


@pytest.fixture
def fake_system(monkeypatch) -> list[dict]:
    """The tables of systems hold only the fake, alone or between marked frames; the list fills with its options."""
    built: list[dict] = []

    def build(**options):
        built.append(options)
        return Holder(lost_frame=4)

    monkeypatch.setattr(systems, "PROPAGATORS", {"pixel": build}, raising=False)
    over_rounds = {"interactive": lambda **options: RoundsSegmenter(whole_box, build(**options))}
    monkeypatch.setattr(systems, "INTERACTIVE_SEGMENTERS", over_rounds)
    return built


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    """A folder with clip.mp4, first.png (objects 1 and 2) and fix.png (object 2), which is the working folder."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    write_video("clip.mp4", [rng.integers(0, 255, (*SIZE_HW, 3), np.uint8) for _ in range(NUM_FRAMES)], rate=10)
    ids = np.zeros(SIZE_HW, np.uint8)
    ids[5:20, 5:20] = 1
    ids[25:40, 30:50] = 2
    write_palette_png("first.png", ids)
    write_palette_png("fix.png", np.where(ids == 2, 2, 0).astype(np.uint8))
    return tmp_path


@pytest.fixture
def shibori(fake_system):
    """Runs a command line: ``shibori("segment clip.mp4 ...")``."""
    runner = CliRunner()
    return lambda line: runner.invoke(app, line.split(), prog_name="shibori")
