"""Each paper's folder can go: what is left imports, its tables say so, and the other systems run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "shibori"
PAPERS = ("dyenet", "ipdt", "strnn", "trackprop")
OURS = ("interactive",)
"""What stands on no paper, and is the default for marks."""

SCRIPT = """
import importlib, pkgutil, sys
import numpy as np, torch
import shibori
gone = sys.argv[1]
for found in pkgutil.walk_packages(shibori.__path__, "shibori."):
    if not found.name.endswith("__main__"):
        importlib.import_module(found.name)
from shibori import systems
from shibori.media.clip import Frame
assert gone not in systems.HOMES and len(systems.HOMES) == 4
tables = (systems.PROPAGATORS, systems.INTERACTIVE_SEGMENTERS, systems.INSTANCE_SEGMENTERS, systems.TRAINABLE,
          systems.ABLATIONS, systems.INTERACTIVE_ABLATIONS, systems.INSTANCE_ABLATIONS)
assert not any(name.split("-")[0] == gone for table in tables for name in table)
assert systems.DEFAULT_PROPAGATOR in systems.PROPAGATORS

image = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
mask = np.zeros((48, 64), bool)
mask[10:30, 20:44] = True
torch.manual_seed(0)

def of(system, module="build"):
    return importlib.import_module(f"{systems.HOMES[system]}.{module}")

def follow(propagator):
    run = propagator.begin((48, 64))
    run.step(image, {1: mask})
    assert run.step(image).ids.shape == (48, 64)

state = of("pixel", "presets").build_pixel_tracker("tiny").state_dict()
follow(of("pixel").propagator_from_state(state, "tiny", "cpu"))
if gone != "dyenet":
    follow(of("dyenet").propagator_from_state(of("dyenet", "model").build_dyenet("tiny").own_state(), "tiny", "cpu"))
if gone != "ipdt":
    detector = of("ipdt", "model").build_detector("tiny")
    of("ipdt", "model").load_trunk(detector)
    of("ipdt").segmenter_from_states(detector.own_state(), None, "tiny", torch.device("cpu"), "pixel")
if gone != "strnn":
    of("strnn").segmenter_from_state(of("strnn", "model").build_strnn("tiny").state_dict(), "tiny", "cpu")
if gone != "trackprop":
    of("trackprop").segmenter_from_state(of("trackprop", "model").build_trackprop("tiny").own_state(), "tiny", "cpu")
else:
    assert systems._mask_refiner("cpu") is None
"""


@pytest.mark.parametrize("gone", PAPERS)
def test_a_papers_folder_can_go(gone: str, tmp_path: Path):
    skipped = shutil.ignore_patterns("*.safetensors", "__pycache__")
    shutil.copytree(SOURCE, tmp_path / "shibori", ignore=skipped)
    shutil.rmtree(tmp_path / "shibori" / "systems" / gone)
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, gone],
        env={**os.environ, "PYTHONPATH": str(tmp_path), "OMP_NUM_THREADS": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr


def test_those_are_all_the_papers():
    folders = sorted(folder.parent.name for folder in (SOURCE / "systems").glob("*/__init__.py"))
    assert folders == sorted([*PAPERS, *OURS])
