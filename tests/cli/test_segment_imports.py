"""What ``shibori segment`` brings into its process: nothing that trains, scores or draws tables."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

import shibori
from shibori.media.palette import write_palette_png
from shibori.media.writer import write_video

FORBIDDEN = (
    "shibori.datasets",
    "shibori.evaluation",
    "shibori.training",
    "shibori.session",
    "shibori.web",
    "shibori.batch",
    "tensorboard",
    "scipy",
    "matplotlib",
    "rich",
    # As long to import as PyTorch itself, with its compiler; only what looks for lost objects needs it.
    "torchvision",
    "torch._dynamo",
)
MOST_ENTERED = 47
"""Files of ours in which a function runs: so many a reader has to open who follows the command."""
COMMAND = """
import inspect, json, sys, threading
entered = set()

def note(frame, event, argument):
    if event == "call" and frame.f_code.co_flags & inspect.CO_OPTIMIZED:  # neither a module's body nor a class's
        entered.add(frame.f_code.co_filename)

threading.setprofile(note)
sys.setprofile(note)
from shibori.cli.commands import app
try:
    app(sys.argv[1:], prog_name="shibori")
finally:
    sys.setprofile(None)
    with open("run.json", "w") as file:
        json.dump({"modules": sorted(sys.modules), "entered": sorted(entered)}, file)
"""


@pytest.fixture
def still(tmp_path: Path) -> Path:
    """clip.mp4, in which nothing moves, and first.png: no object can be lost."""
    ids = np.zeros((96, 128), np.uint8)
    ids[30:70, 40:90] = 1
    ground = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 255, (96, 128, 3), np.uint8), (0, 0), 3)
    image = np.where(ids[:, :, None] == 1, np.uint8([220, 60, 40]), ground)
    write_video(tmp_path / "clip.mp4", [image, image], rate=5)
    write_palette_png(tmp_path / "first.png", ids)
    return tmp_path


@pytest.mark.parametrize("system", ["auto", "pixel"])
def test_segment_imports_what_it_needs(still: Path, system: str):
    line = f"segment clip.mp4 --mask first.png --out out --size 96 --device cpu --system {system}"
    environment = os.environ | {"PYTHONPATH": str(Path(shibori.__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", COMMAND, *line.split()]
    done = subprocess.run(command, cwd=still, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    run = json.loads((still / "run.json").read_text())
    imported, home = run["modules"], str(Path(shibori.__file__).parent)
    assert "shibori.run.job" in imported
    assert [name for name in imported if name.startswith(FORBIDDEN)] == []
    assert [name for name in imported if name.startswith("shibori.") and name.endswith((".train", ".losses"))] == []
    assert len([name for name in run["entered"] if name.startswith(home)]) <= MOST_ENTERED
