"""The masks that every command gives with the weights that ship, on drawn clips: what moving code must not change.

Where masks are meant to change (new weights, a better rule), record them anew and look at what changed::

    SHIBORI_RECORD_GOLDEN=1 python -m pytest tests/golden
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from shibori.cli.commands import app
from shibori.media.mask import read_ids

from .clips import BALL, BOX, EGG, SIZE_HW
from .record import check, from_instances_json, from_masks_json

BOXES = "--box 0:34,46,86,82:1 --box 0:134,42,166,74:2"
DISTANT = f"--click 0:52,64:{EGG} --click 0:150,58:{BALL} --click 0:104,30:0 --click 11:160,91:{BOX}"


def run(line: str) -> None:
    """One command line that must succeed."""
    result = CliRunner().invoke(app, line.split(), prog_name="shibori")
    assert result.exit_code == 0, result.stderr


@pytest.fixture
def segment(monkeypatch, tmp_path):
    """Compare the masks of ``shibori segment clip OPTIONS`` with a record's."""

    def segment(clip, name: str, options: str) -> None:
        monkeypatch.chdir(clip.folder)
        run(f"segment clip --format rle --device cpu --out {tmp_path} {options}")
        check(name, from_masks_json(tmp_path / "masks.json"), SIZE_HW)

    return segment


@pytest.mark.parametrize("system", ["auto", "pixel"])
def test_first_masks_where_one_object_hides_another(crossing, segment, system):
    segment(crossing, f"crossing-{system}", f"--system {system} --size 128 --mask first.png")


def test_cut_outs_have_soft_edges_and_palettes_are_as_ever(crossing, monkeypatch, tmp_path):
    monkeypatch.chdir(crossing.folder)
    formats = "--format palette --format rgba --format rle"
    run(f"segment clip {formats} --device cpu --size 128 --mask first.png --out {tmp_path}")
    check("crossing-auto", from_masks_json(tmp_path / "masks.json"), SIZE_HW)
    for index, object_id in ((1, EGG), (5, EGG), (5, BALL), (11, BALL)):
        inside = read_ids(tmp_path / "palette" / f"{index:05d}.png") == object_id
        with Image.open(tmp_path / "rgba" / str(object_id) / f"{index:05d}.png") as picture:
            alpha = np.asarray(picture)[..., 3]
        assert ((alpha > 0) & (alpha < 255))[edge_of(inside)].mean() > 0.5
        assert (alpha[inside] > 60).all()
        assert ((alpha > 127) == inside).mean() > 0.99


def edge_of(mask: np.ndarray) -> np.ndarray:
    """The pixels on both sides of it."""
    thick, thin = (change(mask.astype(np.uint8), np.ones((3, 3), np.uint8)) for change in (cv2.dilate, cv2.erode))
    return np.asarray(thick != thin)


@pytest.mark.parametrize("system", ["auto", "pixel"])
def test_first_masks_of_an_object_that_hides_and_comes_back(returning, segment, system):
    segment(returning, f"returning-{system}", f"--system {system} --size 144 --mask first.png")


@pytest.mark.parametrize("system", ["auto", "pixel"])
def test_a_correction_and_an_object_that_begins_later(crossing, segment, system):
    masks = "--mask half.png --mask 3:egg3.png --mask 5:box5.png"
    segment(crossing, f"several-{system}", f"--system {system} --size 128 --forward-only {masks}")


@pytest.mark.parametrize("system", ["auto", "pixel"])
def test_both_ways_from_masks_of_later_frames(crossing, segment, system):
    masks = "--mask 5:egg5.png --mask 10:ball10.png"
    segment(crossing, f"both-ways-{system}", f"--system {system} --size 128 --both-ways {masks}")


def test_training_on_the_first_mask(crossing, segment):
    segment(crossing, "online", "--system dyenet --size 128 --end 3 --online-steps 1 --mask first.png")


@pytest.mark.parametrize("system", ["strnn", "strnn-plain", "trackprop"])
def test_clicks(crossing, segment, system):
    segment(crossing, f"click-{system}", f"--system {system} --size 160 {DISTANT}")


def test_marks_of_every_kind_together(crossing, segment):
    marks = (
        f"--mask first.png --click 6:92,64:{EGG} --absent 6:{BALL} --box 8:141,76,175,107:{BOX} --mask 10:ball10.png"
    )
    segment(crossing, "rounds-interactive", f"--system interactive --size 128 {marks}")


@pytest.mark.parametrize("system", ["strnn", "trackprop"])
def test_boxes(crossing, segment, system):
    segment(crossing, f"box-{system}", f"--system {system} --size 160 {BOXES} --click 8:120,112:0")


@pytest.mark.parametrize("system", ["strnn", "trackprop"])
def test_scribbles(returning, segment, system):
    strokes = {
        0: [(BALL, [(28.0, 38.0), (40.0, 46.0)]), (0, [(20.0, 100.0), (120.0, 106.0), (170.0, 90.0)])],
        12: [(BALL, [(138.0, 38.0), (146.0, 46.0)])],
    }
    returning.write_scribbles("scribbles.json", strokes)
    segment(returning, f"scribbles-{system}", f"--system {system} --size 160 --scribbles scribbles.json")


def test_discovery(crossing, monkeypatch, tmp_path):
    monkeypatch.chdir(crossing.folder)
    run(f"discover clip --device cpu --size 160 --tracked 3 --out {tmp_path / 'found.json'}")
    check("discover", from_instances_json(Path(tmp_path / "found.json")), SIZE_HW)
